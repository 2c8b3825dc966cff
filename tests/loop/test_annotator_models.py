"""With the setting `annotator_model` trainings learn from everybody's annotations, each with its annotator."""

import dataclasses

import numpy as np
import pytest

from medloop import Project
from medloop.core.records import Annotation, Model, ProjectSettings, Snapshot
from medloop.loop.annotating.adjudicating import Ruling, adjudicate
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.consensus import deciding
from medloop.loop.foundation.crowds import Crowd, annotations_for_training, learned_together
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import load_predictor
from medloop.loop.learning.nothing_new import annotations_digest, case_names, digest_to_learn
from medloop.loop.overview.learned_skills import learned_skills, skill_rows
from medloop.loop.overview.report import report_html
from medloop.loop.worker import drain

from .conftest import FAST, MakeWorkspace
from .made_up import add_answer, case_named

MODELLED = dataclasses.replace(FAST, annotator_model="confusion")


def team(make_workspace: MakeWorkspace, settings: ProjectSettings = MODELLED, name: str = "team") -> Workspace:
    """Three cases by Ann, one of these by Ben too, and one by Ben alone."""
    workspace = make_workspace(["train"] * 4, settings=settings, name=name)
    ann, ben = annotator_named(workspace, "Ann"), annotator_named(workspace, "Ben")
    for person, case, labels in ((ann, 0, (1, 2)), (ann, 1, (1, 2)), (ann, 2, (1,)), (ben, 2, (2,)), (ben, 3, (1, 2))):
        add_answer(workspace, person, case_named(workspace, f"case{case:02d}"), labels=labels)
    return workspace


def trained(workspace: Workspace) -> Model:
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model, order=("index",), descending=True, limit=1)
    return model


def learned_by(workspace: Workspace, model: Model) -> list[str]:
    with workspace.store.read() as tx:
        found = [tx.get(Annotation, i) for i in tx.get(Snapshot, model.snapshot_id).annotation_ids]
    return sorted(a.annotator_id for a in found)


@pytest.mark.parametrize("kind", ["confusion", "crowd-layer"])
def test_every_annotation_is_learned_with_its_annotator_and_skill_is_reported(make_workspace: MakeWorkspace, kind: str) -> None:
    workspace = team(make_workspace, dataclasses.replace(MODELLED, annotator_model=kind), kind)
    model = trained(workspace)
    assert len(learned_by(workspace, model)) == 5
    assert (model.recipe["annotator_model"], model.recipe["annotators"]) == (kind, 2)
    skills = learned_skills(workspace)
    assert [(s.annotator, s.label, s.annotations, s.holding) for s in skills] == [
        ("Ann", "background", 3, 3),
        ("Ann", "large", 3, 3),
        ("Ann", "small", 3, 2),
        ("Ben", "background", 2, 2),
        ("Ben", "large", 2, 1),
        ("Ben", "small", 2, 2),
    ]
    assert [s.skill for s in skills] == [model.metrics["confusions"][n][i][i] for n in range(2) for i in range(3)]
    assert skill_rows(skills)[0] == ("annotator", "annotations", "background", "large", "small")
    assert "Skill of annotators" in report_html(workspace)
    assert Project(workspace).learned_skills() == skills


def test_what_was_fused_from_people_is_nobodys_annotation(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace)
    with workspace.store.write("worker") as tx:
        given = tx.current_annotations()
        tx.add(dataclasses.replace(given[0], id="annotation-fused", annotator_id=given[-1].annotator_id, origin="consensus"))
        assert {a.id for a in annotations_for_training(workspace, tx)} == {a.id for a in given}


def test_without_the_setting_one_annotation_per_case_is_learned_and_nobody_is_modelled(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace, FAST)
    model = trained(workspace)
    assert len(learned_by(workspace, model)) == 4
    assert (model.recipe["annotator_model"], model.recipe["annotators"]) == ("none", 0)
    assert learned_skills(workspace) == ()
    assert "Skill of annotators" not in report_html(workspace)


def test_with_one_annotator_only_the_training_says_so_and_learns_as_without(make_workspace: MakeWorkspace) -> None:
    made = {}
    for settings, name in ((MODELLED, "modelled"), (FAST, "plain")):
        workspace = make_workspace(["train"] * 2, settings=settings, name=name)
        ann = annotator_named(workspace, "Ann")
        for case in ("case00", "case01"):
            add_answer(workspace, ann, case_named(workspace, case), labels=(1, 2))
        made[name] = trained(workspace)
        lines = [line.text for job in workspace.store.jobs.list() for line in workspace.store.jobs.logs(job.id)]
        said = [line for line in lines if "no annotator model" in line]
        assert said == (["no annotator model: confusion compares annotators, and all annotations are by Ann"] if name == "modelled" else [])
    assert made["modelled"].recipe["annotators"] == 0
    assert "confusions" not in made["modelled"].metrics


def test_the_network_alone_predicts_as_a_model_from_before_does(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace)
    model = trained(workspace)
    before = dataclasses.replace(model, recipe={n: v for n, v in model.recipe.items() if n not in ("annotator_model", "annotators")})
    image = load_image(workspace.store.blobs, case_named(workspace, "case00"))
    first, second = (
        load_predictor(workspace.store.blobs, m).predict(image, samples=1, rng=np.random.default_rng(0)) for m in (model, before)
    )
    assert np.array_equal(first.probabilities, second.probabilities)


def test_the_same_annotations_by_others_are_news_to_an_annotator_model(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace)
    with workspace.store.read() as tx:
        given = tx.current_annotations()
        turned = [dataclasses.replace(a, annotator_id=given[-1 - n].annotator_id) for n, a in enumerate(given)]
        names = case_names(tx, given)
        assert annotations_digest(given, names) == annotations_digest(turned, names)
        assert digest_to_learn(tx, given, MODELLED) != digest_to_learn(tx, turned, MODELLED)


def test_another_annotator_model_makes_another_model_of_the_same_annotations(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace)
    first = trained(workspace)
    assert trained(workspace).id == first.id
    configure(workspace, settings={"annotator_model": "none"}, actor="Ann")
    plain = trained(workspace.reload())
    assert (plain.index, plain.recipe["annotator_model"]) == (2, "none")
    assert learned_skills(workspace)[0].model_index == 1


def test_a_case_of_somebody_new_joins_the_next_training(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace)
    trained(workspace)
    add_answer(workspace, annotator_named(workspace, "Cem"), case_named(workspace, "case00"), labels=(1,))
    model = trained(workspace)
    assert [p["name"] for p in model.metrics["annotators"]["people"]] == ["Ann", "Ben", "Cem"]
    assert np.shape(model.metrics["confusions"]) == (3, 3, 3)


def test_weights_of_cases_are_left_out_in_one_line(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace, dataclasses.replace(MODELLED, bias_correction=True))
    assert "weighted_cases" not in trained(workspace).metrics
    lines = [line.text for job in workspace.store.jobs.list() for line in workspace.store.jobs.logs(job.id)]
    assert any("no bias correction: confusion learns from every annotation" in line for line in lines)


def test_what_a_reviewer_put_together_is_taken_as_true_and_nobodys_reading(make_workspace: MakeWorkspace) -> None:
    workspace = team(make_workspace)
    case = case_named(workspace, "case02")
    rita = annotator_named(workspace, "Rita")
    with workspace.store.read() as tx:
        standing = deciding(tx.current_annotations(case_ids=[case.id]))
    adjudicate(workspace, case.id, rita.id, [Ruling(standing.id)])
    model = trained(workspace)
    assert [person["name"] for person in model.metrics["annotators"]["people"]] == ["Ann", "Ben"]
    learned = learned_by(workspace, model)
    assert len(learned) == 6
    assert rita.id in learned


def test_of_one_person_and_a_reviewer_the_decision_is_learned(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=MODELLED)
    ann, rita = annotator_named(workspace, "Ann"), annotator_named(workspace, "Rita")
    for name in ("case00", "case01"):
        add_answer(workspace, ann, case_named(workspace, name), labels=(1, 2))
    case = case_named(workspace, "case00")
    decided = adjudicate(workspace, case.id, rita.id, np.zeros(case.grid.shape, dtype=np.uint8))
    with workspace.store.read() as tx:
        answers, said = annotations_for_training(workspace, tx), annotated_labels(tx, workspace.task)
    together = [[a.id for a in group] for group in learned_together(answers, Crowd(), said)]
    assert [decided.id] in together
    assert len(together) == 2
