"""An nnInteractive server as medloop's refinement engine.

The server keeps one structure at a time and forgets it when the lease ends; this engine keeps nothing that a call
depends on. It remembers what the server was last told, sends only what is new, takes the last prompt back by the
server's undo, and otherwise starts the structure again from the mask it had. A lease that ended is claimed again and
the image and prompts are sent anew, without a word to the user. Probabilities are 0 or 1: the protocol carries masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from types import TracebackType
from typing import Self

import httpx
import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import FormatError, InputError, ShapeError, UnavailableError
from medloop.core.image import Image
from medloop.interaction.agreeing import narrowed_by
from medloop.interaction.boxes import allowed_by_boxes
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted, require_wanted
from medloop.interaction.guard import held, new_of
from medloop.interaction.locks import require_unlocked
from medloop.interaction.nninteractive.gestures import AxisOrder
from medloop.interaction.nninteractive.link import LeaseLostError, Link, Reply
from medloop.interaction.nninteractive.protocol import Capabilities, unpack_difference
from medloop.interaction.nninteractive.sending import Call, calls_for
from medloop.interaction.nninteractive.wire import pack_array
from medloop.interaction.prompts import Prompt

NAME = "nninteractive"


@dataclass(frozen=True)
class _Upload:
    """An image ready to send, as often as needed."""

    packed: bytes
    spacing_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class _Structure:
    """What the server was told about one label, and what it answered.

    Attributes:
        start: The voxels it began with.
        prompts: Told since, in order.
        mask: Its answer to them.
        undoable: Whether its undo takes back the last prompt.
    """

    start: BoolArray
    prompts: tuple[Prompt, ...]
    mask: BoolArray
    undoable: bool = False

    def leads_to(self, start: BoolArray, prompts: tuple[Prompt, ...]) -> bool:
        """Whether these prompts, from this mask, go on from here."""
        same = np.array_equal(start, self.start) or np.array_equal(start, self.mask)
        return same and prompts[: len(self.prompts)] == self.prompts


class NNInteractiveEngine:
    """Refines through a server that speaks the nnInteractive protocol, 2.5 or newer.

    One lease is held from the first refinement until `close`. Calls from several threads take turns.

    Args:
        url: The server's address, such as http://127.0.0.1:1527.
        key: Its bearer key, if it asks for one.
        order: How it expects axes; as SimpleITK hands them by default.
        channel: Which channel of an image it sees; nnInteractive's network takes one.
        timeout_seconds: Longest wait for a prediction.
        transport: How bytes travel; None opens sockets.

    Raises:
        SettingError: No such address.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        order: AxisOrder | None = None,
        channel: int = 0,
        timeout_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._link = Link(url, key=key, timeout_seconds=timeout_seconds, transport=transport)
        self._order = order or AxisOrder()
        self._channel = channel
        self._turn = Lock()
        self._able: Capabilities | None = None
        self._there: ImageEmbedding | None = None
        self._current: int | None = None
        self._seen: ImageEmbedding | None = None  # what the known structures belong to
        self._known: dict[int, _Structure] = {}

    @property
    def name(self) -> str:
        """For logs."""
        return NAME

    def embed(self, image: Image) -> ImageEmbedding:
        """Pack an image for sending; the server sees it with the first prompt.

        Raises:
            ShapeError: It lacks the channel.
            UnavailableError: Without Blosc2.
        """
        if self._channel >= image.channels:
            raise ShapeError(f"The server is to see channel {self._channel}, the image has {image.channels}")
        array = image.array[self._channel : self._channel + 1]
        plain = array.astype(np.float32) if array.dtype.kind == "f" else array
        packed = pack_array(self._order.array(plain), shuffle=True)
        return ImageEmbedding(image, NAME, _Upload(packed, image.grid.spacing_mm))

    def refine(
        self,
        embedding: ImageEmbedding,
        prompts: Sequence[Prompt],
        *,
        labels: Sequence[int],
        previous: MaskArray | None = None,
        locked: Sequence[int] = (),
        wanted: StillWanted = lambda: True,
    ) -> RefinedMask:
        """Answer prompts; see `Engine.refine`. Each label is drawn by itself; where two meet, the one prompted last wins.

        Raises:
            InputError: Prompts that the server cannot take, or that would change a locked label.
            CancelledError: The answer is no longer wanted.
            UnavailableError: The server does not answer, is full or refuses the key.
        """
        before = np.zeros(embedding.image.grid.shape, dtype=np.uint8) if previous is None else previous
        kept = np.isin(before, list(locked))
        new = new_of(prompts, previous)
        require_unlocked([*new, *prompts[-1:]], before, locked)
        mask = before.copy()
        with self._turn:
            for label in _in_order_of_last(prompts):
                own = tuple(p for p in prompts if p.label == label)
                drawn = self._answer(embedding, label, before == label, own, wanted)
                drawn &= allowed_by_boxes(own, embedding.image.grid, label=label) & ~kept
                mask[(mask == label) & ~drawn] = 0
                mask[drawn] = label
        probabilities = np.stack([mask == value for value in (0, *labels)]).astype(np.float32)
        answer = RefinedMask(mask, probabilities, tuple(labels), None, (0, 0, 0), (0, 0, 0))
        return held(before, answer, prompts, new=new, grid=embedding.image.grid, narrow=narrowed_by(embedding.image), locked=locked)

    def close(self) -> None:
        """Give the lease back."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _answer(
        self, embedding: ImageEmbedding, label: int, start: BoolArray, prompts: tuple[Prompt, ...], wanted: StillWanted
    ) -> BoolArray:
        """The server's mask of one label; claimed and sent again when the lease has gone."""
        try:
            return self._bring(embedding, label, start, prompts, wanted).copy()
        except LeaseLostError:
            self._link.drop()
            self._forget_server()
        except UnavailableError:
            self._forget_server()
            raise
        try:
            return self._bring(embedding, label, start, prompts, wanted).copy()
        except LeaseLostError as error:
            self._link.drop()
            self._forget_server()
            raise UnavailableError(f"{error.message}, twice in a row", remedy="see its log, or give it a longer idle timeout") from error

    def _bring(
        self, embedding: ImageEmbedding, label: int, start: BoolArray, prompts: tuple[Prompt, ...], wanted: StillWanted
    ) -> BoolArray:
        """Bring the server to these prompts by the shortest way."""
        if self._seen is not embedding:
            self._known, self._seen = {}, embedding
        known = self._known.get(label)
        if known and known.leads_to(start, prompts) and known.prompts == prompts:
            return known.mask
        able = self._ready(embedding)
        if known and self._current == label and known.undoable and known.prompts[:-1] == prompts and np.array_equal(start, known.start):
            return self._undo(label, known)
        if known is None or self._current != label or not known.leads_to(start, prompts):
            known = self._begin(label, start, prompts, known, able)
        for prompt in prompts[len(known.prompts) :]:
            require_wanted(wanted)
            known = self._tell(label, known, prompt, embedding, able)
        return known.mask

    def _ready(self, embedding: ImageEmbedding) -> Capabilities:
        """A lease, and the image on the server."""
        if self._able is None:
            self._able = self._link.claim()
        if self._there is not embedding:
            self._current = self._there = None
            upload: _Upload = embedding.content
            properties = {"image_properties": {"spacing": self._order.triple(upload.spacing_mm)}}
            self._link.post("/set_image", record=properties, array=upload.packed)
            shape = self._order.triple(embedding.image.grid.shape)
            self._link.post("/set_target_buffer", record={"shape": shape, "dtype": "uint8"})
            self._there = embedding
        return self._able

    def _begin(self, label: int, start: BoolArray, prompts: tuple[Prompt, ...], known: _Structure | None, able: Capabilities) -> _Structure:
        """Start a structure on the server: from its last answer where the prompts go on from there, else from the start."""
        self._current = None
        self._link.post("/reset_interactions")
        begun = known if known and known.leads_to(start, prompts) and able.initial_label else _Structure(start, (), start)
        if begun.mask.any():
            if not able.initial_label:
                remedy = "start from an empty mask (previous=None)"
                raise InputError("The nnInteractive server takes no mask to start from", remedy=remedy)
            packed = pack_array(self._order.array(begun.mask.astype(np.uint8)))
            said = {"run_prediction": False, "override_capability_checks": False}
            self._link.post("/add_initial_seg_interaction", record=said, array=packed)
        self._current = label
        return replace(begun, undoable=False)

    def _tell(self, label: int, known: _Structure, prompt: Prompt, embedding: ImageEmbedding, able: Capabilities) -> _Structure:
        calls = calls_for(prompt, embedding.image.grid, able, self._order)
        self._current = None  # until all of them are answered, the server is in no state that is known
        mask = known.mask
        for call in calls:
            mask = self._changed(mask, self._post(call, mask.size))
        self._current = label
        told = _Structure(known.start, (*known.prompts, prompt), mask, undoable=able.undo and len(calls) == 1)
        self._known[label] = told
        return told

    def _undo(self, label: int, known: _Structure) -> BoolArray:
        self._current = None
        mask = self._changed(known.mask, self._post(Call("/undo", {}), known.mask.size))
        self._known[label] = _Structure(known.start, known.prompts[:-1], mask)
        self._current = label
        return mask

    def _post(self, call: Call, voxels: int) -> Reply:
        return self._link.post(call.path, record=call.record, array=call.array, limit=voxels + 100_000)

    def _changed(self, mask: BoolArray, reply: Reply) -> BoolArray:
        """The mask with a difference applied."""
        i, j, k = mask.shape
        try:
            difference = unpack_difference(reply.meta, reply.body, self._order.triple((i, j, k)))
        except FormatError as error:
            raise UnavailableError(f"The server at {self._link.url} does not speak the nnInteractive protocol: {error}") from error
        if difference.bounds is None or difference.values is None:
            return mask
        changed = mask.copy()
        changed[tuple(slice(a, b) for a, b in self._order.triple(difference.bounds))] = self._order.array(difference.values) != 0
        return changed

    def _forget_server(self) -> None:
        self._able = self._there = self._current = None


def _in_order_of_last(prompts: Sequence[Prompt]) -> list[int]:
    """The prompted labels, the one prompted last at the end."""
    last = {prompt.label: n for n, prompt in enumerate(prompts)}
    return sorted(last, key=lambda label: last[label])
