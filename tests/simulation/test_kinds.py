"""A simulated annotator gives what was queried of each case: a check, slices, marks of a kind, or all of it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import SettingError
from medloop.core.records import (
    Annotation,
    Case,
    Choice,
    Model,
    Prediction,
    ProjectSettings,
    Query,
    QueryKind,
    Snapshot,
    Source,
    new_id,
    now,
)
from medloop.core.states import RoundState
from medloop.images.encode import encode_mask
from medloop.images.phantoms import phantom_3d
from medloop.interaction.weak.marks import Box, Scribble, Tag
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.marked import load_marks
from medloop.loop.foundation.round_moves import add_round, move
from medloop.loop.foundation.workspace import Workspace
from medloop.simulation.design import StudyDesign
from medloop.simulation.oracle import Oracle, annotate_round
from medloop.simulation.prepare import _require_queryable
from medloop.simulation.working import Manner

SHAPE = (24, 24, 8)
KINDS: dict[str, QueryKind] = {
    "right": "verify",
    "wrong": "verify",
    "strokes": "scribbles",
    "boxed": "boxes",
    "tagged": "tags",
    "cut": "slices",
    "all": "whole",
}


def filled(folder: Path, *, answered: bool) -> Workspace:
    made = Workspace.create(
        folder, name=folder.name, kind="segmentation", labels=["large", "small"], settings=ProjectSettings(train_after=0)
    )
    importer = annotator_named(made, "import", program=True)
    for number, name in enumerate(KINDS):
        phantom = phantom_3d(number, 1, SHAPE)
        source = Source(format="phantom", names=(name,), sha256=f"{number:064d}")
        new = NewCase(name=name, patient=name, split="train", source=source)
        add_case(made, phantom.image, new, Incoming(phantom.mask, importer) if answered else None)
    return made


def queried(workspace: Workspace, truth: Workspace) -> str:
    """A round that queries each case for its kind, of which the proposals are the truth, but one."""
    with truth.store.read() as tx:
        known = {tx.get(Case, a.case_id).name: a for a in tx.current_annotations()}
        masks = {name: load_annotation(truth.store.blobs, a, tx.get(Case, a.case_id)) for name, a in known.items()}
    with workspace.store.write("worker") as tx:
        cases = {case.name: case for case in tx.find(Case)}
        tx.add(snapshot := Snapshot(id="s", annotation_ids=(), digest="0" * 64, created_at=now()))
        tx.add(Model(id="m", index=1, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now()))
        for name, case in cases.items():
            shown = np.zeros(SHAPE, dtype=np.uint8) if name in ("wrong", "cut") else masks[name].array
            blob = workspace.store.blobs.put(encode_mask(shown))
            nothing = {"uncertainty": None, "features": None, "probabilities": (), "scores": {}}
            tx.add(Prediction(id=f"p-{name}", case_id=case.id, model_id="m", mask=blob, created_at=now(), **nothing))
        parts = {"cut": ({"axis": 2, "index": 4},)}
        choices = tuple(
            Choice(case_id=cases[name].id, score=1.0, reason="r", kind=kind, minutes=1.0, parts=parts.get(name, ()))
            for name, kind in KINDS.items()
        )
        query = Query(id=new_id("query"), strategy="random", seed=0, model_id="m", choices=choices, created_at=now())
        tx.add(query)
        return move(tx, add_round(tx, query, RoundState.QUERYING), RoundState.ANNOTATING).id


def test_each_case_gets_what_was_queried_of_it(tmp_path: Path) -> None:
    with filled(tmp_path / "truth", answered=True) as truth, filled(tmp_path / "project", answered=False) as project:
        round_id = queried(project, truth)
        with Oracle(tmp_path / "truth") as oracle:
            assert annotate_round(project, round_id, oracle, Manner()) == len(KINDS)
        with project.store.read() as tx:
            made = {tx.get(Case, a.case_id).name: a for a in tx.find(Annotation)}
            case = tx.find(Case, where={"name": "cut"})[0]
        kinds = {name: one.kind for name, one in made.items()}
        assert kinds == {
            "right": "mask",
            "wrong": "rejected",
            "strokes": "marks",
            "boxed": "marks",
            "tagged": "marks",
            "cut": "partial",
            "all": "mask",
        }
        assert all(one.effort_seconds > 0 for one in made.values())
        assert made["right"].effort_seconds == 1.5 * SHAPE[2]
        assert made["right"].untouched == 1.0
        assert made["wrong"].effort_seconds < made["right"].effort_seconds
        wanted = {"strokes": Scribble, "boxed": Box, "tagged": Tag}
        assert all(any(isinstance(mark, kind) for mark in load_marks(project.store.blobs, made[name])) for name, kind in wanted.items())
        drawn = load_annotation(project.store.blobs, made["cut"], case)
        assert (np.flatnonzero((drawn.array != 255).any(axis=(0, 1))) == [4]).all()


def test_kinds_are_queried_of_masks_only() -> None:
    design = StudyDesign(dataset="x", strategies=("random",), query_unit="best")
    _require_queryable(design, "segmentation")
    for kind, given in (("classification", "mask"), ("segmentation", "tags")):
        with pytest.raises(SettingError, match="are queried of masks"):
            _require_queryable(dataclasses.replace(design, given=given), kind)
