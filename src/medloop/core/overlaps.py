"""Labels that overlap although none lies inside the other (a vessel through a tumour, ribs and lungs): what is declared.

A mask holds one value per voxel, so every set of labels that may meet in a voxel has a value of its own, which it never loses again:
what a mask holds means the same for ever, also after an overlap was ended. What overlaps a label may meet the labels around it, too,
since its voxels are theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from medloop.core.errors import LabelError
from medloop.core.labels import chains, held_by_value, innermost
from medloop.core.names import folded
from medloop.core.records import Label

MAX_VALUE = 254
"""255 stands for voxels that nobody annotated (`medloop.core.arrays.UNKNOWN`)."""
MAX_SHARED = 64
"""Values of several labels in a task: each is one more output of a network, for which few annotations have examples."""


@dataclass(frozen=True)
class Overlapping:
    """Labels of a new task, by name and as a mapping with what each lies inside of, and name of a label → names of what it overlaps."""

    labels: Sequence[str] | Mapping[str, str]
    overlaps: Mapping[str, Sequence[str]]


def overlapping(labels: Sequence[Label], overlaps: Mapping[str, Sequence[str]]) -> tuple[Label, ...]:
    """The labels with what each overlaps; what the mapping leaves out stays as it is, and the values of a mask keep their meaning.

    Args:
        labels: Of a segmentation.
        overlaps: Name of a label → names of all labels that it overlaps, whatever their letter case; () ends its overlaps.

    Raises:
        LabelError: A name that is no label, a label with itself or with one that it lies inside of, or too many sets of labels.
    """
    values, chosen = {folded(label.name): label.value for label in labels}, dict[int, list[int]]()
    for name, others in overlaps.items():
        for one in (name, *others):
            if folded(one.strip()) not in values:
                known = ", ".join(label.name for label in labels)
                raise LabelError(f"There is no label {one.strip()!r} in {name}={','.join(others)}", remedy=f"use some of {known}")
        chosen[values[folded(name.strip())]] = [values[folded(one.strip())] for one in others]
    pairs = {(label.value, other) for label in labels for other in label.overlaps if not {label.value, other} & chosen.keys()}
    pairs |= {pair for value, others in chosen.items() for other in others for pair in ((value, other), (other, value))}
    return shared_values([replace(one, overlaps=tuple(sorted(b for a, b in pairs if a == one.value))) for one in labels])


def shared_values(labels: Sequence[Label]) -> tuple[Label, ...]:
    """The labels with a value for every set of them that may meet in a voxel; those that there are stay what they are.

    Raises:
        LabelError: A label that overlaps itself or one that it lies inside of, or too many sets.
    """
    made = tuple(labels)
    _require_apart(made)
    if not any(label.overlaps or label.shared for label in made):
        return made
    known, fresh = {innermost(made, of) for of in held_by_value(made).values()}, list[frozenset[int]]()
    waiting = [*known]
    while waiting:  # a set with one label more, or with one taken away
        held = _with_outer(made, waiting.pop(0))
        more = {innermost(made, drawn(made, held, label.value)) for label in made}
        less = {innermost(made, erased(made, held, label.value)) for label in made}
        found = sorted((more | less) - known - {frozenset()}, key=sorted)
        known.update(found)
        waiting += found
        fresh += found
        _require_few(made, len(fresh))
    first = max(held_by_value(made)) + 1
    wanted = {first + n: of for n, of in enumerate(sorted(fresh, key=lambda of: (len(of), sorted(of))))}
    return tuple(replace(one, shared=(*one.shared, *(v for v, of in wanted.items() if one.value in of))) for one in made)


def drawn(labels: Sequence[Label], held: frozenset[int], value: int) -> frozenset[int]:
    """What a voxel belongs to after a label was drawn over it: what the label overlaps stays, whatever else was there goes.

    Args:
        labels: Of the task.
        held: The labels that the voxel belongs to, with those that they lie inside of.
        value: Of the label drawn.
    """
    if value in held:
        return held
    return frozenset(one for one in held if may_meet(labels, one, value)) | frozenset(chains(tuple(labels))[value])


def erased(labels: Sequence[Label], held: frozenset[int], value: int) -> frozenset[int]:
    """What a voxel belongs to after a label, with whatever lies inside it, was taken away; arguments as of `drawn`."""
    around = chains(tuple(labels))
    return frozenset(one for one in held if value not in around[one])


def may_meet(labels: Sequence[Label], one: int, other: int) -> bool:
    """Whether a voxel may belong to two labels: one lies inside the other, or they, or labels inside them, overlap."""
    around = chains(tuple(labels))
    if one in around[other] or other in around[one]:
        return True
    return any(one in around[label.value] and other in around[of] for label in labels for of in label.overlaps)


def _with_outer(labels: tuple[Label, ...], held: frozenset[int]) -> frozenset[int]:
    return frozenset(of for one in held for of in chains(labels)[one])


def _require_apart(labels: tuple[Label, ...]) -> None:
    around, names = chains(labels), {label.value: label.name for label in labels}
    for label in labels:
        for other in label.overlaps:
            if other == label.value:
                raise LabelError(f"A label overlaps others, got {label.name!r} with itself", remedy="name another one")
            if other in around[label.value]:
                rule = f"{label.name!r} lies inside {names[other]!r}, so that all its voxels belong to both: it cannot overlap it, too"
                raise LabelError(rule, remedy="leave out one of the two")


def _require_few(labels: tuple[Label, ...], fresh: int) -> None:
    taken = held_by_value(labels)
    shared = len(taken) - len(labels) + fresh
    if shared > MAX_SHARED:
        raise LabelError(f"Labels may meet in at most {MAX_SHARED} sets, these overlaps need more", remedy="declare fewer of them")
    if max(taken) + fresh > MAX_VALUE:
        rule = f"A mask holds at most {MAX_VALUE} values, {len(labels)} labels and {shared} sets of overlapping ones need more"
        raise LabelError(rule, remedy="declare fewer overlaps")
