"""What queried cases say of the pool, by the chances kept with their queries."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.records import Annotator, Case, Choice, Model, ProjectSettings, Query, Round, Source, new_id, now
from medloop.core.states import RoundState
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.pool_marks import mark_without, pool_mark
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drawn import drawn_estimates, newest_estimate
from medloop.loop.overview.progress import progress
from medloop.loop.overview.selected import contradict, selected_view
from medloop.loop.querying.queries import make_query

from .conftest import MakeWorkspace
from .made_up import add_answer, add_evaluation, add_model, add_prediction, every_case

CASES = 14


@pytest.fixture
def drawn(make_workspace: MakeWorkspace) -> tuple[Workspace, Model, Annotator]:
    """A project whose model has seen its pool and proposes the truth of nothing: each proposal is right to another extent."""
    workspace = make_workspace(["train"] * CASES, settings=ProjectSettings(strategy="random", batch_size=8, audit_fraction=0.0, seed=3))
    model = add_model(workspace, 1)
    for n, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, foreground=1 / 24 * (1 + n / 7))
    return workspace, model, annotator_named(workspace, "Ann")


def open_round(workspace: Workspace, index: int, query: Query | None = None) -> Query:
    made = query or make_query(workspace, index)
    assert made is not None
    with workspace.store.write("system") as tx:
        tx.add(made)
        tx.add(Round(id=new_id("round"), index=index, state=RoundState.ANNOTATING, query_id=made.id, created_at=now(), updated_at=now()))
    return made


def open_queries(workspace: Workspace) -> list[Choice]:
    with workspace.store.read() as tx:
        return [choice for query in tx.find(Query) for choice in query.choices]


def annotate(workspace: Workspace, ann: Annotator, query: Query, count: int) -> None:
    cases = {c.id: c for c in every_case(workspace)}
    for choice in query.choices[:count]:
        add_answer(workspace, ann, cases[choice.case_id])


def test_a_query_keeps_how_many_cases_were_left(drawn: tuple[Workspace, Model, Annotator]) -> None:
    query = open_round(drawn[0], 1)
    assert [c.left for c in query.choices] == list(range(CASES, CASES - 8, -1))
    with drawn[0].store.read() as tx:
        assert tx.get(Query, query.id).choices == query.choices


def test_evenly_drawn_cases_have_their_own_mean_and_an_interval(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, model, ann = drawn
    query = open_round(workspace, 1)
    annotate(workspace, ann, query, 6)
    [found] = drawn_estimates(workspace)
    assert (found.model_index, found.cases, found.patients, found.pool) == (model.index, 6, 6, CASES)
    assert found.mean == pytest.approx(found.plain)
    assert found.low is not None
    assert found.low < (found.mean or 0) < (found.high or 0)
    view = progress(workspace).selected
    assert view is not None
    assert view.estimate.mean == found.mean
    assert view.basis == "6 queried cases weighted by their chances, for model 1"  # there is no audit sample


def test_a_case_still_open_ends_what_is_known_and_nothing_behind_it_counts(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    query = open_round(workspace, 1)
    cases = {c.id: c for c in every_case(workspace)}
    for place in (0, 1, 3, 4):
        add_answer(workspace, ann, cases[query.choices[place].case_id])
    [found] = drawn_estimates(workspace)
    assert (found.cases, found.low, found.note) == (2, None, "no interval: 2 patients, at least 5 needed")


def test_a_certain_choice_gives_no_estimate_and_says_why(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    choices = tuple(Choice(case_id=c.id, score=1.0, reason="most doubtful") for c in every_case(workspace)[:6])
    query = Query(id=new_id("query"), strategy="entropy", seed=0, model_id=None, choices=choices, created_at=now())
    annotate(workspace, ann, open_round(workspace, 1, query), 6)
    found = newest_estimate(drawn_estimates(workspace))
    assert found is not None
    assert found.mean is None
    assert "the strategy entropy leaves no other case a chance" in found.note
    assert selected_view(workspace, drawn_estimates(workspace), "").words == (found.note,)


def test_draws_of_an_older_version_are_not_called_certain(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    choices = tuple(Choice(case_id=c.id, score=0, reason="", probability=1 / (CASES - n)) for n, c in enumerate(every_case(workspace)[:6]))
    query = Query(id=new_id("query"), strategy="random", seed=0, model_id=None, choices=choices, created_at=now())
    annotate(workspace, ann, open_round(workspace, 1, query), 6)
    [found] = drawn_estimates(workspace)
    assert found.mean is None
    assert "random drew them, but not every chance is known" in found.note


def test_what_was_drawn_before_a_model_was_trained_does_not_judge_it(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    annotate(workspace, ann, open_round(workspace, 1), 8)
    newer = add_model(workspace, 2)
    for case in every_case(workspace):
        add_prediction(workspace, newer, case)
    first, second = drawn_estimates(workspace)
    assert first.cases == 8
    assert (second.mean, second.cases) == (None, 0)
    assert "none was drawn and annotated since" in second.note
    assert newest_estimate([first, second]) is first


def test_a_pool_that_changed_in_between_starts_the_draws_anew(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    cases = every_case(workspace)
    for index, (start, stop, left) in enumerate([(0, 2, 14), (2, 8, 10)], start=1):
        choices = tuple(
            Choice(case_id=c.id, score=0, reason="", probability=1 / (left - n), left=left - n) for n, c in enumerate(cases[start:stop])
        )
        query = Query(id=new_id("query"), strategy="random", seed=0, model_id=None, choices=choices, created_at=now())
        annotate(workspace, ann, open_round(workspace, index, query), 8)
    [found] = drawn_estimates(workspace)
    assert (found.cases, found.pool) == (6, 10)


def hand_drawn(cases: Sequence[Case], left: int) -> Query:
    """A query that drew these cases evenly, of so many."""
    choices = tuple(Choice(case_id=c.id, score=0, reason="", probability=1 / (left - n), left=left - n) for n, c in enumerate(cases))
    return Query(id=new_id("query"), strategy="random", seed=0, model_id=None, choices=choices, created_at=now())


def test_as_many_cases_come_and_gone_in_between_start_the_draws_anew(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, model, ann = drawn
    annotate(workspace, ann, open_round(workspace, 1), 8)
    queried = {c.case_id for c in open_queries(workspace)}
    add_answer(workspace, ann, next(c for c in every_case(workspace) if c.id not in queried))
    phantom = phantom_3d(300, 1, (24, 24, 16))
    source = Source(format="phantom", names=("later",), sha256="0" * 64)
    add_case(workspace, phantom.image, NewCase(name="later", patient="later", split="train", source=source))
    add_prediction(workspace, model, next(c for c in every_case(workspace) if c.name == "later"))
    second = open_round(workspace, 2)
    assert second.choices[0].left == CASES - 8  # as if the draws went on
    annotate(workspace, ann, second, 6)
    [found] = drawn_estimates(workspace)
    assert (found.cases, found.pool) == (8, CASES)


def test_draws_go_on_with_the_next_query_where_the_pool_is_what_was_left(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    for index in (1, 2):
        annotate(workspace, ann, open_round(workspace, index), 8)
    [found] = drawn_estimates(workspace)
    assert (found.cases, found.pool) == (CASES, CASES)


def test_many_draws_that_nobody_annotated_do_not_hide_few_that_somebody_did(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    cases = every_case(workspace)
    annotate(workspace, ann, open_round(workspace, 1, hand_drawn(cases[:3], 14)), 3)
    open_round(workspace, 2, hand_drawn(cases[3:11], 9))
    [found] = drawn_estimates(workspace)
    assert (found.cases, found.pool) == (3, 14)


@given(st.sets(st.text(min_size=1), min_size=1))
def test_a_mark_is_of_a_set_and_known_when_a_case_is_taken(ids: set[str]) -> None:
    taken = min(ids)
    assert pool_mark(sorted(ids)) == pool_mark(sorted(ids, reverse=True))
    assert mark_without(pool_mark(ids), taken) == pool_mark(ids - {taken}) != pool_mark(ids)


def test_a_patient_of_many_cases_outside_of_the_pool_does_not_scale_what_the_pool_says(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    annotate(workspace, ann, open_round(workspace, 1), 6)
    [before] = drawn_estimates(workspace)
    for n in range(10):
        image = phantom_3d(200 + n, 1, (24, 24, 16)).image
        source = Source(format="phantom", names=(f"later{n}",), sha256=f"{n:064d}")
        add_case(workspace, image, NewCase(name=f"later{n}", patient="one of many", split="train", source=source))
    [after] = drawn_estimates(workspace)
    assert after.mean == pytest.approx(before.mean)


def test_looks_make_few_comparisons_and_later_ones_go_on(drawn: tuple[Workspace, Model, Annotator]) -> None:
    workspace, _, ann = drawn
    annotate(workspace, ann, open_round(workspace, 1), 8)
    assert [drawn_estimates(workspace, most=3)[0].cases for _ in range(3)] == [3, 6, 8]
    assert Path(workspace.work_folder / "drawn.json").exists()


def test_the_audit_sample_decides_where_it_has_patients_enough_and_both_are_compared(make_workspace: MakeWorkspace) -> None:
    settings = ProjectSettings(strategy="random", batch_size=8, audit_fraction=0.0, seed=3)
    workspace = make_workspace(["train"] * CASES + ["audit"] * 6, settings=settings)
    model, ann = add_model(workspace, 1), annotator_named(workspace, "Ann")
    for case in every_case(workspace):
        add_prediction(workspace, model, case, foreground=1 / 24)
    query = open_round(workspace, 1)
    cases = {c.id: c for c in every_case(workspace)}
    for choice in query.choices:
        if cases[choice.case_id].split == "train":
            add_answer(workspace, ann, cases[choice.case_id])
    few = {f"case{n}": 0.1 + 0.001 * n for n in (14, 15)}
    add_evaluation(workspace, model, "audit", 0, few)
    assert progress(workspace).selected.basis.startswith("8 queried cases")  # two audit patients are too few
    add_evaluation(workspace, model, "audit", 0, {f"case{n}": 0.1 + 0.001 * n for n in range(14, 20)})
    found = progress(workspace).selected
    assert found.basis == "audit cases"
    assert (found.split, found.audit) == ("audit", pytest.approx(0.1165))
    assert "lower than the queried cases'" in found.warning
    assert found.warning in found.words


def test_two_means_contradict_each_other_rarely_by_chance() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.8, 0.02, 4000), rng.normal(0.8, 0.05, 4000)
    ends = [((a, a - 0.0392, a + 0.0392), (b, b - 0.098, b + 0.098)) for a, b in zip(one, other, strict=True)]
    assert 0.004 < np.mean([contradict(*pair) for pair in ends]) < 0.016
    assert not contradict((0.9, None, None), (0.1, 0.0, 0.2))
