"""The chance of an error that an entropy stands for."""

import math

import numpy as np
import pytest

from medloop.metrics.expected_errors import expected_wrong


@pytest.mark.parametrize("chance", [0.0, 0.01, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_between_two_labels_it_is_the_chance_of_the_other_one(chance: float, classes: int) -> None:
    entropy = sum(-p * math.log(p) for p in (chance, 1 - chance) if p)
    stored = np.full(100, round(255 * entropy / math.log(classes)), np.uint8)
    assert expected_wrong(stored, classes) / 100 == pytest.approx(chance, abs=0.012 if chance < 0.5 else 0.06)


@pytest.mark.parametrize("classes", [2, 4, 9])
def test_of_a_model_that_knows_nothing_all_but_one_in_as_many_as_there_are_labels_are_wrong(classes: int) -> None:
    assert expected_wrong(np.full((2, 5), 255, np.uint8), classes) == pytest.approx(10 * (1 - 1 / classes), rel=1e-3)
    assert expected_wrong(np.zeros((2, 5), np.uint8), classes) == 0.0
