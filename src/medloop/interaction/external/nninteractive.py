"""An nnInteractive server as a refinement engine, over the protocol's own client (`nninteractive-client`).

The server keeps one structure at a time and forgets it when its lease ends, so no call depends on it: each answer starts from the
mask before and is told every prompt of a label, with one prediction at the end. Probabilities are 0 or 1: the protocol carries masks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import InputError, SettingError, ShapeError, UnavailableError
from medloop.core.geometry import Grid, triple
from medloop.core.image import Image
from medloop.interaction.agreeing import narrowed_by
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted, require_wanted
from medloop.interaction.guard import Guard, held, new_of
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Prompt, Scribble, exact_voxels
from medloop.interaction.regions import VoxelBox, allowed_by_boxes, is_flat, prompt_box
from medloop.interaction.surroundings import surrounding_stroke


@dataclass(frozen=True, eq=False)
class _Asked:
    """What the server is asked of one label: the mask before, its prompts, and the locked labels around, where it takes strokes."""

    start: BoolArray
    prompts: Sequence[Prompt]
    around: Sequence[Scribble]


class NNInteractiveEngine:
    """Refines through a server that speaks the nnInteractive protocol, 2.5 or newer; one lease is held until `close`.

    Args:
        url: The server's address, such as http://127.0.0.1:1527.
        key: Its bearer key, if it asks for one.
        order: How it expects axes; as SimpleITK hands them by default.
        channel: Which channel of an image it sees; nnInteractive's network takes one.
        timeout_seconds: Longest wait for a prediction.

    Raises:
        SettingError: No such address.
    """

    name = "nninteractive"

    def __init__(
        self, url: str, *, key: str | None = None, order: AxisOrder | None = None, channel: int = 0, timeout_seconds: float = 60.0
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise SettingError(f"A server's address begins with http:// or https://, got {url!r}", remedy="such as http://127.0.0.1:1527")
        self._url, self._key, self._order = url, key, order or AxisOrder()
        self._channel, self._timeout = channel, timeout_seconds
        self._turn = Lock()
        self._session: Any = None
        self._there: ImageEmbedding | None = None

    def embed(self, image: Image) -> ImageEmbedding:
        """The image as it will be sent, with the first prompt.

        Raises:
            ShapeError: It lacks the channel.
        """
        if self._channel >= image.channels:
            raise ShapeError(f"The server is to see channel {self._channel}, the image has {image.channels}")
        array = image.array[self._channel : self._channel + 1]
        return ImageEmbedding(image, self.name, array.astype(np.float32) if array.dtype.kind == "f" else array)

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
            InputError: Prompts that the server cannot take.
            CancelledError: The answer is no longer wanted.
            UnavailableError: The server does not answer, is full or refuses the key.
        """
        grid = embedding.image.grid
        before = np.zeros(grid.shape, dtype=np.uint8) if previous is None else previous
        mask = before.copy()
        with self._turn:
            for label in sorted({p.label for p in prompts}, key=lambda label: max(n for n, p in enumerate(prompts) if p.label == label)):
                require_wanted(wanted)
                own = [p for p in prompts if p.label == label]
                asked = _Asked(before == label, own, _locked_around(before, own, grid, locked))
                drawn = self._drawn(embedding, asked) & allowed_by_boxes(own, grid, label=label)
                mask[(mask == label) & ~drawn] = 0
                mask[drawn] = label
        probabilities = np.stack([mask == value for value in (0, *labels)]).astype(np.float32)
        answer = RefinedMask(mask, probabilities, tuple(labels), None, (0, 0, 0), (0, 0, 0))
        narrow, new = narrowed_by(embedding.image), new_of(prompts, previous)
        return held(before, answer, prompts, new=new, grid=grid, narrow=narrow, guard=Guard(locked=locked))

    def close(self) -> None:
        """Give the lease back."""
        session, self._session, self._there = self._session, None, None
        if session is not None:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _drawn(self, embedding: ImageEmbedding, asked: _Asked) -> BoolArray:
        """The server's mask of one label; claimed and sent again when the lease has gone."""
        from nnInteractive.inference.remote.remote_session import SessionExpiredError

        try:
            try:
                return self._requested(embedding, asked)
            except SessionExpiredError:
                self.close()
                return self._requested(embedding, asked)
        except (httpx.HTTPError, SessionExpiredError) as error:
            self.close()
            text = f"The nnInteractive server at {self._url} does not respond as it should ({_detail(error)})"
            raise UnavailableError(text, remedy="see its log and its key") from error

    def _requested(self, embedding: ImageEmbedding, asked: _Asked) -> BoolArray:
        session = self._ready(embedding)
        session.reset_interactions()
        if asked.start.any():
            if not session.supports_initial_label:
                raise InputError("The nnInteractive server takes no mask to start from", remedy="start from an empty mask (previous=None)")
            session.add_initial_seg_interaction(self._order.array(asked.start.astype(np.uint8)))
        around = asked.around if session.supported_interactions.get("scribble", False) else []
        calls = [call for prompt in (*around, *asked.prompts) for call in self._calls(prompt, embedding.image, session)]
        for number, call in enumerate(calls, start=1):
            call(number == len(calls))
        found: BoolArray = self._order.array(session.target_buffer) != 0
        return found

    def _ready(self, embedding: ImageEmbedding) -> Any:
        """A lease, and the image on the server."""
        if self._session is None:
            self._session = self._claimed()
        if self._there is not embedding:
            grid = embedding.image.grid
            properties = {"spacing": self._order.triple(grid.spacing_mm)}
            self._session.set_image(np.ascontiguousarray(self._order.array(embedding.content)), properties)
            self._session.set_target_buffer(np.zeros(self._order.triple(grid.shape), dtype=np.uint8))
            self._there = embedding
        return self._session

    def _claimed(self) -> Any:
        try:
            from nnInteractive.inference.remote import remote_session
        except ImportError as error:
            raise UnavailableError("nninteractive-client is missing", remedy="pip install 'medloop[nninteractive]'") from error
        session = remote_session.nnInteractiveRemoteInferenceSession.__new__(remote_session.nnInteractiveRemoteInferenceSession)
        try:
            session.__init__(self._url, self._key, read_timeout=self._timeout)
        except remote_session.ServerAtCapacityError as error:
            session._http.close()  # which a session that was not made leaves open
            text = f"The nnInteractive server at {self._url} is full ({error})"
            raise UnavailableError(text, remedy="close another front end") from error
        except BaseException:
            session._http.close()
            raise
        return session

    def _calls(self, prompt: Prompt, image: Image, session: Any) -> list[Callable[[bool], Any]]:
        """What tells a prompt, by the nearest kind that the server takes; each is told whether to predict.

        Raises:
            InputError: It takes no such kind.
        """
        able, shape = session.supported_interactions, image.grid.shape
        if isinstance(prompt, Box):
            flat = is_flat(prompt) or able.get("bbox3d", False)
            return [self._box((prompt.start, prompt.stop) if flat else _middle(prompt, image), session)]
        if isinstance(prompt, ExtremePoints):
            parts: list[Prompt] = [Point(voxel, prompt.label) for voxel in prompt.voxels]
            parts.append(Box(*prompt_box(prompt, shape), prompt.label))
            return [call for part in parts for call in self._calls(part, image, session)]
        if isinstance(prompt, Point) and able.get("points", False):
            at = self._order.triple(prompt.voxel)
            return [lambda run: session.add_point_interaction(at, prompt.positive, run_prediction=run)]
        if not able.get("lasso" if isinstance(prompt, Lasso) else "scribble", False):
            kind = type(prompt).__name__.lower()
            raise InputError(f"The nnInteractive server takes no {kind}", remedy="use a kind of prompt that it takes")
        tell = session.add_lasso_interaction if isinstance(prompt, Lasso) else session.add_scribble_interaction
        low, high = prompt_box(prompt, shape)
        drawn = np.zeros(np.subtract(high, low), dtype=np.uint8)
        drawn[tuple((exact_voxels(prompt, shape) - low).T)] = 1
        crop, place = np.ascontiguousarray(self._order.array(drawn)), self._order.triple(zip(low, high, strict=True))
        return [lambda run: tell(crop, prompt.positive, run_prediction=run, interaction_bbox=place)]

    def _box(self, box: VoxelBox, session: Any) -> Callable[[bool], Any]:
        bounds = self._order.triple(zip(*box, strict=True))
        return lambda run: session.add_bbox_interaction(bounds, True, run_prediction=run)


def _locked_around(before: MaskArray, own: Sequence[Prompt], grid: Grid, locked: Sequence[int]) -> list[Scribble]:
    """A negative stroke along the locked labels of a mask around the prompts of a label; none where no locked one is near."""
    label = own[0].label
    closed = np.isin(before, [value for value in locked if value != label])
    for prompt in own:
        if getattr(prompt, "positive", True):
            closed[tuple(exact_voxels(prompt, before.shape).T)] = False
    stroke = surrounding_stroke(closed, own, grid, label=label)
    return [] if stroke is None else [stroke]


def _middle(box: Box, image: Image) -> VoxelBox:
    """A box on the slice through its middle, across the axis with the widest spacing."""
    axis = int(np.argmax(image.grid.spacing_mm))
    low, high = np.array(box.start), np.array(box.stop)
    low[axis] = (low[axis] + high[axis]) // 2
    high[axis] = low[axis] + 1
    return triple(low), triple(high)


def _detail(error: Exception) -> str:
    """What the server said, or what went wrong on the way."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} {error.response.text[:200]}"
    return str(error) or type(error).__name__
