"""Empty text, paths that cannot be, and nothing to show: one true line, and nothing is read or written in their place."""

from pathlib import Path

import pytest

from .conftest import Medloop

INIT = ("--kind", "segmentation", "--label", "a")
EMPTY = [
    ["status", ""],
    ["status", "--json", ""],
    ["init", "", *INIT],
    ["init", "p", *INIT, "--strategy", ""],
    ["init", "p", *INIT, "--database="],
    ["import", "p", ""],
    ["backup", "p", ""],
    ["export", "p", "", "--format=msd"],
    ["stream", "p", "--watch="],
    ["audit", "p", "--last-digest", ""],
    ["audit", "p", "--last-digest", " "],
    ["audit", "p", ""],
    ["query", "p", "--strategy", ""],
    ["models", "p", ""],
    ["annotators", "p", ""],
    ["simulate", "", "--out", "o"],
]


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_empty_text_is_never_taken_for_this_folder_or_for_nothing_given(
    medloop: Medloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
):
    monkeypatch.chdir(tmp_path)
    said = medloop(*arguments)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert "empty" in said.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["configure", "P", "--train-steps", "60"], "medloop configure DIR train_steps=60; see medloop configure --help"),
        (["train", "P", "--train-steps=60"], "medloop configure DIR train_steps=60; see"),
        (["train", "P", "--train-steps"], "medloop configure DIR train_steps=VALUE; see"),
        (["configure", "P", "train-steps", "60"], "got 'train-steps'; write train_steps=VALUE"),
        (["init", "P", "--train-steps", "60"], "train_steps is --steps here; see medloop init --help"),
        (["configure", "P", "--colours", "60"], "No such option: --colours"),
    ],
)
def test_a_setting_that_is_given_as_an_option_is_refused_with_how_it_is_written(
    medloop: Medloop, project: Path, arguments: list[str], hint: str
):
    said = medloop(*[str(project) if a == "P" else a for a in arguments])
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert hint in said.err


def test_instructions_can_be_emptied(medloop: Medloop, project: Path):
    assert medloop("configure", project, "--instructions", "Look twice").status == 0
    assert "Look twice → (none)" in medloop("configure", project, "--instructions", "").out


@pytest.mark.parametrize(
    "command", [["status"], ["worker"], ["serve", "--port", "0"], ["import", "P"], ["backup", "P"], ["simulate", "--out", "o"]]
)
def test_a_path_that_cannot_be_used_is_one_line_with_its_reason(
    medloop: Medloop, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
):
    monkeypatch.chdir(tmp_path)
    path = "x" * 300
    said = medloop(*[str(project) if a == "P" else a for a in command], path)
    assert (said.status, said.out, said.err.count("\n")) == (1, "", 1)
    assert path in said.err
    assert "Unexpected" not in said.err


def test_with_nothing_to_measure_that_is_said_instead_of_a_bare_head(medloop: Medloop, project: Path):
    said = medloop("measure", project, "--of", "prediction")
    assert (said.status, said.out) == (0, "")
    assert "prediction" in said.err


@pytest.mark.parametrize("tolerance", ["nan", "inf", "-1", "0"])
def test_a_tolerance_is_checked_before_anything_is_predicted(medloop: Medloop, project: Path, tolerance: str):
    said = medloop("measure", project, f"--tolerance={tolerance}")
    assert (said.status, said.out) == (2, "")
    assert tolerance in said.err


def test_what_needs_masks_names_what_a_classification_has_instead(medloop: Medloop, tmp_path: Path):
    folder = tmp_path / "tags"
    assert medloop("init", folder, "--kind", "classification", "--label", "healthy", "--label", "lesion").status == 0
    for command in ("measure", "quality"):
        said = medloop(command, folder)
        assert said.status == 1
        assert "classification" in said.err
        assert "medloop triage" in said.err
