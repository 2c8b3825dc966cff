"""A case of absurd voxel size is named and left out; training, prediction, evaluation and the query of the others go on."""

import hashlib

import numpy as np
import pytest

from medloop.cli.standing import standing
from medloop.core.errors import GridSizeError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Case, Evaluation, Source, Split
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.computable import computable
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.report import report_html
from medloop.loop.worker import drain
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.foundation.resample import working_shape

from .conftest import SMALL, MakeWorkspace


def add_odd(workspace: Workspace, name: str, split: Split, mm: float, *, answered: bool) -> Case:
    made = phantom_3d(99, 1, SMALL)
    grid = Grid.of_spacing(SMALL, (mm, mm, mm))
    image = Image(made.image.array + len(name), grid)
    return add_case(
        workspace,
        image,
        NewCase(
            name=name,
            patient=name,
            split=split,
            source=Source(format="phantom", names=(name,), sha256=hashlib.sha256(name.encode()).hexdigest()),
        ),
        Incoming(Mask(made.mask.array, grid), annotator_named(workspace, "import", program=True)) if answered else None,
    )


def test_cases_of_a_metre_or_a_micrometre_a_voxel_do_not_stop_the_others(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "test", "test", "test", "train", "train"], labelled=5)
    large = [add_odd(workspace, f"metres {split}", split, 1000.0, answered=split == "test") for split in ("train", "test")]
    small = add_odd(workspace, "micrometres", "train", 0.001, answered=False)
    taught = add_odd(workspace, "metres answered", "train", 1000.0, answered=True)
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        model = tx.live_model()
        assert model is not None
        predicted = {p.case_id for p in tx.latest_predictions(model.id)}
        (evaluation,) = tx.find(Evaluation)
        cases = tx.find(Case)
    said = [line.text for job in workspace.store.jobs.list() for line in workspace.store.jobs.logs(job.id)]
    left_out = {case.id for case in (*large, taught)}
    assert predicted == {case.id for case in cases} - left_out
    assert small.id in predicted
    assert not left_out & set(evaluation.per_case)
    assert model.metrics["steps"] > 0
    told: list[str] = []
    recipe = Recipe.from_json(model.recipe)
    assert computable(recipe, large, LeftOut(workspace, told.append)) == []
    assert all("is left out: At the model's voxels" in line and "check the voxel size" in line for line in told)
    for case in (*large, taught):
        assert any(line.startswith(f"{case.name} is left out") for line in said)
    named = {entry["case"]: entry for job in workspace.store.jobs.list() for entry in (job.result or {}).get("left_out", [])}
    assert {case.name for case in (*large, taught)} == set(named)
    assert all("mm this image of 1e+03" in entry["reason"] for entry in named.values())
    found = standing(workspace)
    assert [case.name for case in found.oversized] == ["metres answered", "metres test", "metres train"]
    assert found.damaged == ()
    assert "1e+03 × 1e+03 × 1e+03 mm" in report_html(workspace)


def test_the_limit_is_an_error_of_its_own_that_names_sizes() -> None:
    found = fingerprint([CaseShape((64, 64, 32), (1.0, 1.0, 1.0), 1)])
    recipe = choose_recipe(found, kind="segmentation", classes=2, minutes=1, threads=1, seed=0)
    with pytest.raises(GridSizeError, match=r"1e\+03 × 1e\+03 × 1e\+03 mm"):
        working_shape(recipe, Grid.of_spacing((64, 64, 32), (1000.0, 1000.0, 1000.0)))
    assert np.prod(working_shape(recipe, Grid.of_spacing((64, 64, 32), (0.001, 0.001, 0.001)))) >= 1
    assert np.prod(working_shape(recipe, Grid.of_spacing((512, 512, 400), (0.8, 0.8, 1.0)))) > 1e7
