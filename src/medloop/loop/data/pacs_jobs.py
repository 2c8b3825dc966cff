"""Pulls and pushes in the worker: with progress, cancelled between series, and gone on with where they were stopped."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from medloop.core.errors import CancelledError, InputError, NotFoundError, UnavailableError
from medloop.core.names import counted
from medloop.core.records import Case, Json
from medloop.loop.data.importing import ImportProgress
from medloop.loop.data.pacs_named import archive_named
from medloop.loop.data.pacs_pull import PullBounds, PullReport, discard_fetched, pull
from medloop.loop.data.pacs_push import Push, PushReport, push
from medloop.loop.data.pacs_spool import AtWorkError
from medloop.loop.data.pacs_wanted import forget_pull, pull_wanted
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.archive import PacsQuery

WAIT_SECONDS = 0.5
"""Between two looks whether another process is done."""

Done = TypeVar("Done")


def run_pull(workspace: Workspace, control: JobControl) -> Json:
    """Pull the studies of a job, one after the other; what came stays, so that the job goes on where it was stopped.

    Once somebody cancels it, what it was about is forgotten, and files that were not imported are removed.

    Raises:
        InputError: Nothing of what was wanted is there, or what was wanted is gone.
        UnavailableError: The archive cannot be reached, or the line broke.
    """
    server, name = str(control.job.payload["server"]), str(control.job.payload["wanted"])
    try:
        return _pulled(workspace, control, server, name)
    except CancelledError:
        if control.cancelled:
            forget_pull(workspace, name)
            discard_fetched(workspace)
        raise


def _pulled(workspace: Workspace, control: JobControl, server: str, name: str) -> Json:
    wanted = pull_wanted(workspace, name)
    named, archive = archive_named(workspace, server)
    totals: Counter[str] = Counter()
    for number, study in enumerate(wanted.studies):
        control.report(number / len(wanted.studies), f"study {number + 1} of {len(wanted.studies)}")
        try:
            query = PacsQuery(study=study, modality=wanted.modality)
            bounds = PullBounds(annotations=wanted.annotations)
            report = _within(control, number, len(wanted.studies))
            done = _in_turn(control, partial(pull, workspace, archive, named, query, bounds, actor="worker", report=report))
        except NotFoundError:
            control.log(f"study {number + 1} of {len(wanted.studies)} has no such series")
            continue
        _count(control, totals, done)
        if done.stopped:
            raise UnavailableError(done.stopped, remedy="pull the same studies again: what came stays")
    forget_pull(workspace, name)
    if not totals["series"]:
        raise InputError("No series of images is in these studies", remedy="choose others, or another modality")
    message = (
        f"{totals['series']} series, {totals['there']} were there; {counted(totals['files'], 'file')} fetched, "
        f"{counted(totals['added'], 'case')} added, {totals['incomplete']} incomplete, {totals['refused']} left out"
    )
    return {"message": message, **totals}


def run_push(workspace: Workspace, control: JobControl) -> Json:
    """Push the annotations of a job's cases; what the archive has is not sent again when the job goes on.

    Raises:
        InputError: Nothing could be pushed; the first reason.
        UnavailableError: The archive cannot be reached, or the line broke.
    """
    payload = control.job.payload
    named, archive = archive_named(workspace, str(payload["server"]))
    with workspace.store.read() as tx:
        names = tuple(tx.get(Case, str(case_id)).name for case_id in payload["case_ids"])
    wanted = Push(named, str(payload["fmt"]), names, bool(payload["again"]))
    try:
        done = _in_turn(control, partial(push, workspace, archive, wanted, actor="worker", report=_within(control, 0, 1)))
    except NotFoundError as error:
        raise InputError(error.message, remedy=error.remedy) from error
    for line in done.left_out:
        control.log(f"left out: {line}")
    if done.stopped:
        raise UnavailableError(done.stopped, remedy="push again: what is there is not sent again")
    if done.left_out and not (done.pushed or done.before):
        raise InputError(f"Nothing was pushed to {done.server}: {done.left_out[0]}")
    return {"message": _pushed(done), "pushed": len(done.pushed), "before": len(done.before), "left_out": len(done.left_out)}


def _in_turn(control: JobControl, make: Callable[[], Done]) -> Done:
    """Do it once no other process does the same for this project: somebody's command line, say; a job has time."""
    said = False
    while True:
        try:
            return make()
        except AtWorkError as error:
            if not said:
                control.log(f"{error.message}: waits until it is done")
                said = True
            control.report(0.0, f"waits: {error.message.lower()}")
            time.sleep(WAIT_SECONDS)


def _pushed(done: PushReport) -> str:
    stored = f"{counted(len(done.pushed), 'object')} stored on {done.server} as {done.format}"
    return f"{stored}, {len(done.before)} there before, {len(done.left_out)} left out"


def _count(control: JobControl, totals: Counter[str], done: PullReport) -> None:
    for line in done.incomplete:
        control.log(f"incomplete: {line}")
    for refusal in done.imported.refused:
        control.log(f"left out: {refusal}")
    totals.update(series=done.series, there=done.there, files=done.files, added=len(done.imported.added))
    totals.update(incomplete=len(done.incomplete), refused=len(done.imported.refused))


def _within(control: JobControl, part: int, parts: int) -> ImportProgress:
    """Tell the job how far one of its parts is."""

    def report(done: int, total: int, what: str) -> None:
        control.report((part + done / max(total, 1)) / parts, what)

    return report
