"""The comparison of learners: what is printed of finished runs, and that these are not made again."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from learners import cpu_seconds, main


def test_finished_runs_are_compared_case_by_case_and_not_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runs.jsonl"
    known = {"dataset": "phantoms", "labels": 8, "tested": 2}
    rows = [
        {**known, "seed": seed, "learner": learner, "steps": 9, "cpu_seconds": 60.0, "dice": [dice, dice + 0.1]}
        for seed in range(2)
        for learner, dice in (("nnunet", 0.5), ("builtin", 0.7))
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["--data", str(tmp_path), "--datasets", "phantoms", "--seeds", "2", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "phantoms nnunet: Dice 0.5500, 1.0 CPU minutes, steps 9, 9, 2 seeds" in out
    assert "phantoms built-in less nnU-Net: +0.2000 (+0.2000 to +0.2000)" in out
    assert file.read_text().count("\n") == 4


def test_the_time_of_processes_that_ended_counts() -> None:
    import subprocess

    before = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert cpu_seconds() > before + 0.01
