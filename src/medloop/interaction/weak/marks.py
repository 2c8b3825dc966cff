"""Marks: what a person gives of a case in place of a mask, as values in the voxels of one image.

Points, scribbles, boxes and extreme points are the prompts of the same names, superpixels are whole sets of voxels, and a tag says of
the whole image whether a label occurs. Label 0 marks background. What marks mean for each voxel is `supervision`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from medloop.core.errors import InputError, LabelError, MedloopError
from medloop.core.geometry import Shape3
from medloop.interaction.prompts import Box, ExtremePoints, Point, Scribble, check_prompts, exact_voxels, prompt_from_json, prompt_to_json
from medloop.interaction.regions import Voxels

MOST_MARKS = 10_000


@dataclass(frozen=True)
class Superpixel:
    """Voxels that have one label, all of them.

    Attributes:
        runs: (start, length): `length` voxels from a flat index (I fastest, then J, K); at least one.
        label: Which, 0 is background.
    """

    runs: tuple[tuple[int, int], ...]
    label: int = 1


@dataclass(frozen=True)
class Tag:
    """Whether a label occurs anywhere in the image."""

    label: int
    present: bool = True


Mark: TypeAlias = Point | Scribble | Box | ExtremePoints | Superpixel | Tag
"""Anything that is given in place of a mask."""

MARK_KINDS: Mapping[str, type] = {
    "point": Point,
    "scribble": Scribble,
    "box": Box,
    "extreme_points": ExtremePoints,
    "superpixel": Superpixel,
    "tag": Tag,
}


def kind_of_mark(mark: Mark) -> str:
    """Its name in `MARK_KINDS`."""
    return next(name for name, made in MARK_KINDS.items() if isinstance(mark, made))


def mark_to_json(mark: Mark) -> dict[str, Any]:
    """A mark as plain JSON; `kind` names its class."""
    if isinstance(mark, Tag):
        return {"kind": "tag", "label": mark.label, "present": mark.present}
    if isinstance(mark, Superpixel):
        return {"kind": "superpixel", "runs": [list(run) for run in mark.runs], "label": mark.label}
    return prompt_to_json(mark)


def mark_from_json(record: Mapping[str, Any]) -> Mark:
    """Inverse of `mark_to_json`.

    Raises:
        InputError: No object, an unknown kind, or fields that do not make a mark of it.
    """
    kind = record.get("kind") if isinstance(record, Mapping) else record
    if not isinstance(record, Mapping) or kind not in MARK_KINDS:
        raise InputError(f"A mark is one of {', '.join(MARK_KINDS)}, got {kind!r}", remedy="docs/weak-labels.md shows the fields of each")
    if kind not in ("tag", "superpixel"):
        made = prompt_from_json(record)
        if isinstance(made, Point | Scribble | Box | ExtremePoints):
            return made
    fields = {name: value for name, value in record.items() if name != "kind"}
    try:
        return Tag(**fields) if kind == "tag" else Superpixel(tuple((run[0], run[1]) for run in fields.pop("runs")), **fields)
    except (TypeError, KeyError, IndexError) as error:
        raise InputError(f"Not a {kind} mark: {error}", remedy="docs/weak-labels.md shows its fields") from None


def marks_from_text(text: str) -> tuple[Mark, ...]:
    """Marks of a JSON list.

    Raises:
        InputError: Text that is no JSON list of marks.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"Marks are a JSON list, got what cannot be read ({error})", remedy="see docs/weak-labels.md") from None
    if not isinstance(found, list):
        raise InputError(f"Marks are a JSON list, got {type(found).__name__}", remedy="see docs/weak-labels.md")
    return tuple(mark_from_json(one) for one in found)


def check_marks(marks: Sequence[Mark], shape: Shape3, names: Mapping[int, str]) -> None:
    """Refuse marks of a case that say nothing, or that are no places of its image; whether they agree is `supervision.supervise`.

    Args:
        marks: In the order given.
        shape: Of the image.
        names: Label values and their names, without background.

    Raises:
        InputError: None, too many, or one outside the image or without voxels.
        LabelError: A label that the task does not have, or background in a mark that cannot be of it.
    """
    if not 0 < len(marks) <= MOST_MARKS:
        raise InputError(f"An annotation by marks has 1 to {MOST_MARKS} marks, got {len(marks)}", remedy="mark something, or skip the case")
    for number, mark in enumerate(marks, start=1):
        _require_label(mark, names)
        try:
            _require_places(mark, shape, names)
        except MedloopError as error:
            where = f"Mark {number} ({kind_of_mark(mark)}): {error.message[:1].lower()}{error.message[1:]}"
            raise InputError(where, remedy=error.remedy or f"draw it within the image's {shape} voxels") from None


def marked_voxels(mark: Mark, shape: Shape3) -> Voxels:
    """The voxels that a mark speaks of one by one, shape (n, 3); none of a box or a tag."""
    if isinstance(mark, Superpixel):
        flat = np.concatenate([np.arange(start, start + length, dtype=np.int64) for start, length in mark.runs])
        return np.stack(np.unravel_index(flat, shape, order="F"), axis=1).astype(np.int64)
    return np.zeros((0, 3), dtype=np.int64) if isinstance(mark, Tag) else exact_voxels(mark, shape)


def _require_label(mark: Mark, names: Mapping[int, str]) -> None:
    is_label = isinstance(mark.label, int) and not isinstance(mark.label, bool)
    background = isinstance(mark, Point | Scribble | Superpixel) and getattr(mark, "positive", True)
    if not is_label or (mark.label not in names and not (mark.label == 0 and background)):
        known = ", ".join(f"{value} ({name})" for value, name in names.items())
        rule = "is of one of the task's labels" + (" or of background (0)" if background else "")
        raise LabelError(f"A {kind_of_mark(mark)} {rule}, got {mark.label!r}", remedy=f"use one of {known}")


def _require_places(mark: Mark, shape: Shape3, names: Mapping[int, str]) -> None:
    if isinstance(mark, Tag):
        if not isinstance(mark.present, bool):
            raise InputError(f"A tag says true or false, got {mark.present!r}", remedy='write "present": true or false')
    elif isinstance(mark, Superpixel):
        _require_runs(mark, int(np.prod(shape)))
    else:
        if not isinstance(getattr(mark, "positive", True), bool):
            raise InputError(f"Positive is true or false, got {mark.positive!r}")  # type: ignore[union-attr]  # boxes have none
        check_prompts([mark], shape, labels=[0, *names])


def _require_runs(mark: Superpixel, voxels: int) -> None:
    whole = all(isinstance(n, int) and not isinstance(n, bool) for run in mark.runs for n in run)
    if not mark.runs or not whole or not all(0 <= start < start + length <= voxels for start, length in mark.runs):
        shown = mark.runs[0] if mark.runs else ()
        raise InputError(f"A superpixel has runs (start, length) within the image's {voxels} voxels, got {shown}")
