"""Which DICOM images are one case: a series over all its folders, split where it holds several regular volumes.

A series is split by orientation and size, because a volume has one of each. It is split further by what tells its acquisitions
apart only where the whole is no regular stack (slices share a place, or two stacks are woven together) and every part is one.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from medloop.images.dicom_facts import TOLD_APART_BY, FileFacts
from medloop.images.dicom_geometry import ORIENTATION_TOLERANCE, SAME_PLACE_MM, UNEVEN_SHARE
from medloop.images.dicom_series import SeriesFiles

_WOVEN_SHARE = 0.6
"""A regular stack whose step is below this share of its slices' thickness may be two stacks, one between the other."""

_MAX_PARTS = 512

Facts = Sequence[FileFacts]


def group_files(facts: Facts) -> tuple[SeriesFiles, ...]:
    """The cases among some images, sorted by UID.

    Args:
        facts: Of every image of the source, whatever its folder.
    """
    series: dict[str, list[FileFacts]] = {}
    for one in facts:
        series.setdefault(one.series or "no-series", []).append(one)
    return tuple(case for uid, members in sorted(series.items()) for case in _cases(uid, members))


def _cases(uid: str, members: Facts) -> Iterator[SeriesFiles]:
    alone = [one for one in members if one.frames > 1 or not one.position]
    for one in sorted(alone, key=lambda f: (f.instance, f.path)):
        yield _case(f"{uid}:{one.instance}", [one])
    slices = [one for one in members if one.frames == 1 and one.position]
    parts = [part for geometry in _by_geometry(slices) for part in _by_acquisition(geometry)]
    for number, (part, words) in enumerate(parts, start=1):
        if len(parts) == 1:
            yield _case(uid, part)
            continue
        told = words or f"orientation or size {number}"
        yield _case(f"{uid}:{told}", part, told, (f"one of {len(parts)} parts of its series, told apart by {told}",))


def _case(uid: str, members: Facts, part: str = "", notes: tuple[str, ...] = ()) -> SeriesFiles:
    first = min(members, key=lambda one: one.path)
    return SeriesFiles(uid, tuple(sorted(one.path for one in members)), first.description, first.patient, part, notes)


def _by_geometry(slices: Facts) -> list[list[FileFacts]]:
    """Slices of one orientation, size and pixel spacing each, in order of path."""
    groups: list[list[FileFacts]] = []
    for one in sorted(slices, key=lambda f: f.path):
        for group in groups:
            if _alike(one, group[0]):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def _alike(one: FileFacts, other: FileFacts) -> bool:
    if one.size != other.size or one.spacing != other.spacing or len(one.orientation) != len(other.orientation):
        return False
    return all(abs(a - b) <= ORIENTATION_TOLERANCE for a, b in zip(one.orientation, other.orientation, strict=True))


def _by_acquisition(slices: list[FileFacts]) -> list[tuple[list[FileFacts], str]]:
    """(part, what tells it apart) each; the whole with "" when it is regular or nothing splits it into regular parts."""
    whole = _distinct(slices)
    if len(whole) < 2 or not whole[0].orientation or (_is_regular(whole) and not _may_be_woven(whole)):
        return [(slices, "")]
    for names in _attributes(whole):
        parts = _split(slices, names)
        if 1 < len(parts) <= _MAX_PARTS and all(_is_stack(_distinct(part)) for part in parts.values()) and _overlap(list(parts.values())):
            return [(part, ", ".join(f"{n} {v}" for n, v in zip(names, values, strict=True))) for values, part in parts.items()]
    return [(slices, "")]


def _distinct(slices: Facts) -> list[FileFacts]:
    """One file per instance: a series copied into two folders is one series."""
    return list({(one.instance or str(one.path)): one for one in slices}.values())


def _attributes(slices: Facts) -> Iterator[tuple[str, ...]]:
    """Attributes that differ within the slices, single ones first, then pairs."""
    varying = [name for name in TOLD_APART_BY if len({one.told.get(name, "") for one in slices}) > 1]
    for count in (1, 2):
        yield from combinations(varying, count)


def _split(slices: Facts, names: tuple[str, ...]) -> dict[tuple[str, ...], list[FileFacts]]:
    parts: dict[tuple[str, ...], list[FileFacts]] = {}
    for one in slices:
        parts.setdefault(tuple(one.told.get(name, "") for name in names), []).append(one)
    return dict(sorted(parts.items(), key=lambda item: _in_order(item[0])))


def _in_order(values: tuple[str, ...]) -> tuple[tuple[float, str], ...]:
    """Numbers by size, everything else behind them by letter."""
    return tuple((float(v), v) if v.replace(".", "", 1).isdecimal() else (float("inf"), v) for v in values)


def _depths(slices: Facts) -> npt.NDArray[np.float64]:
    rows, columns = np.array(slices[0].orientation[:3]), np.array(slices[0].orientation[3:])
    found: npt.NDArray[np.float64] = np.sort(np.array([one.position for one in slices]) @ np.cross(rows, columns))
    return found


def _is_regular(slices: Facts) -> bool:
    """Whether no two slices share a place and all steps are equal."""
    steps = np.diff(_depths(slices))
    return len(steps) == 0 or bool(steps.min() >= SAME_PLACE_MM and np.ptp(steps) <= 2 * UNEVEN_SHARE * float(np.median(steps)))


def _is_stack(slices: Facts) -> bool:
    """Whether a part is a regular stack, single slices of it perhaps missing."""
    steps = np.diff(_depths(slices))
    if len(steps) == 0 or _is_regular(slices):
        return True
    usual = float(np.median(steps))
    whole = np.round(steps / usual) if steps.min() >= SAME_PLACE_MM else np.zeros(1)
    return bool(whole.min() >= 1 and np.abs(steps / usual - whole).max() <= UNEVEN_SHARE * whole.max() and whole.sum() < 2 * len(steps))


def _may_be_woven(slices: Facts) -> bool:
    """Whether a regular stack is far denser than its slices are thick."""
    thick = slices[0].thickness_mm
    steps = np.diff(_depths(slices))
    return bool(len(steps) > 2 and thick > 0 and float(np.median(steps)) < _WOVEN_SHARE * thick)


def _overlap(parts: list[list[FileFacts]]) -> bool:
    """Whether parts lie among each other; parts one behind the other are one stack of uneven steps, or with a gap."""
    if any(len(part) < 2 for part in parts) and not _share_places(parts):
        return False
    ends = sorted((float(d[0]), float(d[-1])) for d in map(_depths, parts))
    return any(after[0] < before[1] - SAME_PLACE_MM or after == before for before, after in pairwise(ends))


def _share_places(parts: list[list[FileFacts]]) -> bool:
    places = [_places(part) for part in parts]
    return sum(map(len, places)) > len(set().union(*places))


def _places(part: list[FileFacts]) -> set[float]:
    return {round(float(depth), 3) for depth in _depths(part)}
