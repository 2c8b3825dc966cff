"""The comparison with and without unlabelled cases: who is in which part, and the interval of the difference."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from semi_supervised import Item, difference, main, split


def items(patients: int, each: int = 2) -> list[Item]:
    return [Item(f"{p}-{n}", f"patient{p}", lambda: pytest.fail("read")) for p in range(patients) for n in range(each)]


def test_no_patient_is_in_two_parts_and_fewer_labels_are_the_first_of_more():
    few, more = (split(items(40), labels, seed=3) for labels in (5, 10))
    parts = [{i.patient for i in part} for part in (more.annotated, more.unlabelled, more.tested)]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert [i.name for i in few.annotated] == [i.name for i in more.annotated][:5]
    assert len({i.patient for i in more.annotated}) == 10
    other = split(items(40), 10, seed=4)
    assert [i.name for i in other.tested] == [i.name for i in more.tested]
    assert [i.name for i in other.annotated] != [i.name for i in more.annotated]


def test_any_case_of_a_patient_may_be_the_annotated_one():
    drawn = {item.name.split("-")[1] for seed in range(3) for item in split(items(40), 10, seed).annotated}
    assert drawn == {"0", "1"}


def test_settings_are_chosen_on_patients_that_are_neither_annotated_nor_the_test_ones():
    usual, tuned = split(items(40), 5, seed=1), split(items(40), 5, seed=1, tune=True)
    parts = [{i.patient for i in part} for part in (tuned.annotated, tuned.unlabelled, tuned.tested, usual.tested)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 40
    assert [i.name for i in tuned.annotated] == [i.name for i in usual.annotated]


def test_the_difference_is_drawn_over_seeds_and_cases():
    without = np.tile(np.linspace(0.5, 0.9, 20), (3, 1))
    assert difference(without + 0.1, without) == pytest.approx((0.1, 0.1, 0.1))
    uneven = without + np.array([[0.0], [0.1], [0.2]])
    mean, low, high = difference(uneven, without)
    assert (mean, low, high) == pytest.approx((0.1, 0.0, 0.2), abs=0.03)


def test_runs_that_are_done_are_not_made_again(tmp_path, capsys):
    options = ["--data", str(tmp_path), "--datasets", "phantoms", "--seeds", "1", "--labels", "2", "--ways", "none,copy-paste"]
    file = tmp_path / "runs.jsonl"
    line = '{"dataset": "phantoms", "labels": 2, "seed": 0, "way": "%s", "minutes": 0.0, "steps": 4, "trained_steps": 4, '
    line += '"pool": 9, "cpu_seconds": 1.0, "dice": [%s, 0.5, 0.6], "patch": [8, 8, 8], "batch": 2}\n'
    file.write_text(line % ("none", "0.4") + line % ("copy-paste", "0.7"))
    assert main([*options, "--steps", "4", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "copy-paste    0.6000      4      1  +0.1000 (" in out
    assert file.read_text().count("\n") == 2
