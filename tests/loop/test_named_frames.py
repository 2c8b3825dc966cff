"""Named frames: few slices of a case are annotated, a person may move them, and both are kept and exported."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medloop.core.errors import InputError, NotFoundError, SettingError, StateError
from medloop.core.records import Annotator, Assignment, Case, NamedFrame
from medloop.images.read import read_mask
from medloop.interaction.runs import runs_between
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.placing import place_frame
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import export_project
from medloop.loop.data.framed import frame_lines
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.named_frames import NamedSlice, named_slices
from medloop.loop.foundation.partial_annotations import SlicePart, load_partial
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.parts import queried_parts
from medloop.loop.querying.queries import make_query
from medloop.store.audit import verify
from tests.loop.films import FRAMES, add_film
from tests.loop.made_up import every_case

TEMPLATE = "end-diastole@first, end-systole@40%"


@pytest.fixture
def named(pool: Workspace) -> Workspace:
    configure(pool, settings={"template": TEMPLATE})
    return pool.reload()


def names(workspace: Workspace, assignment: Assignment) -> dict[str, tuple[int, bool]]:
    with workspace.store.read() as tx:
        return {one.name: (one.index, one.placed) for one in named_slices(tx, assignment)}


def parts(workspace: Workspace, assignment: Assignment) -> tuple[object, ...]:
    with workspace.store.read() as tx:
        return queried_parts(tx, tx.get(Assignment, assignment.id))


def draw(workspace: Workspace, assignment: Assignment, frame: int) -> int:
    draft = read_draft(workspace, assignment.id)
    after = draft.mask.copy(order="F")
    after[3:9, 3:9, frame] = 1
    return save_patch(workspace, assignment.id, Edit(draft.revision, runs_between(draft.mask, after)))


def test_a_film_is_annotated_on_its_named_frames_which_a_person_moves(named: Workspace, ann: Annotator) -> None:
    case = add_film(named)
    opened = open_case(named, case.id, ann.id).assignment
    assert names(named, opened) == {"end-diastole": (0, False), "end-systole": (3, False)}
    moved = place_frame(named, opened.id, "end-systole", 5)
    assert moved == (NamedSlice("end-diastole", 2, 0), NamedSlice("end-systole", 2, 5, placed=True))
    assert parts(named, opened) == (SlicePart(2, 0), SlicePart(2, 5))
    draw(named, opened, 0)
    draw(named, opened, 2)
    revision = draw(named, opened, 5)
    annotation = submit(named, opened.id, Submitted(revision=revision))
    told, mask = load_partial(named.store.blobs, annotation, case)
    assert (annotation.kind, told) == ("partial", (SlicePart(2, 0), SlicePart(2, 5)))
    assert [int(mask[5, 5, k]) for k in (0, 2, 5)] == [1, 255, 1]
    with named.store.read() as tx:
        kept = [(one.name, one.index, one.placed) for one in tx.find(NamedFrame)]
    assert kept == [("end-systole", 5, True), ("end-diastole", 0, False)]
    verify(named.store)


def test_a_name_that_is_moved_stays_there_when_its_person_opens_the_case_again_and_is_nobody_elses(
    named: Workspace, ann: Annotator
) -> None:
    case = add_film(named)
    opened = open_case(named, case.id, ann.id).assignment
    place_frame(named, opened.id, "end-systole", 4)
    place_frame(named, opened.id, "end-systole", 6)
    submit(named, opened.id, Submitted(revision=draw(named, opened, 6)))
    again = open_case(named, case.id, ann.id).assignment
    assert names(named, again)["end-systole"] == (6, True)
    other = open_case(named, case.id, annotator_named(named, "Bob").id).assignment
    assert names(named, other)["end-systole"] == (3, False)


def test_a_volume_is_named_along_the_axis_that_people_page_and_evaluation_cases_count_whole(named: Workspace, ann: Annotator) -> None:
    case = every_case(named)[0]
    opened = open_case(named, case.id, ann.id).assignment
    axis = case.grid.paging_axis
    assert parts(named, opened) == (SlicePart(axis, 0), SlicePart(axis, round((case.grid.shape[axis] - 1) * 0.4)))
    judged = open_case(named, add_film(named, "judged", split="audit").id, ann.id).assignment
    assert names(named, judged)
    assert parts(named, judged) == ()


def test_an_annotated_case_is_not_queried_again(named: Workspace, ann: Annotator) -> None:
    first = next_assignment(named, ann.id)
    assert first is not None
    submit(named, first.assignment.id, Submitted(revision=draw(named, first.assignment, 0)))
    query = make_query(named, 2)
    assert query is not None
    assert first.case.id not in {choice.case_id for choice in query.choices}


def test_whoever_has_annotated_the_whole_case_goes_on_with_the_whole(pool: Workspace, ann: Annotator) -> None:
    case = add_film(pool)
    opened = open_case(pool, case.id, ann.id).assignment
    submit(pool, opened.id, Submitted(revision=draw(pool, opened, 0)))
    configure(pool, settings={"template": TEMPLATE})
    workspace = pool.reload()
    again = open_case(workspace, case.id, ann.id).assignment
    assert parts(workspace, again) == ()
    assert submit(workspace, again.id, Submitted(revision=draw(workspace, again, 1))).kind == "mask"


def test_frames_are_exported_with_their_names_times_and_masks(named: Workspace, ann: Annotator, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No frame or slice"):
        export_project(named, tmp_path / "none", "frames")
    case = add_film(named, "loop")
    opened = open_case(named, case.id, ann.id).assignment
    place_frame(named, opened.id, "end-systole", 5)
    draw(named, opened, 0)
    submit(named, opened.id, Submitted(revision=draw(named, opened, 5)))
    report = export_project(named, tmp_path / "out", "frames")
    assert report.cases == 1
    with (tmp_path / "out" / "frames.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["index"], row["seconds"], row["placed"], row["annotated"]) for row in rows] == [
        ("end-diastole", "0", "0.0", "no", "yes"),
        ("end-systole", "5", "0.2", "yes", "yes"),
    ]
    assert json.loads((tmp_path / "out" / "frames.json").read_text())[1]["annotator"] == "Ann"
    mask = read_mask(tmp_path / "out" / "masks" / "loop.nii.gz", case.grid).array
    assert sorted(np.unique(mask).tolist()) == [0, 1, 255]
    assert (mask[..., 1:5] == 255).all()
    assert (mask[3:9, 3:9, 5] == 1).all()


def test_lines_say_what_is_not_annotated(named: Workspace, ann: Annotator) -> None:
    case = add_film(named, timed=False)
    opened = open_case(named, case.id, ann.id).assignment
    place_frame(named, opened.id, "end-systole", 7)
    (line,) = frame_lines(named, case.id)
    assert (line.seconds, line.annotated, line.index) == (None, False, FRAMES - 1)


def test_what_cannot_be_placed_is_refused_in_one_line(named: Workspace, ann: Annotator) -> None:
    opened = open_case(named, add_film(named).id, ann.id).assignment
    with pytest.raises(InputError, match="no name 'mid'"):
        place_frame(named, opened.id, "mid", 0)
    with pytest.raises(InputError, match="from 0 to 7, got 8"):
        place_frame(named, opened.id, "end-systole", 8)
    before = names(named, opened)
    place_frame(named, opened.id, "end-systole", 3)
    assert names(named, opened) == before  # it stands there already
    submit(named, opened.id, Submitted(revision=draw(named, opened, 0)))
    with pytest.raises(StateError):
        place_frame(named, opened.id, "end-systole", 1)


def test_gold_cases_and_templates_exclude_each_other(named: Workspace) -> None:
    with pytest.raises(SettingError, match="Gold cases count whole"):
        configure(named, settings={"gold_rate": 0.1})


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """A CSV of volumes of ten slices, each with a cell of named frames."""

    def write(*cells: str, slices: int = 10) -> Path:
        rng = np.random.default_rng(1)
        for n in range(len(cells)):
            voxels = rng.integers(0, 200, (6, 5, slices)).astype(np.uint8)
            nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / f"v{n}.nii.gz")
        lines = [f"v{n}.nii.gz,p{n},{cell}" for n, cell in enumerate(cells)]
        (tmp_path / "list.csv").write_text("\n".join(["image,patient,named_frames", *lines]), encoding="utf-8")
        return tmp_path / "list.csv"

    return write


def test_names_come_with_the_data_and_stand_there_until_somebody_moves_them(
    named: Workspace, ann: Annotator, table: Callable[..., Path]
) -> None:
    report = import_dataset(named, table("end-systole=9", "", "end-diastole=2; end-systole=10"))
    assert (len(report.added), report.refused) == (3, ())
    with named.store.read() as tx:
        cases = {case.name: case for case in tx.find(Case)}
    assignments = [open_case(named, cases[f"v{n}"].id, ann.id).assignment for n in range(3)]
    assert [{name: at for name, (at, _) in names(named, one).items()} for one in assignments] == [
        {"end-diastole": 0, "end-systole": 8},
        {"end-diastole": 0, "end-systole": 4},
        {"end-diastole": 1, "end-systole": 9},
    ]
    place_frame(named, assignments[0].id, "end-systole", 5)
    assert names(named, assignments[0])["end-systole"] == (5, True)
    submit(named, assignments[0].id, Submitted(revision=draw(named, assignments[0], 0)))
    assert [(line.name, line.index, line.placed) for line in frame_lines(named, cases["v0"].id)] == [
        ("end-diastole", 0, False),
        ("end-systole", 5, True),
    ]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("end-systole=11", "stands for a frame or slice from 1 to 10, got 11"),
        ("end-systole=0", "stands for a frame or slice from 1 to 10, got 0"),
        ("mid=3", r"names of the template (end-diastole, end-systole), got 'mid'"),
        ("end-systole", "with a number from 1"),
        ("end-systole=3; end-systole=4", "each once"),
        ("end-systole=second", "with a number from 1"),
    ],
)
def test_a_case_with_frames_that_are_not_there_is_refused_and_the_others_come(
    named: Workspace, table: Callable[..., Path], cell: str, words: str
) -> None:
    report = import_dataset(named, table("end-systole=2", cell))
    assert list(report.added) == ["v0"]
    (refusal,) = report.refused
    assert words in str(refusal)


def test_without_a_template_no_name_is_known(pool: Workspace, table: Callable[..., Path]) -> None:
    (refusal,) = import_dataset(pool, table("end-systole=2")).refused
    assert "names of the template (none), got 'end-systole'" in str(refusal)


def test_the_same_table_again_says_that_frames_stay(named: Workspace, table: Callable[..., Path]) -> None:
    import_dataset(named, table("end-systole=2"))
    report = import_dataset(named, table("end-systole=3"))
    assert any("keeps its named frames" in str(note) for note in report.notes)
