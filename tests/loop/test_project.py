import dataclasses
from pathlib import Path

import numpy as np
import pytest

import medloop
from medloop import Project
from medloop.core.errors import ConflictError, NotFoundError, SettingError

from .conftest import FAST
from .test_importing import ORIENTATIONS, write_case


def test_a_script_can_run_the_whole_loop(tmp_path: Path) -> None:
    for n in range(6):
        write_case(tmp_path / "in", f"case{n}", ORIENTATIONS["RAS"])
    settings = dataclasses.replace(FAST, validation_fraction=0.0, test_fraction=0.2, train_steps=2)
    with Project.create(tmp_path / "p", kind="segmentation", labels=["a", "b"], settings=settings) as project:
        assert len(project.add(tmp_path / "in").added) == 6
        state = project.train()
        assert state.model is not None
        assert project.next() is None
        assert len(project.progress().curve) == 1
        assert project.report().startswith("<!doctype html>")
    with Project.open(tmp_path / "p") as project:
        assert project.status().counts.annotated == 6


def test_a_case_is_answered_with_an_array(tmp_path: Path) -> None:
    write_case(tmp_path / "in", "case", ORIENTATIONS["LPS"])
    (tmp_path / "in/labels/case.nii.gz").unlink()
    with Project.create(tmp_path / "p", kind="segmentation", labels=["a", "b"], settings=FAST) as project:
        project.add(tmp_path / "in" / "images")
        opened = project.next("Ann")
        assert opened is not None
        assert project.proposal(opened) is None
        answer = np.zeros(project.image(opened).grid.shape, np.uint8)
        assert project.submit(opened, answer).origin == "human"


def test_a_folder_holds_one_project(tmp_path: Path) -> None:
    Project.create(tmp_path, kind="classification", labels=["no", "yes"]).close()
    with pytest.raises(ConflictError, match="already holds"):
        Project.create(tmp_path, kind="classification", labels=["no", "yes"])


def test_a_folder_without_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="medloop init"):
        Project.open(tmp_path)


@pytest.mark.parametrize("labels", [[], ["a", "a"], ["a", " "], [str(n) for n in range(300)]])
def test_impossible_labels_are_refused_before_anything_is_made(tmp_path: Path, labels: list[str]) -> None:
    with pytest.raises(SettingError):
        Project.create(tmp_path / "p", kind="segmentation", labels=labels)
    assert not (tmp_path / "p").exists()


def test_every_public_name_resolves() -> None:
    for name in medloop.__all__:
        assert getattr(medloop, name) is not None
    with pytest.raises(AttributeError, match="nothing_here"):
        getattr(medloop, "nothing_" + "here")


@pytest.mark.parametrize(("field", "value"), [("strategy", "gut-feeling"), ("first_strategy", "entropy"), ("batch_size", 0)])
def test_impossible_settings_are_refused_before_anything_is_made(tmp_path: Path, field: str, value: str | int) -> None:
    with pytest.raises((SettingError, NotFoundError)):
        Project.create(tmp_path / "p", kind="segmentation", labels=["a"], settings=dataclasses.replace(FAST, **{field: value}))
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(("kind", "labels", "usual"), [("segmentation", ["a"], "foreground"), ("classification", ["a", "b"], "random")])
def test_a_project_that_names_no_strategy_takes_the_usual_one_of_its_kind(tmp_path: Path, kind, labels: list[str], usual: str) -> None:
    with Project.create(tmp_path / "p", kind=kind, labels=labels) as project:
        assert project.workspace.settings.strategy == usual
    chosen = dataclasses.replace(FAST, strategy="entropy")
    with Project.create(tmp_path / "q", kind=kind, labels=labels, settings=chosen) as project:
        assert project.workspace.settings.strategy == "entropy"
