"""Trainings that stand wrong annotations: what the settings refuse, and that a model names the cases it left out."""

import dataclasses

import pytest

from medloop.core.errors import SettingError
from medloop.core.records import Model
from medloop.core.settings import ProjectSettings, check_settings
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.job_kinds import Train, request_job
from medloop.loop.learning.nothing_new import learned_with
from medloop.loop.learning.training import run_training
from medloop.loop.overview.model_history import NAMES_SHOWN, list_models, stood_out_words
from medloop.models.training import small_loss

from .conftest import FAST, MakeWorkspace


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"robust": "robust-loss", "annotator_model": "confusion"}, "robust robust-loss does not go with it"),
        ({"robust": "small-loss", "unlabelled": "copy-paste"}, "mixes them"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_with_what_to_do(more: dict[str, str], words: str) -> None:
    with pytest.raises(SettingError, match=words) as refused:
        check_settings(ProjectSettings(**more))
    assert "set robust=" in str(refused.value.remedy)


def test_another_robustness_makes_another_model_of_the_same_annotations(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3, settings=FAST)
    before = learned_with(workspace)
    configure(workspace, settings={"robust": "small-loss"})
    assert learned_with(workspace.reload()) != before


def _model(names: list[str]) -> Model:
    metrics = {"stood_out": names} if names else {}
    return Model(id="m", index=1, recipe={}, snapshot_id="s", weights=(), metrics=metrics, created_at="2026-01-01T00:00:00Z")


def test_the_words_name_some_cases_and_count_all() -> None:
    assert stood_out_words(_model([])) == ""
    assert stood_out_words(_model(["p1"])) == "left out 1 annotated case that stood out by their loss (p1)"
    many = [f"p{n}" for n in range(NAMES_SHOWN + 1)]
    assert stood_out_words(_model(many)) == (f"left out {len(many)} annotated cases that stood out by their loss (p0, p1, p2, p3, p4, …)")


def test_a_trained_model_was_trained_so_and_its_line_names_what_it_left_out(
    make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_loss.SmallLoss, "outliers", lambda memory: memory.means >= memory.means.max())
    workspace = make_workspace(["train"] * 3, labelled=3, settings=dataclasses.replace(FAST, robust="small-loss"))
    request_job(workspace, Train(), "train-1")
    claimed = workspace.store.jobs.claim("test")
    assert claimed is not None
    with JobControl(workspace, claimed) as control:
        run_training(workspace, control)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
    assert model.recipe["robust"] == "small-loss"
    assert len(model.metrics["stood_out"]) == 1
    (line,) = list_models(workspace)
    assert f"left out 1 annotated case that stood out by their loss ({model.metrics['stood_out'][0]})" in line.note
