"""The study of routing runs on phantoms, and its savings are those of a table made by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import routing as study
from medloop.simulation.team_runs import Spending
from tests.simulation.phantom_data import slices

from .test_every_script import FOLDER


def spending(*steps: tuple[str, float, float]) -> Spending:
    money, scores, quality, spent = [0.0], dict[str, float](), [0.0], 0.0
    for case, score, price in steps:
        spent += price
        scores |= {case: score} if case else {}
        money.append(spent)
        quality.append(sum(scores.values()) / 2)
    return Spending("value", tuple(money), tuple(money), tuple(quality), steps)


def test_savings_are_counted_from_the_money_that_reached_the_target() -> None:
    routed, other = spending(("", 0.0, 1.0), ("a", 0.9, 1.0), ("b", 0.9, 1.0), ("b", 1.0, 9.0)), spending(("a", 1.0, 5.0), ("b", 1.0, 5.0))
    found = study.saving([{"value": routed, "two": other}] * 4, "two", 0.9, cases=2)
    assert (found["saving"], found["reached"]) == (pytest.approx(0.7), 4)
    assert found["low"] <= 0.7 <= found["high"]
    assert study.cost(routed, 0.9, {"a": 2.0, "b": 0.0}) == 3.0
    missed = study.saving([{"value": routed, "two": other}], "two", 1.1, cases=2)
    assert (missed["saving"], missed["reached"]) == (None, 0)


def test_the_script_measures_a_small_data_set_and_writes_what_it_found(tmp_path: Path) -> None:
    slices(tmp_path / "phantoms", count=4)
    out = tmp_path / "found.json"
    options = ["--sets", "phantoms", "--seeds", "1", "--cases", "2", "--gold", "1", "--readings", "2", "--json", str(out)]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "routing.py"), "--data", str(tmp_path), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "money saved against expert" in done.stdout
    found = json.loads(out.read_text())["sets"]["phantoms"]
    assert set(found["ends"]) == {"value", "expert", "two"}
