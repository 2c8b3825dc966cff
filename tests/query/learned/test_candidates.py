"""What learned strategies see: by hand, without units, and kept up to date while a batch grows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from medloop.core.errors import InputError, ShapeError
from medloop.query.learned import candidates as module
from medloop.query.learned.candidates import FARTHEST, NAMES, after_choosing, candidates, describe


def drawn(seed: int, *, cases: int = 12, dimensions: int = 3, classes: int = 3):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(classes), size=(4, cases)), rng.normal(size=(cases, dimensions)), rng.normal(size=(5, dimensions))


def column(table, name):
    return table[:, NAMES.index(name)]


def test_two_cases_by_hand():
    samples = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])
    table = describe(candidates(samples, np.array([[-3.0], [3.0]]), np.array([[3.0]])))
    # One axis, scaled to ±1 / √2: the cases are √2 apart.
    assert column(table, "doubt") == pytest.approx([1.0, 1.0])
    assert column(table, "distrust") == pytest.approx([1.0, 1.0])
    assert column(table, "tie") == pytest.approx([1.0, 1.0])
    assert column(table, "disagreement") == pytest.approx([0.0, 1.0])
    assert column(table, "density") == pytest.approx([(1 + np.exp(-2)) / 2] * 2)
    assert column(table, "novelty") == pytest.approx([np.sqrt(2), 0.0])
    assert column(table, "answered") == pytest.approx([0.1, 0.1])
    assert column(table, "answered_share") == pytest.approx([1 / 3, 1 / 3])


@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_neither_units_nor_a_turn_of_the_embedding_matter(seed, factor):
    samples, features, answered = drawn(seed)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    straight = describe(candidates(samples, features, answered))
    moved = describe(candidates(samples, factor * features @ turn + 5, factor * answered @ turn + 5))
    assert moved == pytest.approx(straight, abs=1e-6)


@given(st.integers(0, 10_000))
def test_every_number_stays_in_a_small_range(seed):
    table = describe(candidates(*drawn(seed)))
    assert table.shape == (12, len(NAMES))
    assert (table >= -1e-12).all()
    assert (table <= FARTHEST + 1e-12).all()


@given(st.integers(0, 10_000))
def test_choosing_a_case_is_like_answering_it(seed):
    samples, features, answered = drawn(seed)
    step = after_choosing(candidates(samples, features, answered), 3)
    whole = candidates(samples, features, np.vstack([answered, features[3]]))
    assert describe(step) == pytest.approx(describe(whole), abs=1e-7)


def test_blocks_change_nothing(monkeypatch):
    samples, features, answered = drawn(1)
    whole = describe(candidates(samples, features, answered))
    monkeypatch.setattr(module, "_BLOCK_ROWS", 2)
    assert describe(candidates(samples, features, answered)) == pytest.approx(whole)


def test_density_counts_only_the_anchors_of_a_large_pool(monkeypatch):
    monkeypatch.setattr(module, "MOST_ANCHORS", 3)
    samples, features, _ = drawn(2, cases=5)
    state = candidates(samples, features, None)
    plain = np.exp(-(cdist(state.places, state.places[[0, 2, 4]]) ** 2)).mean(axis=1)
    assert column(describe(state), "density") == pytest.approx(plain)


def test_nothing_answered_and_cases_alike_are_fine():
    samples = np.full((2, 4, 2), 0.5)
    table = describe(candidates(samples, np.ones((4, 3)), None))
    assert column(table, "novelty").tolist() == [FARTHEST] * 4
    assert column(table, "density").tolist() == [1.0] * 4
    assert column(table, "answered").tolist() == [0.0] * 4


def test_tables_that_do_not_fit_are_refused():
    samples, features, answered = drawn(0)
    with pytest.raises(ShapeError, match=">= 2 classes"):
        candidates(np.ones((4, 12, 1)), features, answered)
    with pytest.raises(ShapeError, match="must have 3 dimensions"):
        candidates(samples, features, answered[:, :2])
    with pytest.raises(InputError, match="finite"):
        candidates(samples, np.where(features > 1, np.nan, features), answered)
