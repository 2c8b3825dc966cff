"""Marks instead of masks: which runs are made, and what the cases of a mixture have."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import weak_labels

LINE = '{"dataset": "phantoms", "seed": %d, "kind": "%s", "steps": 4, "labels": 2, "likely": 1.0, "agreed": 0.5, '
LINE += '%s"dice": [%s], "minutes": 9}\n'


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> list[str]:
    monkeypatch.setattr(weak_labels, "made", lambda *_: pytest.fail("a run was made again"))
    file = ["--json", str(tmp_path / "runs.jsonl"), "--datasets", "phantoms", "--labels", "2", "--steps", "4"]
    monkeypatch.setattr(sys, "argv", ["weak_labels.py", *file, *options])
    assert weak_labels.main() == 0
    return (tmp_path / "runs.jsonl").read_text().splitlines()


def test_lines_from_before_weights_could_be_learned_hold_the_usual_ones(tmp_path, monkeypatch, capsys):
    lines = [LINE % (seed, "mask", "", "0.8, 0.8") for seed in range(2)]
    lines += [LINE % (seed, "mixed", "", "0.6, 0.5") + LINE % (seed, "mixed", '"learned": true, ', "0.7, 0.7") for seed in range(2)]
    (tmp_path / "runs.jsonl").write_text("".join(lines))
    assert len(run(tmp_path, monkeypatch, "--kinds", "mask,mixed", "--seeds", "2", "--learned")) == 6
    out = capsys.readouterr().out
    assert "| phantoms | mixed | 0.550, 0.550 | 0.550 | 0.688" in out
    assert "mixed, weights learned less usual, 2 seeds: +0.1500 (+0.1000 to +0.2000)" in out


def test_a_mixture_gives_the_cases_each_kind_in_turn_and_whole_masks_learn_no_weights():
    assert weak_labels.kinds_of("mixed") == ("mask", "scribbles", "boxes", "extreme-points")
    assert weak_labels.kinds_of("points") == ("points",)
    given = weak_labels.options(["--kinds", "mask,boxes", "--datasets", "phantoms", "--seeds", "1", "--learned"])
    assert [(one.kind, one.learned) for one in weak_labels.wanted(given)] == [("mask", False), ("boxes", False), ("boxes", True)]
