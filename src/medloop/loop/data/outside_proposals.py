"""Masks or probabilities of another tool as the first proposals of unlabelled cases: shown as proposals, never as annotations.

They are kept as predictions of a model from elsewhere (`medloop.loop.foundation.outside`), so that the page, the history and the effort
count them like any proposal. Where the project's own model predicts a case, its proposal takes their place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from medloop.core.arrays import FloatArray, MaskArray, ProbabilitySamples
from medloop.core.errors import MedloopError, SettingError, StorageError
from medloop.core.names import composed, counted
from medloop.core.records import Case, Json, Prediction, new_id, now
from medloop.datasets.dataset import Dataset, Refusal
from medloop.datasets.description import read_description, read_labels
from medloop.datasets.files import Root, split_suffix
from medloop.datasets.folder import MASK_ENDINGS
from medloop.images.encode import encode_mask
from medloop.loop.data.label_maps import LabelMap, label_map
from medloop.loop.data.outside_maps import OutsideMap, read_outside
from medloop.loop.foundation.outside import checked_outside_name, outside_model
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.prediction_scores import judge, uncertainty_bytes
from medloop.loop.judging.quality_signs import signs_of

WITHOUT_PROBABILITIES = "masks without probabilities have no uncertainty: they are shown as proposals, and queries do not go by them"
_FAULTS = (MedloopError, OSError, MemoryError, EOFError, ValueError, ArithmeticError, RecursionError)
_BESIDE = frozenset(("dataset.json", "plans.json", "predict_from_raw_data_args.json", "summary.json", "postprocessing.pkl"))
"""What nnU-Net puts beside its predictions."""


@dataclass(frozen=True)
class ProposalsReport:
    """What became of a folder of proposals.

    Attributes:
        name: Of the model from elsewhere.
        taken: Cases that have a new proposal, and how many of them come with probabilities.
        known: Cases whose proposal was there already.
        refused: One line per file that was left out.
        notes: What whoever goes on must know.
    """

    name: str
    taken: tuple[str, ...]
    with_probabilities: int
    known: tuple[str, ...]
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        kinds = f"{counted(len(self.taken), 'case')} ({self.with_probabilities} with probabilities)"
        return f"proposals of {self.name!r} for {kinds}, {len(self.known)} unchanged, {len(self.refused)} left out"


@dataclass
class _Tally:
    taken: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sure: int = 0


def import_proposals(workspace: Workspace, folder: str | Path, *, name: str, actor: str = "system") -> ProposalsReport:
    """Take the masks or probability maps of a folder as proposals.

    Args:
        workspace: Of a segmentation.
        folder: A file per case, called like it or with an ending such as `_seg`: masks, volumes with a channel per class, `.npz`. A
            dataset.json of nnU-Net in it names the labels.
        name: Who made them.
        actor: Who brings them, for the audit.

    Raises:
        SettingError: The project is a classification.
        InputError: A name that cannot be kept.
        LabelError: The dataset.json names labels that the project does not have.
        StorageError: The project cannot write.
    """
    called = checked_outside_name(name)
    if workspace.task.kind != "segmentation":
        raise SettingError("Proposals are masks, and this project is a classification", remedy="import them into a segmentation")
    root = Root.of(Path(folder))
    values, tally = described_labels(workspace, root), _Tally()
    with workspace.store.read() as tx:
        cases = {composed(case.name): case for case in tx.find(Case)}
    files, tally.refused = root.walk()
    for case, path in one_file_each(root, files, cases, tally.refused, "a proposal").items():
        _take(workspace, called, root.label(path), (path, cases[case]), values, tally, actor)
    if len(tally.taken) > tally.sure:
        tally.notes.append(WITHOUT_PROBABILITIES)
    return ProposalsReport(called, tuple(tally.taken), tally.sure, tuple(tally.known), tuple(tally.refused), tuple(tally.notes))


def described_labels(workspace: Workspace, root: Root) -> LabelMap:
    """What the values of a folder's masks mean: by the dataset.json of nnU-Net in it, else they are the project's."""
    described = root.folder / "dataset.json"
    if not root.has(described):
        return label_map(workspace, Dataset("folder", "segmentation"))
    labels = read_labels(read_description(described))
    named = Dataset("nnunet", "segmentation", tuple(labels.values), label_values=labels.values, ignore=labels.ignore, inside=labels.inside)
    return label_map(workspace, named)


def one_file_each(
    root: Root, files: Sequence[Path], cases: Mapping[str, Case], refused: list[Refusal], what: str = "a proposal"
) -> dict[str, Path]:
    """One file for each case by name, probabilities before masks; every other file joins `refused`, which calls a file `what`."""
    chosen: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: (not path.name.lower().endswith(".npz"), path)):
        stem = path.name[:-4] if path.name.lower().endswith(".npz") else split_suffix(path.name)[0]
        if path.name in _BESIDE or (path.name == stem and not split_suffix(path.name)[1]):
            continue
        if not root.holds(path):
            refused.append(Refusal(root.label(path), "a link must not lead out of the folder", "", "copy the file"))
            continue
        case = _case_of(composed(stem), cases)
        if case is None:
            rule = f"{what} is called like a case of the project"
            refused.append(Refusal(root.label(path), rule, stem, "rename the file, or import its image first"))
        elif case in chosen and not chosen[case].name.lower().endswith(".npz"):
            rule = f"a case has one file of a name, {root.label(chosen[case])} is read"
            refused.append(Refusal(root.label(path), rule, "", "keep one of them"))
        else:
            chosen.setdefault(case, path)
    return chosen


def _case_of(stem: str, cases: Mapping[str, Case]) -> str | None:
    if stem in cases:
        return stem
    return next((plain for ending in MASK_ENDINGS if stem.endswith(ending) and (plain := stem.removesuffix(ending)) in cases), None)


def _take(workspace: Workspace, name: str, label: str, found: tuple[Path, Case], values: LabelMap, tally: _Tally, actor: str) -> None:
    """Store one proposal, or note why not; only a store that cannot write is passed on."""
    path, case = found
    if _annotated(workspace, case):
        tally.refused.append(
            Refusal(label, "a proposal is for a case without an annotation", case.name, "nothing is lost: its annotation stands")
        )
        return
    try:
        outside = read_outside(path, case, values, len(workspace.task.labels))
    except _FAULTS as error:
        tally.refused.append(_refusal(label, path.name, error))
        return
    tally.notes += [f"{case.name}: {note}" for note in outside.notes]
    if not keep_proposal(workspace, name, case, outside, actor):
        tally.known.append(case.name)
        return
    tally.taken.append(case.name)
    tally.sure += outside.probabilities is not None


def _annotated(workspace: Workspace, case: Case) -> bool:
    with workspace.store.read() as tx:
        return bool(tx.annotated_among({case.id}))


def keep_proposal(workspace: Workspace, name: str, case: Case, found: OutsideMap, actor: str) -> bool:
    """Store a proposal of a model from elsewhere; whether it is new."""
    made = _prediction(workspace, case, found)
    with workspace.store.write(actor) as tx:
        model = outside_model(tx, name)
        before = tx.find(Prediction, where={"case_id": case.id, "model_id": model.id}, limit=1, descending=True)
        if before and (before[0].mask, before[0].uncertainty) == (made.mask, made.uncertainty):
            return False
        tx.add(replace(made, model_id=model.id), verb="propose")
    return True


def _prediction(workspace: Workspace, case: Case, found: OutsideMap, samples: ProbabilitySamples | None = None) -> Prediction:
    """What is kept, without its model yet; several `samples` tell more than their mean."""
    blobs, shares = workspace.store.blobs, np.bincount(found.mask.ravel(), minlength=len(workspace.task.labels) + 1) / found.mask.size
    scores: Json = {}
    uncertainty = None
    if found.probabilities is not None:
        samples = found.probabilities[None] if samples is None else samples
        judged = judge(samples, aggregation=workspace.settings.aggregation, spacing_mm=case.grid.spacing_mm)
        signs = signs_of(samples, judged.agreement, spacing_mm=case.grid.spacing_mm)
        scores = {**judged.scores, "agreement": judged.agreement, "signs": [[name, value] for name, value in signs.items()]}
        uncertainty = blobs.put(encode_mask(uncertainty_bytes(samples)))
        shares = found.probabilities.mean(axis=(1, 2, 3))
    return Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id="",
        mask=blobs.put(encode_mask(found.mask)),
        uncertainty=uncertainty,
        probabilities=tuple(float(share) for share in shares),
        features=None,
        scores=scores,
        created_at=now(),
    )


def prediction_of(workspace: Workspace, case: Case, samples: ProbabilitySamples, model_id: str) -> Prediction:
    """What is kept of a model from elsewhere that was run here.

    Args:
        workspace: The project.
        case: Which it saw.
        samples: In the project's values, shape (samples, classes, I, J, K).
        model_id: Of the model.
    """
    mean = samples.mean(axis=0)
    mask: MaskArray = mean.argmax(axis=0).astype(np.uint8)
    made = _prediction(workspace, case, OutsideMap(mask, mean), samples)
    agreement = float(made.scores.get("agreement", 1.0)) if len(samples) > 1 else _expected_dice(mean, mask)
    return replace(made, model_id=model_id, scores={**made.scores, "agreement": agreement})


def mask_prediction_of(workspace: Workspace, case: Case, mask: MaskArray, model_id: str) -> Prediction:
    """The same of a model that gives masks alone: it has no uncertainty, and queries do not go by it."""
    return replace(_prediction(workspace, case, OutsideMap(mask)), model_id=model_id)


def _expected_dice(mean: FloatArray, mask: MaskArray) -> float:
    """Of a single answer, which nothing agrees with: the Dice of its mask that its own probabilities expect, over the labels in it."""
    found = [
        2.0 * float(layer[mask == value].sum()) / (float(layer.sum()) + float((mask == value).sum()))
        for value, layer in enumerate(mean)
        if value and (mask == value).any()
    ]
    return float(np.mean(found)) if found else float(mean[0].mean())


def _refusal(label: str, name: str, error: BaseException) -> Refusal:
    if isinstance(error, StorageError):
        raise error
    if isinstance(error, MedloopError):
        return Refusal(label, error.message.removeprefix(f"{name}: "), "", error.remedy)
    reason = "there is not enough memory" if isinstance(error, MemoryError) else str(error) or type(error).__name__
    return Refusal(label, f"it cannot be read: {reason}", "", "copy or export it again")
