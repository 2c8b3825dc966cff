"""Annotator models where people come late, leave, annotate little, or are written in two ways: never a wrong model in silence."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medloop.core.records import Annotation, Model, Snapshot, Source, Withdrawal, new_id, now
from medloop.images.phantoms import phantom_tags
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.training import run_training
from medloop.loop.overview.learned_skills import learned_skills
from medloop.loop.people.leaving import release_work

from .conftest import FAST, MakeWorkspace
from .made_up import add_answer, case_named
from .test_annotator_models import team, trained
from .test_live_models import stopped_after_freezing
from .test_parts import give_slices, ids

PIXEL = dataclasses.replace(FAST, annotator_model="pixel")


def people_of(model: Model) -> list[str]:
    return [person["name"] for person in model.metrics["annotators"]["people"]]


def logged(workspace: Workspace) -> list[str]:
    return [line.text for job in workspace.store.jobs.list() for line in workspace.store.jobs.logs(job.id)]


def test_somebody_who_annotates_after_a_training_began_is_in_the_next_one_and_not_in_the_resumed(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace, PIXEL)
    job = stopped_after_freezing(workspace)
    add_answer(workspace, annotator_named(workspace, "Aaron"), case_named(workspace, "case00"), labels=(1,))
    configure(workspace, settings={"annotator_model": "confusion"}, actor="Ann")
    with JobControl(workspace.reload(), job) as control:
        run_training(workspace.reload(), control)
    workspace.store.jobs.finish(job, {})
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
        assert len(tx.get(Snapshot, model.snapshot_id).annotation_ids) == 5
    assert (model.recipe["annotator_model"], people_of(model)) == ("pixel", ["Ann", "Ben"])
    again = trained(workspace.reload())
    assert (again.recipe["annotator_model"], people_of(again)) == ("confusion", ["Aaron", "Ann", "Ben"])


def test_somebody_with_one_image_keeps_what_a_confusion_begins_with_more_than_others(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 6, settings=dataclasses.replace(PIXEL, train_steps=40))
    ann, ben = annotator_named(workspace, "Ann"), annotator_named(workspace, "Ben")
    for n in range(5):
        add_answer(workspace, ann, case_named(workspace, f"case{n:02d}"), labels=(1, 2))
    add_answer(workspace, ben, case_named(workspace, "case05"), labels=(2, 1))
    trained(workspace)
    skills = {(s.annotator, s.label): s for s in learned_skills(workspace)}
    assert skills["Ben", "large"].annotations == 1
    assert skills["Ben", "large"].skill > 0.5


def test_two_ways_to_write_a_name_are_one_person_with_whom_nobody_is_compared(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=PIXEL)
    for name, case in (("Ann", "case00"), ("ANN", "case01")):
        add_answer(workspace, annotator_named(workspace, name), case_named(workspace, case), labels=(1, 2))
    model = trained(workspace)
    assert (model.recipe["annotator_model"], "confusions" in model.metrics) == ("none", False)
    assert "no annotator model: pixel compares annotators, and all annotations are by Ann" in logged(workspace)


def test_who_left_is_still_modelled_by_what_they_annotated(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace, PIXEL)
    release_work(workspace, "Ben", actor="Ann")
    assert people_of(trained(workspace)) == ["Ann", "Ben"]


def test_somebody_whose_annotations_were_withdrawn_is_not_modelled(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace, PIXEL)
    ben = annotator_named(workspace, "Ben").id
    with workspace.store.write("Ann") as tx:
        for found in tx.find(Annotation, where={"annotator_id": ben}):
            taken = {"annotation_id": found.id, "case_id": found.case_id, "annotator_id": ben, "verb": "skipped", "reason": "left"}
            tx.add(Withdrawal(id=new_id("withdrawal"), created_at=now(), **taken), verb="withdraw")
    assert "annotators" not in trained(workspace).metrics


def test_a_label_that_came_later_has_a_skill_of_who_knew_it_only(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace, PIXEL)
    configure(workspace, task=TaskChange(added=("third",)), actor="Ann")
    workspace = workspace.reload()
    add_answer(workspace, annotator_named(workspace, "Ann"), case_named(workspace, "case03"), labels=(1, 2, 3))
    model = trained(workspace)
    assert np.shape(model.metrics["confusions"]) == (2, 4, 4)
    assert {(s.annotator, s.holding) for s in learned_skills(workspace) if s.label == "third"} == {("Ann", 1), ("Ben", 0)}


@pytest.mark.parametrize("more", [{"members": 2}, {"interactive_network": True}, {"correction_weight": 3.0}])
def test_other_settings_of_a_training_hold_beside_it(make_workspace: MakeWorkspace, more: dict) -> None:
    workspace = team(make_workspace, dataclasses.replace(PIXEL, **more))
    model = trained(workspace)
    assert np.shape(model.metrics["confusions"]) == (2, 3, 3)
    assert np.allclose(np.sum(model.metrics["confusions"], axis=-1), 1)


def test_parts_of_cases_are_learned_by_annotator(pool: Workspace) -> None:
    configure(pool, settings={"annotator_model": "pixel"}, actor="Ann")
    workspace = pool.reload()
    for number, name in enumerate(("Ann", "Bob", "Ann")):
        give_slices(workspace, ids(workspace)[number], {3: 1, 4: 1}, by=name)
    model = trained(workspace)
    assert people_of(model) == ["Ann", "Bob"]
    assert np.isfinite(model.metrics["confusions"]).all()


def test_classes_have_a_confusion_per_image(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "tags", name="tags", kind="classification", labels=["clear", "lesion"], settings=PIXEL)
    people = [annotator_named(workspace, name) for name in ("Ann", "Ben")]
    for n in range(8):
        phantom = phantom_tags(n, shape=(32, 32))
        source = Source(format="phantom", names=(f"{n}",), sha256=f"{n:064d}")
        case = NewCase(name=f"case{n}", patient=f"case{n}", split="train", source=source)
        add_case(workspace, phantom.image, case, Incoming(phantom.tag, people[n % 2]))
    model = trained(workspace)
    assert np.shape(model.metrics["confusions"]) == (2, 2, 2)
    assert [(s.annotator, s.label, s.method) for s in learned_skills(workspace)][:2] == [
        ("Ann", "clear", "pixel"),
        ("Ann", "lesion", "pixel"),
    ]
    workspace.close()
