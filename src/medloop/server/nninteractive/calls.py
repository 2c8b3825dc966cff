"""What each call of the nnInteractive protocol does to a session: from what was sent to what is answered."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray
from medloop.core.errors import InputError, ShapeError
from medloop.interaction.engine import StillWanted
from medloop.interaction.nninteractive.protocol import (
    TARGET_KINDS,
    Difference,
    read_bounds,
    read_flag,
    read_meta,
    read_numbers,
    read_object,
)
from medloop.interaction.nninteractive.sent_prompts import box_prompts, lasso_prompts, point_prompt, scribble_prompt
from medloop.interaction.nninteractive.session import Service, Session
from medloop.interaction.nninteractive.wire import read_header, unpack_array
from medloop.interaction.prompts import Prompt, Voxel
from medloop.server.nninteractive.gate import Limits, TooLargeError

Reply: TypeAlias = Difference | dict[str, Any]


@dataclass(frozen=True, eq=False)
class Sent:
    """A request as it arrived: its `X-Meta` header, its body (JSON or a packed array), and what answers it."""

    meta: str | None
    body: bytes
    service: Service
    limits: Limits
    wanted: StillWanted


def set_image(session: Session, sent: Sent) -> Reply:
    """A packed array (C, X, Y, Z); `image_properties.spacing` in mm, if known."""
    properties = read_meta(sent.meta).get("image_properties")
    spacing = properties.get("spacing") if isinstance(properties, Mapping) else None
    spacing_mm = (1.0, 1.0, 1.0) if spacing is None else read_numbers(spacing, 3, "the spacing")
    if not all(1e-6 <= s <= 1e6 for s in spacing_mm):
        raise InputError(f"The spacing must lie between 1e-6 and 1e6 mm, got {spacing_mm}")
    header = read_header(sent.body)
    _require_bytes(header.nbytes, sent.limits, "An image")
    session.set_image(unpack_array(sent.body, limit_bytes=sent.limits.array_bytes), spacing_mm)
    return {"original_image_shape": list(header.shape)}


def set_target_buffer(session: Session, sent: Sent) -> Reply:
    """JSON `shape` and `dtype` of the buffer that the front end keeps."""
    record = read_object(sent.body, "body")
    shape = record.get("shape")
    if not isinstance(shape, list) or len(shape) != 3 or not all(type(n) is int and n > 0 for n in shape):
        raise ShapeError(f"The target buffer's shape is three whole numbers above 0, got {str(shape)[:80]}")
    dtype = _target_dtype(record.get("dtype"))
    _require_bytes(math.prod(shape) * dtype.itemsize, sent.limits, "A target buffer")
    session.set_target(shape, dtype)
    return {}


def set_do_autozoom(_session: Session, sent: Sent) -> Reply:
    """Accepted for the front ends' sake: medloop's engines find their own region."""
    read_flag(read_object(sent.body, "body"), "do_autozoom")
    return {}


def reset_interactions(session: Session, _sent: Sent) -> Reply:
    """Forget all prompts and empty the target."""
    session.reset()
    return {}


def undo(session: Session, _sent: Sent) -> Reply:
    """Take back the last gesture."""
    return session.undo()


def predict(session: Session, sent: Sent) -> Reply:
    """Answer the prompts that were added without a prediction."""
    return session.predict(wanted=sent.wanted)


def add_point(session: Session, sent: Sent) -> Reply:
    """JSON `coordinates` in voxels, `include_interaction`, `run_prediction`."""
    record = read_object(sent.body, "body")
    i, j, k = sent.service.order.triple(read_numbers(record.get("coordinates"), 3, "a point"))
    prompt = point_prompt((i, j, k), label=sent.service.label, positive=read_flag(record, "include_interaction"))
    return _add(session, sent, record, (prompt,))


def add_bbox(session: Session, sent: Sent) -> Reply:
    """JSON `bbox_coords`, a half-open pair for each axis."""
    record = read_object(sent.body, "body")
    bounds = sent.service.order.triple(read_bounds(record.get("bbox_coords")))
    positive = read_flag(record, "include_interaction")
    return _add(session, sent, record, box_prompts(bounds, session.shape, label=sent.service.label, positive=positive))


def add_scribble(session: Session, sent: Sent) -> Reply:
    """A packed mask of `interaction_bbox`, or of the whole image without one."""
    record = read_meta(sent.meta)
    drawn, start = _drawn(session, sent, record)
    prompt = scribble_prompt(drawn, start, label=sent.service.label, positive=read_flag(record, "include_interaction"))
    return _add(session, sent, record, (prompt,))


def add_lasso(session: Session, sent: Sent) -> Reply:
    """As `add_scribble`, of a closed contour."""
    record = read_meta(sent.meta)
    drawn, start = _drawn(session, sent, record)
    positive = read_flag(record, "include_interaction")
    return _add(session, sent, record, lasso_prompts(drawn, start, label=sent.service.label, positive=positive))


def add_initial_seg(session: Session, sent: Sent) -> Reply:
    """A packed mask of the whole image; earlier prompts are gone."""
    run = read_flag(read_meta(sent.meta), "run_prediction", False)
    return session.start_from(_mask(session, sent), run=run, wanted=sent.wanted)


Action: TypeAlias = Callable[[Session, Sent], Reply]
ACTIONS: Mapping[str, Action] = {
    "/set_image": set_image,
    "/set_target_buffer": set_target_buffer,
    "/set_do_autozoom": set_do_autozoom,
    "/reset_interactions": reset_interactions,
    "/undo": undo,
    "/predict": predict,
    "/add_point_interaction": add_point,
    "/add_bbox_interaction": add_bbox,
    "/add_scribble_interaction": add_scribble,
    "/add_lasso_interaction": add_lasso,
    "/add_initial_seg_interaction": add_initial_seg,
}
"""Every call that needs a lease and acts on its session."""


def _add(session: Session, sent: Sent, record: Mapping[str, Any], prompts: tuple[Prompt, ...]) -> Difference:
    return session.add(prompts, run=read_flag(record, "run_prediction", True), wanted=sent.wanted)


def _drawn(session: Session, sent: Sent, record: Mapping[str, Any]) -> tuple[BoolArray, Voxel]:
    """What was drawn and where it begins, in (i, j, k)."""
    order = sent.service.order
    shape = order.triple(session.shape)
    place = record.get("interaction_bbox")
    bounds = read_bounds(place if place is not None else [(0, n) for n in shape])
    if any(a < 0 or b > n for (a, b), n in zip(bounds, shape, strict=True)):
        raise InputError(f"interaction_bbox must lie within the image's {shape} voxels, got {bounds}")
    lengths = tuple(b - a for a, b in bounds)
    mask = _mask(session, sent)
    if mask.shape != lengths:
        raise ShapeError(f"The mask must fill its interaction_bbox {lengths}, got {mask.shape}")
    return order.array(mask != 0), order.triple(a for a, _ in bounds)


def _mask(session: Session, sent: Sent) -> npt.NDArray[Any]:
    """A packed mask, at most as large as the image."""
    header = read_header(sent.body)
    if math.prod(header.shape) > math.prod(session.shape):
        raise ShapeError(f"A mask must fit the image's {sent.service.order.triple(session.shape)} voxels, got {header.shape}")
    return unpack_array(sent.body, limit_bytes=header.nbytes)


def _target_dtype(name: Any) -> np.dtype[Any]:
    try:
        dtype = np.dtype(name) if isinstance(name, str) and len(name) < 16 else None
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if dtype is None or dtype.kind not in TARGET_KINDS:
        raise InputError(f"The target buffer's dtype must be bool or a whole number, got {str(name)[:40]!r}")
    return dtype


def _require_bytes(needed: int, limits: Limits, what: str) -> None:
    if needed > limits.array_bytes:
        raise TooLargeError(f"{what} may have {limits.array_bytes} bytes here, got {needed}", remedy="crop or downsample the image")
