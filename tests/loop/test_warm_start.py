import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, SettingError
from medloop.core.records import Annotation, Case, Model, Prediction, Project, ProjectSettings, WarmStart
from medloop.core.settings import ReplayChoice
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace, check_project_settings
from medloop.loop.learning.memory import chosen_evenly
from medloop.loop.learning.training import run_training
from medloop.loop.learning.warm_start import choose_old
from medloop.loop.worker import drain
from medloop.store.audit import verify
from medloop.store.rows import from_row, kind_of, to_row

from .conftest import FAST, MakeWorkspace


def test_misclassified_keeps_what_is_all_wrong_and_the_worst_of_the_rest() -> None:
    scores = {"a": 1.0, "b": 0.0, "c": 0.4, "d": 0.0, "e": 0.3}
    assert choose_old("misclassified", list("abcde"), 1, scores) == ["b", "d"]
    assert choose_old("misclassified", list("abcde"), 3, scores) == ["b", "d", "e"]
    assert choose_old("misclassified", list("abcdef"), 9, scores) == ["b", "c", "d", "e"]


@given(st.sampled_from(["random", "reservoir"]), st.integers(0, 12), st.integers(0, 12), st.integers(0, 9), st.integers(0, 9))
def test_old_cases_come_once_as_many_as_wanted_and_the_same_again(choice: ReplayChoice, old: int, count: int, seed: int, turn: int) -> None:
    names = [f"case {n}" for n in range(old)]
    kept = chosen_evenly(choice, names, count, seed=seed, turn=turn)
    assert kept <= set(names)
    assert len(kept) == min(old, count)
    assert kept == chosen_evenly(choice, names, count, seed=seed, turn=turn)


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 9))
def test_what_once_fell_out_of_a_reservoir_never_comes_back(first: int, count: int, seed: int) -> None:
    names = [f"case {n}" for n in range(60)]
    before = chosen_evenly("reservoir", names[:first], count, seed=seed, turn=1)
    after = chosen_evenly("reservoir", names, count, seed=seed, turn=2)
    assert after & set(names[:first]) <= before


def test_every_case_is_as_likely_to_stay_in_a_reservoir() -> None:
    names = [f"case {n}" for n in range(10)]
    kept = Counter(name for seed in range(2000) for name in chosen_evenly("reservoir", names, 3, seed=seed, turn=1))
    assert all(520 < kept[name] < 680 for name in names)  # 600 each, four standard deviations


def answer(workspace: Workspace, name: str) -> None:
    ann = annotator_named(workspace, "Ann")
    with workspace.store.read() as tx:
        (case,) = tx.find(Case, where={"name": name})
    opened = open_case(workspace, case.id, ann.id)
    mask = np.zeros(case.grid.shape, dtype=np.uint8)
    mask[4:12, 4:12, 4:12] = 1
    submit(workspace, opened.assignment.id, Submitted(mask=mask))


def names_learned(workspace: Workspace, model: Model) -> list[str]:
    with workspace.store.read() as tx:
        return sorted(tx.get(Case, tx.get(Annotation, i).case_id).name for i in model.metrics["learned"])


def train_twice(workspace: Workspace) -> tuple[Model, Model]:
    """A training of what is annotated, and one that also has the case that is annotated then."""
    start_training(workspace)
    drain(workspace)
    answer(workspace, "case03")
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        first, second = tx.find(Model, order=("index",))
    return first, second


def two_trainings(make_workspace: MakeWorkspace, policy: WarmStart) -> tuple[Workspace, Model]:
    """Three old answers, one new one, and the model that goes on."""
    settings = dataclasses.replace(FAST, warm_start=policy)
    workspace = make_workspace(["train"] * 4, labelled=3, settings=settings, name=policy)
    _, second = train_twice(workspace)
    return workspace, second


@pytest.mark.parametrize(("policy", "cases"), [("new", 1), ("replay", 2), ("misclassified", 2), ("all", 4), ("scratch", 4)])
def test_a_model_says_how_it_started_and_what_it_cost(make_workspace: MakeWorkspace, policy: WarmStart, cases: int) -> None:
    workspace, model = two_trainings(make_workspace, policy)
    facts = model.metrics
    assert facts["policy"] == policy
    assert ("parent" in facts) is (policy != "scratch")
    assert facts["steps"] == FAST.train_steps
    assert facts["seconds"] > 0
    if policy == "misclassified":  # tiny masks that an almost untrained model misses altogether count on top
        assert cases <= facts["training_cases"] <= 4
    else:
        assert facts["training_cases"] == cases
    if "learned" in facts:
        assert "case03" in names_learned(workspace, model)
    with workspace.store.read() as tx:
        assert len(tx.find(Model)) == 2


def test_a_training_without_new_answers_learns_all_again(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, labelled=2, settings=dataclasses.replace(FAST, warm_start="new"))
    for again in (False, True):
        start_training(workspace, again=again)
        drain(workspace)
    with workspace.store.read() as tx:
        _, second = tx.find(Model, order=("index",))
    assert second.metrics["training_cases"] == 2


def test_a_stopped_training_goes_on_with_the_answers_it_had_chosen(make_workspace: MakeWorkspace) -> None:
    settings = dataclasses.replace(FAST, warm_start="replay")
    workspace = make_workspace(["train"] * 6, labelled=4, settings=settings)
    start_training(workspace)
    drain(workspace)
    answer(workspace, "case04")
    job = start_training(workspace)
    claimed = workspace.store.jobs.claim("first", lease_seconds=60)
    while claimed is not None and claimed.id != job.id:
        claimed = workspace.store.jobs.claim("first", lease_seconds=60)
    assert claimed is not None
    asked = iter(range(100))
    with JobControl(workspace, claimed, stop=lambda: next(asked) > 1) as control, pytest.raises(CancelledError):
        run_training(workspace, control)
    chosen = json.loads((workspace.work_folder / job.id / "plan.json").read_text())["learned"]
    assert len(chosen) == 2
    answer(workspace, "case05")
    workspace.store.jobs.release(claimed)
    again = workspace.store.jobs.claim("second", lease_seconds=60)
    while again is not None and again.id != job.id:
        again = workspace.store.jobs.claim("second", lease_seconds=60)
    assert again is not None
    with JobControl(workspace, again) as control:
        run_training(workspace, control)
    with workspace.store.read() as tx:
        newest = tx.live_model()
    assert newest is not None
    assert list(newest.metrics["learned"]) == chosen


def test_projects_that_said_yes_or_no_are_read_and_pass_the_audit(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    row = to_row(workspace.project)
    for old, new in ((True, "all"), (False, "scratch")):
        settings = {key: value for key, value in row["settings"].items() if key != "cold_start"} | {"warm_start": old}
        read = from_row(kind_of(Project), {**row, "settings": settings})
        assert read.settings.warm_start == new
        assert read.settings.cold_start == "descriptors"
    assert verify(workspace.store).ok


@pytest.mark.parametrize("changed", [{"warm_start": "sometimes"}, {"cold_start": "magic"}, {"first_strategy": "entropy"}])
def test_settings_outside_the_known_words_are_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SettingError):
        check_project_settings(dataclasses.replace(ProjectSettings(strategy="random"), **changed), "segmentation")


def test_the_first_strategy_may_need_features() -> None:
    check_project_settings(ProjectSettings(strategy="random", first_strategy="coreset"), "segmentation")


def test_a_policy_changed_between_rounds_counts_from_the_next_training(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 6, labelled=3)
    found = []
    for name, policy in ((None, "scratch"), ("case03", "new"), ("case04", "all")):
        if name:
            answer(workspace, name)
        configure(workspace, settings={"warm_start": policy, "uncertainty_source": "softmax" if policy == "new" else "dropout"})
        workspace = workspace.reload()
        start_training(workspace)
        drain(workspace)
        with workspace.store.read() as tx:
            model = tx.find(Model, order=("index",))[-1]
            seen = tx.find(Prediction, where={"model_id": model.id})
        found.append((model.metrics["policy"], model.metrics["training_cases"], {len(one.scores["samples"]) for one in seen}))
    drawn = {FAST.samples}
    assert found == [("scratch", 3, drawn), ("new", 1, {1}), ("all", 5, drawn)]
