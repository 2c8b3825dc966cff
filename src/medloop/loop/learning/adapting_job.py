"""Adapting the model in use to a group of cases, in one of the ways there are, at once or by a worker."""

from collections.abc import Callable

from medloop.core.errors import InputError, SettingError
from medloop.core.records import Job, Json
from medloop.loop.foundation.follow_up import request_evaluation_of
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Adapt, request_job
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drift_groups import ALL, column_of, group_of
from medloop.loop.judging.live_models import model_of_index
from medloop.loop.learning.adapting import ADAPTED_FROM, FEWEST_NEW, AdaptReport, adapt_model
from medloop.loop.learning.adapting_entropy import adapt_by_entropy

INTENSITIES, ENTROPY = "intensities", "entropy"
WAYS = (INTENSITIES, ENTROPY)

Report = Callable[[float, str], None]


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
    _require_way(way)
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


def request_adapting(workspace: Workspace, *, by: str, value: str = "", way: str = INTENSITIES, actor: str) -> Job:
    """Let the worker adapt the model in use to a group; what can be said at once is.

    Raises:
        SettingError: No such way.
        InputError: No model, one that is adapted, no such column, or fewer than three unlabelled cases of the group.
    """
    _require_way(way)
    with workspace.store.read() as tx:
        model = tx.live_model()
        pool = tx.unlabelled_cases(["train", "audit"])
    if model is None:
        raise InputError("An adaptation needs a model in use, got none", remedy="annotate some cases and train")
    if ADAPTED_FROM in model.metrics:
        raise InputError(f"Model {model.index} is adapted already", remedy="put the model that it comes from to use first")
    column_of(pool, by)
    count = sum(by == ALL or group_of(case, by) == f"{by} {value}" for case in pool)
    if count < FEWEST_NEW:
        rule = f"An adaptation needs {FEWEST_NEW} unlabelled cases of the group, got {count} of {f'{by} {value}'.strip()}"
        raise InputError(rule, remedy="name another group, or add cases")
    return request_job(workspace, Adapt(by, value, way), f"adapt {by} {value} {way}", actor=actor)


def run_adapting(workspace: Workspace, control: JobControl) -> Json:
    """The job: adapt as it was wanted; the result says what came of it."""
    wanted = Adapt(**control.job.payload)
    found = adapt_in_way(workspace, by=wanted.by, value=wanted.value, way=wanted.way, actor="worker", report=control.report)
    control.log(found.words)
    return {"message": found.words, "model": found.model_index, "source": found.source_index, "before": found.before, "after": found.after}


def _require_way(way: str) -> None:
    if way not in WAYS:
        raise SettingError(f"A model is adapted by {' or '.join(WAYS)}, got {way!r}")
