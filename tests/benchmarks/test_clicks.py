"""Figures of clicks.py on made-up turns."""

import sys
from pathlib import Path

import numpy as np
import pytest

from medloop.interaction.prompts import Box, Point

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from trial import Turn


def turn(prompt, size: int) -> Turn:
    mask = np.zeros((40, 40, 1), dtype=np.uint8)
    mask[10 : 10 + size, 10:12] = 1
    return Turn(prompt, mask, 0.1, None)


def test_only_clicks_on_background_count_and_only_the_mask_around_them():
    from clicks import background_changes

    off = Point((10, 10, 0), positive=False)
    far = Point((35, 35, 0), positive=False)
    turns = [
        turn(None, 3),
        turn(off, 2),
        turn(Point((12, 10, 0)), 4),
        turn(off, 6),
        turn(far, 1),
        turn(Box((1, 1, 0), (2, 2, 1)), 5),
        turn(None, 5),
    ]
    assert background_changes(turns) == [-2, 4, 0]


def test_a_mask_that_never_grows_where_it_must_not_passes_the_sign_test():
    from clicks import summarise

    def summary(changes):
        measured = {"dice": [[0.5] * 11], "cpu_seconds": [0.1], "background_changes": changes}
        return summarise(measured, ["p"], 0)["background"]

    assert summary([-3] * 10 + [0]) == {"clicks": 11, "grew": 0, "shrank": 10, "sign_test_p": pytest.approx(0.5**10)}
    assert summary([5, -5])["sign_test_p"] > 0.5
    assert summary([])["sign_test_p"] == 1.0


def test_a_score_that_is_never_reached_counts_all_clicks():
    from clicks import CLICKS, clicks_to

    assert (clicks_to([0.7, 0.86, 0.84], 0.85), clicks_to([0.7] * 11, 0.85)) == (1, CLICKS)
