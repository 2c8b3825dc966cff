import json
from pathlib import Path

import pytest

from medloop.core.settings import SETTINGS
from medloop.loop.foundation.workspace import Workspace

from .conftest import Medloop


@pytest.fixture
def folder(medloop: Medloop, tmp_path: Path) -> Path:
    made = tmp_path / "p"
    assert medloop("init", made, "--kind", "segmentation", "--label", "liver", "--start-size", 6, "--interactive-network").status == 0
    return made


def another(name: str) -> str | int | float | bool:
    """A value that is allowed and not the default."""
    declared = SETTINGS[name]
    words = {
        "strategy": "margin",
        "first_strategy": "typiclust",
        "query_label": "liver",
        "mark_weights": "likely=0.5, tagged=0",
        "learn_group": "site=B",
    }
    if declared.kind is bool:
        return not declared.default
    if declared.kind is str:
        return words.get(name) or declared.choices[-1]
    further = 0.05 if name.endswith("_fraction") else 2  # shares that together leave cases to train
    return declared.kind(min(declared.default + further, declared.high))


def test_every_setting_can_be_given_at_the_beginning(medloop: Medloop, tmp_path: Path):
    wanted = {name: another(name) for name in SETTINGS if name != "template"}  # refused beside query units, see test_named_frames
    wanted["annotator_model"] = "none"  # refused beside soft targets, see test_soft_targets
    wanted["stream_risk"] = 0.0  # refused beside another rule for streams, see test_disposing
    wanted["robust"] = "robust-loss"  # small-loss is refused beside copy-paste, see test_robust
    options = [x for n, v in wanted.items() for x in ([SETTINGS[n].flag] if v is True else [SETTINGS[n].flag, SETTINGS[n].write(v)])]
    said = medloop("init", tmp_path / "q", "--kind", "segmentation", "--label", "liver", *options)
    assert said.status == 0, said.err
    with Workspace.open(tmp_path / "q") as workspace:
        assert {name: getattr(workspace.settings, name) for name in wanted} == wanted


def test_without_changes_all_settings_are_shown(medloop: Medloop, folder: Path):
    table = medloop("configure", folder).out
    assert all(name in table for name in SETTINGS)
    assert all(declared.meaning in table and all(word in declared.meaning for word in declared.choices) for declared in SETTINGS.values())
    shown = json.loads(medloop("configure", folder, "--json").out)
    assert (shown["settings"]["start_size"], shown["settings"]["interactive_network"]) == (6, True)
    assert shown["task"]["labels"][0]["name"] == "liver"


def test_older_names_of_settings_are_accepted_and_not_shown(medloop: Medloop, tmp_path: Path):
    made, kind = tmp_path / "q", ("--kind", "segmentation", "--label", "liver")
    assert medloop("init", made, *kind, "--summed", "top", "--guided", "--right-reasons", 30, "--aggregation", "top").status == 0
    settings = json.loads(medloop("configure", made, "--json").out)["settings"]
    assert (settings["aggregation"], settings["interactive_network"], settings["explanation_penalty"]) == ("top", True, 30)
    changed = medloop("configure", made, "summed=sum", "guided=no").out.splitlines()
    assert changed == ["aggregation: top → sum (next training)", "interactive_network: yes → no (next training)"]
    assert not {"summed", "guided", "right-reasons", "right_reasons"} & set(medloop("init", "--help").out.replace("--", " ").split())


def test_an_older_and_a_newer_name_with_different_values_are_refused_in_one_line(medloop: Medloop, folder: Path, tmp_path: Path):
    both = ("--summed", "top", "--aggregation", "sum")
    made = medloop("init", tmp_path / "q", "--kind", "segmentation", "--label", "liver", *both)
    changed = medloop("configure", folder, "summed=top", "aggregation=sum")
    assert ("--aggregation must be given once" in made.err, made.err.count("\n"), made.status) == (True, 1, 2)
    assert ("aggregation must be given once" in changed.err, changed.err.count("\n"), changed.status) == (True, 1, 2)
    assert not (tmp_path / "q").exists()


def test_changes_are_told_with_the_time_from_when_they_count(medloop: Medloop, folder: Path):
    labels = ("--add-label", "tumour", "--rename-label", "liver=Leber")
    said = medloop("configure", folder, "batch=7", "interactive_network=no", *labels, "--name", "Leber")
    assert said.out.splitlines() == [
        "name: p → Leber (at once)",
        "batch_size: 4 → 7 (next query)",
        "interactive_network: yes → no (next training)",
        "label 1: liver → Leber (at once)",
        "label 2: (none) → tumour (next training)",
    ]
    assert medloop("configure", folder, "batch=7").out == "Nothing changed: everything was so already\n"
    assert medloop("audit", folder, "verify").status == 0


@pytest.mark.parametrize(
    "change",
    [
        ["batch"],
        ["batch=many"],
        ["batch=0"],
        ["=3"],
        ["batch=3", "batch=4"],
        ["interactive_network=perhaps"],
        ["seed=3"],
        ["strategy=nope"],
        ["nothing=3"],
        ["--rename-label", "lung=Lunge"],
        ["--colour", "liver=red"],
        ["--add-label", "liver"],
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_changes_nothing(medloop: Medloop, folder: Path, change: list[str]):
    said = medloop("configure", folder, "samples=9", *change)
    assert said.status in (1, 2)
    assert said.err.startswith("medloop: ")
    assert said.err.count("\n") == 1
    assert json.loads(medloop("configure", folder, "--json").out)["settings"]["samples"] == 6


def test_labels_with_an_equals_sign_in_their_names_are_renamed_and_coloured(medloop: Medloop, tmp_path: Path):
    made = tmp_path / "q"
    assert medloop("init", made, "--kind", "segmentation", "--label", "stage=1", "--label", "lung").status == 0
    said = medloop(
        "configure", made, "--rename-label", "stage=1=stage=2", "--rename-label", "lung=lung=left", "--colour", "stage=2=#112233"
    )
    assert said.status == 0, said.err
    labels = json.loads(medloop("configure", made, "--json").out)["task"]["labels"]
    assert [label["name"] for label in labels] == ["stage=2", "lung=left"]
    assert labels[0]["colour"] == "#112233"


def test_a_renaming_that_begins_with_two_labels_names_both(medloop: Medloop, tmp_path: Path):
    made = tmp_path / "q"
    medloop("init", made, "--kind", "segmentation", "--label", "stage", "--label", "stage=1")
    said = medloop("configure", made, "--rename-label", "stage=1=x")
    assert said.status == 2
    assert "begins with 'stage' and 'stage=1'" in said.err


@pytest.mark.parametrize("options", [["--name", " "], ["--name", "a\x07b"], ["--name", "x" * 201], ["--instructions", "x" * 20_001]])
def test_a_project_is_made_under_the_rules_it_is_changed_by(medloop: Medloop, folder: Path, tmp_path: Path, options: list[str]):
    made = medloop("init", tmp_path / "q", "--kind", "segmentation", "--label", "liver", *options)
    changed = medloop("configure", folder, *options)
    assert (made.status, made.err) == (changed.status, changed.err) == (2, made.err)
    assert not (tmp_path / "q").exists()
