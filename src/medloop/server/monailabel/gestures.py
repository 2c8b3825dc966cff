"""Clicks and strokes as clients of MONAI Label send them, as prompts: which label, where, and whether it is there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medloop.core.errors import InputError, LabelError
from medloop.core.geometry import triple
from medloop.core.names import folded
from medloop.core.records import Case, Task
from medloop.interaction.prompts import Point, Prompt, Scribble, Voxel
from medloop.loop.annotating.sent_labels import BACKGROUND
from medloop.server.wire.prompt_views import MAX_EARLIER, MAX_PROMPTS_HELD


def label_of(task: Task, params: Mapping[str, Any]) -> int:
    """The label that a request is about; the only one where nothing is said.

    Raises:
        LabelError: None is named and there are several, or there is none of that name.
    """
    name = str(params.get("label") or params.get("selected_label_name") or "")
    known = {folded(label.name): label.value for label in task.labels}
    if not name and len(known) == 1:
        return task.labels[0].value
    if folded(name) not in known:
        names = ", ".join(label.name for label in task.labels)
        raise LabelError(f"The request names its label in params, got {name[:80]!r}", remedy=f"send label: one of {names}")
    return known[folded(name)]


def clicks_for_one(task: Task, params: Mapping[str, Any]) -> list[Prompt]:
    """`foreground` and `background`, both of the label that the request is about."""
    label = label_of(task, params)
    return _bounded([*_points(params.get("background"), label, positive=False), *_points(params.get("foreground"), label, positive=True)])


def clicks_for_all(task: Task, params: Mapping[str, Any]) -> list[Prompt]:
    """A list of points for every label, and `background`; those of the label that the request is about come last."""
    current = folded(str(params.get("label") or ""))
    named = sorted(task.labels, key=lambda label: folded(label.name) == current)
    about = [label for label in task.labels if folded(label.name) == current] or list(task.labels)
    below = [prompt for label in about for prompt in _points(params.get(BACKGROUND), label.value, positive=False)]
    return _bounded([*below, *(prompt for label in named for prompt in _points(params.get(label.name), label.value, positive=True))])


def strokes(task: Task, case: Case, path: Path, params: Mapping[str, Any]) -> list[Prompt]:
    """Scribbles in a label map: background is the number of labels plus 1, foreground plus 2.

    Raises:
        InputError: No stroke, or too long a one.
    """
    from medloop.images.read import read_mask  # whose readers a server that only serves does not load

    label, sent = label_of(task, params), read_mask(path, case.grid).array
    count = len(params["label_info"]) if isinstance(params.get("label_info"), list) else len(task.labels)
    made: list[Prompt] = []
    for value, positive in ((count + 1, False), (count + 2, True)):
        voxels = np.argwhere(sent == value)
        if len(voxels) > MAX_PROMPTS_HELD:
            raise InputError(f"Strokes of one kind cover at most {MAX_PROMPTS_HELD} voxels, got {len(voxels)}", remedy="draw thinner ones")
        if len(voxels):
            made.append(Scribble(tuple(map(triple, voxels)), label, positive))
    if not made:
        raise InputError(f"Strokes have the values {count + 1} (background) and {count + 2} (foreground), got neither", remedy="draw one")
    return made


def _points(sent: Any, label: int, *, positive: bool) -> list[Prompt]:
    if not sent:
        return []
    return [Point(_voxel(one), label, positive) for one in dict.fromkeys(map(_frozen, _listed(sent)))]


def _listed(sent: Any) -> Sequence[Any]:
    if not isinstance(sent, list):
        raise InputError(f"Points are a list of [i, j, k], got {str(sent)[:40]}")
    return sent


def _frozen(point: Any) -> tuple[Any, ...]:
    return tuple(point) if isinstance(point, list) else (point,)


def _voxel(point: tuple[Any, ...]) -> Voxel:
    if len(point) not in (2, 3) or not all(isinstance(n, int | float) and abs(n) < 2**31 for n in point):
        raise InputError(f"A point is three voxel indices [i, j, k], got {str(list(point))[:60]}", remedy="round to the nearest voxel")
    i, j, k = (round(n) for n in (*point, 0)[:3])
    return (i, j, k)


def _bounded(prompts: list[Prompt]) -> list[Prompt]:
    """The prompts; more clicks than one preview takes become strokes, one of each kind, in the same order."""
    if len(prompts) <= MAX_EARLIER:
        return prompts
    kinds: dict[tuple[int, bool], list[Voxel]] = {}
    for prompt in prompts:
        if isinstance(prompt, Point):
            kinds.setdefault((prompt.label, prompt.positive), []).append(prompt.voxel)
    return [Scribble(tuple(voxels), label, positive) for (label, positive), voxels in kinds.items()]
