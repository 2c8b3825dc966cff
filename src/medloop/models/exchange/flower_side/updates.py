"""Updates of networks as plain arrays: how they lie in files, what is refused of them, and how they are averaged.

Part of the program that Flower carries to its processes, which know numpy and not medloop: nothing else is imported here. Files are
safetensors, a length, a JSON header and raw numbers: nothing in them can run.

Sources: safetensors' README (format); federated averaging, McMahan et al. 2017, arXiv:1602.05629, algorithm 1; a bound on the norm of
updates against poisoned ones, Sun et al. 2019, arXiv:1911.07963, section 4.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Arrays = dict[str, Array]

HEAD = struct.Struct("<Q")
MOST_HEADER = 100_000_000
USUAL_FACTOR = 5.0
"""Times the median norm of a round's updates that one may have where no bound is named."""

FEWEST_FOR_MEDIAN = 3
"""With fewer updates their median says nothing of which one is off."""


def encode_arrays(arrays: Mapping[str, Array]) -> bytes:
    """Arrays of float32 as safetensors."""
    header: dict[str, object] = {}
    parts, end = [], 0
    for name in sorted(arrays):
        data = np.ascontiguousarray(arrays[name], dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(np.shape(arrays[name])), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return HEAD.pack(len(head)) + head + b"".join(parts)


def decode_arrays(data: bytes) -> Arrays:
    """Inverse of `encode_arrays`.

    Raises:
        ValueError: Not safetensors of float32.
    """
    try:
        (length,) = HEAD.unpack_from(data)
        if length > min(MOST_HEADER, len(data) - HEAD.size):
            raise ValueError("its header is longer than it is")
        header = json.loads(data[HEAD.size : HEAD.size + length])
        header.pop("__metadata__", None)
        return {str(name): _array(entry, data, HEAD.size + length) for name, entry in header.items()}
    except (struct.error, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"not safetensors of float32 ({error})") from error


def _array(entry: dict[str, object], data: bytes, begin: int) -> Array:
    if entry["dtype"] != "F32":
        raise ValueError(f"numbers of type {entry['dtype']}")
    shape, (start, end) = [int(n) for n in entry["shape"]], (int(n) for n in entry["data_offsets"])  # type: ignore[attr-defined]
    count = math.prod(shape)
    if min([0, start, *shape]) < 0 or end - start != 4 * count or begin + end > len(data):
        raise ValueError("a size that does not fit")
    return np.frombuffer(data, dtype="<f4", count=count, offset=begin + start).reshape(shape).astype(np.float32)


def read_arrays(file: Path) -> Arrays:
    """The arrays of a file; raises as `decode_arrays`, or OSError."""
    return decode_arrays(file.read_bytes())


def norm_of(update: Mapping[str, Array], base: Mapping[str, Array]) -> float:
    """Euclidean length of what an update changes, over all its numbers."""
    return math.sqrt(sum(float(np.square(update[name].astype(np.float64) - base[name]).sum()) for name in update))


def flaw_of(update: Mapping[str, Array], base: Mapping[str, Array]) -> str:
    """Why an update cannot be averaged, in words; "" where it can."""
    if lacking := sorted(set(base) - set(update)):
        return f"lacks {len(lacking)} of {len(base)} tensors, {lacking[0]} among them"
    if more := sorted(set(update) - set(base)):
        return f"has {len(more)} tensors too many, {more[0]} among them"
    for name, array in update.items():
        if array.shape != base[name].shape:
            return f"{name} has shape {list(array.shape)}, not {list(base[name].shape)}"
        if array.dtype != np.float32:
            return f"{name} holds numbers of type {array.dtype}, not float32"
        if not np.isfinite(array).all():
            return f"{name} holds numbers that are none"
    return ""


def too_long(norms: Mapping[str, float], bound: float) -> dict[str, str]:
    """Whose update is too long, and why in words.

    Args:
        norms: Site → norm of its update.
        bound: Longest norm; 0 takes `USUAL_FACTOR` times the median where there are `FEWEST_FOR_MEDIAN` updates, else none.
    """
    if bound:
        return {site: f"norm {norm:.4g} is over the bound {bound:.4g}" for site, norm in norms.items() if norm > bound}
    if len(norms) < FEWEST_FOR_MEDIAN:
        return {}
    most = USUAL_FACTOR * float(np.median(list(norms.values())))
    words = f"over {USUAL_FACTOR:g} times the median of this round ({most:.4g})"
    return {site: f"norm {norm:.4g} is {words}" for site, norm in norms.items() if norm > most}


def weighted_mean(updates: Sequence[Mapping[str, Array]], weights: Sequence[float]) -> Arrays:
    """Mean of updates, each by its weight (annotated cases), worked out in double precision.

    Raises:
        ValueError: No update, or weights that sum to nothing.
    """
    total = float(sum(weights))
    if not updates or total <= 0 or min(weights) < 0:
        raise ValueError("a mean needs updates with weights above 0")
    return {
        name: sum((each[name].astype(np.float64) * (weight / total) for each, weight in zip(updates, weights, strict=True)), np.zeros(1))
        .astype(np.float32)
        .reshape(updates[0][name].shape)
        for name in updates[0]
    }
