"""The named frames or slices of a case: where a project's template puts them, and where people moved them to.

A template (`medloop.core.templates`) lays its names along the frames of a film, or along the axis that people page a volume by; where the
source of a case says which frame a name stands for (`Source.frames`), it stands there. Moving a name is an annotation of its own: it is
stored with the assignment, counts for that person's later work on the case, and is exported; with a submission the names that nobody moved
are stored where they stood.

Training cases are annotated on these slices only. Evaluation cases count whole; there the names only lead through the case.
"""

from dataclasses import dataclass

from medloop.core.errors import InputError
from medloop.core.records import Assignment, Case, NamedFrame, new_id, now
from medloop.core.templates import named_places
from medloop.interaction.moments import TIME
from medloop.loop.foundation.blinding import own_annotation
from medloop.loop.foundation.partial_annotations import SlicePart
from medloop.loop.foundation.readings import is_reviewing, project_settings
from medloop.store.reader import Reader
from medloop.store.writer import Writer

_SET = 'set the project\'s template first: medloop configure DIR template="end-diastole, end-systole"'


@dataclass(frozen=True)
class NamedSlice:
    """A name, the voxel axis its slice is perpendicular to, which slice it is, and whether a person put it there."""

    name: str
    axis: int
    index: int
    placed: bool = False


def template_slices(tx: Reader, case: Case) -> tuple[NamedSlice, ...]:
    """Where the case's source, else the template, puts the names in a case; () without a template, and in a picture of one slice."""
    axis, count = _axis(case)
    if count < 2:
        return ()
    named = named_places(project_settings(tx).template, count)
    return tuple(NamedSlice(place.name, axis, int(case.source.frames.get(place.name, place.index))) for place in named)


def require_frames(tx: Reader, case: Case) -> None:
    """Refuse a source's named frames that the template does not name or the case does not have.

    Raises:
        InputError: Then.
    """
    _, count = _axis(case)
    known = [place.name for place in named_places(project_settings(tx).template, count)] if case.source.frames else []
    for name, index in case.source.frames.items():
        if name not in known:
            raise InputError(
                f"Named frames of {case.name} are names of the template ({', '.join(known) or 'none'}), got {name!r}", remedy=_SET
            )
        if not 0 <= index < count or count < 2:
            rule = f"{name!r} of {case.name} stands for a frame or slice from 1 to {count}, got {index + 1}"
            raise InputError(rule, remedy="correct the cell: frames are counted from 1")


def _axis(case: Case) -> tuple[int, int]:
    """The voxel axis that a case is paged by, and how many slices lie along it."""
    axis = TIME if case.display.over_time else case.grid.paging_axis
    return axis, case.grid.shape[axis]


def named_slices(tx: Reader, assignment: Assignment) -> tuple[NamedSlice, ...]:
    """The named slices of an assignment, in the template's order, where its annotator put them; () for a review or a check."""
    if is_reviewing(assignment) or assignment.gold_id is not None:
        return ()
    found = template_slices(tx, tx.get(Case, assignment.case_id))
    where = {"case_id": assignment.case_id, "annotator_id": assignment.annotator_id}
    moved = {(one.name, one.axis): one for one in tx.find(NamedFrame, where=where) if one.placed} if found else {}
    return tuple(
        NamedSlice(one.name, one.axis, moved[one.name, one.axis].index, placed=True) if (one.name, one.axis) in moved else one
        for one in found
    )


def named_parts(tx: Reader, assignment: Assignment) -> tuple[SlicePart, ...]:
    """The slices that an assignment is asked for by the template; () where all of the case counts."""
    if tx.get(Case, assignment.case_id).split != "train" or own_annotation(tx, assignment.case_id, assignment.annotator_id) is not None:
        return ()
    return tuple(SlicePart(axis, index) for axis, index in sorted({(one.axis, one.index) for one in named_slices(tx, assignment)}))


def place_name(tx: Writer, assignment: Assignment, name: str, index: int) -> None:
    """Move a name to another slice.

    Raises:
        InputError: The template does not have the name, or the case not the slice.
    """
    named = {one.name: one for one in named_slices(tx, assignment)}
    if name not in named:
        known = ", ".join(named) or "none"
        raise InputError(f"The template has no name {name!r}", remedy=f"its names are: {known}")
    axis = named[name].axis
    count = tx.get(Case, assignment.case_id).grid.shape[axis]
    if not 0 <= index < count:
        raise InputError(f"A name stands on a slice from 0 to {count - 1}, got {index}")
    if named[name].index != index:
        tx.add(_record(assignment, NamedSlice(name, axis, index, placed=True)), verb="place")


def keep_names(tx: Writer, assignment: Assignment) -> None:
    """With a submission: store where the names stand that nobody moved."""
    for one in named_slices(tx, assignment):
        if not one.placed:
            tx.add(_record(assignment, one), verb="place")


def annotated_on_names(tx: Reader) -> set[str]:
    """Training cases whose named slices somebody has annotated: nothing more is to be queried of them."""
    if not project_settings(tx).template:
        return set()
    return {annotation.case_id for annotation in tx.partial_annotations(splits=["train"])}


def _record(assignment: Assignment, one: NamedSlice) -> NamedFrame:
    return NamedFrame(
        id=new_id("frame"),
        case_id=assignment.case_id,
        assignment_id=assignment.id,
        annotator_id=assignment.annotator_id,
        name=one.name,
        axis=one.axis,
        index=one.index,
        placed=one.placed,
        created_at=now(),
    )
