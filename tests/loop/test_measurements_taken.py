"""Measurements: figures from the stored voxels by the affine, kept, changed by their owner only, withdrawn and never lost, exported."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import ConflictError, ForbiddenError, InputError, LabelError, NotFoundError, StateError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Case, Measurement, ProjectSettings, Source
from medloop.images.result import UNSIZED, UNSPACED
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.measuring import (
    MeasurementRequest,
    move_measurement,
    name_measurement,
    placed_measurements,
    take_measurement,
    withdraw_measurement,
)
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.project import Project
from medloop.store import audit

SHEARED = np.array([[0.6, -0.8, 0.3, 5.0], [0.8, 0.6, 0.0, -7.0], [0.0, 0.0, 2.5, 9.0], [0.0, 0.0, 0.0, 1.0]])
SHAPE = (7, 6, 5)
VALUES = np.random.default_rng(5).integers(-1000, 1000, (2, *SHAPE)).astype(np.int16)


def add(workspace: Workspace, name: str, *, affine: np.ndarray = SHEARED, notes: Sequence[str] = (), shape=SHAPE) -> Case:
    image = Image(VALUES[:, : shape[0], : shape[1], : shape[2]], Grid(shape, affine))
    source = Source(format="nifti", names=(name,), sha256=name * 8)
    made = add_case(workspace, image, NewCase(name=name, patient=f"patient {name}", split="train", source=source, notes=tuple(notes)))
    assert made is not None
    return made


@pytest.fixture
def workspace(tmp_path: Path):
    settings = ProjectSettings(audit_fraction=0.0, train_after=0, validation_fraction=0.0, test_fraction=0.0)
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["one", "two"], settings=settings) as made:
        yield made


@pytest.fixture
def case(workspace: Workspace) -> Case:
    return add(workspace, "a")


@pytest.fixture
def ann(workspace: Workspace) -> str:
    return annotator_named(workspace, "Ann").id


def ruler(**changes: object) -> MeasurementRequest:
    return MeasurementRequest(**{"kind": "length", "points": ((0.0, 0.5, 2.0), (6.0, 5.0, 2.0)), "axis": 2, "index": 2, **changes})


def test_a_length_is_the_distance_in_the_patient_and_has_its_ends_there(workspace: Workspace, case: Case, ann: str) -> None:
    made = take_measurement(workspace, case.id, ann, ruler())
    with workspace.store.read() as tx:
        (found,) = placed_measurements(tx, case_id=case.id)
    first, second = np.array(found.points_mm)
    assert np.allclose(first, SHEARED[:3, :3] @ (0, 0.5, 2) + SHEARED[:3, 3])
    assert made.figures == {"length_mm": pytest.approx(float(np.linalg.norm(first - second)))}


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("channel", [0, 1, None])
def test_a_region_has_the_figures_of_its_voxels_in_every_plane(workspace: Workspace, case: Case, ann: str, axis: int, channel) -> None:
    low, high = np.array([1.0, 1.0, 1.0]), np.array([4.0, 3.0, 3.0])
    low[axis] = high[axis] = 2
    points = (tuple(low.tolist()), tuple(high.tolist()))
    made = take_measurement(workspace, case.id, ann, ruler(kind="rectangle", points=points, axis=axis, index=2, channel=channel))
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    values = VALUES[(slice(None) if channel is None else slice(channel, channel + 1), *box)].mean(axis=0)
    assert made.figures["voxels"] == values.size
    for name, wanted in (("mean", values.mean()), ("sd", values.std()), ("min", values.min()), ("max", values.max())):
        assert made.figures[name] == pytest.approx(wanted)
    wide, deep = (SHEARED[:3, a] * (high - low)[a] for a in range(3) if a != axis)
    assert made.figures["area_mm2"] == pytest.approx(float(np.linalg.norm(np.cross(wide, deep))))


def test_a_label_is_measured_in_ones_own_draft_at_a_revision(workspace: Workspace, case: Case, ann: str) -> None:
    opened = open_case(workspace, case.id, ann)
    voxels = SHAPE[0] * SHAPE[1]
    save_patch(workspace, opened.assignment.id, Edit(base_revision=0, runs=[(voxels * 2, 4, 1)]))
    save_patch(workspace, opened.assignment.id, Edit(base_revision=1, runs=[(voxels * 3, 7, 1)]))
    wanted = MeasurementRequest(kind="label", label=1, assignment_id=opened.assignment.id, revision=1, axis=2, index=2)
    flat = VALUES[0].ravel(order="F")
    first = take_measurement(workspace, case.id, ann, wanted)
    assert first.figures["mean"] == pytest.approx(flat[voxels * 2 : voxels * 2 + 4].mean())
    assert first.figures["area_mm2"] == pytest.approx(4.0)
    whole = take_measurement(
        workspace, case.id, ann, MeasurementRequest(kind="label", label=1, assignment_id=opened.assignment.id, revision=2)
    )
    assert whole.figures["voxels"] == 11
    assert whole.figures["volume_ml"] == pytest.approx(11 * abs(np.linalg.det(SHEARED[:3, :3])) / 1000)
    assert "area_mm2" not in whole.figures
    with pytest.raises(ConflictError, match="at revision 2, 3 was to be measured"):
        take_measurement(workspace, case.id, ann, ruler(kind="label", points=(), label=1, assignment_id=opened.assignment.id, revision=3))
    with pytest.raises(LabelError, match=r"\[1, 2\], got 9"):
        take_measurement(workspace, case.id, ann, ruler(kind="label", points=(), label=9, assignment_id=opened.assignment.id, revision=1))
    other = annotator_named(workspace, "Bob").id
    with pytest.raises(ForbiddenError, match="somebody else's"):
        take_measurement(workspace, case.id, other, wanted)


@pytest.mark.parametrize(("notes", "axis", "unit"), [((UNSIZED,), 2, "px"), ((UNSPACED,), 2, "mm"), ((UNSPACED,), 0, "px"), ((), 0, "mm")])
def test_without_a_known_size_lengths_are_in_pixels(workspace: Workspace, ann: str, notes: tuple[str, ...], axis: int, unit: str) -> None:
    case = add(workspace, "b", affine=np.diag([2.0, 2.0, 2.0, 1.0]), notes=notes)
    points = ((1.0, 1.0, 1.0), (1.0, 4.0, 1.0))
    made = take_measurement(workspace, case.id, ann, ruler(points=points, axis=axis, index=1))
    assert made.figures == {f"length_{unit}": 3.0 if unit == "px" else 6.0}
    with workspace.store.read() as tx:
        (found,) = placed_measurements(tx)
    assert (found.points_mm == ()) == bool(notes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": ((0.0, 0.0, 2.0),)}, "has 2 points, got 1"),
        ({"points": ((0.0, 0.0, 2.0), (6.6, 0.0, 2.0))}, "lie within the image's"),
        ({"points": ((0.0, 0.0, 2.0), (float("nan"), 0.0, 2.0))}, "lie within the image's"),
        ({"points": ((0.0, 0.0, 2.0), (6.0, 0.0, 3.0))}, "lie in its slice 2 across axis 2"),
        ({"index": 5}, "got slice 5 across axis 2"),
        ({"axis": None}, "across axis None"),
        ({"kind": "ellipse", "points": ((0.0, 0.0, 2.0), (6.0, 0.0, 2.0))}, "needs a width and a height"),
        ({"kind": "angle", "points": ((0.0, 0.0, 2.0), (0.0, 0.0, 2.0), (1.0, 0.0, 2.0))}, "need a length"),
        ({"channel": 2}, "has 2 channels"),
        ({"note": "x" * 201}, "at most 200 characters"),
        ({"kind": "label", "points": (), "label": 1}, "name the assignment"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(workspace: Workspace, case: Case, ann: str, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        take_measurement(workspace, case.id, ann, ruler(**changes))
    assert workspace.store.read_only == ""
    with workspace.store.read() as tx:
        assert tx.find(Measurement) == []


def test_a_moved_or_removed_measurement_stays_in_the_audit(workspace: Workspace, case: Case, ann: str) -> None:
    made = take_measurement(workspace, case.id, ann, ruler())
    moved = move_measurement(workspace, made.id, ann, ((0.0, 0.0, 3.0), (1.0, 0.0, 3.0)))
    assert (moved.index, moved.figures) == (3, {"length_mm": 1.0})
    assert name_measurement(workspace, made.id, ann, " width ").note == "width"
    withdraw_measurement(workspace, made.id, ann)
    with pytest.raises(StateError, match="was removed"):
        move_measurement(workspace, made.id, ann, made.points)
    with workspace.store.read() as tx:
        assert placed_measurements(tx) == []
        events = tx.events_about("measurement", [made.id])
    assert [event.verb for event in events] == ["measure", "move", "name", "withdraw"]
    assert events[1].body["changed"]["figures"]["from"] == made.figures
    assert withdraw_measurement(workspace, made.id, ann, restore=True).withdrawn_at is None
    assert audit.verify(workspace.store, blobs=False).ok


def test_nobody_changes_what_somebody_else_measured(workspace: Workspace, case: Case, ann: str) -> None:
    made = take_measurement(workspace, case.id, ann, ruler())
    other = annotator_named(workspace, "Bob").id
    for change in (
        lambda: move_measurement(workspace, made.id, other, made.points),
        lambda: name_measurement(workspace, made.id, other, "mine"),
        lambda: withdraw_measurement(workspace, made.id, other),
    ):
        with pytest.raises(ForbiddenError, match="only by who took it"):
            change()


def test_exports_have_a_table_and_json_beside_the_masks(workspace: Workspace, case: Case, ann: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="Nothing is measured yet"):
        export_project(workspace, tmp_path / "none", "measurements")
    made = take_measurement(workspace, case.id, ann, ruler(note="=1+1"))
    take_measurement(workspace, case.id, ann, ruler(kind="rectangle"))
    gone = take_measurement(workspace, case.id, ann, ruler())
    withdraw_measurement(workspace, gone.id, ann)
    opened = open_case(workspace, case.id, ann)
    submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SHAPE, np.uint8)))
    for fmt in ("nifti", "msd", "nnunet", "measurements"):
        export_project(workspace, tmp_path / fmt, fmt, regular_grid=True)
        told = json.loads((tmp_path / fmt / "measurements.json").read_text())
        assert [line["kind"] for line in told] == ["length", "rectangle"]
        assert np.allclose(told[0]["points_mm"], case.grid.to_mm(made.points))
        with (tmp_path / fmt / "measurements.csv").open(newline="") as file:
            first, second = csv.DictReader(file)
        assert (first["case"], first["patient"], first["annotator"], first["note"]) == ("a", "patient a", "Ann", "'=1+1")
        assert float(first["length_mm"]) == pytest.approx(made.figures["length_mm"])
        assert (first["points"], first["mean"], second["length_mm"]) == ("0 0.5 2; 6 5 2", "", "")


def test_an_export_with_measurements_comes_back(workspace: Workspace, case: Case, ann: str, tmp_path: Path) -> None:
    take_measurement(workspace, case.id, ann, ruler())
    opened = open_case(workspace, case.id, ann)
    submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SHAPE, np.uint8)))
    for fmt in ("nifti", "msd"):
        export_project(workspace, tmp_path / fmt, fmt)
        with Project.create(tmp_path / f"again-{fmt}", kind="segmentation", labels=["one", "two"]) as again:
            report = again.add(tmp_path / fmt)
            assert (report.added, report.labelled, report.refused) == (("a",), 1, ())


def test_a_project_measures_and_lists(workspace: Workspace, case: Case) -> None:
    project = Project(workspace)
    opened = project.open_case("a", "Ann")
    project.measure(opened, "length", ((0, 0, 1), (3, 0, 1)), axis=2, index=1, note="width")
    project.measure(opened, "label", label=2)
    first, second = project.measurements("a")
    assert (first.note, first.figures, first.annotator) == ("width", {"length_mm": 3.0}, "Ann")
    assert (second.label, second.figures, second.revision) == ("two", {"voxels": 0.0, "volume_ml": 0.0}, 0)
    assert project.measurements() == (first, second)
