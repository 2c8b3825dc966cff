"""Batches in balance: rare classes by hand, the counts, and that no class runs away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, ShapeError
from medloop.query.budget.balance import class_presence, select_class_balanced, typical_shares
from medloop.query.strategies import Pool

SHARES = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.9, 0.0, 0.1], [1.0, 0.0, 0.0], [0.7, 0.2, 0.1]])
DOUBTS = np.array([[0.1, 0.5, 0.0], [0.1, 0.6, 0.0], [0.1, 0.0, 0.2], [0.9, 0.0, 0.0], [0.1, 0.4, 0.3]])


def pool(shares=SHARES, doubts=DOUBTS, known=None) -> Pool:
    names = tuple(f"c{n:02d}" for n in range(len(shares)))
    tables = {"class_share": shares, "class_entropy": doubts}
    return Pool(names, {}, None, None, tables, {} if known is None else {"class_share": np.array(known)})


def picked(given_pool, count) -> list[int]:
    return [p.index for p in select_class_balanced(given_pool, count, np.random.default_rng(0))]


def test_the_rarest_class_comes_first_then_the_next() -> None:
    # class 2 is rarest: case 4 is least sure of it and also holds class 1; then the background is next: case 3
    assert picked(pool(), 2) == [4, 3]


def test_a_class_that_was_asked_often_waits() -> None:
    assert picked(pool(known=[[0.6, 0.0, 0.4]] * 3), 1) == [1]  # class 1 never yet
    assert picked(pool(known=[[0.6, 0.4, 0.0]] * 3), 1) == [4]  # class 2 never yet


def test_the_reason_names_the_class() -> None:
    (pick,) = select_class_balanced(pool(), 1, np.random.default_rng(0))
    assert pick.reason.startswith("class 2 is rare so far (about 0.0 cases)")


def test_when_no_class_is_left_the_least_sure_come() -> None:
    assert picked(pool(np.zeros((3, 2)), np.array([[0.1, 0.0], [0.3, 0.3], [0.2, 0.0]])), 3) == [1, 2, 0]


def test_typical_shares_and_presence_by_hand() -> None:
    typical = typical_shares(SHARES)
    assert typical == pytest.approx([0.9, 0.2, 0.1])
    assert class_presence(SHARES, typical)[0] == pytest.approx([1.0, 0.5, 0.0])
    assert class_presence(SHARES, typical).sum(axis=0)[1] == pytest.approx(2.5)
    assert typical_shares(np.zeros((2, 2))).tolist() == [0.0, 0.0]


@given(st.integers(0, 1000), st.integers(2, 5))
def test_votes_are_asked_evenly_while_every_class_has_cases_left(seed, classes) -> None:
    rng = np.random.default_rng(seed)
    answer = np.concatenate([np.arange(classes).repeat(4), rng.integers(0, classes, 10)])
    votes = np.eye(classes)[answer]
    counts = np.bincount(answer[picked(pool(votes, rng.uniform(0.01, 1, votes.shape)), 3 * classes)], minlength=classes)
    assert counts.tolist() == [3] * classes


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        picked(pool(doubts=DOUBTS[:, :2]), 1)
    with pytest.raises(ShapeError, match="need 3 classes"):
        picked(pool(known=[[0.5, 0.5]]), 1)
    with pytest.raises(InputError, match="must be finite"):
        picked(pool(known=[[0.5, np.nan, 0.5]]), 1)
