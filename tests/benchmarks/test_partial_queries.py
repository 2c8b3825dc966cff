"""The study of queried slices: what is annotated and nothing else is known, the same start for all, and strategies against the baseline."""

import json
from pathlib import Path

import numpy as np
import pytest

import partial_queries as study
from medloop.core.arrays import UNKNOWN
from medloop.core.seeds import generator

PHANTOMS = study.read_set("phantoms", Path())[0]


def test_only_the_slices_annotated_are_known() -> None:
    _, mask = study.annotated(PHANTOMS[0], [3, 5])
    truth = PHANTOMS[0].load()[1].array
    assert (mask.array[:, :, [3, 5]] == truth[:, :, [3, 5]]).all()
    assert (np.delete(mask.array, [3, 5], axis=2) == UNKNOWN).all()


def test_the_baseline_has_its_share_of_foreground_and_few_slices_of_a_case() -> None:
    pool = study.pool_of(PHANTOMS[:4])
    order = study.at_random(pool, pool.free(()), 6, generator(0, "test"), share=1.0)
    assert all(one in pool.foreground for one in order[:6])
    assert sorted(order) == sorted(pool.free(()))
    taken = study.limited(order, 6, 2)
    assert len(taken) == 6
    assert max(sum(name == one for one, _ in taken) for name, _ in taken) <= 2
    assert not set(taken) & set(pool.free(taken))


def row(strategy: str, seed: int, ends: float) -> dict[str, object]:
    cases = {f"case{n}": ends + 0.01 * n + 0.001 * seed * n for n in range(8)}
    start = dict.fromkeys(cases, 0.2)
    patients = {name: name for name in cases}
    own = {"per_case": [start, cases], "patients": patients, "labelled": [4, 8]}
    fixed = {"rounds": 2, "pool": 6, "most": 2, "steps_per_slice": 1.0}
    return {"dataset": "phantoms", "batch": 4, "seed": seed, "strategy": strategy, **fixed, **own, "cpu_seconds": 1.0, "foreground": 1.0}


def test_runs_that_are_there_are_only_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runs.jsonl"
    rows = [row(name, 0, ends) for name, ends in ((study.BASELINE, 0.5), ("gain", 0.7))]
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert study.main(["--quick", "--json", str(file)]) == 0
    assert "+0.1000 (no interval: 1 seed" in capsys.readouterr().out
    ends = {study.BASELINE: (0.5, 0.5, 0.5, 0.5), "gain": (0.68, 0.7, 0.71, 0.71)}
    study.print_table([row(name, seed, end) for name, own in ends.items() for seed, end in enumerate(own)])
    assert "| +0.1000 (+0.0" in capsys.readouterr().out
    assert file.read_text().count("\n") == 2
