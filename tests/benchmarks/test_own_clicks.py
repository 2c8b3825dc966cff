"""Clicks that a project saves itself, counted by hand."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    return importlib.import_module("own_clicks")


def test_shares_are_of_the_frozen_engines_clicks(script) -> None:
    options = script.parse(["--data", "x"])
    rows = [{"patient": str(n), "clicks": 5 if n < 8 else 1 if n < 26 else 2, "frozen": 5 if n < 8 else 4} for n in range(28)]
    found = script.summarise({"seed": 0, "rows": rows}, options)
    assert found["share_all"] == pytest.approx((40 + 18 + 4) / (40 + 80))
    assert found["share_after"] == pytest.approx((18 + 4) / 80)
    assert found["at_most_one"] == pytest.approx(6 / 8)
    assert found["frozen_at_most_one"] == 0


def test_few_cases_have_no_late_ones(script) -> None:
    found = script.summarise({"seed": 0, "rows": [{"patient": "a", "clicks": 0, "frozen": 0}]}, script.parse(["--data", "x"]))
    assert (found["share_all"], found["at_most_one"]) == (None, None)


def test_the_frozen_engine_must_have_been_trained_by_then(script, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        script.parse(["--data", "x", "--every", "5"])
    assert "multiple of --every" in capsys.readouterr().err
