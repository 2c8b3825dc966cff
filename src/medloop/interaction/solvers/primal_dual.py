"""A weighted total-variation problem on a voxel grid, solved by primal-dual steps on flat float32 arrays.

Minimises `sum(cost * u) + sum(weights * |u - u of the next neighbour|)` over 0 <= u <= 1. Arrays are walked flat: the
neighbour along an axis lies a fixed stride away, and where a stride would wrap into the next line the weight is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.interaction.engine import StillWanted, require_wanted

Single = npt.NDArray[np.float32]

CHECK_EVERY = 20
"""Iterations between two looks at whether the answer is still wanted and already good enough."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Where the steps stand.

    Attributes:
        answers: u, shape (I, J, K).
        gap: What the answers, cut at one half, cost at most above the cheapest cut; 0 is certainly a cheapest one.
    """

    answers: Single
    gap: float = 0.0


@dataclass(frozen=True, eq=False)
class Edge:
    """The neighbours along one axis: voxel n and voxel n + stride.

    Attributes:
        weight, minus_weight: Price of parting them, and its negative, flat; 0 where the line ends.
        flow: The dual variable, within both.
    """

    stride: int
    weight: Single
    minus_weight: Single
    flow: Single


def minimise(cost: Single, weights: Sequence[Single], start: Single, *, gap: float, iterations: int, wanted: StillWanted) -> Solution:
    """Run the primal-dual steps.

    Args:
        cost: Shape (I, J, K).
        weights: For each axis, one shorter along it.
        start: Answers to begin with, shape (I, J, K), 0..1.
        gap: Good enough when the answers, cut at one half, provably cost at most this much more than the cheapest cut.
        iterations: At most so many; `Solution.gap` tells what is missing then.
        wanted: Whether the answer is still wanted.

    Returns:
        The minimiser.

    Raises:
        CancelledError: It is no longer wanted.
    """
    edges = [_edge(w, axis, cost.shape) for axis, w in enumerate(weights) if w.size]
    flat = np.ascontiguousarray(cost).ravel()
    u = np.array(start, dtype=np.float32).ravel()
    ahead, slope, buffer = u.copy(), np.empty_like(u), np.empty_like(u)
    pace, missing = np.float32(_pace(edges)), np.inf
    for done in range(iterations):
        if done % CHECK_EVERY == 0:
            require_wanted(wanted)
            missing = _duality_gap(flat, edges, u, buffer) if done else np.inf
            if missing <= gap:
                break
        _step(flat, edges, u, ahead=ahead, slope=slope, moved=buffer, pace=pace)
        u, buffer = buffer, u
    else:
        missing = _duality_gap(flat, edges, u, buffer)
    return Solution(u.reshape(cost.shape), missing)


def _step(cost: Single, edges: Sequence[Edge], u: Single, *, ahead: Single, slope: Single, moved: Single, pace: np.float32) -> None:
    """One dual and one primal step; `moved` becomes the new answers, `ahead` their extrapolation."""
    for edge in edges:
        _push(edge, ahead, pace / 2, moved)
    _gather(cost, edges, slope)
    slope *= np.float32(1 / (2 * len(edges) * pace))
    np.subtract(u, slope, out=moved)
    np.clip(moved, 0, 1, out=moved)
    np.multiply(moved, 2, out=ahead)
    ahead -= u


def _edge(weight: Single, axis: int, shape: tuple[int, ...]) -> Edge:
    stride = int(np.prod(shape[axis + 1 :], dtype=np.int64))
    full = np.zeros(shape, dtype=np.float32)
    full[tuple(slice(None, -1) if a == axis else slice(None) for a in range(len(shape)))] = weight
    line = full.ravel()[:-stride]
    return Edge(stride, line, -line, np.zeros_like(line))


def _pace(edges: Sequence[Edge]) -> float:
    """Dual against primal step: answers move by 1 while flows move by about the mean weight (0.5 to 1 times it measured best)."""
    positive = sum(float(e.weight.sum(dtype=np.float64)) for e in edges) / max(sum(e.weight.size for e in edges), 1)
    return max(0.7 * positive, 1e-3)


def _push(edge: Edge, ahead: Single, step: np.float32, buffer: Single) -> None:
    """Let flow follow the difference between neighbours, within the weight."""
    moved = buffer[: edge.flow.size]
    np.subtract(ahead[edge.stride :], ahead[: -edge.stride], out=moved)
    moved *= step
    flow = edge.flow
    flow += moved
    np.minimum(flow, edge.weight, out=flow)
    np.maximum(flow, edge.minus_weight, out=flow)


def _gather(cost: Single, edges: Sequence[Edge], slope: Single) -> None:
    """Cost of each voxel with the flows it sends and receives."""
    np.copyto(slope, cost)
    for edge in edges:
        slope[: -edge.stride] -= edge.flow
        slope[edge.stride :] += edge.flow


def _duality_gap(cost: Single, edges: Sequence[Edge], u: Single, buffer: Single) -> float:
    """What an answer cut at one half costs above the largest lower bound known; never negative."""
    _gather(cost, edges, buffer)
    bound = float(np.minimum(buffer, 0).sum(dtype=np.float64))
    inside = u >= 0.5
    energy = float(cost.sum(where=inside, dtype=np.float64))
    for edge in edges:
        energy += float(edge.weight.sum(where=inside[edge.stride :] != inside[: -edge.stride], dtype=np.float64))
    return max(0.0, energy - bound)
