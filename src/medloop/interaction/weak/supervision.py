"""What marks mean for the voxels of a case: one pure function, and every contradiction refused.

Each voxel gets the set of classes that it can have. A point, a scribble, an extreme point and a superpixel leave one class; a negative one
takes its label away. Boxes, and the boxes that extreme points span, are drawn tightly around every structure of their label: outside all of
them there is none of it, and every row, column and plane of one holds some. A box that is one voxel thick, in a volume, speaks of its
slice alone. A tag takes its label away everywhere, or says that there is some. Voxels of which nothing is said can have any class.

Where labels lie inside others, a mark that gives voxels a label names the innermost one; boxes, tags and negative marks are about a label
with everything inside it: a tumour is within the boxes of its liver, and where there is no liver there is none of it either. Where labels
overlap, a mark that gives voxels a label leaves open whether one that overlaps it lies there, too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import UNKNOWN, BoolArray, MaskArray
from medloop.core.errors import InputError
from medloop.core.geometry import Shape3
from medloop.interaction.prompts import Box, ExtremePoints
from medloop.interaction.regions import VoxelBox, prompt_box, slices_of
from medloop.interaction.weak.marks import Mark, Tag, check_marks, kind_of_mark, marked_voxels

MOST_SETS = 250
"""Different sets of classes in one case: a voxel keeps the number of its set in a byte."""

BACKGROUND = "background"
ClassSet: TypeAlias = frozenset[int]


@dataclass(frozen=True, eq=False)
class Supervision:
    """What is known of a case by its marks.

    Attributes:
        labels: The label of each voxel that a mark gives one, 0 for background, `UNKNOWN` elsewhere, shape (I, J, K).
        sets: Number of the set of classes that each voxel can have, shape (I, J, K), uint8.
        possible: These sets: which classes are in, shape (sets, 1 + highest value of a mask); the first holds every class.
        boxes: By label, the tight boxes.
        present: Labels of which some is in the image, wherever.
        spoken: Labels that any mark speaks of.
        held: What a mask may hold → the labels that such a voxel belongs to.
    """

    labels: MaskArray
    sets: MaskArray
    possible: BoolArray
    boxes: Mapping[int, tuple[VoxelBox, ...]]
    present: tuple[int, ...]
    spoken: tuple[int, ...]
    held: Mapping[int, frozenset[int]]

    def both(self, one: int, other: int) -> int | None:
        """The value of a mask for voxels of two labels that overlap; None for two that do not."""
        wanted = self.held[one] | self.held[other]
        return next((value for value, of in self.held.items() if of == wanted and value not in (one, other)), None)

    def held_apart(self, label: int) -> bool:
        """Whether a voxel that is of a label, and of none inside it, can be of none that overlaps it."""
        return left_open(self.held, label) == {label}

    def allows(self, label: int) -> BoolArray:
        """Where a class can be, shape (I, J, K)."""
        found: BoolArray = self.possible[:, label][self.sets]
        return found

    @property
    def certain(self) -> MaskArray:
        """The class of each voxel that can have no other one, `UNKNOWN` elsewhere, shape (I, J, K)."""
        only = np.where(self.possible.sum(axis=1) == 1, self.possible.argmax(axis=1), UNKNOWN).astype(np.uint8)
        found: MaskArray = only[self.sets]
        return found


def supervise(
    marks: Sequence[Mark],
    shape: Shape3,
    names: Mapping[int, str],
    *,
    annotated: Sequence[int] = (),
    regions: Mapping[int, Sequence[int]] = MappingProxyType({}),
) -> Supervision:
    """What marks say of the voxels of an image.

    Args:
        marks: At least one, in any order: they may not contradict each other.
        shape: Of the image.
        names: Label values of the task and their names, without background.
        annotated: The labels that are annotated; any other may lie where background is marked. () is all of them.
        regions: Value of a label → its own, those of all labels inside it, and those that it shares (`core.labels.nested_regions`); left
            out, its own.

    Raises:
        InputError: Marks that contradict each other, or as `check_marks`.
        LabelError: As `check_marks`, or a mark of a label that is not annotated.
    """
    check_marks(marks, shape, names)
    own, held = frozenset(annotated or names), held_by(names, regions)
    said = _Said(marks, shape, names, regions)
    sets = _Sets(shape, [0, *held])
    for label in names:
        _without(sets, said, label)
    sets.keep(said.labels == 0, frozenset({0, *(value for value, of in held.items() if of.isdisjoint(own))}))
    for label in names:
        sets.keep(said.labels == label, left_open(held, label))
    found = Supervision(said.labels, sets.numbers, sets.table(max(held)), said.boxes, said.present, said.spoken, held)
    _require_room(found, said)
    return found


def held_by(names: Collection[int], regions: Mapping[int, Sequence[int]]) -> dict[int, frozenset[int]]:
    """What a mask may hold → the labels that such a voxel belongs to; arguments as of `supervise`."""
    values = sorted({*names, *(value for label in names for value in regions.get(label, ()))})
    return {value: frozenset(label for label in names if value in regions.get(label, (label,))) for value in values}


def left_open(held: Mapping[int, frozenset[int]], label: int) -> ClassSet:
    """What a voxel can hold whose innermost label, or one of them, is given."""
    return frozenset(value for value, of in held.items() if label in of and not any(label in held[one] for one in of - {label}))


class _Said:
    """What marks say, sorted; refused where two contradict."""

    def __init__(self, marks: Sequence[Mark], shape: Shape3, names: Mapping[int, str], regions: Mapping[int, Sequence[int]]) -> None:
        self.names, self.shape, self._regions = {0: BACKGROUND, **names}, shape, regions
        self.labels: MaskArray = np.full(shape, UNKNOWN, dtype=np.uint8)
        self.denied: dict[int, BoolArray] = {}
        boxes: dict[int, list[VoxelBox]] = {}
        for mark in marks:
            if isinstance(mark, Tag):
                continue
            self._note(mark)
            if isinstance(mark, Box | ExtremePoints):
                boxes.setdefault(mark.label, []).append(prompt_box(mark, shape))
        self.boxes = {label: tuple(found) for label, found in boxes.items()}
        tags = [mark for mark in marks if isinstance(mark, Tag)]
        self.present = tuple(sorted({tag.label for tag in tags if tag.present}))
        self.absent = tuple(sorted({tag.label for tag in tags if not tag.present}))
        self.spoken = tuple(sorted({mark.label for mark in marks} - {0}))
        self._require_agreement()

    def held(self, label: int) -> tuple[int, ...]:
        """The label and all that lie inside it."""
        return tuple(self._regions.get(label, (label,)))

    def _note(self, mark: Mark) -> None:
        voxels = tuple(marked_voxels(mark, self.shape).T)
        if not getattr(mark, "positive", True):
            self.denied.setdefault(mark.label, np.zeros(self.shape, dtype=bool))[voxels] = True
            return
        before = self.labels[voxels]
        if len(clash := np.flatnonzero((before != UNKNOWN) & (before != mark.label))):
            at = tuple(int(axis[clash[0]]) for axis in voxels)
            other = self.names[int(before[clash[0]])]
            rule = f"A voxel has one label: this {_words(mark)} is {self.names[mark.label]}, another mark says {other} at {at}"
            raise InputError(rule, remedy="remove one of the two marks")
        self.labels[voxels] = mark.label

    def _require_agreement(self) -> None:
        for label in self.spoken:
            name, held = self.names[label], self.held(label)
            marked = np.isin(self.labels, held)
            if label in self.absent and not set(held).isdisjoint(self.present):
                raise InputError(f"A tag says that {name} is there or that it is not, got both", remedy="remove one of the two tags")
            if label in self.absent and (marked.any() or not self.boxes.keys().isdisjoint(held)):
                where = f"marked at {_first(marked)}" if marked.any() else "given a box"
                raise InputError(f"{name} is tagged absent, and {where}", remedy="remove the tag, or what is marked")
            if (both := marked & self.denied.get(label, np.zeros((), dtype=bool))).any():
                raise InputError(f"A voxel is {name} or is not, got both at {_first(both)}", remedy="remove one of the two marks")
            if (outside := marked & self.beyond(label)).any():
                rule = f"{name} lies within its boxes and nowhere else, and is marked at {_first(outside)} outside of them"
                raise InputError(rule, remedy="draw a box around each structure of it, or remove the mark")

    def beyond(self, label: int) -> BoolArray:
        """Where boxes say that there is none of a label, shape (I, J, K)."""
        boxes = [(box, _flat_axes(box, self.shape)) for box in self.boxes.get(label, ())]
        deep = [box for box, flat in boxes if not flat]
        none = _outside(deep, self.shape) if deep else np.zeros(self.shape, dtype=bool)
        for axis, index in {(flat[0], box[0][flat[0]]) for box, flat in boxes if len(flat) == 1}:
            own = [box for box, flat in boxes if axis in flat and box[0][axis] == index]
            where = tuple(slice(index, index + 1) if a == axis else slice(None) for a in range(3))
            none[where] |= _outside(own, self.shape)[where]
        return none


class _Sets:
    """Sets of classes, numbered as they come up, and each voxel's number."""

    def __init__(self, shape: Shape3, classes: Sequence[int]) -> None:
        self.numbers: MaskArray = np.zeros(shape, dtype=np.uint8)
        self._sets: list[ClassSet] = [frozenset(classes)]

    def drop(self, where: BoolArray, label: int) -> None:
        """Take a class from the sets of some voxels."""
        self._change(where, {n: found - {label} for n, found in enumerate(self._sets)})

    def keep(self, where: BoolArray, only: ClassSet) -> None:
        """Leave some voxels these classes, where they have them."""
        self._change(where, {n: found & only for n, found in enumerate(self._sets)})

    def _change(self, where: BoolArray, wanted: Mapping[int, ClassSet]) -> None:
        old = self.numbers[where]
        new = np.arange(256, dtype=np.uint8)
        for number in np.unique(old):
            new[number] = self._number(wanted[int(number)])
        self.numbers[where] = new[old]

    def _number(self, classes: ClassSet) -> int:
        if classes not in self._sets:
            if len(self._sets) == MOST_SETS:
                rule = f"Marks of one case may leave its voxels {MOST_SETS} different sets of labels"
                raise InputError(rule, remedy="mark fewer labels of it in one annotation")
            self._sets.append(classes)
        return self._sets.index(classes)

    def table(self, highest: int) -> BoolArray:
        """Which classes are in each set, shape (sets, 1 + highest)."""
        found = np.zeros((len(self._sets), highest + 1), dtype=bool)
        for row, classes in zip(found, self._sets, strict=True):
            row[sorted(classes)] = True
        return found


def _without(sets: _Sets, said: _Said, label: int) -> None:
    """Take a label, with what lies inside it, from where it cannot be."""
    for value in said.held(label):
        if label in said.absent:
            sets.drop(np.ones(said.shape, dtype=bool), value)
        if label in said.denied:
            sets.drop(said.denied[label], value)
        if label in said.boxes:
            sets.drop(said.beyond(label), value)


def _room(found: Supervision, said: _Said, label: int) -> BoolArray:
    """Where a label, or one inside it, can be, shape (I, J, K)."""
    can: BoolArray = np.isin(np.arange(found.possible.shape[1]), said.held(label)) @ found.possible.T
    room: BoolArray = can[found.sets]
    return room


def _require_room(found: Supervision, said: _Said) -> None:
    """Refuse a box with a plane, or a tag of an image, in which nothing of the label can be."""
    names = said.names
    for label, boxes in found.boxes.items():
        allowed = _room(found, said, label)
        for box in boxes:
            inside = allowed[slices_of(box)]
            for axis in range(3):
                filled = inside.any(axis=tuple(a for a in range(3) if a != axis))
                if not filled.all():
                    index = box[0][axis] + int(np.flatnonzero(~filled)[0])
                    where = f"index {index} of axis {axis}"
                    rule = f"Every row of a box of {names[label]} holds some of it; by other marks none can be at {where}"
                    raise InputError(rule, remedy="draw the box tightly around the structure, or remove the other mark")
    for label in found.present:
        if not _room(found, said, label).any():
            raise InputError(f"{names[label]} is tagged present, and other marks leave it no voxel", remedy="remove the tag or a mark")


def _flat_axes(box: VoxelBox, shape: Shape3) -> tuple[int, ...]:
    """Axes of an image along which a box is one voxel thick."""
    return tuple(axis for axis in range(3) if box[1][axis] - box[0][axis] == 1 and shape[axis] > 1)


def _outside(boxes: Sequence[VoxelBox], shape: Shape3) -> BoolArray:
    outside = np.ones(shape, dtype=bool)
    for box in boxes:
        outside[slices_of(box)] = False
    return outside


def _words(mark: Mark) -> str:
    return kind_of_mark(mark).replace("_", " ")


def _first(where: BoolArray) -> tuple[int, int, int]:
    i, j, k = np.unravel_index(int(where.argmax()), where.shape)
    return int(i), int(j), int(k)


def require_agreement(
    found: Supervision,
    mask: MaskArray,
    names: Mapping[int, str],
    *,
    whose: str = "the mask of the case",
    regions: Mapping[int, Sequence[int]] = MappingProxyType({}),
) -> None:
    """Refuse marks that a mask, shape (I, J, K) with `UNKNOWN` where it says nothing, contradicts.

    Raises:
        InputError: Naming the label and a voxel.
    """
    called = {0: BACKGROUND, **names}
    for label in sorted({int(v) for v in np.unique(mask)} - {UNKNOWN}):
        if (clash := (mask == label) & ~found.allows(label)).any():
            there = f"{called.get(label, str(label))} at {_first(clash)}"
            rule = f"Marks agree with {whose}, which says {there} where a mark leaves no room for it"
            raise InputError(rule, remedy="correct the mark, or the mask")
    whole = not (mask == UNKNOWN).any()
    for label in found.present:
        if whole and not np.isin(mask, tuple(regions.get(label, (label,)))).any():
            rule = f"Marks agree with {whose}, which holds no {called[label]}; a tag says that there is some"
            raise InputError(rule, remedy="correct the tag, or the mask")
