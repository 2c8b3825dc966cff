"""Limits from references: they keep the stated rate of false alarms, and say when they cannot."""

import numpy as np
import pytest

from degrading import DEGRADATIONS, degrade
from medloop.core.errors import SettingError, ShapeError
from medloop.quality.acquisition.rule import Direction, fewest_patients, fit_rule
from medloop.quality.acquisition.signs import sign_called

from .pictures import DIRECTIONS, picture, signs_of

HIGH = {"a": Direction(1, 0.0), "b": Direction(-1, 0.0), "c": Direction(1, 0.0)}


def drawn(rng: np.random.Generator, count: int) -> list[dict[str, float]]:
    """Skewed and correlated signs."""
    base = rng.gamma(2.0, size=count)
    return [{"a": x, "b": -x + rng.normal(), "c": rng.standard_t(3)} for x in base]


@pytest.mark.parametrize("patients", [19, 60])
def test_good_images_are_called_bad_no_more_often_than_stated_however_many_signs_there_are(patients: int):
    rng = np.random.default_rng(patients)
    alarms = []
    for _ in range(300):
        rule = fit_rule(drawn(rng, patients), list(range(patients)), HIGH, alarm=0.05)
        alarms += [max(rule.scores(one).values()) > rule.limit for one in drawn(rng, 20)]
    assert np.mean(alarms) <= 0.055


def test_cases_of_one_patient_are_no_further_proof():
    rng = np.random.default_rng(0)
    signs = drawn(rng, 40)
    assert fit_rule(signs, list(range(40)), HIGH).calibrated
    few = fit_rule(signs, [n % 10 for n in range(40)], HIGH)
    assert not few.calibrated
    assert few.note == "10 patients to compare with, at least 19 needed at 0.05"
    assert fewest_patients(0.05) == 19


def test_the_limit_of_a_sign_is_where_its_score_reaches_the_limit():
    rule = fit_rule(drawn(np.random.default_rng(1), 50), list(range(50)), HIGH)
    at = {name: rule.usual(name) for name in rule.names}
    assert list(rule.scores(at).values()) == pytest.approx([rule.limit] * 3)


def test_references_that_are_all_alike_do_not_make_rounding_a_fault():
    same = [{"a": 0.0}] * 30
    rule = fit_rule(same, list(range(30)), {"a": Direction(1, 0.01)})
    assert rule.scores({"a": 0.0})["a"] <= rule.limit
    assert rule.scores({"a": 0.5})["a"] > rule.limit


def test_nothing_to_compare_with_is_no_limit():
    assert not fit_rule([], [], HIGH).calibrated
    assert fit_rule([], [], HIGH).scores({"a": 3.0}) == {}
    with pytest.raises(ShapeError, match="its patient"):
        fit_rule([{"a": 0.0}], [], HIGH)
    with pytest.raises(SettingError, match="false alarms"):
        fit_rule([], [], HIGH, alarm=0.9)


@pytest.mark.parametrize("name", ["motion", "contrast", "saturation", "noise"])
def test_a_spoilt_picture_is_found_and_the_reason_is_the_right_one(name: str):
    rule = fit_rule([signs_of(picture(n)) for n in range(60)], list(range(60)), DIRECTIONS)
    wanted = "contrast" if name == "saturation" else name
    found = []
    for number in range(100, 115):
        scores = rule.scores(signs_of(degrade(picture(number), name, 0.8, np.random.default_rng(number))))
        worst = max(scores, key=lambda sign: scores[sign])
        found.append(scores[worst] > rule.limit and sign_called(worst).reason == wanted)
    assert sum(found) >= 13
    assert name in DEGRADATIONS
