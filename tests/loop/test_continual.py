"""A project whose trainings go on from the model in use: what is replayed, what is held, and a label that comes later."""

import dataclasses

import pytest

from medloop.core.errors import CancelledError, SettingError
from medloop.core.records import Model, ProjectSettings
from medloop.core.settings import check_settings
from medloop.loop.annotating.annotations import open_case
from medloop.loop.data.retention import remove_due
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.learning.going_on import kept_importances
from medloop.loop.learning.training import run_training
from medloop.loop.worker import drain
from medloop.store.audit import verify
from medloop.store.doctor import examine

from .conftest import FAST, MakeWorkspace
from .test_retention import case_named, later
from .test_warm_start import answer, names_learned, train_twice

KEPT = dataclasses.replace(FAST, warm_start="replay", replay_cases=1, replay_choice="reservoir", ewc=1.0, distillation=1.0)


def test_a_training_replays_as_many_as_wanted_and_holds_the_weights_that_mattered(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=3, settings=KEPT)
    first, second = train_twice(workspace)
    assert (first.recipe["ewc"], second.recipe["ewc"], second.recipe["distillation"]) == (0.0, 1.0, 1.0)
    assert len(names_learned(workspace, second)) == 2
    assert "case03" in names_learned(workspace, second)
    with workspace.store.read() as tx:
        before, after = kept_importances(tx, first.id), kept_importances(tx, second.id)
    assert before is not None
    assert after is not None
    assert (before.cases, after.cases) == (3, 4)
    assert before.blobs != after.blobs
    assert examine(workspace.store).orphans == ()
    assert verify(workspace.store).ok


def test_what_mattered_for_images_that_are_gone_is_held_by_the_next_model_too(make_workspace: MakeWorkspace) -> None:
    rule = dataclasses.replace(KEPT, distillation=0.0, retention_days=30, train_steps=2)
    workspace = make_workspace(["train"] * 5, labelled=3, settings=rule)
    start_training(workspace)
    drain(workspace)
    for name in ("case03", "case04"):  # open, so their images stay
        open_case(workspace, case_named(workspace, name).id, annotator_named(workspace, "Ann").id)
    remove_due(workspace, actor="test", at=later(31))
    for name in ("case03", "case04"):
        answer(workspace, name)
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        kept = kept_importances(tx, tx.find(Model, order=("index",))[-1].id)
    assert kept is not None
    assert kept.cases == 5  # three of them without an image by now


def test_a_stopped_training_that_keeps_ends_with_the_same_weights(make_workspace: MakeWorkspace) -> None:
    whole, stopped = (make_workspace(["train"] * 4, labelled=3, settings=KEPT, name=name) for name in ("whole", "stopped"))
    _, expected = train_twice(whole)
    start_training(stopped)
    drain(stopped)
    answer(stopped, "case03")
    job = start_training(stopped)
    for steps in (3, 1000):
        claimed = stopped.store.jobs.claim("worker", lease_seconds=60)
        while claimed is not None and claimed.id != job.id:
            claimed = stopped.store.jobs.claim("worker", lease_seconds=60)
        assert claimed is not None
        asked = iter(range(steps))
        with JobControl(stopped, claimed, stop=lambda asked=asked: next(asked, None) is None) as control:
            if steps == 3:
                with pytest.raises(CancelledError):
                    run_training(stopped, control)
                stopped.store.jobs.release(claimed)
            else:
                run_training(stopped, control)
    with stopped.store.read() as tx:
        assert tx.find(Model, order=("index",))[-1].weights == expected.weights


def test_a_label_that_comes_later_grows_the_network_in_use(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=3, settings=dataclasses.replace(KEPT, ewc=0.0))
    start_training(workspace)
    drain(workspace)
    configure(workspace, task=TaskChange(added=("cyst",)))
    workspace = workspace.reload()
    answer(workspace, "case03")
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        first, second = tx.find(Model, order=("index",))
    assert (first.recipe["classes"], second.recipe["classes"]) == (3, 4)
    assert second.metrics["parent"] == first.id
    assert second.metrics["classes_before"] == 3


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ewc": 1.0}, "ewc keeps the model before, warm_start scratch"),
        ({"distillation": 1.0}, "distillation keeps the model before"),
        ({"learn_group": "site=B"}, "learn_group says which cases are new"),
        ({"learn_group": "B", "warm_start": "new"}, "attribute=value, got 'B'"),
    ],
)
def test_settings_that_could_have_no_effect_are_refused(changed: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        check_settings(dataclasses.replace(ProjectSettings(), **changed))  # type: ignore[arg-type]  # any setting
