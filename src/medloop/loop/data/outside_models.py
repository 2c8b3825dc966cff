"""A model of somebody else as a proposer: what it says of the unlabelled cases is kept as predictions of a model from elsewhere.

Where evaluation cases are annotated it sees these, too, and is judged on them as the project's own models are: then triage can sort by it.
Its weights stay where they are; what is kept of them is their SHA-256. Safe to repeat: cases that it has seen are passed over.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medloop.core.errors import ConflictError, MedloopError, SettingError, StorageError
from medloop.core.names import counted, folded
from medloop.core.records import EVALUATION_SPLITS, Case, Json, Model
from medloop.core.seeds import generator
from medloop.datasets.dataset import Dataset, Refusal
from medloop.loop.data.label_maps import LabelMap, label_map
from medloop.loop.data.nnunet_models import NnunetPredictor, is_nnunet, read_nnunet
from medloop.loop.data.outside_proposals import prediction_of
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.label_versions import NOT_LEARNED
from medloop.loop.foundation.outside import checked_outside_name, outside_model
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import bring_up_to_date
from medloop.quality.calibrate import calibrator_from_json

if TYPE_CHECKING:
    from medloop.models.exchange.child import Limits
    from medloop.models.exchange.opening import Stated
    from medloop.models.inference.predict import AnyPredictor

BACKGROUND = "background"
_FAULTS = (MedloopError, OSError, MemoryError, EOFError, ValueError, ArithmeticError)
Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class HowToRun:
    """How a model from elsewhere is run.

    Attributes:
        stated: What its file does not say; see `medloop.models.exchange.opening`.
        mapping: Its label → the project's, or `background`; labels of one name need no entry.
        limits: Of the process of a network; None takes the usual ones.
        command: Of nnU-Net; None looks for it on the path.
        device: Where nnU-Net runs.
    """

    stated: "Stated | None" = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    limits: "Limits | None" = None
    command: str | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class ModelReport:
    """What became of a model from elsewhere.

    Attributes:
        name: As the history has it.
        index: Its number among the models.
        predicted: Cases that have a new proposal of it.
        known: Cases that it had seen before.
        judged: Split → mean Dice on its annotated cases.
        refused: One line per case that it could not predict.
        notes: What whoever goes on must know.
    """

    name: str
    index: int
    predicted: tuple[str, ...]
    known: int
    judged: Mapping[str, float]
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        scores = "".join(f", {split} Dice {mean:.3f}" for split, mean in self.judged.items())
        cases = counted(len(self.predicted), "case")
        return f"model {self.index}, {self.name!r}, predicted {cases}, {self.known} seen before, {len(self.refused)} left out{scores}"


def import_model(
    workspace: Workspace, place: str | Path, *, name: str, how: HowToRun | None = None, report: Report | None = None, actor: str = "system"
) -> ModelReport:
    """Let a model of somebody else propose for the unlabelled cases of a segmentation.

    Args:
        workspace: The project.
        place: TorchScript, ONNX, a MONAI bundle, an export of medloop, or the folder of a trained nnU-Net v2.
        name: What the page and the history call it.
        how: What its files do not say.
        report: Called before each case with (done, total, name).
        actor: Who brings it, for the audit.

    Raises:
        SettingError: The project is a classification, or the file says too little.
        LabelError: It names labels that the project does not have.
        ConflictError: Another file has that name in the project.
        FormatError: It is no model, is damaged, or holds code.
        UnavailableError: nnU-Net or onnxruntime is not installed.
        StorageError: The project cannot write.
    """
    how, called, path = how or HowToRun(), checked_outside_name(name), Path(place)
    if workspace.task.kind != "segmentation":
        raise SettingError("A proposer gives masks, and this project is a classification", remedy="use it in a segmentation")
    with _opened(path, how) as (predictor, labels, kind):
        values = _label_map(workspace, path.name, labels, how.mapping)
        model = _kept(workspace, called, path, kind, values, actor)
        with workspace.store.read() as tx:
            seen = {p.case_id for p in tx.latest_predictions(model.id)}
            wanted = _cases(tx.unlabelled_cases(["train", "audit"], exclude_open=False), _annotated(workspace))
        new = [case for case in wanted if case.id not in seen]
        done, refused = _predict_all(_Run(workspace, predictor, values, model, actor), new, report)
    judged = bring_up_to_date(workspace, model, lambda _line: None, lambda _cases: LeftOut(workspace), LeftOut(workspace))
    return ModelReport(called, model.index, tuple(done), len(wanted) - len(new), judged, tuple(refused), values.notes)


@contextmanager
def _opened(path: Path, how: HowToRun) -> Iterator[tuple["AnyPredictor", Mapping[str, int], str]]:
    """The predictor, its labels by name, and of which kind it is."""
    if is_nnunet(path):
        found = read_nnunet(path)
        yield NnunetPredictor(found, command=how.command, device=how.device), found.labels, "nnunet"
        return
    from medloop.models.exchange.opening import open_network

    with open_network(path, how.stated, calibrator=calibrator_from_json, limits=how.limits) as network:
        if network.description.kind != "segmentation":
            raise SettingError(f"{path.name}: a proposer gives masks, this network gives classes", remedy="take a segmentation network")
        yield network, network.description.labels, "network"


def _label_map(workspace: Workspace, file: str, labels: Mapping[str, int], mapping: Mapping[str, str]) -> LabelMap:
    """Their values → the project's, by name."""
    unknown = [one for one in mapping if folded(one) not in {folded(label) for label in labels}]
    if unknown:
        raise SettingError(f"--map is about labels of {file}, got {', '.join(unknown)}", remedy=f"it has {', '.join(labels)}")
    renamed = {folded(theirs): ours for theirs, ours in mapping.items()}
    named = {renamed.get(folded(label), label): value for label, value in labels.items()}
    dropped = {label for label in named if folded(label) == BACKGROUND}
    kept = {label: value for label, value in named.items() if label not in dropped}
    if not kept or len(named) < len(labels):
        raise SettingError("Every label of a model is mapped to a label of its own, and one at least is kept", remedy="correct --map")
    return label_map(workspace, Dataset("nnunet", "segmentation", tuple(kept), label_values=kept))


def _kept(workspace: Workspace, name: str, path: Path, kind: str, values: LabelMap, actor: str) -> Model:
    """The model from elsewhere of that name and file; made when it is new."""
    lacking = [value for value in workspace.task.mask_values if value not in values.voxels.values()]
    facts: Json = {"file": path.resolve().name, "sha256": digest_of(path), "made_by": kind} | ({NOT_LEARNED: lacking} if lacking else {})
    with workspace.store.write(actor) as tx:
        model = outside_model(tx, name, metrics=facts)
    if model.metrics.get("sha256") != facts["sha256"]:
        rule = f"A name stands for one model, and {name!r} is that of {model.metrics.get('file', 'a folder of proposals')}"
        raise ConflictError(rule, remedy="give this one another name with --as")
    return model


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or over the files of a folder and their names."""
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    found = hashlib.sha256()
    for one in files:
        found.update(str(one.relative_to(path)).encode() if path.is_dir() else b"")
        with one.open("rb") as stream:
            while part := stream.read(1 << 20):
                found.update(part)
    return found.hexdigest()


def _annotated(workspace: Workspace) -> list[Case]:
    """Evaluation cases that have an annotation, by name."""
    with workspace.store.read() as tx:
        ids = {a.case_id for a in tx.current_annotations(splits=EVALUATION_SPLITS)}
        return sorted(tx.find(Case, where={"id": sorted(ids)}), key=lambda case: case.name) if ids else []


def _cases(pool: Sequence[Case], judging: Sequence[Case]) -> list[Case]:
    return list({case.id: case for case in (*pool, *judging)}.values())


@dataclass(frozen=True)
class _Run:
    """What predicts for whom."""

    workspace: Workspace
    predictor: "AnyPredictor"
    values: LabelMap
    model: Model
    actor: str


def _predict_all(run: _Run, cases: Sequence[Case], report: Report | None) -> tuple[list[str], list[Refusal]]:
    """Predict and store case by case; names of those that were, and a line for each other."""
    done: list[str] = []
    refused: list[Refusal] = []
    size = run.predictor.batch if isinstance(run.predictor, NnunetPredictor) else 1
    for start in range(0, len(cases), size):
        part = cases[start : start + size]
        if report is not None:
            report(start, len(cases), part[0].name)
        try:
            found = _predict(run, part)
        except StorageError:
            raise
        except _FAULTS as error:
            message = error.message if isinstance(error, MedloopError) else str(error) or type(error).__name__
            remedy = error.remedy if isinstance(error, MedloopError) else "check its image"
            refused += [Refusal(case.name, message, "", remedy) for case in part]
            continue
        for case, samples in zip(part, found, strict=True):
            made = prediction_of(run.workspace, case, samples, run.model.id)
            with run.workspace.store.write(run.actor) as tx:
                tx.add(made, verb="propose")
            done.append(case.name)
    return done, refused


def _predict(run: _Run, cases: Sequence[Case]) -> list[npt.NDArray[np.float32]]:
    """Samples of each case in the project's values, shape (samples, classes, I, J, K)."""
    images = [load_image(run.workspace.store.blobs, case) for case in cases]
    if isinstance(run.predictor, NnunetPredictor):
        outputs = run.predictor.predict_many(images)
    else:
        rng = generator(run.workspace.settings.seed, "predict", run.model.index, cases[0].name)
        outputs = [run.predictor.predict(images[0], samples=run.workspace.settings.samples, rng=rng)]
    return [_placed(output.samples, run.values, run.workspace.task.classes) for output in outputs]


def _placed(samples: npt.NDArray[np.float32], values: LabelMap, classes: int) -> npt.NDArray[np.float32]:
    """Their classes put where the project has them; what has no place there is background."""
    placed = np.zeros((len(samples), classes, *samples.shape[2:]), dtype=np.float32)
    for theirs in range(samples.shape[1]):
        placed[:, values.voxels.get(theirs, 0)] += samples[:, theirs]
    placed /= placed.sum(axis=1, keepdims=True).clip(1e-9)
    return placed
