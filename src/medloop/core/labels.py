"""Names of labels that every later tool understands the same way, and labels that share voxels: one truth of what a voxel holds.

A mask is one map of whole numbers. Where a label is declared to lie inside another (a tumour in its organ), a voxel of the inner one
belongs to both. Where labels overlap and none lies inside the other (`medloop.core.overlaps`), a value of its own stands for the voxels
of both. Whatever looks at a label looks at all values whose voxels belong to it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import LabelError, SettingError
from medloop.core.names import composed, folded
from medloop.core.records import Label, Task, TaskKind

TAKEN = {"background": "every mask has it already, as value 0", "ignore": "other tools take it for voxels that no training counts"}
"""Names with a meaning of their own in dataset.json, and which."""


def check_label_names(kind: TaskKind, names: Sequence[str]) -> tuple[str, ...]:
    """The names, composed and without blanks around them.

    Args:
        kind: Of the task; only masks have a background.
        names: In order of their values.

    Raises:
        SettingError: An empty or unprintable name, two that differ in letter case only, or one that other tools read as something else.
    """
    cleaned = tuple(composed(name.strip()) for name in names)
    met: dict[str, str] = {}
    for name in cleaned:
        if not name or not name.isprintable():
            raise SettingError(f"Label names must be non-empty, printable and different, got {', '.join(map(repr, cleaned))}")
        if kind == "segmentation" and folded(name) in TAKEN:
            raise SettingError(f"A label cannot be called {name!r}: {TAKEN[folded(name)]}", remedy="choose another name")
        if folded(name) in met:
            other = met[folded(name)]
            raise SettingError(f"Label names must be non-empty and different, got {other!r} and {name!r}", remedy="choose another name")
        met[folded(name)] = name
    return cleaned


def safe_label_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names for a dataset.json, from value 1 on, whatever a project calls its labels; those that are no trouble stay as they are."""
    used = set(TAKEN)
    found = []
    for value, name in enumerate(names, start=1):
        safe, number = name, value
        while folded(safe) in used:
            safe, number = f"{name}_{number}", number + 1
        used.add(folded(safe))
        found.append(safe)
    return tuple(found)


def enclosing_values(labels: Sequence[Label], inside: Mapping[str, str]) -> tuple[Label, ...]:
    """The labels with what each lies inside of; `inside` gives names, "" for nothing, and what it leaves out stays as it is.

    Args:
        labels: Of a segmentation.
        inside: Name of a label → name of the label that encloses it, whatever their letter case.

    Raises:
        LabelError: A name that is no label, or labels that lie inside each other in a circle.
    """
    values = {folded(label.name): label.value for label in labels}
    names = {label.value: label.name for label in labels}
    chosen: dict[int, int | None] = {label.value: label.inside for label in labels}
    for inner, outer in inside.items():
        for name in filter(None, (inner.strip(), outer.strip())):
            if folded(name) not in values:
                raise LabelError(f"There is no label {name!r} in {inner}={outer}", remedy=f"use some of {', '.join(names.values())}")
        chosen[values[folded(inner.strip())]] = values[folded(outer.strip())] if outer.strip() else None
    for value in chosen:
        chain, at = [value], chosen[value]
        while at is not None:
            chain.append(at)
            if at == value:
                circle = " inside ".join(names[one] for one in chain)
                raise LabelError(f"Labels must not lie inside each other in a circle, got {circle}", remedy="leave one of them out")
            if at in chain[:-1]:
                break  # a circle further out, which is named from there
            at = chosen[at]
    return tuple(replace(label, inside=chosen[label.value]) for label in labels)


def nested_names(names: Sequence[str], inside: Mapping[str, str]) -> dict[str, str]:
    """The names of labels in order, each with the one that it lies inside of or "", for making a task.

    Raises:
        LabelError: `inside` has a name that is none of them.
    """
    known = {folded(name): name for name in names}
    for inner in inside:
        if folded(inner.strip()) not in known:
            raise LabelError(f"There is no label {inner.strip()!r} in {inner}={inside[inner]}", remedy=f"use some of {', '.join(names)}")
    chosen = {known[folded(inner.strip())]: outer for inner, outer in inside.items()}
    return {name: chosen.get(name, "") for name in names}


@lru_cache(maxsize=64)
def chains(labels: tuple[Label, ...]) -> dict[int, tuple[int, ...]]:
    """Value of each label → itself, then those that it lies inside of, the innermost first."""
    around, found = {label.value: label.inside for label in labels}, {}
    for value in around:
        chain: list[int] = []
        at: int | None = value
        while at is not None:
            chain.append(at)
            at = around[at]
        found[value] = tuple(chain)
    return found


@lru_cache(maxsize=64)
def held_by_value(labels: tuple[Label, ...]) -> dict[int, frozenset[int]]:
    """What a mask may hold → the labels that such a voxel belongs to; the labels' own values come first."""
    around = chains(labels)
    found = {value: frozenset(chain) for value, chain in around.items()}
    for value in sorted({value for label in labels for value in label.shared}):
        found[value] = frozenset(one for label in labels if value in label.shared for one in around[label.value])
    return found


def members(labels: Iterable[Label], value: int) -> tuple[int, ...]:
    """The labels that a voxel of a mask belongs to, by its value, each before those that it lies inside of; () for background.

    Of the value of a label these are itself and those that it lies inside of, of a value that overlapping labels share all of theirs.
    """
    labels = tuple(labels)
    around = chains(labels)
    return tuple(sorted(held_by_value(labels).get(value, ()), key=lambda one: (-len(around[one]), one)))


def innermost(labels: Sequence[Label], held: Iterable[int]) -> frozenset[int]:
    """Of some labels those that none of the others lies inside of."""
    around, every = chains(tuple(labels)), frozenset(held)
    return every - {of for one in every for of in around[one][1:]}


def value_of(labels: Sequence[Label], held: Iterable[int]) -> int | None:
    """The value of a mask for a voxel of some labels, and of those that they lie inside of; 0 for none, None where no value says it."""
    labels = tuple(labels)
    around = chains(labels)
    wanted = frozenset(one for value in held for one in around[value])
    return next((value for value, of in held_by_value(labels).items() if of == wanted), None) if wanted else 0


def region_values(labels: Sequence[Label]) -> dict[int, tuple[int, ...]]:
    """Value of each label → the values whose voxels belong to it: its own, those of labels inside it, and those that it shares."""
    held = held_by_value(tuple(labels))
    return {label.value: (label.value, *(v for v, of in held.items() if label.value in of and v != label.value)) for label in labels}


def class_regions(labels: Sequence[Label]) -> tuple[tuple[int, ...], ...]:
    """For each value of a mask, ascending, itself and the values whose voxels belong to all of its labels, too: regions of a network.

    Empty where no label lies inside another or overlaps one.
    """
    if not nested_regions(labels):
        return ()
    held = held_by_value(tuple(labels))
    return tuple((value, *(v for v, of in held.items() if held[value] <= of and v != value)) for value in sorted(held))


def overlaps_of(labels: Sequence[Label]) -> dict[str, tuple[str, ...]]:
    """Name of each label → names of the labels that it overlaps."""
    return {label.name: tuple(other.name for other in labels if other.value in label.overlaps) for label in labels}


def values_of(labels: Sequence[Label], annotated: Collection[int]) -> tuple[int, ...]:
    """What a mask may hold that annotates some labels only, ascending: their values, and those that they share with each other alone."""
    own = {label.value: label for label in labels}
    foreign = {value for label in labels if label.value not in annotated for value in label.shared}
    shared = {value for one in annotated if one in own for value in own[one].shared}
    return tuple(sorted({*annotated} | (shared - foreign)))


def shared_names(labels: Sequence[Label]) -> dict[int, str]:
    """The values that overlapping labels share → how files call them: "vessel + tumour", with the value where a label is called so."""
    taken, found = {folded(label.name) for label in labels}, dict[int, str]()
    for value in sorted({value for label in labels for value in label.shared}):
        called = " + ".join(label.name for label in labels if value in label.shared)
        while folded(called) in taken:
            called = f"{called} ({value})"
        taken.add(folded(called))
        found[value] = called
    return found


def value_names(task: Task) -> list[str]:
    """What a mask of a task may hold, by name, in order of value: the labels, and what overlapping ones share; or the classes."""
    named = {label.value: label.name for label in task.labels} | shared_names(task.labels)
    return [named[value] for value in task.mask_values]


def mean_colour(colours: Sequence[str]) -> str:
    """The mean of some #rrggbb."""
    parts = [[int(colour[at : at + 2], 16) for colour in colours] for at in (1, 3, 5)]
    return "#" + "".join(f"{round(sum(part) / len(part)):02x}" for part in parts)


def mask_colours(labels: Sequence[Label]) -> dict[int, str]:
    """What a mask may hold → its colour: of values that labels share the mean of theirs."""
    shared = {value: mean_colour([label.colour for label in labels if value in label.shared]) for value in shared_names(labels)}
    return {label.value: label.colour for label in labels} | shared


def nested_regions(labels: Sequence[Label]) -> dict[int, tuple[int, ...]]:
    """`region_values` of the labels that share voxels with others; empty where none does, so that nothing is to be done."""
    if all(label.inside is None and not label.shared for label in labels):
        return {}
    return {value: values for value, values in region_values(labels).items() if len(values) > 1}


def mask_of(labels: Sequence[Label], mask: MaskArray, value: int) -> BoolArray:
    """Where a label is, shape of the mask: its own voxels, those of the labels inside it, and those that it shares with others."""
    found: BoolArray = np.isin(mask, region_values(labels)[value])
    return found


def gathered(labels: Sequence[Label], mask: MaskArray, value: int) -> MaskArray:
    """The mask for whoever looks at one label only: all voxels that belong to it hold its own value, others are as they were."""
    inner = nested_regions(labels).get(value)
    return mask if inner is None else np.where(np.isin(mask, inner), np.uint8(value), mask).astype(mask.dtype)


def seen_as(labels: Sequence[Label], value: int, known: Iterable[int]) -> int:
    """What a voxel of a value is for whoever knows some labels only: the innermost known ones that it belongs to, else background."""
    wanted = set(known)
    own = innermost(labels, (one for one in members(labels, value) if one in wanted))
    held = held_by_value(tuple(labels))
    return next((v for v, of in held.items() if innermost(labels, of) == own), 0) if own else 0
