"""One front end's work on the server: an image, the prompts in force, the mask so far, and the way back.

The protocol knows one structure at a time, so prompts are for one label of the task. A prediction answers the prompts since the
one before on the mask as it stands, held to what prompts may change (`medloop.interaction.guard`); a prompt that a later one contradicts
is taken back as if it had never been said. Every state is kept as its way back, so that undo is exact, to any depth. What a project
is to hear of it goes to `Service.keep`; emptying the target for the next object takes nothing back there, and what was drawn stays in its
way (`medloop.interaction.nninteractive.objects`), as labels do that are locked in the project.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, MaskArray, ObjectNumbers
from medloop.core.errors import InputError, ShapeError, StateError
from medloop.core.geometry import Grid, Shape3
from medloop.core.image import Image, label_values
from medloop.interaction.engine import Engine, ImageEmbedding, StillWanted, changed_box
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.nninteractive.objects import Objects
from medloop.interaction.nninteractive.protocol import Difference
from medloop.interaction.nninteractive.sent_prompts import AxisOrder, without_contradicted
from medloop.interaction.nninteractive.steps import State, Step
from medloop.interaction.prompts import Prompt, check_prompts
from medloop.interaction.regions import slices_of
from medloop.interaction.surroundings import surrounding_stroke

KeepChange: TypeAlias = Callable[[MaskArray, MaskArray], None]
"""Keeps a change of a structure's mask, 0 or 1: before and after, shape (I, J, K)."""


@dataclass(frozen=True)
class Kept:
    """How what is drawn on an image is kept.

    Attributes:
        change: Told every change.
        locked: Values of other labels where these must stay, else 0, shape (I, J, K); None where there are none.
        objects: The numbered objects of earlier sessions; None for none.
        number: Told the objects after every change, with the one drawn now.
    """

    change: KeepChange
    locked: Callable[[], MaskArray | None] = lambda: None
    objects: ObjectNumbers | None = None
    number: Callable[[ObjectNumbers], None] = lambda _numbers: None


Keep: TypeAlias = Callable[[Image], Kept | None]
"""Whether, and how, what is drawn on an image is kept."""


@dataclass(frozen=True)
class Service:
    """What is served, to all sessions alike.

    Attributes:
        engine: Answers the prompts.
        labels: The task's label values.
        label: Which of them the front ends draw.
        order: How front ends order axes.
        turn: Held while the engine works: one prediction at a time.
        keep: Where what is drawn is kept beside the front end's own buffer.
        neighbours: Whether the objects that a session finished are in the way of its next one.
    """

    engine: Engine
    labels: tuple[int, ...] = (1,)
    label: int = 1
    order: AxisOrder = field(default_factory=AxisOrder)
    turn: AbstractContextManager[Any] = field(default_factory=Lock)
    keep: Keep = lambda _image: None
    neighbours: bool = False


class Session:
    """One front end's work on a service. Its calls must come one after another."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._embedding: ImageEmbedding | None = None
        self._dtype: np.dtype[Any] | None = None
        self._state: State | None = None
        self._past: list[Step] = []
        self._keep: Kept | None = None
        self._objects = Objects.of((0, 0, 0))

    @property
    def shape(self) -> Shape3:
        """The image's, (I, J, K).

        Raises:
            StateError: There is no image yet.
        """
        return self._image().image.grid.shape

    def set_image(self, array: npt.NDArray[Any], spacing_mm: Sequence[float] = (1.0, 1.0, 1.0)) -> None:
        """Begin with an image as sent, axes (C, …) in the front end's order, with its spacing in mm along these.

        Raises:
            ShapeError: An image the engine cannot take.
            InputError: ObjectNumbers that are none.
        """
        if array.ndim != 4:
            raise ShapeError(f"An image has axes (C, X, Y, Z), got {array.ndim} axes")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError("An image must hold finite numbers, got NaN or infinity", remedy="replace them before sending it")
        voxels = _plain(self._service.order.array(array))
        grid = Grid.of_spacing(voxels.shape[1:], self._service.order.triple(spacing_mm))
        self._embedding = self._dtype = self._state = self._keep = None
        self._past = []
        image = Image(voxels, grid)
        with self._service.turn:
            self._embedding = self._service.engine.embed(image)
        self._keep = self._service.keep(image)
        self._objects = Objects.of(image.grid.shape, self._keep.objects if self._keep else None)

    def set_target(self, shape: Sequence[int], dtype: np.dtype[Any]) -> None:
        """Say what the front end's buffer looks like; it is empty again.

        Raises:
            ShapeError: It does not fit the image.
            StateError: There is no image yet.
        """
        if self._service.order.triple(shape) != self.shape:
            raise ShapeError(f"The target buffer must have the image's shape {self._service.order.triple(self.shape)}, got {tuple(shape)}")
        self._dtype = dtype
        self._begin()

    def add(self, prompts: Sequence[Prompt], *, run: bool, wanted: StillWanted = lambda: True) -> Difference:
        """Add the prompts of one gesture and perhaps predict now; where it contradicts an earlier one, it wins.

        Raises:
            InputError: Prompts that cannot be obeyed; nothing has changed then.
            StateError: There is no image or target yet.
            CancelledError: The answer is no longer wanted.
        """
        before = self._current()
        together = (*without_contradicted(before.prompts, prompts), *prompts)
        check_prompts(together, self.shape, labels=self._service.labels)
        return self._move(replace(before, prompts=together, predicted=False), run, wanted)

    def start_from(self, mask: npt.NDArray[Any], *, run: bool, wanted: StillWanted = lambda: True) -> Difference:
        """Begin anew with a mask; earlier prompts are gone.

        Raises:
            ShapeError: It does not fit the image.
            StateError: There is no image or target yet.
            CancelledError: The answer is no longer wanted.
        """
        self._current()
        if mask.ndim != 3 or self._service.order.triple(mask.shape) != self.shape:
            raise ShapeError(f"A mask must have the image's shape {self._service.order.triple(self.shape)}, got {mask.shape}")
        target = np.ascontiguousarray(self._service.order.array(mask) != 0).astype(np.uint8)
        self._kept(np.zeros_like(target), target)
        difference = self._move(State(target, predicted=not run, reopened=self._objects.mostly_in(target)), run, wanted)
        return difference if run else Difference(False)

    def predict(self, *, wanted: StillWanted = lambda: True) -> Difference:
        """Answer the prompts that were added without a prediction; nothing when there are none.

        Raises:
            InputError, StateError, CancelledError: As `add`.
        """
        now = self._current()
        if now.predicted:
            return Difference(False)
        return self._move(now, True, wanted)

    def undo(self) -> Difference:
        """Take back the last gesture.

        Raises:
            StateError: There is no image or target yet.
        """
        now = self._current()
        if not self._past:
            return Difference(False)
        before = self._past[-1].undo(now.mask)
        if now.prompts:  # a mask to start from was somebody's already, and stays where it is kept
            self._kept(now.mask, before.mask)
        self._past.pop()
        self._state = before
        return self._difference(now.mask, self._state.mask)

    def reset(self) -> None:
        """Forget all prompts and empty the target for the next object; what was drawn counts as finished."""
        if self._state is not None:
            self._begin()

    def _begin(self) -> None:
        if self._state is not None:
            self._objects = self._objects.finished(self._state.mask)
        self._state = State(np.zeros(self.shape, dtype=np.uint8))
        self._past = []

    def _move(self, to: State, run: bool, wanted: StillWanted) -> Difference:
        """Go on to another state, with the way back kept; an error leaves everything as it was."""
        before = self._current()
        after = self._predicted(to, wanted) if run else to
        if run:
            self._kept(to.mask, after.mask)
        self._past.append(Step.between(before, after))
        self._state = after
        return self._difference(to.mask, after.mask) if run else Difference(False)

    def _kept(self, before: MaskArray, after: MaskArray) -> None:
        if self._keep is not None:
            self._keep.change(before, after)
            self._keep.number(self._objects.with_drawn(after))

    def _predicted(self, state: State, wanted: StillWanted) -> State:
        service = self._service
        mask, told, groups = self._without_taken_back(state)
        closed = self._objects.closed(state.prompts, state.reopened) if service.neighbours else np.zeros(self.shape, dtype=bool)
        others = self._keep.locked() if self._keep else None
        for new in groups:
            before = np.where(mask != 0, np.uint8(service.label), np.uint8(0) if others is None else others)
            guard = Guard(service.labels, () if others is None else [v for v in label_values(others) if v], closed)
            given = [*self._around(closed, before, [*told, *new]), *told]
            with service.turn:
                answer = refine_guarded(service.engine, self._image(), before, given, new, guard, wanted=wanted)
            mask, told = (answer.mask == service.label).astype(np.uint8), [*told, *new]
        return replace(state, mask=mask, answered=state.prompts, predicted=True)

    def _around(self, closed: BoolArray, before: MaskArray, prompts: Sequence[Prompt]) -> list[Prompt]:
        """What an engine is told of the finished objects around."""
        label = self._service.label
        stroke = surrounding_stroke(closed & (before != label), prompts, self._image().image.grid, label=label) if prompts else None
        return [] if stroke is None else [stroke]

    def _without_taken_back(self, state: State) -> tuple[MaskArray, list[Prompt], list[list[Prompt]]]:
        """The mask before the first gesture that a later one contradicts, what it answers, and what is to be answered on it."""
        mask, answered, past = state.mask, state.answered, reversed(self._past)
        groups = [[p for p in state.prompts if p not in answered]]
        while any(p not in state.prompts for p in answered):
            earlier = next(past).undo(mask)
            groups.insert(0, [p for p in answered if p not in earlier.answered and p in state.prompts])
            mask, answered = earlier.mask, earlier.answered
        return mask, list(answered), [*filter(None, groups[:-1]), groups[-1]]

    def _difference(self, before: MaskArray, after: MaskArray) -> Difference:
        start, stop = changed_box(before, after)
        if start == stop:
            return Difference(True)
        part = after[slices_of((start, stop))]
        values = np.ascontiguousarray(self._service.order.array(part)).astype(self._dtype or np.uint8)
        return Difference(True, self._service.order.triple(zip(start, stop, strict=True)), values)

    def _image(self) -> ImageEmbedding:
        if self._embedding is None:
            raise StateError("There is no image yet", remedy="send one with set_image")
        return self._embedding

    def _current(self) -> State:
        self._image()
        if self._state is None:
            raise StateError("There is no target buffer yet", remedy="describe it with set_target_buffer")
        return self._state


def _plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Booleans and half floats as what engines compute with."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    return array.astype(np.float32) if array.dtype == np.float16 else array
