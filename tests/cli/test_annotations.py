"""Flagging from the command line, and what status, export and training say of cases that are left out."""

import json
from pathlib import Path

import numpy as np

from medloop import Project
from medloop.loop.foundation.workspace import Workspace

from .conftest import LABELS, Medloop


def first_case(project: Path) -> tuple[str, str]:
    """Name and mask blob of an annotated case."""
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        answer = tx.current_annotations()[0]
        return next(row.name for row in tx.worklist() if row.case_id == answer.case_id), str(answer.blob)


def test_a_flagged_case_leaves_counts_and_export_and_its_reason_is_told(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    name, _ = first_case(project)
    said = medloop("flag", project, name, "--reason", "wrong patient", "--annotator", "Jörg", "--json")
    made = json.loads(said.out)
    assert (made["case"], made["state"], len(made["withdrawn"])) == (name, "flagged", 1)
    status = json.loads(medloop("status", project, "--json").out)
    assert (status["counts"]["annotated"], status["counts"]["flagged"]) == (5, 1)
    assert (status["left_out"][0]["reason"], status["left_out"][0]["by"]) == ("wrong patient", "Jörg")
    assert f"{name} was flagged by Jörg" in medloop("status", project).out
    exported = medloop("export", project, tmp_path / "out", "--format", "nifti")
    assert "5 cases written" in exported.out
    assert f"left out: {name} was flagged by Jörg" in exported.err
    told = json.loads(medloop("export", project, tmp_path / "again", "--format", "nifti", "--json").out)
    assert any("wrong patient" in note for note in told["notes"])


def test_a_case_can_be_skipped_from_the_command_line(medloop: Medloop, project: Path) -> None:
    name, _ = first_case(project)
    assert f"{name} is skipped; 1 annotations withdrawn" in medloop("flag", project, name, "--reason", "too small", "--skip").out
    assert medloop("status", project).out.count("was skipped by local") == 1


def test_flagging_refuses_unknown_cases_reserved_names_and_empty_reasons(medloop: Medloop, project: Path) -> None:
    name, _ = first_case(project)
    assert "There is no case 'nobody'" in medloop("flag", project, "nobody", "--reason", "x").err
    assert "kept for medloop itself" in medloop("flag", project, name, "--reason", "x", "--annotator", "Imported").err
    assert "--reason must not be empty" in medloop("flag", project, name, "--reason", " ").err
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        assert tx.case_counts().open == 0


def test_one_damaged_mask_stops_neither_training_nor_export_and_is_named_on_stderr(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    name, blob = first_case(project)
    with Workspace.open(project) as workspace:
        path = workspace.store.blobs.path(blob)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00\x00")
    trained = medloop("train", project)
    assert trained.status == 0
    assert f"{name} is left out: the bytes of its mask are damaged" in trained.err
    exported = medloop("export", project, tmp_path / "out", "--format", "nifti")
    assert (exported.status, "5 cases written" in exported.out) == (0, True)
    assert f"{name} is left out" in exported.err
    assert f"damaged {name} is left out" in medloop("status", project).out
    assert medloop("measure", project, "--of", "annotation").err.count(f"{name} is left out") == 1
    assert LABELS


def test_annotators_are_listed_and_priced_and_status_counts_their_cost(medloop: Medloop, project: Path) -> None:
    with Project.open(project) as opened:
        case = opened.next("Ann")
        assert case is not None
        opened.submit(case, np.ones(case.case.grid.shape, dtype=np.uint8), effort_seconds=120)
    assert "cost" not in medloop("status", project).out.split("advice")[0]
    assert medloop("annotators", project, "Ann", "--cost-per-minute", 3).status == 0
    people = json.loads(medloop("annotators", project, "--json").out)["annotators"]
    assert "import" not in [one["annotator"] for one in people]
    (line,) = [one for one in people if one["annotator"] == "Ann"]
    assert (line["cases"], line["minutes"], line["cost_per_minute"], line["cost"]) == (1, 2.0, 3.0, 6.0)
    assert "2.0 minutes, 120 s in the median, cost 6" in medloop("status", project).out
    with Project.open(project) as opened:
        opened.set_cost("Ann", 4, past=True)
        assert [one.cost for one in opened.annotators() if one.annotator == "Ann"] == [8.0]


def test_pricing_needs_a_name_that_is_known_and_a_rate(medloop: Medloop, project: Path) -> None:
    assert medloop("annotators", project, "Ann").status == 2
    assert medloop("annotators", project, "--cost-per-minute", 3).status == 2
    assert "There is no annotator 'Nobody'" in medloop("annotators", project, "Nobody", "--cost-per-minute", 3).err


def test_what_people_would_get_next_is_shown_with_the_reason_and_their_terms_are_set(medloop: Medloop, project: Path) -> None:
    assert medloop("configure", project, "routing=value", "readings=3").status == 0
    said = medloop("annotators", project, "Nia", "--expertise", "novice", "--cases-per-week", 40, "--hours-per-week", 2.5, "--json")
    (line,) = [one for one in json.loads(said.out)["annotators"] if one["annotator"] == "Nia"]
    assert (line["expertise"], line["expected"], line["cases_per_week"], line["hours_per_week"]) == ("novice", 0.75, 40, 2.5)
    assert "2.5 hours, 40 cases" in medloop("annotators", project).out
    assert "Nobody has opened a case within a week" in medloop("next", project).out
    with Project.open(project) as opened:
        assert opened.next("Nia") is not None
    (one,) = json.loads(medloop("next", project, "--json").out)["next"]
    assert one["annotator"] == "Nia"
    assert "you read it because your reading (skill 0.75" in one["reason"]
    assert "There is no annotator 'Bob'" in medloop("next", project, "Bob").err
    assert "--expertise must be one of novice, expert, consultant" in medloop("annotators", project, "Nia", "--expertise", "guru").err


def test_gold_cases_are_made_listed_and_withdrawn_and_people_admitted(medloop: Medloop, project: Path) -> None:
    name, _ = first_case(project)
    assert "There is no gold case" in medloop("gold", "list", project).out
    assert f"{name} is a gold case" in medloop("gold", "add", project, name, "--annotator", "Rita").out
    medloop("configure", project, "tutorial=2")
    assert "A tutorial needs 2 gold cases, there are 1" in medloop("status", project).out
    with Project.open(project) as opened:
        case = opened.next("Ann")
        assert case is not None
        opened.submit(case, np.ones(case.case.grid.shape, dtype=np.uint8))
        found = opened.gold_feedback(case)
        assert found is not None
        assert found.case == name
        assert opened.next("Ann") is None
        assert [one.readings for one in opened.gold().people if one.annotator == "Ann"] == [1]
        opened.admit("Ann")
    listed = json.loads(medloop("gold", "list", project, "--json").out)
    assert [(one["case"], one["readings"]) for one in listed["cases"]] == [(name, 1)]
    assert "admitted without it" in medloop("gold", "list", project).out
    assert "There is no annotator 'Nobody'" in medloop("gold", "admit", project, "Nobody").err
    assert f"{name} is no gold case any more" in medloop("gold", "withdraw", project, name).out
