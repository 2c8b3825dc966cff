"""nnU-Net's region-based labels: lists of mask values that lie inside each other or overlap, and what they mean for labels.

A label whose `labels` entry is a list is the union of these values. Of regions that lie inside each other each has one value of its own,
which is what medloop keeps of a voxel: the innermost label. What two regions share
is named by a region of its own. See nnU-Net's documentation/region_based_training.md.
"""

from collections.abc import Mapping
from typing import Any

from medloop.core.errors import FormatError


def without_regions(given: Mapping[str, Any], order: object) -> tuple[dict[str, Any], dict[str, str]]:
    """The labels with one value each, and which lies inside which, by name.

    Args:
        given: `labels` of a dataset.json.
        order: Its `regions_class_order`, from which nothing is taken but that it must fit; None without.

    Raises:
        FormatError: Regions that neither lie inside each other nor apart, or without one value of their own.
    """
    regions = {name: frozenset(value) for name, value in given.items() if _is_region(value)}
    if not regions:
        return dict(given), {}
    regions |= {name: frozenset({value}) for name, value in given.items() if type(value) is int and value > 0 and name.lower() != "ignore"}
    own = {name: _own_value(name, held, regions) for name, held in regions.items()}
    if isinstance(order, list) and sorted(map(str, order)) != sorted(map(str, own.values())):
        rule = f"regions_class_order must hold the value of each region once, {sorted(own.values())}, got {order}"
        raise FormatError(f"dataset.json: {rule}"[:300], remedy="correct it, or leave it out")
    inside = {name: _around(held, regions) for name, held in regions.items()}
    return {**given, **own}, {name: outer for name, outer in inside.items() if outer}


def _is_region(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(type(one) is int and 0 < one < 256 for one in value)


def _own_value(name: str, held: frozenset[int], regions: Mapping[str, frozenset[int]]) -> int:
    crossing = next((other for other, of in regions.items() if not (held <= of or of <= held) and _unnamed(held, of, regions)), None)
    if crossing is not None:
        rule = (
            f"regions must lie inside each other or apart, {name!r} {sorted(held)} and {crossing!r} {sorted(regions[crossing])} do neither"
        )
        raise FormatError(f"dataset.json: {rule}"[:300], remedy="give the shared values a label of their own")
    alone = held.difference(*(of for of in regions.values() if of < held))
    if len(alone) != 1 or any(of == held for other, of in regions.items() if other != name):
        rule = f"a region needs one value that no region inside it has, {name!r} {sorted(held)} has {sorted(alone)}"
        raise FormatError(f"dataset.json: {rule}"[:300], remedy="name each value by a label of its own")
    return next(iter(alone))


def _unnamed(one: frozenset[int], other: frozenset[int], regions: Mapping[str, frozenset[int]]) -> frozenset[int]:
    """Values that two regions share, and no region inside both has."""
    return (one & other).difference(*(of for of in regions.values() if of <= one & other))


def _around(held: frozenset[int], regions: Mapping[str, frozenset[int]]) -> str:
    """Name of the smallest region that holds one; "" for none."""
    return min((name for name, of in regions.items() if held < of), key=lambda name: len(regions[name]), default="")
