"""No state may go on saying that something is under way when nobody will do it.

Jobs can be cancelled, fail for good, or lose their worker three times; a process can end between a change and the job it
should ask for. Then a round that waits for a training or an evaluation, and a model that waits to be judged, get a
true state with the reason, or the job that was forgotten. Workers look between jobs, and cancelling looks at once.
"""

from medloop.core.records import Job, LiveChoice, Model, Round
from medloop.core.states import JobState, RoundState
from medloop.loop.foundation.follow_up import evaluation_keys, request_evaluation_of
from medloop.loop.foundation.job_kinds import kind_named
from medloop.loop.foundation.round_moves import close_evaluated, fail_round, start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.live_models import WAITS, keep_unjudged


def settle(workspace: Workspace) -> None:
    """Bring rounds and models that wait for work to a true state; costs one short look where nothing waits."""
    with workspace.store.read() as tx:
        waiting = tx.find(Round, where={"state": ["training", "evaluating"]})
        choice = tx.live_choice()
    unjudged = choice is not None and waits(choice)
    if not (waiting or unjudged) or workspace.store.jobs.active("train"):
        return
    for current in waiting:
        _settle_round(workspace, current)
    if choice is not None and unjudged:
        _settle_model(workspace, choice)


def waits(choice: LiveChoice) -> bool:
    """Whether the model a decision was about still waits for its evaluation."""
    return not choice.pinned and choice.judged_id != choice.model_id and WAITS in choice.reason


def _settle_round(workspace: Workspace, current: Round) -> None:
    kind = "train" if current.state == RoundState.TRAINING else "evaluate"
    keys = evaluation_keys(current.model_id) if kind == "evaluate" and current.model_id else None
    if workspace.store.jobs.active(kind, keys):
        return
    ended = workspace.store.jobs.newest(kind, keys)
    if ended is not None and ended.state in (JobState.FAILED, JobState.CANCELLED) and _since(ended, current.updated_at):
        problem = f"the {kind_named(kind).title.lower()} {_ending(ended)}; the next training takes these annotations up"
        fail_round(workspace, current.id, problem)
    elif kind == "train":
        start_training(workspace)
    elif current.model_id is not None and ended is not None and _since(ended, current.updated_at):
        close_evaluated(workspace, current.model_id)
    elif current.model_id is not None:
        model = workspace.store.get(Model, current.model_id)
        request_evaluation_of(workspace, model)


def _settle_model(workspace: Workspace, choice: LiveChoice) -> None:
    keys = evaluation_keys(choice.judged_id)
    if workspace.store.jobs.active("evaluate", keys):
        return
    model = workspace.store.get(Model, choice.judged_id)
    ended = workspace.store.jobs.newest("evaluate", keys)
    if ended is not None and ended.state in (JobState.FAILED, JobState.CANCELLED) and _since(ended, choice.created_at):
        keep_unjudged(workspace, model, f"the evaluation {_ending(ended)}")
    else:
        request_evaluation_of(workspace, model)


def _since(job: Job, moment: str) -> bool:
    return (job.finished_at or "") >= moment


def _ending(job: Job) -> str:
    return f"failed: {job.error}" if job.state == JobState.FAILED else "was cancelled"
