"""The benchmark of the interactive default runs on any set of masks, and pairs what belongs together."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    return importlib.import_module("interactive_default")


def draw_discs(folder: Path, count: int) -> None:
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    x, y = np.meshgrid(np.arange(48), np.arange(40))
    for n in range(count):
        disc = np.hypot(x - 24, y - 20) <= 8 + n % 7
        noise = np.random.default_rng(n).integers(0, 60, disc.shape)
        Picture.fromarray((noise + 150 * disc).astype(np.uint8)).save(folder / "images" / f"{n:03}.png")
        Picture.fromarray((disc * 255).astype(np.uint8)).save(folder / "masks" / f"{n:03}.png")


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(FOLDER / "interactive_default.py"), *options], capture_output=True, text=True, check=False)


def test_both_networks_are_trained_and_clicked_and_a_finished_pair_is_not_measured_again(tmp_path: Path) -> None:
    draw_discs(tmp_path / "data", 9)
    out = tmp_path / "pairs.jsonl"
    small = ["--steps", "2", "--cases", "3", "--test-cases", "2", "--samples", "2", "--out", str(out)]
    options = ["--data", str(tmp_path / "data"), "--seeds", "1", *small]
    done = run(*options)
    assert done.returncode == 0, done.stderr
    (pair,) = map(json.loads, out.read_text().splitlines())
    assert [pair[name]["recipe"]["guided"] for name in ("plain", "interactive")] == [False, True]
    assert {len(curve) for name in ("plain", "interactive") for curve in pair[name]["dice"]} == {6}
    again = run(*options)
    assert (again.stderr, again.stdout) == ("", done.stdout)
    assert len(out.read_text().splitlines()) == 1


def test_a_difference_is_the_interactive_networks_gain_in_each_patient_of_each_seed(script) -> None:
    def pair(*gains: float) -> dict:
        plain = [[0.5] * 6 for _ in gains]
        return {
            "patients": ["a", "a", "b"],
            "plain": {"dice": plain},
            "interactive": {"dice": [[0.5, 0.5 + gain, *[0.5] * 4] for gain in gains]},
        }

    found = script.differences([pair(0.1, 0.3, -0.2), pair(0.0, 0.0, 0.4)], 1)
    assert found == pytest.approx(np.array([[0.2, -0.2], [0.0, 0.4]]))


def test_only_pairs_of_the_same_settings_are_put_together(script, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    options = script.parse(["--data", "x", "--minutes", "2", "--out", str(out)])
    lines = [{**script.settings_of(options), "minutes": minutes, "seed": 0} for minutes in (2.0, 6.0)]
    out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [pair["minutes"] for pair in script.read_pairs(options)] == [2.0]


@pytest.mark.parametrize(("change", "within"), [(-0.006, "no"), (-0.004, "yes"), (0.1, "yes")])
def test_only_a_loss_without_prompts_beyond_the_margin_speaks_against_the_default(script, capsys, change: float, within: str) -> None:
    facts = {"steps": 1, "cpu_minutes": 1.0}
    networks = {name: {**facts, "dice": [[0.5 + gain] * 6]} for name, gain in (("plain", 0.0), ("interactive", change))}
    script.print_table([{"data": "discs", "patients": ["a"], **networks}])
    assert f"within 0.005: {within}\n" in capsys.readouterr().out
