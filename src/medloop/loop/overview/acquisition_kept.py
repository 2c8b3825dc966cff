"""The verdicts on a project's own images as they were found last, for the list of cases: judging one anew reads voxels.

A verdict counts as long as the model in use is the one that it was found with, and only at the usual rate of false alarms without
a measure, so that all of a list mean the same. They lie beside the project (see `medloop.loop.foundation.memo`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from medloop.core.records import now
from medloop.loop.foundation.memo import memo
from medloop.loop.foundation.workspace import Workspace

if TYPE_CHECKING:
    from medloop.loop.overview.acquisition import AcquisitionCheck

KEPT = "acquisition verdicts"


@dataclass(frozen=True)
class KeptVerdict:
    """What was found of a case's image: "accept", "acquire again" or "unknown", the reasons in words, worst first, and when."""

    verdict: str
    reasons: tuple[str, ...]
    at: str


def keep_verdicts(workspace: Workspace, found: Mapping[str, "AcquisitionCheck"]) -> None:
    """Keep what was found, by case id, with the model in use; earlier verdicts on the same cases give way."""
    live = _live(workspace)
    with memo(workspace, KEPT) as known:
        for case_id, check in found.items():
            kept = KeptVerdict(check.verdict, tuple(one.words for one in check.reasons), now())
            known.values[case_id] = {"model": live, **asdict(kept)}
        known.grown = bool(found)


def kept_verdicts(workspace: Workspace) -> Mapping[str, KeptVerdict]:
    """The verdicts that count now, by case id. Reads no image."""
    path = workspace.work_folder / f"{KEPT}.json"
    try:
        stamp = path.stat()
    except OSError:
        return {}
    return _read(path, (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino), _live(workspace))


@lru_cache(maxsize=16)
def _read(path: Path, _stamp: tuple[int, int, int], live: str) -> Mapping[str, KeptVerdict]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        mine = {case_id: row for case_id, row in rows.items() if row["model"] == live}
        return {case_id: KeptVerdict(row["verdict"], tuple(row["reasons"]), row["at"]) for case_id, row in mine.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}  # a damaged file costs another look


def _live(workspace: Workspace) -> str:
    with workspace.store.read() as tx:
        model = tx.live_model()
    return model.id if model else ""
