"""The newest model against the one before, on the same evaluation cases: how much better or worse, and pictures of both."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from medloop.core.errors import NotFoundError
from medloop.core.image import Mask
from medloop.core.records import Annotation, Case, Model, Prediction
from medloop.loop.foundation.arrays import load_annotation, load_proposal, shown_channels
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.judged import Succession, succession
from medloop.report.pictures import Shape, alone, largest_disagreement, picture
from medloop.store.reader import Reader


@dataclass(frozen=True)
class ChangedCase:
    """One evaluation case: why it is shown, and its score by the older and by the newer model."""

    word: str
    case_id: str
    name: str
    before: float
    after: float


@dataclass(frozen=True)
class ModelChange:
    """The newer model's mean score less the older one's, with its 95 % interval over patients, and a few cases.

    Attributes:
        older, newer: Indices of the models.
        split: The evaluation cases.
        low, high: None with too few patients; `note` says so.
        better, worse: Cases that changed noticeably.
    """

    older: int
    newer: int
    split: str
    mean: float
    low: float | None
    high: float | None
    note: str
    patients: int
    better: int
    worse: int
    cases: tuple[ChangedCase, ...]


def model_change(workspace: Workspace, *, hidden: Collection[str] = ()) -> ModelChange | None:
    """How the last two models compare; None before two were evaluated on the same cases. Hidden cases are counted, and not named."""
    found = succession(workspace)
    if found is None:
        return None
    change = found.difference
    with workspace.store.read() as tx:
        drawable = {*_drawable(tx, found)}
    better, worse = found.changed
    return ModelChange(
        older=found.older,
        newer=found.newer,
        split=found.split,
        mean=change.mean,
        low=change.low,
        high=change.high,
        note=change.note,
        patients=len({patient for _, patient, _, _ in found.scores}),
        better=better,
        worse=worse,
        cases=tuple(_shown(found, drawable - {*hidden})),
    )


def no_comparison() -> NotFoundError:
    """Of a case or model that is not compared."""
    return NotFoundError("There is no such comparison", remedy="GET /projects/{project}/change names the cases and models")


def change_picture(workspace: Workspace, case_id: str, index: int) -> Markup:
    """An evaluation case with the truth and, dashed, what one of the last two models predicted, as an SVG that stands by itself.

    Both models' pictures show the slice in which these two differ most.

    Raises:
        NotFoundError: It is no case of this comparison, or its annotation or a prediction is gone.
    """
    found = succession(workspace)
    if found is None or case_id not in found.case_ids or index not in (found.older, found.newer):
        raise no_comparison()
    with workspace.store.read() as tx:
        case, known = tx.get(Case, case_id), _drawable(tx, found).get(case_id)
    if known is None:
        raise NotFoundError("Its annotation or prediction is gone", remedy="it comes back with the next evaluation")
    blobs = workspace.store.blobs
    truth = load_annotation(blobs, known[0], case)
    masks = {n: load_proposal(blobs, made, case) for n, made in known[1].items()} if isinstance(truth, Mask) else {}
    shot = largest_disagreement(case.grid, masks.get(found.older), masks.get(found.newer))
    channels, windows = shown_channels(blobs, case)
    drawn = picture(
        channels,
        windows,
        shot,
        [("truth", truth.array), ("predicted", masks[index])] if isinstance(truth, Mask) else [],
        Shape.each(workspace.task.labels, workspace.task.labels),
        label=f"{case.name}: the annotation, and dashed the prediction of model {index}",
    )
    return alone(drawn)


def _drawable(tx: Reader, found: Succession) -> dict[str, tuple[Annotation, dict[int, Prediction]]]:
    """The cases whose annotation and both predictions are still there, with these; predictions by index of the model."""
    truths = {a.case_id: a for a in consensus_annotations(tx, found.split)}
    models = {m.id: m.index for m in tx.find(Model, where={"index": [found.older, found.newer]})}
    made: dict[str, dict[int, Prediction]] = {}
    for one in tx.find(Prediction, where={"model_id": [*models], "case_id": [*found.case_ids]}):
        made.setdefault(one.case_id, {})[models[one.model_id]] = one
    return {i: (truths[i], each) for i, each in made.items() if i in truths and len(each) == len(models)}


def _shown(found: Succession, wanted: Collection[str]) -> Sequence[ChangedCase]:
    """The case that gained most, the middle one and the one that lost most."""
    rows = [(i, name, before, after) for i, (name, _, before, after) in zip(found.case_ids, found.scores, strict=True) if i in wanted]
    rows.sort(key=lambda row: (row[2] - row[3], row[1]))
    return [ChangedCase(word, *rows[n]) for n, word in shown_places([row[3] - row[2] for row in rows])]


def shown_places(changes: Sequence[float]) -> list[tuple[int, str]]:
    """Which cases are shown and why, where all of them gained or lost, too.

    Args:
        changes: Newer score less older one, the largest first.

    Returns:
        Index and words of each; no words where all are shown.
    """
    last = len(changes) - 1
    if last <= 1:
        return [(n, "") for n in range(last + 1)]
    best, worst = changes[0], changes[last]
    first = "Gained most" if best > 0 else "Lost least" if best < 0 else "As before"
    final = "Lost most" if worst < 0 else "Gained least" if worst > 0 else "As before"
    return [(0, first), (last // 2, "In the middle"), (last, final)]
