"""What people want pulled from an archive or pushed to it, as jobs of the worker.

Which studies a pull is about says whom people looked for: it stands in a file that only the project's owner can read, until the pull is
done, and neither in the queue nor in the audit.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from medloop.core.errors import InputError, StateError
from medloop.core.records import Case, Job
from medloop.core.states import JobState
from medloop.images.files import write_atomic
from medloop.loop.data.pacs_folders import WANTED
from medloop.loop.foundation.job_kinds import PullSeries, PushObjects, request_job
from medloop.loop.foundation.pseudonyms import pseudonyms_of
from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.archive import require_uid
from medloop.pacs.files import private_folder
from medloop.pacs.sites import read_sites, sites_file

MOST_STUDIES = 100
"""Of one pull."""

KEPT_SECONDS = 7 * 86_400
"""So long a pull that did not come to its end can go on; then what it was about is forgotten."""


@dataclass(frozen=True)
class PullWanted:
    """What a job fetches.

    Attributes:
        studies: Study Instance UIDs.
        modality: Only series of this one; "" for all images.
        annotations: Fetch SEG and RTSTRUCT, too, and take them as annotations.
    """

    studies: tuple[str, ...]
    modality: str = ""
    annotations: bool = False


def request_pull(workspace: Workspace, server: str, wanted: PullWanted, *, actor: str = "system") -> Job:
    """Have the worker pull studies; the same pull that waits already counts.

    Raises:
        InputError: No study, too many, or what is no UID.
        NotFoundError: No such server.
        SettingError: Its host is not allowed.
        StateError: The project can only be read.
    """
    if not 1 <= len(wanted.studies) <= MOST_STUDIES:
        raise InputError(f"A pull takes 1 to {MOST_STUDIES} studies, got {len(wanted.studies)}", remedy="choose fewer")
    for uid in wanted.studies:
        require_uid(uid, "A study")
    _require_possible(workspace, server)
    text = json.dumps(asdict(wanted), sort_keys=True)
    name = hashlib.sha256(pseudonyms_of(workspace).uid(f"{server}|{text}").encode()).hexdigest()[:24]
    _forget_old(private_folder(_file(workspace, name).parent))
    write_atomic(_file(workspace, name), text.encode(), mode=0o600)
    return request_job(workspace, PullSeries(server, name), f"pull-{name}", actor=actor)


def request_push(
    workspace: Workspace, server: str, fmt: str, cases: Sequence[str] = (), *, again: bool = False, actor: str = "system"
) -> Job:
    """Have the worker push the annotations of cases, by id, or of all; the same push that waits already counts.

    Raises:
        NotFoundError: No such server or case.
        SettingError: Its host is not allowed.
        StateError: The project can only be read.
    """
    _require_possible(workspace, server)
    for case_id in cases:
        workspace.store.get(Case, case_id)
    chosen = sorted(set(cases))
    key = hashlib.sha256("|".join((server, fmt, str(again), *chosen)).encode()).hexdigest()[:24]
    return request_job(workspace, PushObjects(server, fmt, chosen, again), f"push-{key}", actor=actor)


def pull_wanted(workspace: Workspace, name: str) -> PullWanted:
    """What a queued pull is about.

    Raises:
        InputError: Its file is gone.
    """
    try:
        read = json.loads(_file(workspace, name).read_text())
        return PullWanted(tuple(read["studies"]), str(read["modality"]), bool(read["annotations"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError("What this pull is about is not there any more", remedy="choose the studies again") from None


def forget_pull(workspace: Workspace, name: str) -> None:
    """Remove what a pull was about, once it is done."""
    _file(workspace, name).unlink(missing_ok=True)


def forget_cancelled(workspace: Workspace, job: Job) -> None:
    """Remove what a pull was about that was cancelled while it waited; one at work forgets it when it stops."""
    if job.kind == "pull" and job.state == JobState.CANCELLED:
        forget_pull(workspace, str(job.payload["wanted"]))


def servers_of(workspace: Workspace) -> tuple[str, ...]:
    """Names of the archives that the project may contact, in order; nothing else of them leaves the server.

    Raises:
        NotFoundError: No `pacs.toml`.
        FormatError: It is damaged.
        SettingError: It says what it may not.
    """
    sites = read_sites(sites_file(workspace.folder))
    return tuple(sorted(name for name, site in sites.servers.items() if site.host.lower() in sites.hosts))


def _forget_old(folder: Path) -> None:
    """Remove what pulls that failed long ago were about."""
    for file in folder.glob("*.json"):
        if time.time() - file.stat().st_mtime > KEPT_SECONDS:
            file.unlink(missing_ok=True)


def _require_possible(workspace: Workspace, server: str) -> None:
    if workspace.store.read_only:
        raise StateError(f"This project can only be read: {workspace.store.read_only}", remedy="make it writable")
    read_sites(sites_file(workspace.folder)).site(server)


def _file(workspace: Workspace, name: str) -> Path:
    return workspace.work_folder / WANTED / f"{name}.json"
