"""Words of the nnInteractive protocol, version 2: its calls, its headers, and what travels in them.

Every call carries `X-Lease-Token` once a session is claimed; arrays travel as packed bytes (`wire`) with their
description as compact JSON in `X-Meta`. Answers to prompts are differences: only the box that changed.

Source: nninteractive-client 2.6.0 and the server of nnInteractive 2.6.0 (both Apache-2.0), read and written anew.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy.typing as npt

from medloop.core.errors import FormatError, InputError
from medloop.interaction.nninteractive.wire import pack_array

DEFAULT_PORT = 1527
META_HEADER = "X-Meta"
LEASE_HEADER = "X-Lease-Token"
RAW = "application/octet-stream"
VERSION = "2.6.0"
"""The protocol spoken here, told to clients as the version of the inference session."""

Bounds: TypeAlias = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First voxel and one past the last along each axis."""

TARGET_KINDS = "biu"
"""Kinds of dtype that a target buffer may have: booleans and whole numbers."""


@dataclass(frozen=True)
class Capabilities:
    """What a server can do with prompts.

    Attributes:
        points, bbox2d, bbox3d, scribble, lasso: Whether it takes them.
        initial_label: Whether it takes a mask to start from.
        undo: Whether it can take back the last prompt.
        license: Of the model, as a person should read it.
    """

    points: bool = True
    bbox2d: bool = True
    bbox3d: bool = True
    scribble: bool = True
    lasso: bool = True
    initial_label: bool = True
    undo: bool = True
    license: str = ""

    def to_json(self) -> dict[str, Any]:
        """All the fields that clients read; the channels are those of the published checkpoint."""
        kinds = {name: getattr(self, name) for name in _KINDS}
        channels = {"prev_seg": 0, "bbox2d": [1, 2], "bbox3d": [1, 2], "lasso": [1, 2], "points": [3, 4], "scribble": [5, 6]}
        return {
            "supported_interactions": kinds,
            "channel_mapping": channels,
            "num_interaction_channels": 7,
            "supports_initial_label": self.initial_label,
            "supports_zero_shot_label_refinement": self.initial_label,
            "preferred_scribble_thickness": [2, 2, 2],
            "interaction_decay": None,
            "patch_size": None,
            "do_autozoom": False,
            "inference_session_version": VERSION,
            "license": self.license,
            "supports_undo": self.undo,
        }


_KINDS = tuple(f.name for f in fields(Capabilities))[:5]


@dataclass(frozen=True, eq=False)
class Difference:
    """What a prompt changed in the target buffer.

    Attributes:
        ran: Whether a prediction (or an undo) ran at all.
        bounds: The box that changed; None when nothing did.
        values: New values in it, shape of the box.
    """

    ran: bool
    bounds: Bounds | None = None
    values: npt.NDArray[Any] | None = None


def pack_difference(difference: Difference) -> tuple[str, bytes]:
    """A difference as the text of its `X-Meta` header and its body."""
    if difference.bounds is None or difference.values is None:
        return compact({"ran_prediction": difference.ran, "bbox": None}), b""
    values = difference.values
    meta = {"ran_prediction": difference.ran, "bbox": difference.bounds, "dtype": values.dtype.name, "shape": values.shape}
    return compact(meta), pack_array(values)


def compact(record: Mapping[str, Any]) -> str:
    """JSON without spaces, as headers carry it."""
    return json.dumps(record, separators=(",", ":"))


def read_meta(text: str | None) -> dict[str, Any]:
    """The record in an `X-Meta` header; none for a missing one.

    Raises:
        FormatError: Not a JSON object.
    """
    return {} if text is None else read_object(text, f"{META_HEADER} header")


def read_object(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        FormatError: Anything else.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"The {what} must be JSON ({error})") from error
    if not isinstance(record, dict):
        raise FormatError(f"The {what} must be a JSON object, got {type(record).__name__}")
    return record


def read_bounds(value: Any) -> Bounds:
    """A box as three half-open pairs.

    Raises:
        InputError: Anything else; it need not lie in any image yet.
    """
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise InputError(f"A box has a pair of bounds for each of three axes, got {str(value)[:80]}")
    pairs = [read_numbers(pair, 2, "a pair of bounds") for pair in value]
    whole = [(round(a), round(b)) for a, b in pairs]
    if any(a >= b for a, b in whole):
        raise InputError(f"A box has at least one voxel along each axis, got {whole}")
    return whole[0], whole[1], whole[2]


def read_numbers(value: Any, count: int, what: str) -> tuple[float, ...]:
    """So many finite numbers of moderate size.

    Raises:
        InputError: Anything else.
    """
    numbers = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    good = [float(v) for v in numbers if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e9]
    if len(numbers) != count or len(good) != count:
        raise InputError(f"{what[0].upper()}{what[1:]} has {count} numbers, got {str(value)[:80]}")
    return tuple(good)


def read_flag(record: Mapping[str, Any], name: str, default: bool | None = None) -> bool:
    """A switch of a request.

    Raises:
        InputError: Missing without a default, or no boolean.
    """
    value = record.get(name, default)
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false, got {str(value)[:40]!r}")
    return value
