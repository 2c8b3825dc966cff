"""One person's work on one image: an ordered list of gestures, each with what it changed.

The mask is the base plus every entry's runs, so undo and redo are exact and without limit. A prompt can be edited or
removed at any time: what came after it is answered again, as if it had been said so (or never) in the first place.
Nothing is changed when an engine fails or its answer is no longer wanted. A session is not for two threads at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, LabelError, NotFoundError, ShapeError, StateError
from medloop.core.image import Image
from medloop.interaction.engine import Engine, ImageEmbedding, RefinedMask, StillWanted
from medloop.interaction.guard import Guard, guard_for
from medloop.interaction.prompts import Prompt
from medloop.interaction.sessions.entries import Circumstances, Entry, Gesture, Paint, ask
from medloop.interaction.sessions.runs import Run, apply_delta, box_of, check_runs, delta_of_runs, net_delta, plain_runs

State = tuple[Entry, ...]


@dataclass(frozen=True, eq=False)
class Change:
    """What one action did to the mask.

    Attributes:
        item: Number of the gesture; -1 for undo and redo.
        revision: Counts actions, undo and redo among them.
        start, stop: Box of the changed voxels; both (0, 0, 0) when none changed.
        runs: The changed voxels with their new values.
        refined: The engine's own answer, if one was asked; the session may have kept less of it.
    """

    item: int
    revision: int
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    runs: tuple[Run, ...] = field(repr=False)
    refined: RefinedMask | None = field(default=None, repr=False)


class Session:
    """Gestures on one image, and the mask they make.

    Args:
        image: The image.
        engine: Who answers prompts.
        labels: The task's label values.
        base: The mask to begin with, shape (I, J, K); None is background.
        locked: Labels that prompts must not change.
        guard: How far a prompt reaches; None takes a quarter of the image's longest side.

    Raises:
        ShapeError: A base of another shape.
        LabelError: A base or a lock with an unknown label.
    """

    def __init__(
        self,
        image: Image,
        engine: Engine,
        *,
        labels: Sequence[int],
        base: MaskArray | None = None,
        locked: Sequence[int] = (),
        guard: Guard | None = None,
    ) -> None:
        self.image = image
        self.around = Circumstances(tuple(labels), guard or guard_for(image.grid))
        self.base = _checked_base(image, base, labels)
        self.revision = 0
        self._mask = self.base.copy(order="F")
        self._states: list[State] = [()]
        self._at = 0
        self._next_item = 0
        self._engine = engine
        self._embedded: ImageEmbedding | None = None
        self.lock(locked)

    @property
    def mask(self) -> MaskArray:
        """The mask as it stands, shape (I, J, K); a read-only view."""
        shown = self._mask.view()
        shown.flags.writeable = False
        return shown

    @property
    def entries(self) -> State:
        """The gestures in force, in order."""
        return self._states[self._at]

    @property
    def history(self) -> tuple[State, ...]:
        """Every state that undo and redo can reach, oldest first; they share their entries."""
        return tuple(self._states)

    @property
    def undoable(self) -> int:
        """How many actions can be undone."""
        return self._at

    @property
    def redoable(self) -> int:
        """How many undone actions can be done again."""
        return len(self._states) - 1 - self._at

    def use(self, engine: Engine) -> None:
        """Let another engine answer from now on."""
        if engine is not self._engine:
            self._engine, self._embedded = engine, None

    def lock(self, labels: Sequence[int]) -> None:
        """Protect labels from the prompts that follow.

        Raises:
            LabelError: One that the task does not have.
        """
        unknown = sorted(set(labels) - set(self.around.labels))
        if unknown:
            raise LabelError(f"Only the labels {list(self.around.labels)} can be locked, got {unknown}")
        self.locked = tuple(labels)

    def add(self, prompt: Prompt, *, wanted: StillWanted = lambda: True) -> Change:
        """Answer one more prompt.

        Raises:
            InputError: A prompt that cannot be obeyed: outside the image, against another, on a locked label.
            LabelError: An unknown label.
            CancelledError: The answer is no longer wanted; nothing changed.
            UnavailableError: What stands behind the engine does not answer; nothing changed.
        """
        return self._extend(prompt, wanted)

    def paint(self, runs: Sequence[Run]) -> Change:
        """Set voxels by hand; they stay so until painted or hinted at again.

        Raises:
            InputError: Runs outside the image.
            LabelError: An unknown label.
        """
        check_runs(runs, self.image.grid.voxels, labels=self.around.labels)
        return self._extend(Paint(tuple((int(s), int(n), int(v)) for s, n, v in runs)), lambda: True)

    def replace(self, item: int, prompt: Prompt, *, wanted: StillWanted = lambda: True) -> Change:
        """Say a prompt differently, and answer what came after it again.

        Raises:
            NotFoundError: No such prompt in force.
            InputError, LabelError, CancelledError, UnavailableError: See `add`.
        """
        place = self._place(item)
        if isinstance(self.entries[place].said, Paint):
            raise InputError(f"Only a prompt can be edited, item {item} is paint", remedy="remove it and paint again")
        return self._rebuild(place, [prompt], wanted)

    def remove(self, item: int, *, wanted: StillWanted = lambda: True) -> Change:
        """Take one gesture out of the middle, and answer what came after it again.

        Raises:
            NotFoundError: No such gesture in force.
            InputError, CancelledError, UnavailableError: See `add`.
        """
        return self._rebuild(self._place(item), [], wanted)

    def undo(self) -> Change:
        """Go back by one action.

        Raises:
            StateError: There is none.
        """
        return self._step(-1, "undo")

    def redo(self) -> Change:
        """Do the last undone action again.

        Raises:
            StateError: There is none.
        """
        return self._step(1, "redo")

    def resume(self, history: Sequence[State], at: int) -> None:
        """Take up states that were built from this session's base, for example out of a saved log.

        Args:
            history: Oldest first; the first is empty.
            at: Which of them is in force.
        """
        before = self.entries
        self._states, self._at = list(history), at
        self._next_item = 1 + max((e.item for state in history for e in state), default=-1)
        self._show(before, item=-1)

    def answer(
        self, mask: MaskArray, before: State, said: Gesture, *, item: int, locked: tuple[int, ...], wanted: StillWanted = lambda: True
    ) -> tuple[Entry, RefinedMask | None]:
        """What one gesture changes in a mask that others have made; changes nothing itself.

        Args:
            mask: Made by the base and `before`, shape (I, J, K).
            before: Entries in force.
            said: The gesture.
            item: Its number.
            locked: Labels that stay.
            wanted: Whether the answer is still wanted.

        Raises:
            InputError, LabelError, CancelledError, UnavailableError: See `add`.
        """
        if isinstance(said, Paint):
            return Entry(item, said, locked, "", delta_of_runs(mask, said.runs)), None
        engine, heard = self._engine, [e.said for e in before]
        delta, refined = ask(engine, self._embedding(), mask, heard, said, locked=locked, around=self.around, wanted=wanted)
        return Entry(item, said, locked, engine.name, delta), refined

    def _step(self, by: int, verb: str) -> Change:
        if not 0 <= self._at + by < len(self._states):
            raise StateError(f"There is nothing to {verb}")
        before, self._at = self.entries, self._at + by
        return self._show(before, item=-1)

    def _place(self, item: int) -> int:
        for place, entry in enumerate(self.entries):
            if entry.item == item:
                return place
        raise NotFoundError(f"No gesture {item} is in force", remedy=f"known: {[e.item for e in self.entries]}")

    def _extend(self, said: Gesture, wanted: StillWanted) -> Change:
        entry, refined = self.answer(self._mask, self.entries, said, item=self._next_item, locked=self.locked, wanted=wanted)
        self._next_item += 1
        return self._commit((*self.entries, entry), item=entry.item, refined=refined)

    def _rebuild(self, place: int, instead: Sequence[Prompt], wanted: StillWanted) -> Change:
        """Everything from `place` on, answered again with other words there."""
        old = self.entries
        mask = self._mask.copy(order="F")
        for entry in reversed(old[place:]):
            apply_delta(mask, entry.delta, backwards=True)
        todo: list[tuple[int, Gesture, tuple[int, ...]]] = [(old[place].item, said, old[place].locked) for said in instead]
        todo += [(e.item, e.said, e.locked) for e in old[place + 1 :]]
        done, refined = old[:place], None
        for item, said, locked in todo:
            entry, refined = self.answer(mask, done, said, item=item, locked=locked, wanted=wanted)
            apply_delta(mask, entry.delta)
            done = (*done, entry)
        return self._commit(done, item=old[place].item, refined=refined)

    def _embedding(self) -> ImageEmbedding:
        if self._embedded is None:
            self._embedded = self._engine.embed(self.image)
        return self._embedded

    def _commit(self, state: State, *, item: int, refined: RefinedMask | None) -> Change:
        before = self.entries
        self._states = [*self._states[: self._at + 1], state]
        self._at += 1
        return self._show(before, item=item, refined=refined)

    def _show(self, before: State, *, item: int, refined: RefinedMask | None = None) -> Change:
        """Bring the mask from one state to the current one."""
        now, common = self.entries, 0
        while common < min(len(before), len(now)) and before[common] is now[common]:
            common += 1
        delta = net_delta(self._mask, [e.delta for e in reversed(before[common:])], [e.delta for e in now[common:]])
        self.revision += 1
        start, stop = box_of(delta, self._mask.shape)
        return Change(item, self.revision, start, stop, plain_runs(delta), refined)


def _checked_base(image: Image, base: MaskArray | None, labels: Sequence[int]) -> MaskArray:
    if base is None:
        return np.zeros(image.grid.shape, dtype=np.uint8, order="F")
    if base.shape != image.grid.shape or base.dtype != np.uint8:
        raise ShapeError(f"A base mask is uint8 on the image's {image.grid.shape} voxels, got {base.dtype} {base.shape}")
    unknown = sorted(set(np.flatnonzero(np.bincount(base.ravel(order="K")))) - {0, *labels})
    if unknown:
        raise LabelError(f"A base mask may hold 0 and the labels {list(labels)}, got {[int(v) for v in unknown[:8]]}")
    return np.array(base, order="F")
