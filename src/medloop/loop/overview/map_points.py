"""The points of a pool's map as somebody may see them, with what they can be coloured by.

Of a large pool a sample is shown, the same at every look: annotated and queried cases have half of the places, drawn at random where
there are more, and the others the rest; how many there are of each is said.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medloop.core.errors import InputError, StorageError
from medloop.core.names import counted, first_named
from medloop.core.records import Case, Split
from medloop.core.seeds import generator
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.described import Report
from medloop.loop.foundation.memo import memo
from medloop.loop.foundation.subgroups import subgroups_of
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.class_counts import label_values
from medloop.loop.overview.pool_map import Described, Layout, Points, PoolMap, kept_map, make_map, placed, why_outdated
from medloop.loop.querying.queries import queried_case_ids
from medloop.store.reader import Reader
from medloop.store.states import SHOWN_STATES
from medloop.store.worklist import CaseRow, Listing

SHOWN = 20_000
"""Points at most that a page is sent: about two megabytes."""

QUERIED = "queried"
MASKS_AT_A_LOOK = 200
"""Annotations whose labels nobody has looked up yet: so many at a look, the others with the next."""

COLUMNS_FROM = 200
EMPTY = "none"


@dataclass(frozen=True, eq=False)
class MapPoint:
    """A case on the map.

    Attributes:
        x, y: Within 0..1, y upwards.
        state: Unlabelled, annotated, skipped, flagged, or queried: of a round that is being annotated.
        round: Number of the newest round that queried it.
        label: Names of the labels of its annotation; "" where there is none, or none to be seen.
        group: What its table says of the wanted column; "" for nothing.
    """

    id: str
    name: str
    x: float
    y: float
    split: Split
    state: str
    uncertainty: float | None
    quality: float | None
    round: int | None
    label: str
    group: str


@dataclass(frozen=True, eq=False)
class ShownMap:
    """A map to look at.

    Attributes:
        outdated: What changed since it was made; "" for nothing.
        sampled: Which of its cases are shown, in words; "" for all.
        columns: Of the source's table, by which points can be grouped.
        unread: Annotated cases whose labels nobody has looked up so far: they are shown without one.
        absent: Cases of the project that are not on it, in words; "" for none.
    """

    made: PoolMap
    points: tuple[MapPoint, ...]
    outdated: str
    sampled: str
    columns: tuple[str, ...]
    unread: int = 0
    absent: str = ""


@dataclass(frozen=True)
class Sight:
    """What somebody may not see.

    Attributes:
        hidden: Annotated cases whose annotations are hidden from them.
        unread: Cases that must look as if nobody had annotated them.
    """

    hidden: Collection[str] = ()
    unread: Collection[str] = ()


EVERYTHING = Sight()


def shown_map(
    workspace: Workspace, *, by: str = "", most: int = SHOWN, sight: Sight = EVERYTHING, masks: int = MASKS_AT_A_LOOK
) -> ShownMap | None:
    """The map that was made last; None without one.

    Args:
        workspace: The project.
        by: Column of the source's table that makes groups; "" for none.
        most: Points at most.
        sight: What is not to be seen.
        masks: Annotations at most whose labels are looked up now.

    Raises:
        InputError: No case on it has that column.
    """
    kept = kept_map(workspace)
    if kept is None:
        return None
    made, points = kept
    with workspace.store.read() as tx:
        queried = queried_case_ids(tx)
        chosen, sampled = _sample(workspace, tx, points, queried, most)
        ids = [one.decode() for one in points["id"][chosen]]
        rows = {row.case_id: row for row in tx.work_page(Listing(case_ids=ids, unlabelled=sight.unread), limit=len(ids) or 1).rows}
        rounds = tx.case_rounds([i for i in ids if i not in set(sight.unread)])
        columns, groups = _groups(tx, ids, by)
        total = tx.case_counts().total
    annotated = [row for row in rows.values() if row.annotations > 0 and row.case_id not in sight.hidden]
    labels, unread = _labels(workspace, annotated, masks)
    if by and by not in columns:
        raise InputError(f"No case on the map has {by!r} in its table", remedy=f"use one of {first_named(columns)}" if columns else "")
    queried = queried.difference(sight.unread)
    shown = tuple(
        _point(rows[i], (float(points["x"][n]), float(points["y"][n])), rounds.get(i), i in queried, labels.get(i, ""), groups.get(i, ""))
        for i, n in zip(ids, chosen, strict=True)
        if i in rows
    )
    absent = f"{counted(total - len(points), 'case')} of {total} without a vector not on the map" if total > len(points) else ""
    return ShownMap(made, shown, why_outdated(workspace, made), sampled, columns, unread, absent)


def map_of(
    workspace: Workspace, *, described: Described = "auto", layout: Layout = "pca", by: str = "", report: Report | None = None
) -> ShownMap:
    """Make the map anew, and give every point of it; see `make_map` and `shown_map` for what they raise."""
    made = make_map(workspace, described=described, layout=layout, report=report)
    shown = shown_map(workspace, by=by, most=made.cases, masks=made.cases)
    if shown is None:
        raise StorageError("The map could not be read again", remedy="see whether the work folder of the project can be written")
    return shown


def _point(row: CaseRow, place: tuple[float, float], number: int | None, is_queried: bool, label: str, group: str) -> MapPoint:
    shown = QUERIED if is_queried and row.state == "unanswered" else SHOWN_STATES[row.state]
    return MapPoint(
        row.case_id, row.name, round(place[0], 5), round(place[1], 5), row.split, shown, row.uncertainty, row.quality, number, label, group
    )


def _sample(workspace: Workspace, tx: Reader, points: Points, queried: set[str], most: int) -> tuple[npt.NDArray[np.intp], str]:
    """Rows of the points that are shown, in order, and in words which."""
    if len(points) <= most:
        return np.arange(len(points)), ""
    draw = generator(workspace.settings.seed, "map")
    first = np.unique(placed(points, sorted(queried | tx.closed_cases())))
    rest = np.setdiff1d(np.arange(len(points)), first, assume_unique=True)
    kept = first if len(first) <= most // 2 else draw.choice(first, size=most // 2, replace=False)
    others = draw.choice(rest, size=min(len(rest), most - len(kept)), replace=False)
    begun = f"{len(kept):,} of {len(first):,} annotated, skipped, flagged or queried ones"
    words = (
        f"{len(kept) + len(others):,} of {len(points):,} cases are shown: {begun}, {len(others):,} of {len(rest):,} others, drawn at random"
    )
    return np.sort(np.concatenate([kept, others])), words


def _labels(workspace: Workspace, annotated: Sequence[CaseRow], masks: int) -> tuple[dict[str, str], int]:
    """Names of the labels of each annotated case, and of how many cases they were not looked up."""
    names = {label.value: label.name for label in workspace.task.labels}
    with workspace.store.read() as tx:
        found = by_case(a for a in tx.current_annotations(case_ids=[row.case_id for row in annotated]) if a.is_whole)
    made: dict[str, str] = {}
    left = masks
    with memo(workspace, "label-values") as known:
        for case_id, given in found.items():
            one = deciding(given)
            left -= one.tag is None and one.blob not in known.values
            if left >= 0:
                values = label_values(workspace, one.id, one.blob, one.tag, known)
                made[case_id] = " + ".join(names[value] for value in sorted(values) if value in names) or EMPTY
    return made, max(0, -left)


def _groups(tx: Reader, ids: Sequence[str], by: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Columns that cases have, and the value of each case in the wanted one."""
    some = tx.find(Case, where={"id": list(ids if by else ids[:COLUMNS_FROM])}) if ids else []
    found: Mapping[str, dict[str, str]] = {case.id: subgroups_of(case) for case in some}
    columns = tuple(sorted({name for groups in found.values() for name in groups}))
    return columns, {case_id: groups[by] for case_id, groups in found.items() if by in groups}


def map_table(shown: ShownMap) -> tuple[tuple[str, ...], list[list[str]]]:
    """The points as a table: columns and lines."""
    columns = ("case", "x", "y", "split", "state", "uncertainty", "quality", "round", "label", "group")
    lines = [[p.name, p.x, p.y, p.split, p.state, p.uncertainty, p.quality, p.round, p.label, p.group] for p in shown.points]
    return columns, [["" if value is None else str(value) for value in line] for line in lines]


def map_words(shown: ShownMap) -> tuple[str, ...]:
    """What is to be known of a map, a line each."""
    made = shown.made
    head = f"{counted(made.cases, 'case')} described {made.by}; {made.explained_words}"
    unread = (
        f"labels of {counted(shown.unread, 'annotated case')} are not read so far: look again for the next ones" if shown.unread else ""
    )
    outdated = f"out of date: {shown.outdated}" if shown.outdated else ""
    return tuple(filter(None, (head, shown.absent, *made.notes, outdated, shown.sampled, unread)))
