"""Predicted quality: only from signs that rank unseen patients, with an interval that holds, or a reason in words."""

import numpy as np
import pytest

from medloop.core.errors import ShapeError
from medloop.quality.expected import (
    ALL_SIGNS,
    FEWEST_PATIENTS,
    LEAST_RANK,
    OWN_SAMPLES,
    SECOND_MODEL,
    fit_quality,
    rank_correlation,
    unseen_line,
)


def evaluated(
    rng: np.random.Generator, patients: int, *, noise: float, name: str = OWN_SAMPLES
) -> tuple[list[dict[str, float]], np.ndarray, list[str]]:
    truth = rng.beta(6, 2, patients)
    signs = [{name: float(t + noise * rng.normal())} for t in truth]
    return signs, truth, [f"p{n}" for n in range(patients)]


def test_a_sign_that_falls_with_the_true_score_is_used_as_it_is_and_not_flattened():
    truth = np.linspace(0.5, 0.9, 12)
    rule = fit_quality([{OWN_SAMPLES: 1.0 - t} for t in truth], truth, [f"p{n}" for n in range(12)])
    low, high = rule({OWN_SAMPLES: 0.5}), rule({OWN_SAMPLES: 0.1})
    assert low is not None
    assert high is not None
    assert (low.expected, high.expected) == pytest.approx((0.5, 0.9))


def test_a_sign_that_ranks_nothing_gives_no_number_and_says_why():
    rng = np.random.default_rng(1)
    signs, truth, patients = evaluated(rng, 30, noise=0.0)
    shuffled = [signs[n] for n in rng.permutation(30)]
    rule = fit_quality(shuffled, truth, patients)
    assert rule(shuffled[0]) is None
    assert rule.note.startswith(
        "predicted quality cannot be estimated: on 30 evaluated patients agreement of its samples ranks the true scores with"
    )
    assert rule.note.endswith("at least 0.6 needed")


def test_the_same_agreement_everywhere_gives_no_number():
    truth = np.linspace(0.4, 0.9, 20)
    rule = fit_quality([{OWN_SAMPLES: 0.8}] * 20, truth, [f"p{n}" for n in range(20)])
    assert (rule.predictors, rule({OWN_SAMPLES: 0.8})) == ((), None)


def test_few_patients_however_many_cases_give_no_number():
    truth = np.tile(np.linspace(0.5, 0.9, 9), 5)
    rule = fit_quality([{OWN_SAMPLES: t} for t in truth], truth, [f"p{n}" for n in range(9)] * 5)
    assert rule.note == f"predicted quality cannot be estimated: 9 evaluated patients, at least {FEWEST_PATIENTS} needed"
    assert fit_quality([], np.zeros(0), []).note == "predicted quality cannot be estimated: 0 evaluated patients, at least 10 needed"


def test_an_interval_of_almost_everything_gives_no_number():
    sign, truth = np.linspace(0.0, 1.0, 16), np.repeat([0.0, 1.0], 8) + np.linspace(0.0, 0.01, 16)  # ranked, but all or nothing
    rule = fit_quality([{OWN_SAMPLES: s} for s in sign], truth, [f"p{n}" for n in range(16)])
    assert rule.predictors == ()
    assert "is off by up to" in rule.note


def test_another_model_comes_first_where_it_is_known_and_the_own_samples_where_it_is_not():
    rng = np.random.default_rng(4)
    truth = rng.beta(6, 2, 24)
    signs = [{OWN_SAMPLES: t + 0.03 * rng.normal()} | ({SECOND_MODEL: float(t)} if n < 20 else {}) for n, t in enumerate(truth)]
    rule = fit_quality(signs, truth, [f"p{n}" for n in range(24)])
    assert [one.name for one in rule.predictors] == [SECOND_MODEL, OWN_SAMPLES]
    exact, rough = rule({SECOND_MODEL: 0.7, OWN_SAMPLES: 0.2}), rule({OWN_SAMPLES: 0.7})
    assert exact is not None
    assert rough is not None
    assert exact.expected == pytest.approx(0.7)
    assert rough.high - rough.low > exact.high - exact.low


def test_several_weak_signs_together_tell_what_none_does_alone():
    rng = np.random.default_rng(5)
    parts = rng.normal(size=(60, 3))
    truth = np.clip(0.7 + 0.08 * parts.sum(axis=1), 0, 1)
    signs = [{OWN_SAMPLES: a, "softmax_dice": b, "components": c} for a, b, c in parts]
    rule = fit_quality(signs, truth, [f"p{n}" for n in range(60)])
    assert rule.predictors[0].name == ALL_SIGNS


def test_every_expectation_is_of_patients_that_were_left_out():
    x, y, patients = np.array([0.0, 0.0, 1.0, 1.0, 0.5, 0.6]), np.array([0.2, 0.2, 0.8, 0.8, 0.5, 0.4]), ["a", "a", "b", "b", "c", "d"]
    without_b = np.polyfit(x[[0, 1, 4, 5]], y[[0, 1, 4, 5]], 1)
    assert unseen_line(x, y, patients)[2] == pytest.approx(np.clip(np.polyval(without_b, 1.0), 0, 1))


@pytest.mark.parametrize(("patients", "cases"), [(10, 1), (10, 3), (30, 1)])
def test_ninety_of_a_hundred_intervals_hold_the_true_score_of_a_new_patient(patients, cases):
    rng, held, ranks = np.random.default_rng(patients + cases), [], []
    for _ in range(250):
        own = np.repeat(rng.beta(6, 2, patients + 10), cases)
        truth = np.clip(own + 0.03 * rng.normal(size=len(own)), 0, 1)
        signs = [{OWN_SAMPLES: float(t)} for t in truth + 0.06 * rng.normal(size=len(own))]
        of, known = np.repeat(np.arange(patients + 10), cases).tolist(), patients * cases
        rule = fit_quality(signs[:known], truth[:known], of[:known])
        found = [rule(s) for s in signs[known:]]
        held += [q.low <= t <= q.high for q, t in zip(found, truth[known:], strict=True) if q]
        if rule.predictors:
            ranks.append(rank_correlation(np.array([q.expected for q in found if q]), truth[known:], of[known:]))
    assert len(held) > 1000
    assert np.mean(held) >= 0.87
    assert np.mean(ranks) >= LEAST_RANK


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ShapeError, match="got 1, 2 and 1"):
        fit_quality([{}], np.zeros(2), ["a"])
