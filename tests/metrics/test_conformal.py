"""Conformal ranks over patients: by hand, the plain rank as a special case, and the rate for a new patient."""

import math

import numpy as np
import pytest

from medloop.core.errors import ShapeError
from medloop.metrics.conformal import conformal_quantile


def test_many_cases_of_one_patient_are_one_proof():
    scores, patients = np.arange(30.0), ["a"] * 22 + list("bcdefghi")
    assert conformal_quantile(scores, 0.9) == 27.0
    assert conformal_quantile(scores, 0.9, patients) == 29.0
    assert math.isinf(conformal_quantile(scores[:29], 0.9, patients[:29]))


def test_patients_weigh_alike_worked_out_by_hand():
    # each of three patients weighs a quarter; a's half falls on 1 and on 4
    assert conformal_quantile(np.array([1.0, 4.0, 2.0, 3.0]), 0.6, ["a", "a", "b", "c"]) == 3.0
    assert conformal_quantile(np.array([1.0, 4.0, 2.0, 3.0]), 0.7, ["a", "a", "b", "c"]) == 4.0


def test_a_new_patient_is_covered_at_the_rate_however_alike_its_cases_are():
    rng, covered, runs = np.random.default_rng(0), 0.0, 1500
    patients = np.repeat(np.arange(9), 4).tolist()
    for _ in range(runs):
        scores = np.abs(np.repeat(rng.normal(size=10), 4) + 0.1 * rng.normal(size=40))
        covered += np.mean(scores[36:] <= conformal_quantile(scores[:36], 0.9, patients))
    assert covered / runs >= 0.87


def test_scores_without_their_patient_are_refused():
    with pytest.raises(ShapeError, match="got 2 scores and 1 patients"):
        conformal_quantile(np.ones(2), 0.9, ["a"])
