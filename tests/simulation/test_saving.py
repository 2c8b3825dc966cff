"""A study with and without pretraining: the same cases, one full-data score, and what the difference is worth in labels."""

import dataclasses
import json
from pathlib import Path

import pytest

from medloop.core.errors import SettingError
from medloop.loop.foundation.starts import starts
from medloop.loop.foundation.workspace import Workspace
from medloop.simulation.curves import Curve
from medloop.simulation.results import FullRun, StudyResult
from medloop.simulation.saving import SCRATCH, needed_text, run_with_and_without, saving_lines, saving_rows
from medloop.simulation.strategy_summary import Pool
from medloop.simulation.summary import summarise

from .phantom_data import small_design


@pytest.fixture(scope="module")
def both(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResult]:
    out = tmp_path_factory.mktemp("saving") / "out"
    design = small_design(phantoms, strategies=("random",), pretraining="pool", steps=4)
    result, _ = run_with_and_without(design, out)
    return out, result


def test_models_begin_with_weights_of_the_pool_in_one_study_and_from_scratch_in_the_other(both: tuple[Path, StudyResult]) -> None:
    out, _ = both
    for folder, count in ((out, 1), (out / SCRATCH, 0)):
        with Workspace.open(folder / "runs" / "seed-0" / "random") as workspace, workspace.store.read() as tx:
            assert len(starts(tx)) == count
    first, second = (json.loads((folder / "rounds" / "seed-0" / "shared-1.json").read_text()) for folder in (out, out / SCRATCH))
    assert first["picks"] == second["picks"]
    assert first["per_case"] != second["per_case"]


def test_the_full_data_score_is_that_from_scratch_in_both_and_is_run_once(both: tuple[Path, StudyResult]) -> None:
    out, result = both
    own, other = (json.loads((folder / "rounds" / "seed-0" / "full-1.json").read_text()) for folder in (out, out / SCRATCH))
    assert own == {**other, "seconds": 0.0}
    assert [run.score for run in result.full] == [other["score"]]


def test_the_report_and_a_file_say_what_is_saved_and_a_second_call_only_looks(both: tuple[Path, StudyResult]) -> None:
    out, result = both
    assert "Labels that pretraining saves" in (out / "report.html").read_text()
    kept = json.loads((out / "pretraining.json").read_text())
    assert [line["strategy"] for line in kept["strategies"]] == ["random"]
    done: list[int] = []
    again, _ = run_with_and_without(result.design, out, report=lambda now: done.append(now.done))
    assert again.to_json() == result.to_json()


def study(result: StudyResult, scores: dict[int, tuple[float, ...]]) -> StudyResult:
    """The same study with other curves, after 2, 4 and 8 labels."""
    curves = tuple(Curve("random", seed, (2, 4, 8), own, ({"a": own[0]}, {"a": own[1]}, {"a": own[2]})) for seed, own in scores.items())
    full = tuple(FullRun(seed, 12, 1.0) for seed in scores)
    made = summarise(curves, {run.seed: run.score for run in full}, {"a": "a"}, Pool(12))
    return dataclasses.replace(result, curves=curves, full=full, summary=made)


def test_half_the_labels_are_half_the_labels(both: tuple[Path, StudyResult]) -> None:
    before = study(both[1], dict.fromkeys(range(3), (0.1, 0.5, 0.95)))
    after = study(both[1], dict.fromkeys(range(3), (0.1, 0.95, 0.96)))
    (line,) = saving_lines(before, after)
    assert line.without is not None
    assert line.pretrained is not None
    assert (line.without.labels, line.pretrained.labels) == (pytest.approx(8), pytest.approx(4))
    assert line.saved is not None
    assert line.saved.mean == pytest.approx(0.5)
    assert (line.seeds, line.of) == (3, 3)


def test_a_seed_that_does_not_reach_the_score_both_ways_is_not_counted_and_the_table_says_so(both: tuple[Path, StudyResult]) -> None:
    before = study(both[1], {0: (0.1, 0.5, 0.6), 1: (0.1, 0.95, 0.96)})
    after = study(both[1], {0: (0.1, 0.5, 0.7), 1: (0.95, 0.95, 0.96)})
    (row,) = saving_rows(saving_lines(before, after))
    assert row[1] == "not reached"
    assert row[3].startswith("50% (")
    assert row[4] == "1 of 2"
    assert needed_text(None) == "unknown"


def test_a_study_pretrains_on_the_pool_or_not_at_all(phantoms: Path) -> None:
    with pytest.raises(SettingError, match="pretraining must be one of none, pool, got 'file'"):
        small_design(phantoms, pretraining="file")
