"""The study of what pretraining saves: what is compared with what, and that finished runs are found again."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from pretraining import FULL, images_of, main, needed_of
from semi_supervised import Item, split


def row(labels: int | str, way: str, seed: int, dice: float, **more: Any) -> dict[str, Any]:
    known = {"dataset": "phantoms", "seed": seed, "labels": labels, "way": way, "steps": 4, "pretraining_steps": 4, "pool": 20}
    return {**known, "dice": [dice - 0.01, dice + 0.01], **more}


def test_the_pretraining_sees_no_image_of_a_test_patient_and_fewer_labels_are_the_first_of_more() -> None:
    items = [Item(f"{p}-{n}", f"patient{p}", lambda: pytest.fail("read")) for p in range(40) for n in range(2)]
    pool, cases = images_of(items, 3), split(items, 10, 3)
    assert {i.patient for i in pool}.isdisjoint(i.patient for i in cases.tested)
    assert [i.name for i in pool[:10]] == [i.name for i in cases.annotated]


def test_labels_are_those_to_a_share_of_the_full_data_score_from_scratch() -> None:
    rows = [row(FULL, "none", seed, 1.0) for seed in range(3)]
    rows += [
        row(n, way, seed, d)
        for seed in range(3)
        for way, n, d in (("none", 2, 0.5), ("none", 8, 0.95), ("restore", 2, 0.95), ("restore", 8, 0.97))
    ]
    scratch, begun = needed_of(rows, "none"), needed_of(rows, "restore")
    assert scratch is not None
    assert begun is not None
    assert (scratch.labels, begun.labels) == (pytest.approx(8), pytest.approx(2))
    assert needed_of([r for r in rows if r["labels"] != FULL], "none") is None


def test_runs_that_are_done_are_not_made_again_and_those_of_other_lengths_do_not_mix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "runs.jsonl"
    rows = [row(FULL, "none", 0, 0.9), row(2, "none", 0, 0.4), row(2, "restore", 0, 0.6), row(2, "none", 0, 0.1, steps=9)]
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    options = ["--data", str(tmp_path), "--datasets", "phantoms", "--seeds", "1", "--labels", "2", "--ways", "none,restore"]
    assert main([*options, "--steps", "4", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "2 labels restore  1 seeds: Dice 0.6000  +0.2000 (+0.2000 to +0.2000)" in out
    assert "labels to 95% of full data, none: not reached" in out
    assert file.read_text().count("\n") == 4
