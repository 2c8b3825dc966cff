"""Adapting the model in use to a group of cases, in one of the ways there are, at once or by a worker."""

from medloop.core.records import Json
from medloop.loop.foundation.described import Report
from medloop.loop.foundation.follow_up import request_evaluation_of
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Adapt
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.adaptations import ENTROPY, INTENSITIES, require_way
from medloop.loop.judging.live_models import model_of_index
from medloop.loop.learning.adapting import AdaptReport, adapt_model
from medloop.loop.learning.adapting_entropy import adapt_by_entropy


def adapt_in_way(
    workspace: Workspace,
    *,
    by: str,
    value: str = "",
    way: str = INTENSITIES,
    actor: str = "system",
    report: Report = lambda _share, _line: None,
) -> AdaptReport:
    """Adapt the model in use to a group of cases; what comes of it is a candidate, held against the evaluation cases by the worker.

    Args:
        workspace: The project.
        by: Column that makes groups, such as "scanner"; "all" takes every unlabelled case.
        value: Which group, such as "B"; "" with `all`.
        way: "intensities" moves those of the images (`adapting`), "entropy" changes normalisation layers (`adapting_entropy`).
        actor: Who wants it.
        report: Receives progress.

    Raises:
        SettingError: No such way.
        InputError: No model, no such group, or too few cases.
        UnavailableError: A model that cannot be adapted so.
    """
    require_way(way)
    if way == ENTROPY:
        found = adapt_by_entropy(workspace, by=by, value=value, actor=actor, report=report)
    else:
        report(0.0, "moving intensities")
        found = adapt_model(workspace, by=by, value=value, actor=actor)
    if found.model_index is not None:
        with workspace.store.read() as tx:
            adapted = model_of_index(tx, found.model_index)
        request_evaluation_of(workspace, adapted)
    return found


def run_adapting(workspace: Workspace, control: JobControl) -> Json:
    """The job: adapt as it was wanted; the result says what came of it."""
    wanted = Adapt(**control.job.payload)
    found = adapt_in_way(workspace, by=wanted.by, value=wanted.value, way=wanted.way, actor="worker", report=control.report)
    control.log(found.words)
    return {"model_index": found.model_index, "words": found.words, "message": found.words}
