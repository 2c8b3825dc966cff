"""Which DICOM images are one case: a series over all its folders, split where it holds several regular volumes.

A series is split by orientation and size, because a volume has one of each. It is split further by what tells its acquisitions
apart only where the whole is no regular stack (slices share a place, or two stacks are woven together) and every part is one.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloop.images.dicom_facts import FileFacts
from medloop.images.dicom_geometry import ORIENTATION_TOLERANCE, SAME_PLACE_MM, UNEVEN_SHARE
from medloop.images.dicom_series import DISTINGUISHED_BY, SeriesFiles

_WOVEN_SHARE = 0.6
"""A regular stack whose step is below this share of its slices' thickness may be two stacks, one between the other."""

_FEW_MISSING = 1.3
"""Steps a slice of a stack of which a few slices are missing; two stacks woven together reach 1.5."""

_MAX_PARTS = 512
_FOLDER = "folder"

Facts = Sequence[FileFacts]


def group_files(facts: Facts) -> tuple[SeriesFiles, ...]:
    """The cases among some images, sorted by UID.

    Args:
        facts: Of every image of the source, whatever its folder.
    """
    series: dict[tuple[str, str], list[FileFacts]] = {}
    for one in facts:
        # Some anonymisers give every patient the same UIDs, or none: then patient and folder tell series apart.
        series.setdefault((one.series or f"no series in {one.path.parent}", one.patient), []).append(one)
    return tuple(case for (uid, _), members in sorted(series.items()) for case in _cases(uid, members))


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
        yield _case(f"{uid}:{told}", part, told, (f"one of {len(parts)} parts of its series, distinguished by {told}",))


def _case(uid: str, members: Facts, part: str = "", notes: tuple[str, ...] = ()) -> SeriesFiles:
    first = min(members, key=lambda one: one.path)
    uids = frozenset(one.instance for one in members if one.instance)
    paths, named = tuple(sorted(one.path for one in members)), tuple(dict.fromkeys(word for one in members for word in one.identifiers))
    said = (first.description, first.patient, part, notes, uids, first.frame_of_reference, named)
    return SeriesFiles(uid, paths, *said, study=first.study, modality=first.modality)


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
    if len(whole) < 2 or not whole[0].orientation or _is_whole(whole):
        return [(slices, "")]
    for names in _attributes(whole):
        parts = _split(slices, names)
        if 1 < len(parts) <= _MAX_PARTS and all(_is_stack(_distinct(part)) for part in parts.values()) and _overlap(list(parts.values())):
            return [(part, _words(names, values)) for values, part in parts.items()]
    return [(slices, "")]


def _distinct(slices: Facts) -> list[FileFacts]:
    """One file per instance and place: a series copied into two folders is one series."""
    return list({(one.instance or str(one.path), one.position): one for one in slices}.values())


def _attributes(slices: Facts) -> Iterator[tuple[str, ...]]:
    """Attributes that differ within the slices, single ones first, then pairs."""
    varying = [name for name in DISTINGUISHED_BY if len({_header_value(one, name) for one in slices}) > 1]
    for count in (1, 2):
        yield from combinations(varying, count)
        if count == 1 and len({one.path.parent for one in slices}) > 1:
            yield (_FOLDER,)


def _header_value(one: FileFacts, name: str) -> str:
    return str(one.path.parent) if name == _FOLDER else one.header.get(name, "")


def _words(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """What tells a part from the others, such as "EchoNumbers 1, folder late"; of a folder its name alone."""
    return ", ".join(f"{name} {Path(value).name if name == _FOLDER else value}" for name, value in zip(names, values, strict=True))


def _split(slices: Facts, names: tuple[str, ...]) -> dict[tuple[str, ...], list[FileFacts]]:
    parts: dict[tuple[str, ...], list[FileFacts]] = {}
    for one in slices:
        parts.setdefault(tuple(_header_value(one, name) for name in names), []).append(one)
    return dict(sorted(parts.items(), key=lambda item: _in_order(item[0])))


def _in_order(values: tuple[str, ...]) -> tuple[tuple[float, str], ...]:
    """Numbers by size, everything else behind them by letter."""
    return tuple((float(v), v) if v.replace(".", "", 1).isdecimal() else (float("inf"), v) for v in values)


def _depths(slices: Facts) -> npt.NDArray[np.float64]:
    rows, columns = np.array(slices[0].orientation[:3]), np.array(slices[0].orientation[3:])
    return np.sort(np.array([one.position for one in slices]) @ np.cross(rows, columns))


def _is_regular(slices: Facts) -> bool:
    """Whether no two slices share a place and all steps are equal."""
    steps = np.diff(_depths(slices))
    return len(steps) == 0 or bool(steps.min() >= SAME_PLACE_MM and np.ptp(steps) <= 2 * UNEVEN_SHARE * float(np.median(steps)))


def _is_stack(slices: Facts, *, most: float = 2.0) -> bool:
    """Whether slices are a regular stack, single ones perhaps missing: it spans less than `most` steps a slice."""
    steps = np.diff(_depths(slices))
    if len(steps) == 0 or _is_regular(slices):
        return True
    usual = float(steps.min())
    if usual < SAME_PLACE_MM:
        return False
    whole = np.round(steps / usual)
    return bool(np.abs(steps / usual - whole).max() <= UNEVEN_SHARE * whole.max() and whole.sum() < most * len(steps))


def _is_whole(slices: Facts) -> bool:
    """Whether slices are one stack: regular and not far denser than they are thick, or of their thickness with some missing."""
    steps = np.diff(_depths(slices))
    dense = float(steps.min()) < _WOVEN_SHARE * slices[0].thickness_mm
    if _is_regular(slices):
        return len(steps) < 3 or not dense
    return slices[0].thickness_mm > 0 and not dense and _is_stack(slices, most=_FEW_MISSING)


def _overlap(parts: list[list[FileFacts]]) -> bool:
    """Whether parts lie among each other; parts one behind the other are one stack of uneven steps, or with a gap."""
    places = set().union(*map(_places, parts))
    if all(len(part) < 2 for part in parts):
        return len(places) == 1  # pictures of one place; anything else would take a volume to pieces
    if any(len(part) < 2 for part in parts) and sum(len(_places(part)) for part in parts) == len(places):
        return False
    ends = sorted((float(d[0]), float(d[-1])) for d in map(_depths, parts))
    return any(after[0] < before[1] - SAME_PLACE_MM or after == before for before, after in pairwise(ends))


def _places(part: list[FileFacts]) -> set[float]:
    return {round(float(depth), 3) for depth in _depths(part)}
