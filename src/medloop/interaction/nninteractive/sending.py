"""Which calls of the nnInteractive protocol tell a prompt, given what the server can take.

A server need not know every kind of prompt: the published checkpoint takes no 3D boxes, for example. Then the nearest
kind that it knows is sent; what cannot be said in any is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.interaction.boxes import is_flat
from medloop.interaction.nninteractive.gestures import AxisOrder
from medloop.interaction.nninteractive.protocol import Capabilities
from medloop.interaction.nninteractive.wire import pack_array
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Prompt, Scribble, Voxel, exact_voxels


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        path: Its path.
        record: What it says besides an array.
        array: The packed array it sends, if any.
    """

    path: str
    record: Mapping[str, Any]
    array: bytes | None = None


def calls_for(prompt: Prompt, grid: Grid, able: Capabilities, order: AxisOrder) -> tuple[Call, ...]:
    """The calls that tell a prompt; only the last asks for a prediction.

    Args:
        prompt: Within the grid.
        grid: The image's.
        able: What the server can.
        order: Of its axes.

    Raises:
        InputError: The server knows no kind of prompt that could say it.
    """
    calls = _calls(prompt, grid, able, order)
    return tuple(
        replace(call, record={**call.record, "run_prediction": number == len(calls), "override_capability_checks": False})
        for number, call in enumerate(calls, start=1)
    )


def _calls(prompt: Prompt, grid: Grid, able: Capabilities, order: AxisOrder) -> list[Call]:
    if isinstance(prompt, Box):
        return [_box(prompt, grid, able, order)]
    if isinstance(prompt, ExtremePoints):
        voxels = np.array(prompt.voxels)
        box = Box(_voxel(voxels.min(axis=0)), _voxel(voxels.max(axis=0) + 1), label=prompt.label)
        points = [_point(v, True, order) for v in prompt.voxels] if able.points else []
        return [*points, _box(box, grid, able, order)]
    if isinstance(prompt, Point) and able.points:
        return [_point(prompt.voxel, prompt.positive, order)]
    return _drawn(prompt, grid, able, order)


def _drawn(prompt: Point | Scribble | Lasso, grid: Grid, able: Capabilities, order: AxisOrder) -> list[Call]:
    voxels = exact_voxels(prompt, grid.shape)
    if not len(voxels):
        raise InputError("A lasso must enclose the centre of a voxel, this one encloses none", remedy="draw it larger")
    if isinstance(prompt, Lasso) and able.lasso:
        return [_crop("/add_lasso_interaction", voxels, prompt.positive, order)]
    if able.scribble:
        return [_crop("/add_scribble_interaction", voxels, prompt.positive, order)]
    if able.points:
        return [_point(_voxel(v), prompt.positive, order) for v in (voxels[0], voxels[-1], voxels[len(voxels) // 2])]
    raise InputError(f"The nnInteractive server takes no {type(prompt).__name__.lower()}", remedy="use a kind of prompt that it takes")


def _point(voxel: Voxel, positive: bool, order: AxisOrder) -> Call:
    return Call("/add_point_interaction", {"coordinates": order.triple(voxel), "include_interaction": positive})


def _box(box: Box, grid: Grid, able: Capabilities, order: AxisOrder) -> Call:
    if not (able.bbox2d or able.bbox3d):
        raise InputError("The nnInteractive server takes no boxes", remedy="use points or scribbles")
    if not is_flat(box) and not able.bbox3d:
        box = _middle_slice(box, grid)
    bounds = [list(pair) for pair in order.triple(zip(box.start, box.stop, strict=True))]
    return Call("/add_bbox_interaction", {"bbox_coords": bounds, "include_interaction": True})


def _middle_slice(box: Box, grid: Grid) -> Box:
    """The box on the slice through its middle, across the axis with the widest spacing."""
    axis = int(np.argmax(grid.spacing_mm))
    start, stop = list(box.start), list(box.stop)
    start[axis] = (box.start[axis] + box.stop[axis]) // 2
    stop[axis] = start[axis] + 1
    return Box(_voxel(np.array(start)), _voxel(np.array(stop)), label=box.label)


def _crop(path: str, voxels: Any, positive: bool, order: AxisOrder) -> Call:
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    drawn = np.zeros(high - low, dtype=np.uint8)
    drawn[tuple((voxels - low).T)] = 1
    bounds = [list(pair) for pair in order.triple(zip(low.tolist(), high.tolist(), strict=True))]
    return Call(path, {"include_interaction": positive, "interaction_bbox": bounds}, pack_array(order.array(drawn)))


def _voxel(values: Any) -> Voxel:
    i, j, k = (int(v) for v in values)
    return (i, j, k)
