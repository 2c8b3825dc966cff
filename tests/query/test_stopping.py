"""When to stop: each rule in words, and that noise never says so."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from medloop.core.errors import SettingError, ShapeError
from medloop.query.budget.extrapolation import drawn_curves
from medloop.query.stopping import Curve, Evidence, Spending, advise, next_gain, pace_gain

BATCH = 4


def curve(truth, rng, *, patients=30, training=0.004, cases=0.03) -> Curve:
    """A measured curve: each training is lucky or not, and each case goes its own way."""
    points = len(truth)
    per_case = (
        np.asarray(truth) + rng.normal(0, training, points) + rng.normal(0, 0.1, (patients, 1)) + rng.normal(0, cases, (patients, points))
    )
    draws = drawn_curves(per_case, [f"p{n}" for n in range(patients)], rng, draws=100)
    labels = BATCH * (1.0 + np.arange(points))
    return Curve(labels, per_case.mean(axis=0), draws, float(np.quantile(draws[:, -1], 0.025)), patients)


def stops(truth, repeats=60, **noise) -> float:
    rng = np.random.default_rng(7)
    return float(np.mean([advise(Evidence(Spending(), curve(truth, rng, **noise), next_batch=BATCH)).stop for _ in range(repeats)]))


def test_noise_alone_never_says_stop() -> None:
    assert stops(np.full(8, 0.7), training=0.03, cases=0.1) <= 0.05


def test_a_steadily_rising_curve_is_not_stopped() -> None:
    assert stops(np.linspace(0.5, 0.8, 12)) == 0.0


def test_a_slow_rise_that_is_worth_having_is_hardly_ever_stopped() -> None:
    # three rounds bring 0.015, more than the 0.01 worth having
    for points in (5, 8, 12):
        assert stops(0.6 + 0.005 * np.arange(points), repeats=100) <= 0.03


def test_a_real_plateau_is_found_most_of_the_time() -> None:
    assert stops(0.8 - 0.3 * np.exp(-np.arange(24.0)), training=0.002, cases=0.01) >= 0.8


def test_few_models_or_patients_say_nothing_about_flatness() -> None:
    rng = np.random.default_rng(0)
    assert pace_gain(curve(np.full(4, 0.7), rng), 12) is None
    assert pace_gain(curve(np.full(8, 0.7), rng, patients=4), 12) is None
    assert next_gain(curve(np.full(2, 0.7), rng), 4) is None
    answer = advise(Evidence(Spending(), curve(np.full(4, 0.7), rng)))
    assert not answer.stop
    assert any("can be judged from 5 models" in reason for reason in answer.reasons)


def test_a_flat_curve_without_noise_but_useless_scores_calls_for_a_look_not_for_an_end() -> None:
    flat = Curve(np.arange(1.0, 9.0), np.zeros(8), np.zeros((50, 8)), 0.0, 10)
    answer = advise(Evidence(Spending(), flat))
    assert not answer.stop
    assert any("look at the labels and the training" in reason for reason in answer.reasons)
    good = replace(flat, scores=np.full(8, 0.9), draws=np.full((50, 8), 0.9), low=0.9)
    assert advise(Evidence(Spending(), good)).stop


def test_the_pace_of_a_straight_line_by_hand() -> None:
    line = 0.5 + 0.01 * np.arange(6)
    found = pace_gain(Curve(2.0 * np.arange(1, 7), line, np.tile(line, (10, 1)), 0.5, 9), 10)
    assert found is not None
    assert (found.expected, found.low, found.high) == pytest.approx((0.05, 0.05, 0.05))


def test_the_pace_has_the_error_of_a_regression() -> None:
    rng = np.random.default_rng(3)
    labels, scores = 4.0 * np.arange(1, 8), 0.6 + 0.01 * np.arange(7) + rng.normal(0, 0.01, 7)
    found = pace_gain(Curve(labels, scores, np.tile(scores, (5, 1)), 0.5, 9), 12)
    fit = stats.linregress(labels, scores)
    assert found is not None
    assert found.expected == pytest.approx(12 * fit.slope)
    assert found.high - found.expected == pytest.approx(12 * fit.stderr * stats.t.ppf(0.99, 5))


def test_the_pace_has_the_error_of_the_patients_where_no_training_strays() -> None:
    labels, line = 4.0 * np.arange(1, 8), 0.6 + 0.01 * np.arange(7)
    steeper = np.array([-0.001, -0.0005, 0.0, 0.0005, 0.001])
    draws = line + steeper[:, None] * (labels - labels.mean())
    found = pace_gain(Curve(labels, line, draws, 0.5, 9), 12)
    assert found is not None
    spread = steeper.std() * np.sqrt(9 / 8)  # of a bootstrap of nine patients
    assert found.high - found.expected == pytest.approx(12 * spread * stats.t.ppf(0.99, 8))


def test_two_numbers_of_answers_are_no_pace_however_many_models() -> None:
    flat = Curve(np.array([4.0] * 5 + [8.0]), np.full(6, 0.9), np.full((5, 6), 0.9), 0.9, 20)
    assert pace_gain(flat, 12) is None
    assert not advise(Evidence(Spending(), flat, kappas=(1.0, 1.0, 1.0))).stop


@pytest.mark.parametrize(("patients", "training"), [(8, 0.01), (20, 0.01), (20, 0.005)])
def test_stable_predictions_hardly_ever_stop_a_run_whose_next_batch_is_worth_it(patients: int, training: float) -> None:
    rng, stopped, runs = np.random.default_rng(11), 0, 80
    labels = BATCH * (1.0 + np.arange(40))
    truth = 0.95 - 0.6 * (labels / BATCH) ** -0.25
    looks = [n for n in range(2, 20) if truth[n + 1] - truth[n] >= 0.012]
    assert len(looks) >= 5
    for _ in range(runs):
        known = curve(truth[: looks[-1] + 1], rng, patients=patients, training=training)
        upto = [Curve(known.labels[: n + 1], known.scores[: n + 1], known.draws[:, : n + 1], known.low, patients) for n in looks]
        stopped += any(advise(Evidence(Spending(), one, kappas=(0.995, 0.996, 0.997), next_batch=BATCH)).stop for one in upto)
    assert stopped / runs <= 0.05


@pytest.mark.parametrize(
    ("shape", "points"),
    [("power law", 4), ("power law", 6), ("power law", 10), ("saturating", 5), ("saturating", 10), ("line", 6), ("line", 10)],
)
def test_the_expected_gain_of_the_next_batch_is_covered_with_the_luck_of_trainings(shape: str, points: int) -> None:
    rng, hits, runs = np.random.default_rng(points), 0, 200
    batches = 1.0 + np.arange(points + 1)
    truth = {"power law": 0.9 - 0.3 * batches**-0.5, "saturating": 0.9 - 0.4 * np.exp(-batches / 3), "line": 0.6 + 0.01 * batches}[shape]
    for _ in range(runs):
        gain = next_gain(curve(truth[:-1], rng, patients=12, training=0.01), BATCH)
        assert gain is not None
        hits += gain.low <= truth[-1] - truth[-2] <= gain.high
    assert hits / runs >= 0.92


@pytest.mark.parametrize(
    ("spending", "words"),
    [
        (Spending(labels=10, budget_labels=10), "10 of 10 annotations"),
        (Spending(minutes=61.0, budget_minutes=60.0), "61 of 60 minutes"),
        (Spending(money=250.0, budget_money=200.0), "250 of 200 of cost"),
    ],
)
def test_a_spent_budget_is_a_reason_to_stop(spending, words) -> None:
    answer = advise(Evidence(spending))
    assert answer.stop
    assert any("The budget is spent" in reason and words in reason for reason in answer.reasons)


def test_a_budget_that_holds_is_told_but_does_not_stop() -> None:
    answer = advise(Evidence(Spending(labels=3, budget_labels=10)))
    assert not answer.stop
    assert "The budget holds: 3 of 10 annotations." in answer.reasons


def test_only_the_lower_bound_reaches_a_target() -> None:
    known = curve(np.array([0.5, 0.7]), np.random.default_rng(0))
    reached, nearly, far = (advise(Evidence(Spending(), known, target=t)) for t in (known.low, float(known.scores[-1]), 0.95))
    assert (reached.stop, nearly.stop, far.stop) == (True, False, False)
    assert any("lower bound" in reason and "not yet" in reason for reason in nearly.reasons)


def test_one_patient_proves_no_target_and_a_falling_curve_is_no_plateau() -> None:
    lone = Curve(np.array([4.0]), np.array([0.9]), np.full((5, 1), 0.9), 0.9, 1)  # an old bound of one patient
    answer = advise(Evidence(Spending(), lone, target=0.8))
    assert not answer.stop
    assert any("cannot be judged from 1 patients" in reason for reason in answer.reasons)
    line = np.linspace(0.9, 0.6, 8)
    answer = advise(Evidence(Spending(), Curve(np.arange(1.0, 9.0), line, np.tile(line, (5, 1)), 0.6, 9)))
    assert not answer.stop
    assert any("The curve falls" in reason for reason in answer.reasons)


def test_stable_predictions_stop_only_together_with_a_curve_that_promises_nothing() -> None:
    kappas = (0.995, 0.997, 0.999)
    rising = curve(np.linspace(0.5, 0.8, 8), np.random.default_rng(0))
    assert not advise(Evidence(Spending(), kappas=kappas)).stop
    assert not advise(Evidence(Spending(), rising, kappas=kappas, next_batch=BATCH)).stop
    done = Curve(np.array([4.0, 8.0, 64.0, 128.0]), np.full(4, 0.9), np.full((20, 4), 0.9), 0.9, 20)
    answer = advise(Evidence(Spending(), done, kappas=kappas, next_batch=BATCH))
    assert answer.stop
    assert any("no longer change" in reason for reason in answer.reasons)
    assert not advise(Evidence(Spending(), done, kappas=kappas[:2], next_batch=BATCH)).stop


def test_the_next_batch_has_a_price_and_a_promise() -> None:
    answer = advise(Evidence(Spending(), curve(np.linspace(0.5, 0.8, 6), np.random.default_rng(0)), next_batch=BATCH, next_minutes=37.0))
    assert answer.expected_gain is not None
    assert answer.interval is not None
    assert answer.interval[0] <= answer.expected_gain <= answer.interval[1]
    assert answer.minutes == 37.0
    assert "about 37 minutes" in answer.reasons[-1]
    assert "unknown time" in advise(Evidence(Spending())).reasons[-1]


def test_an_empty_pool_ends_it_and_nothing_is_promised_of_further_answers() -> None:
    advice = advise(Evidence(Spending(), left=0, next_minutes=3.0))
    assert advice.stop
    assert advice.minutes is None
    assert not any("next" in reason for reason in advice.reasons)


def test_a_new_project_goes_on() -> None:
    answer = advise(Evidence(Spending()))
    assert not answer.stop
    assert answer.reasons[0].startswith("No model was judged yet")


def test_wrong_limits_and_curves_are_refused() -> None:
    with pytest.raises(SettingError, match="target score"):
        advise(Evidence(Spending(), target=1.5))
    with pytest.raises(SettingError, match="budget"):
        advise(Evidence(Spending(budget_labels=-1)))
    with pytest.raises(ShapeError, match="a drawn score per point"):
        Curve(np.ones(2), np.ones(3), np.ones((4, 3)), 0.0, 5)


def test_reasons_count_one_answer_and_one_pair_in_the_singular() -> None:
    said = " ".join(
        advise(Evidence(Spending(), curve(np.linspace(0.5, 0.8, 8), np.random.default_rng(0)), kappas=(0.5,), next_batch=1)).reasons
    )
    assert "over 1 pair." in said
    assert "The next annotation will probably bring" in said
