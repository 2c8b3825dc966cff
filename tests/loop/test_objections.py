"""Objections to explanations are kept for good, can be taken back, and reach the training."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import InputError, LabelError, SettingError, ShapeError
from medloop.core.records import Annotator
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.objections import irrelevant_blobs, irrelevant_loader, object_to_explanation, objections, standing_objections
from medloop.loop.worker import run_job
from medloop.store.audit import verify

from .conftest import FAST, MakeWorkspace
from .made_up import case_named


def corner(shape: tuple[int, int, int], size: int) -> np.ndarray:
    regions = np.zeros(shape, dtype=bool)
    regions[:size, :size] = True
    return regions


def test_an_objection_is_kept_with_its_regions(pool: Workspace, ann: Annotator) -> None:
    case = case_named(pool, "case00")
    regions = corner(case.grid.shape, 4)
    made = object_to_explanation(pool, case.id, ann.id, label=1, method="grad-cam", regions=regions, reason=" the ruler ")
    with pool.store.read() as tx:
        assert objections(tx) == [made]
        marked = irrelevant_blobs(tx, [case.id])
    assert (made.annotator_id, made.reason, made.voxels) == (ann.id, "the ruler", np.count_nonzero(regions))
    load = irrelevant_loader(pool, case, marked)
    assert load is not None
    assert np.array_equal(load(), regions)
    assert verify(pool.store).ok


def test_the_newest_of_a_person_counts_and_an_empty_one_takes_back(pool: Workspace, ann: Annotator) -> None:
    case, ben = case_named(pool, "case00"), annotator_named(pool, "Ben")
    for person, size in ((ann, 2), (ben, 3), (ann, 5)):
        object_to_explanation(pool, case.id, person.id, label=1, method="occlusion", regions=corner(case.grid.shape, size))
    with pool.store.read() as tx:
        assert [o.annotator_id for o in standing_objections(tx)] == [ben.id, ann.id]
        load = irrelevant_loader(pool, case, irrelevant_blobs(tx, [case.id]))
    assert load is not None
    assert np.array_equal(load(), corner(case.grid.shape, 5))
    for person in (ann, ben):
        object_to_explanation(pool, case.id, person.id, label=1, method="occlusion", regions=corner(case.grid.shape, 0))
    with pool.store.read() as tx:
        assert standing_objections(tx) == []
        assert len(objections(tx)) == 5
        assert irrelevant_loader(pool, case, irrelevant_blobs(tx, [case.id])) is None


def test_a_training_heeds_objections_when_the_project_says_so(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, labelled=2, settings=dataclasses.replace(FAST, explanation_penalty=30.0))
    case, person = case_named(workspace, "case01"), annotator_named(workspace, "Ann")
    object_to_explanation(workspace, case.id, person.id, label=1, method="grad-cam", regions=corner(case.grid.shape, 8))
    job = start_training(workspace)
    claimed = workspace.store.jobs.claim("test", lease_seconds=60)
    assert claimed is not None
    assert claimed.id == job.id
    run_job(workspace, claimed)
    with workspace.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    assert (model.recipe["rrr"], model.metrics["right_reasons_cases"]) == (30.0, 1)


def test_what_does_not_fit_is_refused(pool: Workspace, ann: Annotator) -> None:
    case = case_named(pool, "case00")
    good = {"label": 1, "method": "grad-cam", "regions": corner(case.grid.shape, 2), "reason": ""}
    for change, error in (
        ({"label": 9}, LabelError),
        ({"method": "magic"}, SettingError),
        ({"regions": np.zeros((2, 2, 2), dtype=bool)}, ShapeError),
        ({"reason": "x" * 501}, InputError),
    ):
        with pytest.raises(error):
            object_to_explanation(pool, case.id, ann.id, **{**good, **change})
