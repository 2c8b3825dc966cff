import numpy as np
import pytest

from medloop.core.errors import InputError, ShapeError
from medloop.quality.regression import DiceRegression, feature_table


def made_up(cases: int, seed: int = 0, noise: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    """Dice from the first two of four features."""
    rng = np.random.default_rng(seed)
    features = rng.random((cases, 4))
    return features, np.clip(0.5 + 0.3 * features[:, 0] - 0.2 * features[:, 1] + noise * rng.normal(size=cases), 0, 1)


def test_a_rule_in_the_features_is_found_and_its_error_is_honest():
    fitted = DiceRegression(trees=3).fit(*made_up(60))
    features, truth = made_up(400, seed=1)
    error = np.abs(fitted.predict(features) - truth).mean()
    assert error < 0.03
    assert fitted.error_ == pytest.approx(error, abs=0.01)
    assert fitted.chosen_.startswith("Ridge")


def test_a_rule_that_is_no_line_is_left_to_the_forest():
    rng = np.random.default_rng(0)
    features = rng.random((80, 2))
    truth = np.where((features[:, 0] > 0.5) ^ (features[:, 1] > 0.5), 0.9, 0.3)
    assert DiceRegression(trees=10).fit(features, truth).chosen_ == "ExtraTreesRegressor"


def test_nothing_to_learn_gives_no_false_confidence():
    rng = np.random.default_rng(0)
    features, truth = rng.random((40, 3)), rng.random(40)
    fitted = DiceRegression(trees=0).fit(features, truth)
    assert fitted.error_ > 0.8 * np.abs(truth - truth.mean()).mean()


def test_versions_of_one_patient_do_not_help_each_other():
    rng = np.random.default_rng(0)
    base, truth = rng.random((20, 3)), rng.random(20)
    features, twice = np.repeat(base, 4, axis=0), np.repeat(truth, 4)
    apart = DiceRegression(trees=3).fit(features, twice, patients=np.repeat(np.arange(20), 4).tolist())
    leaking = DiceRegression(trees=3).fit(features, twice)
    assert apart.error_ > 2 * leaking.error_


def test_rows_of_features_become_a_table():
    names, table = feature_table([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}])
    assert names == ("a", "b")
    assert table.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(ShapeError, match="same features"):
        feature_table([{"a": 1.0}, {"b": 1.0}])


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="at least 10 patients, got 4; evaluate more"):
        DiceRegression().fit(np.zeros((12, 1)), np.zeros(12), patients=[n % 4 for n in range(12)])
    with pytest.raises(InputError, match="finite"):
        DiceRegression().fit(np.full((12, 1), np.nan), np.zeros(12))
    with pytest.raises(ShapeError, match="one Dice"):
        DiceRegression().fit(np.zeros((12, 1)), np.zeros(11))
