"""Marks in place of a mask, as they go over REST; each mark as `medloop.interaction.weak.marks` writes it."""

from typing import Annotated, Any

from pydantic import Field

from medloop.interaction.weak.marks import MOST_MARKS
from medloop.server.wire.schemas import Body, EffortBody, Seconds, TaskVersion
from medloop.server.wire.views import View


class MarksBody(Body):
    """Marks that finish an open case.

    Attributes:
        marks: Points, scribbles, boxes, extreme points, superpixels and tags, each with its `kind` and `label`; 0 is background.
        annotated: Values of the labels that background marks are about; left out, all of them.
        effort: What is known of the session that submits, in place of `effort_seconds`.
        task_version: The version of the task that the annotator saw.
    """

    marks: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_MARKS)]
    annotated: Annotated[list[int], Field(min_length=1, max_length=255)] | None = None
    effort_seconds: Seconds | None = None
    effort: EffortBody | None = None
    task_version: Annotated[TaskVersion, Field(strict=True)] | None = None


class MarksView(View):
    """One's own marks of a case in force; no id and none where there are none."""

    annotation_id: str | None
    marks: list[dict[str, Any]]


class SuperpixelsView(View):
    """Superpixels of a slice: runs (number, voxels) over its voxels, the earlier of its two axes fastest; numbers begin at 1."""

    axis: int
    index: int
    runs: list[tuple[int, int]]
