"""Several readings of classes: ties, and the fusions that many cases share."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import InputError, StateError
from medloop.core.records import Annotation, Annotator, Case, Consensus, Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.annotating.adjudicating import Ruling, adjudicate
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.fusing import Fusions, reconcile_case
from medloop.loop.worker import drain

from .conftest import FAST
from .test_readings import people, standing

SHAPE = (6, 6, 4)


def made(folder: Path, *, cases: int = 1, **settings: object) -> tuple[Workspace, list[Case]]:
    rules = dataclasses.replace(FAST, readings=2, **settings)  # type: ignore[arg-type]
    workspace = Workspace.create(folder / "classes", name="c", kind="classification", labels=["ill", "well", "odd"], settings=rules)
    for n in range(cases):
        source = Source(format="x", names=(f"{n}",), sha256=f"{n:064d}")
        add_case(workspace, phantom_3d(n, 1, SHAPE).image, NewCase(name=f"case{n}", patient=f"p{n}", split="train", source=source), None)
    with workspace.store.read() as tx:
        return workspace, tx.find(Case)


def tag(workspace: Workspace, case: Case, person: Annotator, value: int) -> Annotation:
    return submit(workspace, open_case(workspace, case.id, person.id).assignment.id, Submitted(tag=value))


def newest(workspace: Workspace) -> Consensus:
    with workspace.store.read() as tx:
        return tx.find(Consensus)[-1]


@pytest.mark.parametrize("method", ["latest", "majority", "weighted", "dawid_skene", "glad"])
def test_a_tie_between_two_readers_is_said_and_tells_nothing_of_their_skill(tmp_path: Path, method: str) -> None:
    workspace, (case,) = made(tmp_path, consensus=method, review="disagreement")
    ann, bob = people(workspace, "Ann", "Bob")
    tag(workspace, case, ann, 2)
    tag(workspace, case, bob, 1)
    drain(workspace)
    found = newest(workspace)
    assert found.note.endswith("well and odd are equally probable: well, the first, counts")
    assert found.skills[ann.id]["value"] == pytest.approx(found.skills[bob.id]["value"])
    assert standing(workspace, case.id).tag == 1


def test_without_a_fusion_the_most_frequent_class_stands_and_is_the_one_its_consensus_names(tmp_path: Path) -> None:
    workspace, (case,) = made(tmp_path, consensus="latest")
    for person, value in zip(people(workspace, "Ann", "Bob", "Eva"), (0, 0, 2), strict=True):
        tag(workspace, case, person, value)
    drain(workspace)
    assert (standing(workspace, case.id).tag, newest(workspace).annotation_id) == (0, standing(workspace, case.id).id)


def test_cases_of_the_same_readers_are_fused_once_until_one_of_them_is_read_anew(tmp_path: Path) -> None:
    workspace, cases = made(tmp_path, cases=3, consensus="dawid_skene")
    ann, bob = people(workspace, "Ann", "Bob")
    for case in cases:
        tag(workspace, case, ann, 0)
        tag(workspace, case, bob, 0)
    memo = Fusions()
    first = reconcile_case(workspace, cases[0], memo)
    (fused,) = memo.values()
    tag(workspace, cases[2], bob, 2)
    assert reconcile_case(workspace, cases[1], memo) is not None
    assert [*memo.values()] == [fused]
    last = reconcile_case(workspace, cases[2], memo)
    assert [*memo.values()] != [fused]
    assert first is not None
    assert last is not None
    assert last.agreement == 0.5
    assert last.skills[bob.id]["value"] < first.skills[bob.id]["value"]


def test_a_decision_of_a_reader_is_not_a_vote_of_theirs(tmp_path: Path) -> None:
    workspace, cases = made(tmp_path, cases=2, consensus="majority")
    ann, bob = people(workspace, "Ann", "Bob")
    tag(workspace, cases[0], ann, 0)
    right = tag(workspace, cases[0], bob, 1)
    adjudicate(workspace, cases[0].id, ann.id, [Ruling(right.id)])
    for person in (ann, bob):
        tag(workspace, cases[1], person, 2)
    drain(workspace)
    assert {skill["annotations"] for skill in newest(workspace).skills.values()} == {2}
    assert newest(workspace).skills[ann.id]["value"] == newest(workspace).skills[bob.id]["value"]


def test_a_class_is_decided_by_one_ruling_for_the_whole_case(tmp_path: Path) -> None:
    workspace, (case,) = made(tmp_path)
    (ann,) = people(workspace, "Ann")
    given = tag(workspace, case, ann, 1)
    for rulings in ([Ruling(given.id), Ruling(given.id)], [Ruling(given.id, label=2)]):
        with pytest.raises(InputError, match="one ruling for the whole case"):
            adjudicate(workspace, case.id, ann.id, rulings)
    with pytest.raises(StateError, match="needs masks"):
        adjudicate(workspace, case.id, ann.id, np.ones(SHAPE, dtype=np.uint8))
