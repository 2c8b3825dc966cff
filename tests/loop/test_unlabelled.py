"""Which unlabelled cases a training learns from, and that evaluation patients are never among them."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medloop.core.errors import SettingError
from medloop.core.records import Case, GoldCase, Model, Snapshot, Split, new_id, now
from medloop.core.settings import ProjectSettings
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Train, request_job
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning import unlabelled
from medloop.loop.learning.decisions import TrainingPlan
from medloop.loop.learning.prepared import recipe_for
from medloop.loop.learning.training import run_training
from medloop.loop.learning.unlabelled import available_cases, unlabelled_cases
from medloop.loop.overview.model_history import list_models
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint

from .conftest import FAST, SMALL, MakeWorkspace
from .made_up import add_answer, case_named, every_case

SPLITS: list[Split] = ["train"] * 5 + ["validation", "test", "audit"]
LEARNING = dataclasses.replace(FAST, unlabelled="copy-paste")


def recipe_of(**more: object) -> Recipe:
    found = fingerprint([CaseShape(SMALL, (1.0, 1.0, 1.0), 1)])
    chosen = choose_recipe(found, kind="segmentation", classes=3, minutes=1, threads=1, seed=5)
    return dataclasses.replace(chosen, unlabelled="copy-paste", **more)  # type: ignore[arg-type]


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    return make_workspace(SPLITS, labelled=2, settings=LEARNING)


@pytest.fixture
def control(workspace: Workspace) -> Iterator[JobControl]:
    request_job(workspace, Train(), "train-1")
    claimed = workspace.store.jobs.claim("test")
    assert claimed is not None
    with JobControl(workspace, claimed) as made:
        yield made


@pytest.fixture
def choose(workspace: Workspace, control: JobControl, tmp_path: Path) -> Callable[..., list[str]]:
    def chosen(recipe: Recipe, name: str = "plan") -> list[str]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return [case.id for case in unlabelled_cases(workspace, control, TrainingPlan(folder), recipe, learned=[])]

    return chosen


def lines(workspace: Workspace, control: JobControl) -> list[str]:
    return [line.text for line in workspace.store.jobs.logs(control.job.id)]


def test_unlabelled_training_cases_alone_take_part(choose: Callable[..., list[str]]) -> None:
    assert choose(recipe_of()) == ["unlabelled case02", "unlabelled case03", "unlabelled case04"]
    assert choose(dataclasses.replace(recipe_of(), unlabelled="none"), "none") == []


def test_no_patient_of_an_evaluation_case_takes_part(workspace: Workspace) -> None:
    kept_apart = case_named(workspace, "case02").patient
    with workspace.store.write("test") as tx:
        for split in ("validation", "test", "audit"):
            evaluated = tx.find(Case, where={"split": split})[0]
            assert evaluated.id not in {c.id for c in available_cases(tx, [])}
        tx.add(dataclasses.replace(evaluated, id=new_id("case"), name="again", patient=kept_apart), verb="test")
        assert [c.name for c in available_cases(tx, [])] == ["case03", "case04"]


def test_neither_learned_cases_nor_gold_cases_are_available(workspace: Workspace) -> None:
    gold, learned = case_named(workspace, "case02"), case_named(workspace, "case03")
    with workspace.store.write("test") as tx:
        truth = tx.current_annotations(splits=["train"])[0]
        tx.add(
            GoldCase(id=new_id("gold"), case_id=gold.id, annotation_id=truth.id, annotator_id=truth.annotator_id, created_at=now()),
            verb="mark",
        )
    with workspace.store.read() as tx:
        assert [c.name for c in available_cases(tx, [learned.id])] == ["case04"]


def test_a_case_that_cannot_be_read_is_left_out_in_one_line_and_the_rest_is_learned_from(
    workspace: Workspace, control: JobControl, choose: Callable[..., list[str]]
) -> None:
    workspace.store.blobs.path(case_named(workspace, "case03").voxels).unlink()
    assert choose(recipe_of()) == ["unlabelled case02", "unlabelled case04"]
    (line,) = [text for text in lines(workspace, control) if "left out" in text]
    assert line.startswith("1 unlabelled case left out, the rest is learned from: 1 cannot be read: restore")


def test_cases_of_other_channels_are_left_out_in_one_line(
    workspace: Workspace, control: JobControl, choose: Callable[..., list[str]]
) -> None:
    assert choose(recipe_of(channels=2)) == []
    (line,) = [text for text in lines(workspace, control) if "left out" in text]
    assert line == "3 unlabelled cases left out, the rest is learned from: 3 with 1 channel, where the network reads 2"


def test_a_large_pool_is_a_sample_that_a_resumed_training_keeps(
    workspace: Workspace, choose: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlabelled, "MOST_CASES", 2)
    first = choose(recipe_of(steps=9))
    assert len(first) == 2
    assert len({tuple(choose(recipe_of(steps=9, seed=seed), f"seed-{seed}")) for seed in range(9)}) > 1
    add_answer(workspace, annotator_named(workspace, "Ann"), case_named(workspace, first[0].removeprefix("unlabelled ")))
    assert choose(recipe_of(steps=9)) == first


def test_with_a_time_budget_no_more_cases_are_taken_than_a_tenth_of_it_prepares(
    choose: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlabelled, "VOXELS_PER_SECOND", 24 * 24 * 16 * 1.5 / 6)  # a tenth of a minute holds one and a half cases
    assert len(choose(recipe_of(minutes=1.0))) == 2
    assert len(choose(recipe_of(steps=9), "steps")) == 3


def test_a_model_says_how_many_unlabelled_cases_it_learned_from(workspace: Workspace, control: JobControl) -> None:
    run_training(workspace, control)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    assert model.metrics["unlabelled_cases"] == 3
    assert model.recipe["unlabelled"] == "copy-paste"
    assert "also learned from 3 unlabelled cases (copy-paste)" in list_models(workspace)[0].note
    assert any(line == "learning from 3 unlabelled cases of 3 too (copy-paste)" for line in lines(workspace, control))


def test_the_setting_reaches_the_recipe_but_pseudo_labels_which_are_cases_like_others(make_workspace: MakeWorkspace) -> None:
    snapshot = Snapshot(id="s", annotation_ids=(), digest="0" * 64, created_at=now())
    for setting, way in (("pseudo-labels", "none"), ("mean-teacher", "mean-teacher"), ("none", "none")):
        workspace = make_workspace(["train"], labelled=1, settings=dataclasses.replace(FAST, unlabelled=setting), name=setting)  # type: ignore[arg-type]
        assert recipe_for(workspace, every_case(workspace), snapshot, threads=1).unlabelled == way


def test_masks_are_not_pasted_into_classes_nor_beside_a_model_of_annotators(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="copy-paste mixes masks, this is a classification"):
        Workspace.create(tmp_path / "c", name="c", kind="classification", labels=["a", "b"], settings=LEARNING)
    workspace = make_workspace(SPLITS, settings=LEARNING, name="other")
    with pytest.raises(SettingError, match="copy-paste takes annotations for the truth"):
        configure(workspace, settings={"annotator_model": "confusion"})


def test_the_setting_that_was_yes_or_no_is_still_read(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(SPLITS)
    configure(workspace, settings={"pseudo_labels": True})
    assert workspace.reload().settings.unlabelled == "pseudo-labels"
    configure(workspace.reload(), settings={"unlabelled": "mean-teacher"})
    assert workspace.reload().settings.unlabelled == "mean-teacher"
    assert ProjectSettings(pseudo_labels=True).unlabelled == "pseudo-labels"  # type: ignore[call-arg]  # as older programs say it
