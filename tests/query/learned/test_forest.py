"""Plain trees say what scikit-learn's say, and text that is no forest is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from learned_weights import forest_to_json, plain_forest
from medloop.core.errors import FormatError, ShapeError
from medloop.query.learned import forest as module
from medloop.query.learned.forest import Forest, forest_from_json, forest_predictions

STUMP = Forest(
    ("x",),
    roots=np.array([0]),
    feature=np.array([0, 0, 0]),
    threshold=np.array([0.5, 0.0, 0.0]),
    left=np.array([1, 1, 2]),
    right=np.array([2, 1, 2]),
    value=np.array([0.0, -1.0, 3.0]),
    depth=1,
)


def fitted(kind, seed: int, **settings):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(150, 4))
    return kind(5, random_state=seed, **settings).fit(rows, rows[:, 0] * rows[:, 1] + rng.normal(size=150))


def test_a_stump_by_hand():
    assert forest_predictions(STUMP, np.array([[0.5], [0.6]])).tolist() == [-1.0, 3.0]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([RandomForestRegressor, ExtraTreesRegressor]), st.sampled_from([None, 1, 4]))
def test_predictions_are_those_of_scikit_learn(seed, kind, max_depth):
    model = fitted(kind, seed, max_depth=max_depth)
    rows = np.random.default_rng(seed + 1).normal(size=(80, 4))
    assert forest_predictions(plain_forest(model, "abcd"), rows) == pytest.approx(model.predict(rows), rel=1e-13, abs=1e-15)


def test_a_forest_of_one_leaf_says_the_mean():
    model = RandomForestRegressor(1, bootstrap=False).fit(np.zeros((4, 1)), [1.0, 2.0, 3.0, 6.0])
    assert forest_predictions(plain_forest(model, "x"), np.array([[9.0]])).tolist() == [3.0]


def test_text_keeps_every_bit():
    plain = plain_forest(fitted(RandomForestRegressor, 3), "abcd")
    rows = np.random.default_rng(0).normal(size=(50, 4))
    again = forest_from_json(forest_to_json(plain))
    assert forest_predictions(again, rows).tolist() == forest_predictions(plain, rows).tolist()
    short = forest_to_json(plain, digits=4)
    assert len(short) < len(forest_to_json(plain))
    assert forest_predictions(forest_from_json(short), rows) == pytest.approx(forest_predictions(plain, rows), abs=0.2)


def test_blocks_and_empty_tables(monkeypatch):
    rows = np.linspace(0, 1, 7)[:, None]
    whole = forest_predictions(STUMP, rows).tolist()
    monkeypatch.setattr(module, "_BLOCK_ROWS", 2)
    assert forest_predictions(STUMP, rows).tolist() == whole
    assert forest_predictions(STUMP, rows[:0]).shape == (0,)


def test_other_columns_are_refused():
    with pytest.raises(ShapeError, match="takes 1 columns"):
        forest_predictions(STUMP, np.zeros((2, 3)))


@pytest.mark.parametrize(
    "change",
    [
        {"roots": []},
        {"roots": [7]},
        {"left": [1, 1]},
        {"right": [9, 1, 2]},
        {"left": [-1, 1, 2]},
        {"feature": [1, 0, 0]},
        {"threshold": [float("nan"), 0, 0]},
        {"value": [None, 0, 0]},
        {"depth": -1},
        {"depth": 10**9},
        {"inputs": 3},
        {"feature": "no"},
    ],
)
def test_damaged_text_is_refused(change):
    kept = json.loads(forest_to_json(STUMP))
    for text in (json.dumps({**kept, **change}), json.dumps({k: v for k, v in kept.items() if k not in change}), "{", "[]"):
        with pytest.raises(FormatError, match="Not a forest"):
            forest_from_json(text)
