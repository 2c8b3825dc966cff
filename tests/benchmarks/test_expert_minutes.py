"""The arithmetic of expert minutes, by hand."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    return importlib.import_module("expert_minutes")


def rounds(*points: tuple[float, float]) -> list[dict]:
    return [{"seconds": minutes * 60, "dice": [dice - 0.1, dice + 0.1]} for minutes, dice in points]


def test_minutes_lie_on_the_line_between_rounds(script) -> None:
    assert script.minutes_to(0.75, rounds((10, 0.6), (20, 0.7), (40, 0.8))) == pytest.approx(30)


def test_a_target_reached_at_once_costs_the_first_round(script) -> None:
    assert script.minutes_to(0.5, rounds((10, 0.6), (20, 0.7))) == 10


def test_a_dip_does_not_count_as_reaching(script) -> None:
    assert script.minutes_to(0.75, rounds((10, 0.7), (20, 0.6), (30, 0.9))) == pytest.approx(25)
    assert script.minutes_to(0.95, rounds((10, 0.7), (20, 0.9))) is None


def test_ways_that_draw_the_first_cases_share_that_round(script) -> None:
    assert {script.key(name, 0) for name in ("manual", "random", "weighted")} == {"drawn/0"}
    choosing = sum(way.chooses for way in script.WAYS.values())
    assert len({script.key(name, n) for name in script.WAYS for n in (0, 1)}) == (1 + choosing) + len(script.WAYS)


def test_an_unknown_way_is_refused(script, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        script.parse(["--data", "x", "--ways", "manual,magic"])
    assert "got magic" in capsys.readouterr().err


def test_the_same_work_is_priced_by_any_effort_model(script) -> None:
    tallies = [script.Tally(viewed=10, drawn=100), script.Tally(viewed=20, aims=10, drawn=200)]
    done = [{"tally": tally.to_json(), "dice": [dice]} for tally, dice in zip(tallies, (0.5, 0.8), strict=True)]
    assert script.minutes_to(0.8, done, script.EFFORT_MODELS["stated"]) == pytest.approx((20 * 1.5 + 10 * 2.4 + 200 * 0.2) / 60)
    assert script.minutes_to(0.8, done, script.EFFORT_MODELS["harsh"]) == pytest.approx((20 * 2.5 + 10 * 3.5 + 200 * 0.15) / 60)


def test_work_of_the_older_expert_is_counted_as_it_was_priced(script) -> None:
    import numpy as np

    truth = np.zeros((8, 8, 4), dtype=np.uint8)
    truth[2:6, 2:6, 1:3] = 1
    drawn = script.draw_slices(truth, 2, [0, 1, 2], script.EffortModel())
    assert script.Given.of(drawn, None).tally.seconds(script.EffortModel()) == pytest.approx(drawn.seconds)


def test_an_unknown_effort_model_is_refused(script, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        script.parse(["--data", "x", "--effort", "stated,rosy"])
    assert "got rosy" in capsys.readouterr().err


def test_few_seeds_have_no_interval(script) -> None:
    assert script._over_seeds([0.3, 0.4]).startswith("35% (no interval")


def test_the_cost_of_wrong_passes_is_counted(script) -> None:
    own, wrong, every, drawing = (script.Tally(drawn=n).to_json() for n in (10, 5, 40, 100))
    found = {"tally": own, "wrong_passes": wrong, "without_triage": every, "drawing": drawing}
    assert script._prices(found, script.EffortModel()) == "10.0%, 15.0% with wrong passes corrected later, 40.0% without triage"
