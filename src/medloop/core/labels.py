"""Names of labels that every later tool understands the same way, and labels that lie inside others: one truth of what a voxel holds.

A mask is one map of whole numbers. Where a label is declared to lie inside another (a tumour in its organ), a voxel of the inner one
belongs to both: whatever looks at a label looks at its own voxels and at those of every label inside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import LabelError, SettingError
from medloop.core.names import composed, folded
from medloop.core.records import Label, TaskKind

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


def members(labels: Iterable[Label], value: int) -> tuple[int, ...]:
    """The labels that a voxel of a mask belongs to, by its value: its own, then those that this one lies inside of; () for background."""
    around = {label.value: label.inside for label in labels}
    found: list[int] = []
    at: int | None = value if value in around else None
    while at is not None:
        found.append(at)
        at = around[at]
    return tuple(found)


def region_values(labels: Sequence[Label]) -> dict[int, tuple[int, ...]]:
    """Value of each label → the values whose voxels belong to it: its own, and those of all labels inside it."""
    held = {label.value: members(labels, label.value) for label in labels}
    return {label.value: (label.value, *(v for v, of in held.items() if label.value in of and v != label.value)) for label in labels}


def nested_regions(labels: Sequence[Label]) -> dict[int, tuple[int, ...]]:
    """`region_values` of the labels that others lie inside of; empty where none does, so that nothing is to be done."""
    return {value: values for value, values in region_values(labels).items() if len(values) > 1}


def mask_of(labels: Sequence[Label], mask: MaskArray, value: int) -> BoolArray:
    """Where a label is, shape of the mask: its own voxels, and those of the labels inside it."""
    found: BoolArray = np.isin(mask, region_values(labels)[value])
    return found


def gathered(labels: Sequence[Label], mask: MaskArray, value: int) -> MaskArray:
    """The mask for whoever looks at one label only: the voxels of every label inside it hold its own value, others are as they were."""
    inner = nested_regions(labels).get(value)
    return mask if inner is None else np.where(np.isin(mask, inner), np.uint8(value), mask).astype(mask.dtype)


def seen_as(labels: Sequence[Label], value: int, known: Iterable[int]) -> int:
    """What a voxel of a value is for whoever knows some labels only: the innermost known one that it belongs to, else background."""
    wanted = set(known)
    return next((one for one in members(labels, value) if one in wanted), 0)


def keep_nesting(labels: Sequence[Label], before: MaskArray, after: MaskArray, drawn: Iterable[int]) -> MaskArray:
    """A mask after some labels were drawn: what lies inside them stays, and where one of them goes the label around it is left.

    Args:
        labels: Of the task.
        before: Shape (I, J, K).
        after: The same, drawn over.
        drawn: Values of the labels that were drawn or taken away.
    """
    regions, around = nested_regions(labels), {label.value: label.inside for label in labels}
    kept = after
    for value in drawn:
        inner = regions.get(value, (value,))[1:]
        if inner:
            kept = np.where(np.isin(before, inner) & (kept == value), before, kept)
        if (outer := around.get(value)) is not None:
            kept = np.where(np.isin(before, (value, *inner)) & (kept == 0), np.uint8(outer), kept)
    return kept if kept is after else np.asfortranarray(kept.astype(after.dtype))
