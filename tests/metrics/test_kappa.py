"""Agreement beyond chance, as both annotators and consecutive models are judged by."""

import numpy as np
import pytest

from medloop.metrics.kappa import kappa_of
from medloop.query.budget.stability import kappa
from medloop.raters import cohen_kappa


def test_kappa_by_hand() -> None:
    """Seen 0.7, by chance 0.5 · 0.6 + 0.5 · 0.4 = 0.5."""
    assert kappa_of(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_nearer_classes_cost_less_by_hand() -> None:
    """Seen (2 · 1 + 1 · 2) / 6, by chance (1 + 1 + 2 + …) / 6 of the products of the margins."""
    table, costs = np.array([[1, 1, 1], [0, 1, 0], [0, 1, 1]]), np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))
    seen, chance = 1 + 2 + 1, (3 * 3 * 1 + 3 * 2 * 2 + 1 * 1 * 1 + 1 * 2 * 1 + 2 * 1 * 2 + 2 * 3 * 1) / 6
    assert kappa_of(table, costs) == pytest.approx(1 - seen / chance)


def test_models_that_only_ever_say_one_class_are_stable_and_people_who_do_show_nothing() -> None:
    table = np.array([[9, 0], [0, 0]])
    assert np.isnan(kappa_of(table))
    assert kappa(table) == 1.0
    assert np.isnan(cohen_kappa([0] * 9, [0] * 9))


def test_both_give_the_same_where_it_is_defined() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(0, 3, (2, 30))
        table = np.zeros((3, 3), dtype=np.int64)
        np.add.at(table, (first, second), 1)
        assert cohen_kappa(first, second) == kappa(table) == kappa_of(table)
