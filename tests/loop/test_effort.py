"""What answers took, and what the next ones will take."""

import pytest

from medloop import strategy
from medloop.core.errors import NotFoundError, SettingError
from medloop.core.records import Annotator
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.foundation.annotators import annotator_named, set_cost
from medloop.loop.foundation.effort import annotator_lines, effort_features, effort_summary, minutes_model, predict_minutes
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import labels_per_hour
from medloop.loop.querying.pools import PoolInputs, build_pool
from medloop.query.budget.minutes import MIN_ANNOTATIONS

from .conftest import MakeWorkspace
from .made_up import add_answer, add_model, add_prediction, case_named, every_case


def test_each_annotator_has_a_line_and_imported_answers_have_none(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, labelled=1)
    ann, ben = annotator_named(workspace, "Ann"), annotator_named(workspace, "Ben")
    for name, seconds in (("case01", 30.0), ("case02", 90.0), ("case03", 0.0)):
        add_answer(workspace, ann, case_named(workspace, name), seconds=seconds)
    add_answer(workspace, ben, case_named(workspace, "case01"), seconds=0.0)
    with workspace.store.read() as tx:
        first, second = effort_summary(tx)
    assert (first.annotator, first.annotations, first.timed) == ("Ann", 3, 2)
    assert (first.median_seconds, first.minutes, first.cost) == (60.0, 2.0, 2.0)
    assert (second.annotator, second.timed, second.median_seconds, second.minutes) == ("Ben", 0, None, 0.0)


def test_seconds_of_an_undone_submission_count_once(pool: Workspace, ann: Annotator) -> None:
    opened = next_assignment(pool, ann.id)
    assert opened is not None
    submit(pool, opened.assignment.id, Submitted(effort_seconds=30.0))
    undo_submit(pool, opened.assignment.id)
    submit(pool, opened.assignment.id, Submitted(effort_seconds=40.0))  # the page goes on counting from 30
    with pool.store.read() as tx:
        (line,) = effort_summary(tx)
        assert labels_per_hour(tx) == pytest.approx(90.0)
    assert (line.annotations, line.minutes) == (1, pytest.approx(40 / 60))


def test_without_recorded_times_every_case_counts_the_same(pool: Workspace) -> None:
    with pool.store.read() as tx:
        assert minutes_model(tx).basis == "nothing"
        assert list(predict_minutes(tx, every_case(pool), {}).values()) == pytest.approx([1.0] * 6)


def test_few_recorded_times_give_their_median(pool: Workspace, ann: Annotator) -> None:
    for name, seconds in (("case00", 60.0), ("case01", 120.0), ("case02", 600.0)):
        add_answer(pool, ann, case_named(pool, name), seconds=seconds)
    with pool.store.read() as tx:
        assert predict_minutes(tx, [case_named(pool, "case05")], {}) == {"case05": pytest.approx(2.0)}


def test_large_structures_are_predicted_to_take_longer_once_enough_answers_say_so(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * (MIN_ANNOTATIONS + 3))
    ann, model = annotator_named(workspace, "Ann"), add_model(workspace, 1)
    *answered, small, large, unseen = every_case(workspace)
    for n, case in enumerate(answered):
        proposal = add_prediction(workspace, model, case, foreground=0.01 * (n + 1))
        add_answer(workspace, ann, case, seconds=20.0 * (n + 1), proposal=proposal)
    predictions = {c.id: add_prediction(workspace, model, c, foreground=f) for c, f in ((small, 0.01), (large, 0.12))}
    with workspace.store.read() as tx:
        assert minutes_model(tx).basis == "regression"
        minutes = predict_minutes(tx, [small, large, unseen], predictions)
    assert minutes[small.name] == pytest.approx(20 / 60, rel=0.5)
    assert minutes[large.name] == pytest.approx(240 / 60, rel=0.3)
    assert minutes[small.name] < minutes[unseen.name] < minutes[large.name]


def test_cost_counts_each_minute_by_its_annotators_rate(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * (MIN_ANNOTATIONS + 2))
    model, who = add_model(workspace, 1), {rate: annotator_named(workspace, f"Rate {rate}") for rate in (1, 10)}
    *answered, small, large = every_case(workspace)
    for n, case in enumerate(answered):  # all take a minute, the large ones by whom is dear
        proposal = add_prediction(workspace, model, case, foreground=0.01 * (n + 1))
        add_answer(workspace, who[10 if n >= MIN_ANNOTATIONS / 2 else 1], case, seconds=60.0, proposal=proposal)
    set_cost(workspace, "Rate 10", 10.0, actor="test")
    predictions = {c.id: add_prediction(workspace, model, c, foreground=f) for c, f in ((small, 0.01), (large, 0.12))}
    with workspace.store.read() as tx:
        minutes = predict_minutes(tx, [small, large], predictions)
        costs = predict_minutes(tx, [small, large], predictions, as_cost=True)
    assert minutes == pytest.approx({small.name: 1.0, large.name: 1.0})
    assert costs[large.name] > 3 * costs[small.name]
    inputs = PoolInputs(workspace, [small.name, large.name], model, {}, 2, thorough=False)
    pool = build_pool(inputs, strategy("value-per-minute").needs)
    assert pool is not None
    assert pool.score("cost").tolist() == pytest.approx([costs[small.name], costs[large.name]])


def test_a_rate_is_audited_and_kept_within_its_range(pool: Workspace, ann: Annotator) -> None:
    assert set_cost(pool, "ANN", 2.5, actor="test").cost_per_minute == 2.5
    with pool.store.read() as tx:
        (event,) = tx.events_about("annotator", [ann.id], verbs=["price"])
        (line,) = [one for one in annotator_lines(tx) if one.annotator == ann.name]
    assert event.body["changed"] == {"cost_per_minute": {"from": 1.0, "to": 2.5}}
    assert (line.annotations, line.cases, line.cost_per_minute) == (0, 0, 2.5)
    for rate in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="must lie above 0"):
            set_cost(pool, ann.name, rate, actor="test")
    with pytest.raises(NotFoundError, match="no annotator 'Bob'"):
        set_cost(pool, "Bob", 1.0, actor="test")


def test_features_of_a_proposal_by_hand(pool: Workspace) -> None:
    case = case_named(pool, "case00")
    prediction = add_prediction(pool, add_model(pool, 1), case, foreground=0.125, entropy=0.5)
    voxels = 24 * 24 * 16
    assert effort_features(case, prediction) == pytest.approx((voxels / 8, (voxels / 8) ** (2 / 3), voxels / 2, 16))
