"""Whole suites on phantoms: one folder per part, one ranking, the same bits however it is run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medloop.core.errors import ConflictError, SettingError
from medloop.simulation.design import FULL, Unit
from medloop.simulation.files import read_json
from medloop.simulation.suite import read_suite
from medloop.simulation.suite_results import OVERVIEW, SuiteResult, overview
from medloop.simulation.suite_runs import run_suite, write_suite_results

from .phantom_data import tagged

KILLED = Path(__file__).with_name("killed_study.py")
FILE = """
strategies = ["entropy"]
seeds = [1]
steps = 2
samples = 2
[[datasets]]
path = "{phantoms}"
budgets = [{{ name = "early", start = 2, batch = 1, rounds = 2 }}, {{ name = "late", start = 4, batch = 2, rounds = 2 }}]
[[datasets]]
path = "{tags}"
name = "tags"
budgets = [{{ start = 7, batch = 1, rounds = 2 }}]
"""


@pytest.fixture(scope="module")
def file(phantoms, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    tags = tagged(folder / "tags")
    (folder / "study.toml").write_text(FILE.format(phantoms=phantoms, tags=tags))
    return folder / "study.toml"


@pytest.fixture(scope="module")
def done(file, tmp_path_factory) -> tuple[Path, SuiteResult]:
    out = tmp_path_factory.mktemp("suite-out") / "out"
    return out, run_suite(read_suite(file), out)


def test_baselines_are_added_by_the_kind_of_data(done):
    _, result = done
    assert [[c.strategy for c in study.curves] for _, study in result.studies] == [
        ["random", "foreground", "entropy"],
        ["random", "foreground", "entropy"],
        ["random", "entropy"],
    ]
    assert [study.added for _, study in result.studies] == [("random", "foreground"), ("random", "foreground"), ("random",)]


def test_only_what_all_settings_have_is_ranked(done):
    _, result = done
    assert {r.strategy for r in result.ranks} == {"random", "entropy"}
    assert result.unranked == ("foreground",)
    assert sum(r.rank.mean for r in result.ranks) == pytest.approx(3)
    assert result.penalties.strategies == ("random", "foreground", "entropy")
    assert result.verdict == "No winner: luck and merit cannot be distinguished (no interval: 1 seed, at least 3 needed)."
    assert result.missing == ()


def test_the_full_data_models_of_one_data_set_are_trained_once(done):
    out, result = done
    early, late, _ = (part.folder(out) for part, _ in result.studies)
    unit = Unit(1, FULL, 1)
    assert unit.run_folder(early).exists()
    assert not unit.run_folder(late).exists()
    first, second = (read_json(unit.result_file(folder)) for folder in (early, late))
    assert {**first, "seconds": 0.0} == second


def test_the_report_stands_alone(done):
    out, result = done
    html = (out / "report.html").read_text()
    assert all(word not in html for word in ("<script", "http://", "https://", "src=", "@import", "url("))
    assert all(f'id="{part.name}"' in html for part, _ in result.studies)
    assert "Added as baselines" in html
    assert len(overview(result.studies)) == 8
    assert all(len(row) == len(OVERVIEW) for row in overview(result.studies))


def test_a_second_call_changes_nothing(done, file):
    out, _ = done
    before = (out / "results.json").read_bytes()
    run_suite(read_suite(file), out)
    assert (out / "results.json").read_bytes() == before


def test_killed_while_it_shares_an_import_it_ends_with_the_same_bits(done, file, tmp_path):
    out, _ = done
    child = subprocess.run([sys.executable, str(KILLED), str(file), str(tmp_path / "out"), "sharing"], env={**os.environ}, check=False)
    assert child.returncode == -signal.SIGKILL
    begun = write_suite_results(read_suite(file), tmp_path / "out")
    assert begun.not_begun == ("slices-late", "tags-7+1x1")
    assert "Unfinished" in (tmp_path / "out" / "report.html").read_text()
    run_suite(read_suite(file), tmp_path / "out")
    assert (tmp_path / "out" / "results.json").read_bytes() == (out / "results.json").read_bytes()


def test_another_suite_in_the_same_folder_is_refused(done, file, tmp_path):
    out, result = done
    other = tmp_path / "study.toml"
    other.write_text(file.read_text().replace("steps = 2", "steps = 4"))
    with pytest.raises(ConflictError, match="holds another study"):
        run_suite(read_suite(other), out)
    with pytest.raises(ConflictError, match="holds a study of one data set"):
        run_suite(read_suite(file), result.studies[0][0].folder(out))


def test_a_study_that_cannot_run_is_named(file, tmp_path):
    other = tmp_path / "study.toml"
    other.write_text(file.read_text().replace("start = 2", "start = 40"))
    with pytest.raises(SettingError, match="slices-early: The rounds query 41 cases"):
        run_suite(read_suite(other), tmp_path / "out")
