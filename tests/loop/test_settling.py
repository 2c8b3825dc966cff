"""Nothing goes on saying that work is under way which nobody will do."""

from medloop.core.records import Annotator, Job, Model, Round, new_id, now
from medloop.core.states import JobState, RoundState
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.settling import settle
from medloop.loop.overview.model_history import list_models
from medloop.loop.worker import drain, run_job
from medloop.store.jobs import JobQueue

from .conftest import MakeWorkspace
from .made_up import add_model
from .test_live_models import judged, trained


def answered_round(workspace: Workspace, person: Annotator) -> None:
    for _ in range(2):
        opened = next_assignment(workspace, person.id)
        assert opened is not None
        submit(workspace, opened.assignment.id, Submitted())


def states(workspace: Workspace) -> list[tuple[str, str]]:
    with workspace.store.read() as tx:
        return [(str(r.state), r.message) for r in tx.find(Round, order=("index",))]


def train_jobs(workspace: Workspace) -> list[Job]:
    return [j for j in workspace.store.jobs.list(limit=100) if j.kind == "train"]


def evaluating_round(workspace: Workspace, model: Model) -> None:
    with workspace.store.write("system") as tx:
        tx.add(Round(id=new_id("round"), index=1, state=RoundState.EVALUATING, model_id=model.id, created_at=now(), updated_at=now()))


def test_a_round_whose_training_was_cancelled_in_the_queue_says_so(pool: Workspace, ann: Annotator) -> None:
    answered_round(pool, ann)
    pool.store.jobs.cancel(train_jobs(pool)[0].id)
    settle(pool)
    assert states(pool) == [("failed", "the training was cancelled; the next training takes these annotations up")]


def test_a_round_whose_training_was_cancelled_at_work_says_so_and_is_taken_up_by_the_next_one(pool: Workspace, ann: Annotator) -> None:
    answered_round(pool, ann)
    job = pool.store.jobs.claim("tester")
    assert job is not None
    pool.store.jobs.cancel(job.id)
    run_job(pool, job)
    assert states(pool)[0][0] == "failed"
    assert states(pool)[0][1].startswith("the training was cancelled")
    start_training(pool)
    drain(pool)
    assert next(state for state, _ in states(pool)) == "closed"


def test_a_round_whose_training_failed_for_good_says_why(pool: Workspace, ann: Annotator) -> None:
    answered_round(pool, ann)
    job = pool.store.jobs.claim("tester")
    assert job is not None
    pool.store.jobs.fail(job, "out of memory", retry=False)
    settle(pool)
    assert states(pool) == [("failed", "the training failed: out of memory; the next training takes these annotations up")]


def test_a_round_whose_workers_died_three_times_says_so_as_soon_as_another_one_looks(pool: Workspace, ann: Annotator) -> None:
    answered_round(pool, ann)
    seconds = [0.0]
    queue = JobQueue(pool.store.database, clock=lambda: seconds[0])
    for n in range(3):
        assert queue.claim(f"worker{n}") is not None
        queue.claim("watcher", kinds=["nothing"])
        seconds[0] += 3600.0
        queue.claim("watcher", kinds=["nothing"])
    assert train_jobs(pool)[0].state == JobState.FAILED
    settle(pool)
    ((state, message),) = states(pool)
    assert state == "failed"
    assert "Its worker died 3 times" in message


def test_a_training_that_nobody_asked_for_because_a_process_ended_is_asked_for(pool: Workspace) -> None:
    with pool.store.write("system") as tx:
        tx.add(Round(id="round-1", index=1, state=RoundState.TRAINING, created_at=now(), updated_at=now()))
    settle(pool)
    assert [j.state for j in train_jobs(pool)] == [JobState.QUEUED]


def test_a_round_that_waits_for_a_queued_training_is_left_alone(pool: Workspace, ann: Annotator) -> None:
    answered_round(pool, ann)
    settle(pool)
    assert states(pool) == [("training", "")]


def test_a_round_whose_evaluation_failed_for_good_says_why_and_its_model_is_not_used(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", *["test"] * 8], labelled=10)
    judged(workspace, trained(workspace, 1), 0.8)
    second = trained(workspace, 2)
    evaluating_round(workspace, second)
    workspace.store.jobs.enqueue("evaluate", {"model_id": second.id}, key=f"evaluate-{second.id}", priority=100)
    job = workspace.store.jobs.claim("tester")
    assert job is not None
    workspace.store.jobs.fail(job, "a blob is damaged", retry=False)
    settle(workspace)
    assert states(workspace) == [("failed", "the evaluation failed: a blob is damaged; the next training takes these annotations up")]
    first, other = list_models(workspace)
    assert (first.live, other.live) == (True, False)
    assert "could not be evaluated (the evaluation failed: a blob is damaged)" in other.note


def test_another_models_evaluation_does_not_hide_the_one_that_failed(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", *["test"] * 8], labelled=10)
    first = trained(workspace, 1)
    judged(workspace, first, 0.8)
    second = trained(workspace, 2)
    evaluating_round(workspace, second)
    for model in (second, first):
        workspace.store.jobs.enqueue("evaluate", {"model_id": model.id}, key=f"evaluate-{model.id}", priority=100)
        job = workspace.store.jobs.claim("tester")
        assert job is not None
        if model is second:
            workspace.store.jobs.fail(job, "a blob is damaged", retry=False)
        else:
            workspace.store.jobs.finish(job, {})
    settle(workspace)
    assert states(workspace)[0][0] == "failed"
    assert "could not be evaluated" in list_models(workspace)[1].note


def test_an_evaluation_that_nobody_asked_for_is_asked_for(pool: Workspace) -> None:
    model = add_model(pool, 1)
    evaluating_round(pool, model)
    settle(pool)
    assert [(j.kind, j.payload["model_id"]) for j in pool.store.jobs.list()] == [("evaluate", model.id)]


def test_a_model_that_waits_for_an_evaluation_nobody_asked_for_gets_it(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", *["test"] * 8], labelled=10)
    judged(workspace, trained(workspace, 1), 0.8)
    second = trained(workspace, 2)
    settle(workspace)
    assert next((j.kind, j.payload["model_id"]) for j in workspace.store.jobs.list(state=JobState.QUEUED)) == ("evaluate", second.id)


def test_too_few_annotations_give_the_round_a_state_and_a_reason(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3)
    opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
    assert opened is not None
    submit(workspace, opened.assignment.id, Submitted())
    start_training(workspace)
    with workspace.store.write("system") as tx:
        tx.add(Round(id="round-late", index=9, state=RoundState.TRAINING, created_at=now(), updated_at=now()))
    drain(workspace)
    assert ("failed", "training needs at least 2 annotated training cases, of more than one class in a classification") in states(workspace)
