"""What answers hold about places to look at in an open case."""

from typing import Literal

from medloop.loop.annotating.reviewing import Review
from medloop.server.wire.views import View


class VisitView(View):
    """One look at a place; `suggested` is the place that should have been next then."""

    number: int
    suggested: int | None
    changed: bool
    revision: int
    at: str


class PlaceView(View):
    """A slice (with its axis) or a region to look at; `gain` is how many wrong voxels a look should find."""

    number: int
    kind: Literal["slice", "region"]
    axis: int | None
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    voxel: tuple[int, int, int]
    gain: float
    seconds: float
    reason: str
    visited: bool
    changed: bool


class PlacesView(View):
    """Places in the order suggested, the next one to visit, and the visits made."""

    places: list[PlaceView]
    next: int | None
    visits: list[VisitView]


def places_view(review: Review) -> PlacesView:
    """A review."""
    changed = {visit.number: visit.changed for visit in review.visits}
    places = [
        PlaceView.reading(place, number=number, visited=number in changed, changed=changed.get(number, False))
        for number, place in enumerate(review.places)
    ]
    return PlacesView(places=places, next=review.next, visits=[VisitView.model_validate(visit) for visit in review.visits])
