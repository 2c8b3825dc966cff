"""A model of somebody else as a proposer: what it says of the unlabelled cases is kept as predictions of a model from elsewhere.

Where evaluation cases are annotated it sees these, too, and is judged on them as the project's own models are: then triage can sort by it.
Its weights stay where they are; what is kept of them is their SHA-256. Safe to repeat: cases that it has seen are passed over. While no
model of the project is in use, the worker predicts cases that come later in the same way (`run_proposing`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloop.core.errors import CancelledError, ConflictError, MedloopError, SettingError, StorageError, UnavailableError
from medloop.core.names import counted, folded
from medloop.core.records import EVALUATION_SPLITS, Case, Json, Model, Prediction
from medloop.core.seeds import generator
from medloop.datasets.dataset import Dataset, Refusal
from medloop.loop.data.label_maps import LabelMap, label_map
from medloop.loop.data.model_statistics import compared_with
from medloop.loop.data.outside_predictors import STATISTICS, Found, HowToRun, Opened, opened
from medloop.loop.data.outside_proposals import mask_prediction_of, prediction_of
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Propose
from medloop.loop.foundation.label_versions import NOT_LEARNED
from medloop.loop.foundation.outside import arrange, arranged, checked_outside_name, note_run, outside_model
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import bring_up_to_date

__all__ = ["HowToRun", "ModelReport", "import_model", "run_proposing"]

BACKGROUND = "background"
_FAULTS = (MedloopError, OSError, MemoryError, EOFError, ValueError, ArithmeticError)
Report = Callable[[int, int, str], None]


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
    """Let a model of somebody else propose for the unlabelled cases of a segmentation, and for those that come later.

    Args:
        workspace: The project.
        place: TorchScript, ONNX, a MONAI bundle, an export of medloop, or the folder of a trained nnU-Net v2; with `how.server` the name of
            a model on a MONAI Label server, or "".
        name: What the page and the history call it.
        how: What its files do not say.
        report: Called before each case with (done, total, name).
        actor: Who brings it, for the audit.

    Raises:
        SettingError: The project is a classification, the file says too little, or the server is not allowed.
        NotFoundError: No such file, server or model.
        LabelError: It names labels that the project does not have.
        ConflictError: Another file has that name in the project.
        FormatError: It is no model, is damaged, or holds code.
        UnavailableError: nnU-Net or onnxruntime is not installed, or a server does not answer.
        StorageError: The project cannot write.
    """
    how, called = how or HowToRun(), checked_outside_name(name)
    if workspace.task.kind != "segmentation":
        raise SettingError("A proposer gives masks, and this project is a classification", remedy="use it in a segmentation")
    done = _proposed(workspace, _Source(place, called, how), report, actor)
    if done.predicted or done.known or not done.refused:  # one that can predict nothing is not tried again by itself
        where = str(place) if how.server is not None else str(Path(place).resolve())
        with workspace.store.write(actor) as tx:
            model = outside_model(tx, called)
            arrange(tx, model, None if how.once else {"place": where, **how.to_json()})
            missed = tx.unpredicted(model.id, ("train", "audit")) > len(done.refused)
        if missed:  # they came while it ran
            follow_up(workspace)
    return done


def run_proposing(workspace: Workspace, control: JobControl) -> Json:
    """Let the proposer of a project see the cases that came since: the job of a worker.

    Nothing is done once a model of the project is in use, or where the proposer is to run once only. Annotations and drafts stay as they
    are: what is stored are predictions.
    """
    asked = Propose(**control.job.payload)
    with workspace.store.read() as tx:
        model, live = tx.get(Model, asked.model_id), tx.live_model()
        how = arranged(tx).get(model.id)
    if live is not None or how is None:
        reason = f"model {live.index} is in use" if live else f"{model.outside!r} runs by itself no longer"
        return {"message": f"{reason}, nothing to do"}

    def report(done: int, total: int, name: str) -> None:
        control.report(done / total, f"predicting {name} ({done + 1} of {total})")

    source = _Source(how["place"], str(model.outside), HowToRun.from_json(how))
    found = _proposed(workspace, source, report, "worker")
    for line in (*found.notes, *map(str, found.refused)):
        control.log(line)
    return {"predicted": len(found.predicted), "known": found.known, "left_out": len(found.refused)}


@dataclass(frozen=True)
class _Source:
    """Where a model from elsewhere lies, its name here, and how it is run."""

    place: str | Path
    name: str
    how: HowToRun


def _proposed(workspace: Workspace, source: _Source, report: Report | None, actor: str) -> ModelReport:
    """Predict what it has not seen yet, and judge it."""
    with opened(workspace.folder, source.place, source.how) as found:
        values = _label_map(workspace, found.file, found.labels, source.how.mapping)
        model = _kept(workspace, source.name, found, values, actor)
        with workspace.store.read() as tx:
            seen = {p.case_id for p in tx.latest_predictions(model.id)}
            wanted = _cases(tx.unlabelled_cases(["train", "audit"], exclude_open=False), _annotated(workspace))
        new = [case for case in wanted if case.id not in seen]
        done, refused = _predict_all(_Run(workspace, found, values, model, actor), new, report)
        if done:
            with workspace.store.write(actor) as tx:
                note_run(tx, model, {"cases": len(done), "version": found.version})
    told = model.metrics.get(STATISTICS)
    differs = compared_with(workspace, told, wanted) if told else []
    judged = bring_up_to_date(workspace, model, lambda _line: None, lambda _cases: LeftOut(workspace), LeftOut(workspace))
    return ModelReport(source.name, model.index, tuple(done), len(wanted) - len(new), judged, tuple(refused), (*values.notes, *differs))


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


def _kept(workspace: Workspace, name: str, found: Opened, values: LabelMap, actor: str) -> Model:
    """The model from elsewhere of that name and file; made when it is new."""
    lacking = [value for value in workspace.task.mask_values if value not in values.voxels.values()]
    facts: Json = {**found.facts} | ({NOT_LEARNED: lacking} if lacking else {})
    with workspace.store.write(actor) as tx:
        model = outside_model(tx, name, metrics=facts)
    if model.metrics.get("sha256") != facts["sha256"]:
        rule = f"A name stands for one model, and {name!r} is that of {model.metrics.get('file', 'a folder of proposals')}"
        raise ConflictError(rule, remedy="give this one another name with --as")
    return model


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
    found: Opened
    values: LabelMap
    model: Model
    actor: str


def _predict_all(run: _Run, cases: Sequence[Case], report: Report | None) -> tuple[list[str], list[Refusal]]:
    """Predict and store case by case; names of those that were, and a line for each other."""
    done: list[str] = []
    refused: list[Refusal] = []
    size = run.found.predictor.batch
    for start in range(0, len(cases), size):
        part = cases[start : start + size]
        if report is not None:
            report(start, len(cases), part[0].name)
        try:
            made = _predict(run, part)
        except (StorageError, CancelledError, UnavailableError):  # the next case would fare no better; repeated, it goes on here
            raise
        except _FAULTS as error:
            refused += _refusals(part, error)
            continue
        done += [case.name for case, one in zip(part, made, strict=True) if _stored(run, one)]
    return done, refused


def _stored(run: _Run, made: Prediction) -> bool:
    """Store a prediction, unless another process was quicker."""
    with run.workspace.store.write(run.actor) as tx:
        if tx.find(Prediction, where={"case_id": made.case_id, "model_id": made.model_id}, limit=1):
            return False
        tx.add(made, verb="propose")
    return True


def _refusals(cases: Sequence[Case], error: BaseException) -> list[Refusal]:
    message = error.message if isinstance(error, MedloopError) else str(error) or type(error).__name__
    remedy = error.remedy if isinstance(error, MedloopError) else "check its image"
    return [Refusal(case.name, message, "", remedy) for case in cases]


def _predict(run: _Run, cases: Sequence[Case]) -> list[Prediction]:
    """What is stored of each case."""
    workspace = run.workspace
    images = [load_image(workspace.store.blobs, case) for case in cases]
    rng = generator(workspace.settings.seed, "predict", run.model.index, cases[0].name)
    found = run.found.predictor.predict_many(images, samples=workspace.settings.samples, rng=rng)
    return [_prediction(run, case, one) for case, one in zip(cases, found, strict=True)]


def _prediction(run: _Run, case: Case, found: Found) -> Prediction:
    """Their values put where the project has them; what has no place there is background."""
    if found.ndim == 3:
        table = np.zeros(256, dtype=np.uint8)
        for theirs, ours in run.values.voxels.items():
            table[theirs] = ours
        return mask_prediction_of(run.workspace, case, table[found], run.model.id)
    return prediction_of(run.workspace, case, _placed(found, run.values, run.workspace.task.classes), run.model.id)


def _placed(samples: npt.NDArray[np.float32], values: LabelMap, classes: int) -> npt.NDArray[np.float32]:
    placed = np.zeros((len(samples), classes, *samples.shape[2:]), dtype=np.float32)
    for theirs in range(samples.shape[1]):
        placed[:, values.voxels.get(theirs, 0)] += samples[:, theirs]
    placed /= placed.sum(axis=1, keepdims=True).clip(1e-9)
    return placed
