"""Reviewing on the command line: the queue, one case's history, verdicts, skill and suspects."""

import json
from pathlib import Path

import numpy as np
import pytest

from medloop import Project
from medloop.core.arrays import MaskArray

from .conftest import SHAPE, Medloop


def cube(start: int) -> MaskArray:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[start : start + 6, 4:10, 4:10] = 1
    return mask


@pytest.fixture
def disputed(project: Path, medloop: Medloop) -> str:
    """A case that Ann and Bob, and twice Eva, read differently; its name."""
    done = medloop("configure", project, "readings=3", "consensus=majority", "review=all")
    assert done.status == 0, done.err
    with Project.open(project) as opened:
        with opened.workspace.store.read() as tx:
            name = tx.worklist(state="unanswered")[0].name
        for person, start in (("Ann", 2), ("Bob", 3), ("Eva", 9)):
            opened.submit(opened.open_case(name, person), cube(start))
        opened.work()
    return name


def test_the_queue_the_history_and_a_signed_approval(medloop: Medloop, project: Path, disputed: str) -> None:
    waiting = json.loads(medloop("review", project, "--json").out)["waiting"]
    assert [(w["case"], w["state"], w["readers"]) for w in waiting] == [(disputed, "in review", ["Ann", "Bob", "Eva"])]
    assert "1 case in review: approve, return or adjudicate them (medloop review DIR)" in medloop("status", project).out
    said = medloop("approve", project, disputed, "--sign", "Rita Roe", "--reviewer", "Rita")
    assert "approved, signed by Rita Roe (approval)" in said.out
    assert medloop("review", project).out.strip() == "No case waits for a review"


def test_readings_are_put_together_label_by_label_and_restored(medloop: Medloop, project: Path, disputed: str) -> None:
    said = medloop("adjudicate", project, disputed, "--take", "Ann", "--take", "Bob:liver", "--reviewer", "Rita", "--json")
    history = json.loads(said.out)["history"]
    assert [line["what"] for line in history][-2:] == ["adjudicated", "approved"]
    again = medloop("adjudicate", project, disputed, "--restore", history[2]["annotation_id"], "--reviewer", "Rita", "--json")
    assert json.loads(again.out)["history"][-2]["what"] == "restored"
    assert "Nobody called 'Zoe' has read this case" in medloop("adjudicate", project, disputed, "--take", "Zoe:liver").err


def test_a_case_is_returned_with_a_comment_only(medloop: Medloop, project: Path, disputed: str) -> None:
    assert medloop("return", project, disputed, "--to", "Eva").status == 2
    typo = medloop("return", project, disputed, "--to", "Evva", "--comment", "the wrong organ")
    assert "There is no annotator 'Evva'; use Eva; people are known once they opened a case" in typo.err
    said = medloop("return", project, disputed, "--to", "Eva", "--comment", "the wrong organ", "--reviewer", "Rita")
    assert "returned to Eva" in said.out
    assert "1 case returned to Eva, who must annotate again" in medloop("status", project).out


@pytest.mark.parametrize("options", [(), ("--take", "Ann", "--restore", "annotation-1")])
def test_an_adjudication_says_what_counts(medloop: Medloop, project: Path, options: tuple[str, ...]) -> None:
    assert "takes --take or --restore, got both or none" in medloop("adjudicate", project, "case", *options).err


def test_who_disagrees_with_the_others_has_least_skill_and_leads_the_suspects(medloop: Medloop, project: Path, disputed: str) -> None:
    people = {a["annotator"]: a for a in json.loads(medloop("annotators", project, "--json").out)["annotators"]}
    assert people["Eva"]["skill"] < people["Ann"]["skill"]
    assert people["Eva"]["shared"] == 1
    found = json.loads(medloop("suspects", project, "--json").out)["suspects"]
    assert (found[0]["case"], found[0]["annotator"], found[0]["against"]) == (disputed, "Eva", "readers")
    assert "Eva" in medloop("suspects", project, "--limit", 1).out
