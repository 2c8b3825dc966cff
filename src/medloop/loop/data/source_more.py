"""What a source of shapes says beside segmentations and classes: boxes and points as marks, predictions as first proposals."""

from collections.abc import Iterable, Iterator
from typing import Any

from medloop.core.errors import InputError, MedloopError
from medloop.core.names import composed, counted
from medloop.core.records import Case
from medloop.datasets.dataset import CaseSource, Dataset, Proposed, Refusal
from medloop.images.shapes.regions import pixel_box
from medloop.loop.data.import_report import Tally
from medloop.loop.data.label_maps import LabelMap
from medloop.loop.data.marks_files import take_marks
from medloop.loop.data.outside_maps import OutsideMap
from medloop.loop.data.outside_proposals import WITHOUT_PROBABILITIES, keep_proposal
from medloop.loop.data.source_drawings import read_drawing
from medloop.loop.foundation.outside import checked_outside_name
from medloop.loop.foundation.workspace import Workspace


def take_beside(workspace: Workspace, dataset: Dataset, values: LabelMap, tally: Tally, actor: str) -> None:
    """Take the marks and proposals of a source whose cases are in the project; what stays out is noted in `tally`."""
    if workspace.task.kind != "segmentation" or not any(one.marks or one.proposals for one in _everything(dataset)):
        return
    with workspace.store.read() as tx:
        cases = {composed(case.name): case for case in tx.find(Case)}
    _take_marks(workspace, dataset, values, cases, (tally, actor))
    _take_proposals(workspace, dataset, values, cases, (tally, actor))


def _everything(dataset: Dataset) -> Iterator[CaseSource]:
    for case in dataset.cases:
        yield from (case, *case.more)


def _take_marks(workspace: Workspace, dataset: Dataset, values: LabelMap, cases: dict[str, Case], to: tuple[Tally, str]) -> None:
    tally, actor = to
    entries = []
    for source in _everything(dataset):
        case = cases.get(source.name)
        if case is None or not source.marks:
            continue
        try:
            entries.append(_entry(source, case, values))
        except MedloopError as error:
            tally.refused.append(Refusal(source.name, error.message, "", error.remedy or "correct or remove it"))
    if not entries:
        return
    done = take_marks(workspace, {"cases": entries}, dataset.format, actor=actor)
    tally.refused += done.refused
    for name in done.taken:
        tally.remark(name, "its boxes and points are marks, which say where a label is and not where it ends")
    for name in done.beside_masks:
        tally.remark(name, "has a mask as well, which says more than its marks")


def _entry(source: CaseSource, case: Case, values: LabelMap) -> dict[str, Any]:
    """The entry of a document of marks."""
    columns, rows, slices = case.grid.shape
    if slices != 1:
        raise InputError(f"boxes and points lie on a picture, this image has {slices} slices", remedy="give marks of volumes in marks.json")
    marks: list[dict[str, Any]] = []
    for mark in source.marks:
        label = values.foreground if values.foreground is not None else values.voxels.get(mark.value)
        (left, top), (right, bottom) = pixel_box(mark, columns, rows)
        if len(mark.at) == 2:
            marks.append({"kind": "point", "voxel": [left, top, 0], "label": label})
        else:
            marks.append({"kind": "box", "start": [left, top, 0], "stop": [right, bottom, 1], "label": label})
    return {"case": case.name, "annotator": source.annotator, "effort_seconds": source.effort_seconds, "marks": marks}


def _take_proposals(workspace: Workspace, dataset: Dataset, values: LabelMap, cases: dict[str, Case], to: tuple[Tally, str]) -> None:
    tally, _ = to
    taken: list[str] = []
    with workspace.store.read() as tx:
        annotated = tx.annotated_among({case.id for case in cases.values()})
    for source in dataset.cases:
        case = cases.get(source.name)
        if case is None or not source.proposals:
            continue
        if case.id in annotated:
            tally.remark(case.name, "has an annotation, so that its predictions are no proposals")
            continue
        taken += _kept(workspace, source.proposals, case, values, to)
    if taken:
        tally.about_source += (f"predictions are the first proposals of {counted(len(taken), 'case')}; {WITHOUT_PROBABILITIES}",)


def _kept(workspace: Workspace, given: Iterable[Proposed], case: Case, values: LabelMap, to: tuple[Tally, str]) -> list[str]:
    """The case's name where a proposal of it is new; of several models each is kept, and the last is shown."""
    tally, actor = to
    found = []
    for proposed in given:
        try:
            mask = read_drawing(proposed.drawing, case.grid, values)
            if keep_proposal(workspace, checked_outside_name(proposed.name), case, OutsideMap(mask.array), actor):
                found.append(case.name)
            if proposed.score is not None:
                tally.remark(case.name, f"{proposed.name} gave its proposal the score {proposed.score:.3g}, which nothing here goes by")
        except MedloopError as error:
            tally.refused.append(Refusal(f"{case.name} prediction", error.message, "", error.remedy))
    return found[:1]
