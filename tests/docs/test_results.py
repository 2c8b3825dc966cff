"""The page of results is one table of claims, each with its study, and no study is left off it."""

import re

import pytest

from ..conftest import REPOSITORY

FOLDER = REPOSITORY / "benchmarks"
PAGE = (FOLDER / "RESULTS.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line[1:-1].split("|")] for line in PAGE.splitlines() if line.startswith("| [")]
STUDIES = sorted((FOLDER / "results").glob("*.md"))


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= 100
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_a_claim_has_its_figure_interval_goal_verdict_and_command(row: list[str]) -> None:
    claim, figure, interval, goal, met, command = row
    assert figure
    assert interval
    assert (met == "") == (goal == "none set"), "a goal is met or not; without a goal there is no verdict"
    assert met in ("", "yes", "**no**")
    assert command == "none" or (FOLDER / command.strip("`").split()[0]).is_file()
    assert all((FOLDER / target).is_file() for target in re.findall(r"\]\(([^)]+)\)", claim))


def test_every_study_is_on_the_page() -> None:
    assert [study.name for study in STUDIES if f"(results/{study.name})" not in PAGE] == []


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.stem)
def test_a_study_names_its_script_or_says_that_there_is_none(study) -> None:
    text = study.read_text(encoding="utf-8")
    scripts = [name for name in re.findall(r"\b(\w+\.py)\b", text) if (FOLDER / name).is_file()]
    assert scripts or "no script" in text or "not kept" in text
