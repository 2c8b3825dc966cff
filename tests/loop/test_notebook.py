"""What a notebook shows of a project: it is right, escapes names, and says what there is not."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from medloop import Project
from medloop.core.errors import InputError, NotFoundError

from .conftest import FAST
from .test_importing import ORIENTATIONS, write_case


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("notebook")
    for n in range(6):
        write_case(folder / "in", f"case{n}", ORIENTATIONS["RAS"])
    write_case(folder / "in", "unseen", ORIENTATIONS["LPS"])
    (folder / "in/labels/unseen.nii.gz").unlink()
    settings = dataclasses.replace(FAST, validation_fraction=0.0, test_fraction=0.2, train_steps=2)
    with Project.create(folder / "p", kind="segmentation", labels=["<b>liver", "vessel"], settings=settings) as project:
        project.add(folder / "in")
        project.train()
        yield project


def test_a_project_shows_its_counts_and_the_next_step(trained: Project) -> None:
    shown = trained._repr_html_()
    assert "7 cases: 6 annotated" in shown
    assert "&lt;b&gt;liver" in shown
    assert "<b>liver" not in shown
    assert "<script" not in shown
    assert "@scope(.medloop)" in shown
    assert repr(trained).startswith("<Project 'p'")


def test_a_case_shows_annotation_proposal_and_uncertainty(trained: Project) -> None:
    shown = trained.show("case0")._repr_html_()
    assert shown.count("data:image/png") == 2
    assert 'class="outline truth" stroke=' in shown
    assert "black is sure" in shown
    plain = trained.show("unseen")
    assert "not annotated" in repr(plain)
    assert 'class="outline truth" stroke=' not in plain._repr_html_()


def test_a_chosen_slice_is_shown_and_one_outside_is_refused(trained: Project) -> None:
    assert "sagittal slice 2 of" in trained.show("case0", plane="sagittal", index=2)._repr_html_()
    with pytest.raises(InputError, match=r"axial slices 0\.\.\d+, got -1"):
        trained.show("case0", plane="axial", index=-1)
    with pytest.raises(InputError, match="no plane 'oblique'; it has axial, coronal, sagittal"):
        trained.show("case0", plane="oblique")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(NotFoundError, match="no case 'nowhere'"):
        trained.show("nowhere")


def test_the_curve_is_shown_in_words_too(trained: Project) -> None:
    assert re.match(r"model \d+, test: dice [\d.]+ after 5 cases", repr(trained.show_progress()))
    assert "Learning curve" in trained.show_progress()._repr_html_()


def test_tables_hold_a_row_per_case_and_per_annotation(trained: Project) -> None:
    cases, annotations = trained.cases_frame(), trained.annotations_frame()
    assert list(cases["case"]) == [*(f"case{n}" for n in range(6)), "unseen"]
    assert dict(cases.groupby("state").size()) == {"annotated": 6, "unlabelled": 1}
    assert list(annotations["case"]) == [f"case{n}" for n in range(6)]
    assert annotations["in_force"].all()
    assert annotations["labels"].iloc[0] == ("<b>liver", "vessel")
    assert str(annotations["created_at"].dt.tz) == "UTC"
    assert annotations["seconds"].isna().all(), "an imported annotation took nobody's time here"


def test_a_submission_adds_its_row_with_its_seconds(tmp_path: Path) -> None:
    write_case(tmp_path / "in", "case", ORIENTATIONS["RAS"])
    (tmp_path / "in/labels/case.nii.gz").unlink()
    with Project.create(tmp_path / "p", kind="segmentation", labels=["a", "b"], settings=FAST) as project:
        project.add(tmp_path / "in" / "images")
        assert list(project.annotations_frame().columns) == list(project.annotations_frame().dtypes.index)
        assert len(project.annotations_frame()) == 0
        opened = project.open_case("case", "Ann")
        project.submit(opened, np.zeros(project.image(opened).grid.shape, np.uint8), effort_seconds=12.5)
        row = project.annotations_frame().iloc[0]
        assert (row["annotator"], row["kind"], row["origin"], row["seconds"]) == ("Ann", "mask", "human", 12.5)


def test_labels_that_overlap_are_each_outlined_whole(tmp_path: Path) -> None:
    write_case(tmp_path / "in", "case", ORIENTATIONS["RAS"])
    (tmp_path / "in/labels/case.nii.gz").unlink()
    labels = {"liver": "", "tumour": "liver"}
    with Project.create(tmp_path / "p", kind="segmentation", labels=labels, settings=FAST) as project:
        project.add(tmp_path / "in" / "images")
        opened = project.open_case("case")
        mask = np.zeros(project.image(opened).grid.shape, np.uint8)
        mask[2:7, 2:7] = 1
        mask[4, 4] = 2
        project.submit(opened, mask)
        paths = re.findall(r'<path d="([^"]+)" class="outline truth" stroke=', project.show("case")._repr_html_())
        assert len(paths) == 2
        assert paths[0].count("M") == 1, "the liver has no hole where its tumour is"
