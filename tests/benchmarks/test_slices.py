"""Answers made from proposals by mending a few slices, by hand."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    return importlib.import_module("slices")


def columns(start: int) -> np.ndarray:
    """A square column through twenty slices."""
    mask = np.zeros((24, 24, 20), dtype=np.uint8)
    mask[start : start + 10, 6:16] = 1
    return mask


def test_a_mistake_made_on_every_slice_is_mended_on_every_slice_by_mending_some(script) -> None:
    found = script.mended_scores(columns(8), columns(5), 2, (1.0, 1.0, 1.0), [1])
    assert found["proposal"] == pytest.approx(0.7)
    for gap in (3, 4, 5, 6, 8):
        accepted, corrected = (found[f"every {gap}. slice mended, others {way}"] for way in ("accepted", "corrected"))
        assert found["proposal"] < accepted < corrected
        mended = list(range(20))[gap // 2 :: gap]
        beyond = mended[0] + 19 - mended[-1]
        assert corrected == pytest.approx(1 - 0.3 * beyond / 20, abs=0.01)
    assert found["every 3. slice mended, minutes"] > found["every 8. slice mended, minutes"] > 0


def test_a_right_proposal_stays_right_and_costs_only_looking(script) -> None:
    found = script.mended_scores(columns(5), columns(5), 2, (1.0, 1.0, 1.0), [1])
    assert found["every 5. slice mended, others corrected"] == found["proposal"] == 1.0
    assert found["every 5. slice mended, minutes"] == pytest.approx(4 * 1.5 / 60)
