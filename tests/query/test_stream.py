"""Streams: thresholds by hand, rates that hold on any stream, rates that come back after a drift, and restarts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from medloop.core.errors import InputError, SettingError
from medloop.query.streams.learned_querying import LearnedQuerying
from medloop.query.streams.rules import RULES as NAMED
from medloop.query.streams.rules import judged, taught
from medloop.query.streams.thresholds import FixedThreshold, TargetRate, VariableUncertainty

RULES = [FixedThreshold(0.5), TargetRate(0.2), VariableUncertainty(0.3, spread=0.5), LearnedQuerying(2, explore=0.2)]


class StreamSelector:
    """A rule and its state, case by case."""

    def __init__(self, rule) -> None:
        self.rule, self.state = rule, rule.start()

    def decide(self, value):
        verdict, self.state = self.rule.judge(self.state, value)
        return verdict

    def feedback(self, *, worthwhile: bool, value) -> None:
        self.state = self.rule.learn(self.state, value, worthwhile)


def asked(stream: StreamSelector, scores) -> np.ndarray:
    return np.array([stream.decide(float(score)).query for score in scores])


def test_a_fixed_threshold_asks_at_it_and_above():
    stream = StreamSelector(FixedThreshold(0.5))
    assert asked(stream, [0.4, 0.5, 0.9, 0.1]).tolist() == [False, True, True, False]
    assert (stream.state.seen, stream.state.asked, stream.state.threshold) == (4, 2, 0.5)


def test_the_verdict_says_why():
    verdict = StreamSelector(FixedThreshold(0.5)).decide(0.25)
    assert (verdict.query, verdict.threshold, verdict.reason) == (False, 0.5, "score 0.25 stays below 0.5")


def test_the_threshold_moves_as_written():
    stream = StreamSelector(TargetRate(0.25, start_at=0.5, step=0.1))
    assert asked(stream, [0.9, 0.5]).tolist() == [True, False]
    assert stream.state.threshold == pytest.approx(0.5 + 0.075 - 0.025)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.floats(0.05, 0.95), st.floats(0.01, 0.5))
def test_the_rate_holds_on_every_stream_within_its_bound(scores, rate, step):
    stream = StreamSelector(TargetRate(rate, step=step))
    share = asked(stream, scores).mean()
    assert -step <= stream.state.threshold <= 1 + step
    assert abs(share - rate) <= (0.5 + step) / (step * len(scores)) + 1e-9


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.6])
def test_the_rate_is_met_on_a_stationary_stream_and_again_after_a_drift(rate):
    rng = np.random.default_rng(7)
    stream = StreamSelector(TargetRate(rate))
    before, after = rng.beta(2, 5, 4000), 0.5 + 0.5 * rng.beta(5, 2, 4000)
    for scores in (before, after):
        settled = asked(stream, scores)[2000:]
        assert abs(settled.mean() - rate) < 0.03  # the bound on 2000 cases is 0.026
        quantile = np.quantile(scores, 1 - rate)
        assert abs(stream.state.threshold - quantile) < 0.1


def test_variable_uncertainty_moves_as_written():
    stream = StreamSelector(VariableUncertainty(budget=0.5, step=0.1, window=2))
    assert stream.decide(0.3).query  # confidence 0.7 < 1
    assert stream.state.threshold == pytest.approx(0.9)
    assert stream.state.spending == pytest.approx(0.5)
    assert stream.decide(0.9).reason == "the budget is spent (50% of recent cases queried)"
    assert stream.state.threshold == pytest.approx(0.9)
    assert not stream.decide(0.05).query  # confidence 0.95 > 0.9
    assert stream.state.threshold == pytest.approx(0.99)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_variable_uncertainty_keeps_its_budget_through_a_drift(spread):
    rng = np.random.default_rng(3)
    stream = StreamSelector(VariableUncertainty(budget=0.2, spread=spread))
    scores = np.concatenate([rng.uniform(0.0, 0.3, 3000), rng.uniform(0.3, 0.9, 3000)])
    choices = asked(stream, scores)
    for part in (choices[1000:3000], choices[4000:]):
        assert 0.1 < part.mean() < 0.23


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.floats(0.05, 1.0))
def test_spending_never_runs_away_from_the_budget(scores, budget):
    stream = StreamSelector(VariableUncertainty(budget=budget, window=20))
    for score in scores:
        stream.decide(score)
        assert stream.state.spending <= budget + 1 / 20


def test_one_step_of_learning_by_hand():
    rule = LearnedQuerying(1, step=0.5)
    state = rule.learn(rule.start(), np.array([2.0]), worthwhile=True)
    # gradient (½ - 1)(2, 1) = (-1, -½); the first AdaGrad step has the length of the step in each coordinate
    assert state.weights == pytest.approx((0.5, 0.5))
    assert state.squares == pytest.approx((1.0, 0.25))


def test_learning_finds_which_cases_are_worth_it_and_follows_a_change():
    rng = np.random.default_rng(11)
    stream = StreamSelector(LearnedQuerying(2, explore=0.1))
    for sign in (1.0, -1.0):
        hits = []
        for features in rng.normal(size=(3000, 2)):
            verdict, worthwhile = stream.decide(features), bool(sign * features[0] + 0.3 * rng.normal() > 0)
            hits.append(verdict.query == worthwhile)
            if verdict.query:
                stream.feedback(worthwhile=worthwhile, value=features)
        assert np.mean(hits[-1000:]) > 0.8


def test_when_everything_is_asked_the_weights_point_where_a_batch_fit_points():
    rng = np.random.default_rng(5)
    rule = LearnedQuerying(3)
    table = rng.normal(size=(4000, 3))
    worth = rng.random(4000) < 1 / (1 + np.exp(-table @ [1.0, -2.0, 0.5]))
    state = rule.start()
    for features, worthwhile in zip(table, worth, strict=True):
        state = rule.learn(state, features, bool(worthwhile))
    reference = LogisticRegression(C=1e6).fit(table, worth).coef_[0]
    found = np.array(state.weights[:3])
    assert found @ reference / np.linalg.norm(found) / np.linalg.norm(reference) > 0.98


def test_skipped_cases_are_asked_at_times():
    rule = LearnedQuerying(1, explore=0.2)
    stream = StreamSelector(rule)
    stream.state = replace(stream.state, weights=(0.0, -5.0))
    verdicts = [stream.decide(np.zeros(1)) for _ in range(1000)]
    assert 150 < sum(v.query for v in verdicts) < 250
    assert {v.reason.endswith("queried to learn") for v in verdicts if v.query} == {True}


@pytest.mark.parametrize("name", NAMED)
def test_named_rules_meet_their_budget_on_scores_spread_evenly(name):
    rule = NAMED[name](0.2)
    rng, state, choices = np.random.default_rng(4), rule.start(), []
    for score in rng.uniform(size=3000):
        verdict, state = judged(rule, state, float(score))
        choices.append(verdict.query)
        if verdict.query:
            state = taught(rule, state, float(score), worthwhile=bool(rng.random() < 0.5 + 0.5 * (score > 0.8)))
    assert 0.03 < np.mean(choices[1000:]) < 0.25
    assert name == "learned" or np.mean(choices[1000:]) > 0.12


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused_and_forgotten(rule, value):
    stream = StreamSelector(rule)
    with pytest.raises(InputError, match=r"finite number|within 0"):
        stream.decide(np.array([value, 0.0]) if isinstance(rule, LearnedQuerying) else value)
    assert stream.state == rule.start()


def test_values_of_another_shape_or_range_are_refused():
    with pytest.raises(InputError, match="2 finite numbers"):
        StreamSelector(LearnedQuerying(2)).decide(np.zeros(3))
    with pytest.raises(InputError, match=r"within 0\.\.1"):
        StreamSelector(VariableUncertainty(0.1)).decide(1.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedThreshold(np.nan),
        lambda: TargetRate(0.0),
        lambda: TargetRate(0.5, step=0.0),
        lambda: TargetRate(0.5, start_at=np.inf),
        lambda: VariableUncertainty(1.5),
        lambda: VariableUncertainty(0.5, step=1.0),
        lambda: VariableUncertainty(0.5, window=0),
        lambda: VariableUncertainty(0.5, spread=-1.0),
        lambda: LearnedQuerying(0),
        lambda: LearnedQuerying(1, price=1.0),
        lambda: LearnedQuerying(1, explore=2.0),
        lambda: LearnedQuerying(1, step=0.0),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(SettingError):
        make()
