"""Which place of an open case to look at next, and what came of it.

The order is settled by the proposal and its doubt, so every place keeps its number while the case is open. A visit is an
audit event: which place, which one was suggested then, and whether anything there was changed since the visit before. The
log answers later whether the suggestions were followed and whether they were worth it.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import NotFoundError, StateError
from medloop.core.geometry import Shape3
from medloop.core.records import Assignment, Event, Model, Prediction
from medloop.images.encode import decode_mask
from medloop.interaction.attention import Place, PlaceKind, chances_of_entropy, rank_places
from medloop.loop.annotating.open_edit import OpenEdit, load_edit, require_open
from medloop.loop.annotating.touching import touched_voxels
from medloop.loop.foundation.workspace import Workspace
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader

VISIT = "visit"
MOST_PLACES = 50
WARM_RANKINGS = 64
"""Cases whose places are kept in memory, some kilobytes each."""


@dataclass(frozen=True)
class Visit:
    """One look at a place: the place suggested then, whether it was drawn on since the visit before, the draft's revision at its end."""

    number: int
    suggested: int | None
    changed: bool
    revision: int
    at: str


@dataclass(frozen=True)
class Review:
    """Where to look in an open case.

    Attributes:
        places: In the order suggested; a place's number is its position here. Empty when no model has seen the case.
        visits: In the order made.
    """

    places: tuple[Place, ...]
    visits: tuple[Visit, ...]

    @property
    def next(self) -> int | None:
        """Number of the first place nobody has visited; None when there is none left."""
        seen = {visit.number for visit in self.visits}
        return next((n for n in range(len(self.places)) if n not in seen), None)


@dataclass(frozen=True)
class _Maps:
    """Blobs of what an edit began with, what the model proposed and how unsure it was; and how many classes there are."""

    base: str
    proposal: str
    doubt: str
    classes: int


def review_places(workspace: Workspace, assignment_id: str) -> Review:
    """The places of a case in the order worth looking at them, and which have been looked at.

    Raises:
        NotFoundError: No such assignment.
        StateError: The task is a classification, which has no places.
    """
    with workspace.store.read() as tx:
        edit = load_edit(tx, tx.get(Assignment, assignment_id), workspace.store.blobs)
        return _review(workspace, tx, edit)


def _review(workspace: Workspace, tx: Reader, edit: OpenEdit) -> Review:
    if workspace.task.kind != "segmentation":
        raise StateError("A classification has no places to look at", remedy="annotate with a tag")
    assignment, grid, visits = edit.assignment, edit.case.grid, visits_of(tx, edit.assignment.id)
    prediction = tx.get(Prediction, assignment.proposal_id) if assignment.proposal_id else None
    if prediction is None or prediction.mask is None or prediction.uncertainty is None:
        return Review((), visits)
    classes = int(tx.get(Model, prediction.model_id).recipe.get("classes", workspace.task.classes))
    maps = _Maps(edit.stored or prediction.mask, prediction.mask, prediction.uncertainty, classes)
    kind: PlaceKind = "region" if grid.is_2d else "slice"
    return Review(_ranked(workspace.store.blobs, maps, grid.shape, grid.spacing_mm, kind, grid.paging_axis), visits)


def mark_visited(workspace: Workspace, assignment_id: str, number: int) -> Visit:
    """Log that a place of `review_places` was looked at; a second time changes nothing.

    Raises:
        NotFoundError: No such assignment or place.
        StateError: The assignment is closed, or the task is a classification.
    """
    with workspace.store.read() as tx:
        edit = load_edit(tx, tx.get(Assignment, assignment_id), workspace.store.blobs)
        review = _review(workspace, tx, edit)
    if not 0 <= number < len(review.places):
        raise NotFoundError(f"This case has {len(review.places)} places to look at, there is no place {number}")
    place = review.places[number]
    with workspace.store.write(edit.assignment.annotator_id) as tx:
        assignment = require_open(tx.get(Assignment, assignment_id))
        visits = visits_of(tx, assignment_id)
        before = next((v for v in visits if v.number == number), None)
        if before is not None:
            return before
        patches = tx.patches(assignment_id, after=visits[-1].revision if visits else 0)
        body = {
            "number": number,
            "suggested": Review(review.places, visits).next,
            "changed": bool(touched_voxels(patches, edit.case.grid.shape)[place.voxels].any()),
            "revision": assignment.revision,
            "kind": place.kind,
            "start": place.start,
            "stop": place.stop,
            "gain": round(place.gain, 3),
        }
        return _visit(tx.record(VISIT, "assignment", assignment_id, body))


@lru_cache(maxsize=WARM_RANKINGS)
def _ranked(blobs: Blobs, maps: _Maps, shape: Shape3, spacing_mm: tuple[float, ...], kind: PlaceKind, axis: int) -> tuple[Place, ...]:
    """The same blobs give the same places, so that a visit need not rank a large volume again."""
    chances = _chances(blobs, maps, shape)
    return tuple(rank_places(chances, kind=kind, axes=(axis,), count=MOST_PLACES, spacing_mm=spacing_mm))


def _chances(blobs: Blobs, maps: _Maps, shape: Shape3) -> FloatArray:
    """Chance that each voxel is wrong as the case was opened; where an earlier answer contradicts the model, the rest to 1."""
    doubt = decode_mask(blobs.get(maps.doubt), shape)
    by_byte = chances_of_entropy(np.arange(256) / 255 * math.log(maps.classes), maps.classes)
    if maps.base == maps.proposal:
        return by_byte[doubt]
    agrees = decode_mask(blobs.get(maps.base), shape) == decode_mask(blobs.get(maps.proposal), shape)
    chances: FloatArray = np.where(agrees, by_byte[doubt], 1.0 - by_byte[doubt])
    return chances


def visits_of(tx: Reader, assignment_id: str) -> tuple[Visit, ...]:
    """The visits logged while a case was open, in order."""
    return tuple(_visit(event) for event in tx.events_about("assignment", [assignment_id], verbs=[VISIT]))


def _visit(event: Event) -> Visit:
    body = event.body
    return Visit(body["number"], body["suggested"], body["changed"], body["revision"], event.at)
