"""Measurements over REST: what is asked for, and what is given."""

from typing import Annotated, Self, TypeAlias

from pydantic import Field

from medloop.core.records import MeasurementKind
from medloop.loop.annotating.measuring import MAX_NOTE, MeasurementRequest, Placed
from medloop.server.wire.schemas import MAX_REVISION, MAX_VOXEL, Body, IdText, Revision, Text
from medloop.server.wire.views import View

Coordinate: TypeAlias = Annotated[float, Field(ge=-1, le=MAX_VOXEL, allow_inf_nan=False)]
PointBody: TypeAlias = tuple[Coordinate, Coordinate, Coordinate]
Note: TypeAlias = Annotated[Text, Field(max_length=MAX_NOTE)]
Axis: TypeAlias = Annotated[int, Field(ge=0, le=2, strict=True)]


class MeasurementView(View):
    """A measurement that stands, or was just withdrawn.

    Attributes:
        points: Voxel coordinates (i, j, k), whole numbers at voxel centres.
        points_mm: RAS+ millimetres; empty where directions or sizes are not known.
        axis, index: The slice; null for a label in the whole volume.
        figures: By name with unit.
        own: Whether it is the caller's, who alone may change it.
    """

    id: str
    case_id: str
    kind: MeasurementKind
    points: list[tuple[float, float, float]]
    points_mm: list[tuple[float, float, float]]
    axis: int | None
    index: int | None
    channel: int | None
    label: int
    figures: dict[str, float]
    note: str
    annotator: str
    own: bool
    created_at: str
    changed_at: str
    withdrawn_at: str | None

    @classmethod
    def of(cls, placed: Placed, *, own: bool) -> Self:
        """From a measurement in its place."""
        return cls.reading(placed.measurement, points_mm=placed.points_mm, annotator=placed.annotator, own=own)


class MeasurementBody(Body):
    """What to measure.

    Attributes:
        points: Two ends, three points of an angle, two opposite corners; none of a label.
        axis, index: The slice that all of it lies in; null for a label in the whole volume.
        channel: Whose values; null for the mean of all channels.
        label, assignment_id, revision: Of a label: which, and the draft that it is measured in.
        id: Chosen by the client, so that a request that is sent again keeps one measurement; else the server chooses it.
    """

    kind: MeasurementKind
    points: Annotated[tuple[PointBody, ...], Field(max_length=3)] = ()
    axis: Axis | None = None
    index: Annotated[int, Field(ge=0, le=MAX_REVISION, strict=True)] | None = None
    channel: Annotated[int, Field(ge=0, le=MAX_REVISION, strict=True)] | None = 0
    label: Annotated[int, Field(ge=0, le=254, strict=True)] = 0
    assignment_id: IdText | None = None
    revision: Revision | None = None
    note: Note = ""
    id: Annotated[str, Field(pattern=r"^measurement-[0-9a-f]{12}$")] | None = None

    def wanted(self) -> MeasurementRequest:
        """As the loop takes it."""
        return MeasurementRequest(**dict(self))


class MeasurementChange(Body):
    """What changes of a measurement: its points, its name, or whether it stands."""

    points: Annotated[tuple[PointBody, ...], Field(max_length=3)] | None = None
    note: Note | None = None
    withdrawn: Annotated[bool, Field(strict=True)] | None = None
