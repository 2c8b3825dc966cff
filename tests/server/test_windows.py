"""The first look at a case: its own window, letters only where they are known, colour as stored."""

import dataclasses
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Case, Display, ProjectSettings, Source, Window
from medloop.images.read import read_image
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.workspace import Workspace
from medloop.server.wire.views import case_view
from medloop.store.rows import kind_of, to_row
from tests.images.test_dicom import series, slice_of


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["a"], settings=ProjectSettings())


def added(workspace: Workspace, path: Path, **changes: object) -> Case:
    """A file as a case, read back from the store."""
    read = read_image(path)
    made = add_case(
        workspace, read.image, NewCase(name=path.name, patient="p", split="train", source=read.source, notes=read.notes, **changes)
    )  # type: ignore[arg-type]
    with workspace.store.read() as tx:
        return tx.get(Case, made.id)


def test_a_ct_opens_with_its_own_window_and_offers_the_usual_ones(workspace: Workspace, tmp_path: Path) -> None:
    def window(ds, _number) -> None:
        ds.WindowCenter, ds.WindowWidth = [-800, -900], [350, 20]

    view = case_view(added(workspace, series(tmp_path / "ct", change=window)))
    assert view.window == (-975, -625)
    assert view.channel_windows == ((-975, -625),)
    assert [p.name for p in view.presets] == [
        "DICOM",
        "DICOM 2",
        "Auto",
        "Full",
        "Abdomen",
        "Lung",
        "Bone",
        "Brain",
        "Mediastinum",
        "Liver",
    ]
    assert (view.modality, view.oriented, view.unit, view.sized, view.spaced) == ("CT", True, "HU", True, True)
    assert {edge for plane in view.planes for edge in plane.edges} == set("RLAPSI")


def test_an_mr_of_low_values_is_not_taken_for_a_ct(workspace: Workspace, tmp_path: Path) -> None:
    view = case_view(added(workspace, series(tmp_path / "mr", change=lambda ds, _n: setattr(ds, "Modality", "MR"))))
    assert [p.name for p in view.presets] == ["Auto", "Full", "5–95 %"]
    low, high = np.percentile(read_image(tmp_path / "mr").image.array, (5, 95))
    assert (view.presets[-1].low, view.presets[-1].high) == (low, high)
    assert (view.unit, view.looks_like) == ("", "")


def test_uptake_is_offered_from_zero(workspace: Workspace, tmp_path: Path) -> None:
    def uptake(ds, _number) -> None:
        ds.Modality, ds.RescaleIntercept = "PT", 0

    view = case_view(added(workspace, series(tmp_path / "pt", change=uptake)))
    assert [(p.name, p.low) for p in view.presets][-1] == ("From zero", 0.0)


def test_colour_is_shown_as_stored(workspace: Workspace, tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(90, 120, (5, 4, 3)).astype(np.uint8)
    PIL.Image.fromarray(colour).save(tmp_path / "x.png")
    case = added(workspace, tmp_path / "x.png")
    view = case_view(case)
    assert view.colour
    assert [p.name for p in view.presets] == ["As stored"]
    assert (view.sized, view.spaced) == (False, False)
    assert view.window == (0, 255)
    assert view.channel_windows == ((0, 255),) * 3
    assert {edge for plane in view.planes for edge in plane.edges} == {""}
    old = dataclasses.replace(case, source=dataclasses.replace(case.source, display=None), window=(90.0, 119.0))
    assert case_view(old).channel_windows == ((0, 255),) * 3
    assert {edge for plane in case_view(old).planes for edge in plane.edges} == {""}


def test_every_channel_has_a_name_and_a_window(workspace: Workspace) -> None:
    array = np.stack([np.arange(60.0).reshape(3, 4, 5) * scale for scale in (1, 1000)]).astype(np.float32)
    source = Source(format="nifti", names=("a.nii", "b.nii"), sha256="0" * 64)
    image = Image(array, Grid.of_spacing((3, 4, 5), (1, 1, 1)))
    made = add_case(workspace, image, NewCase(name="x", patient="p", split="train", source=source, channel_names=("T1", "FLAIR")))
    view = case_view(made)
    assert view.channel_names == ("T1", "FLAIR")
    (_, first), (_, second) = view.channel_windows
    assert second == pytest.approx(1000 * first)
    assert view.window == view.channel_windows[0]
    assert [[p.name for p in one] for one in view.channel_presets] == [["Auto", "Full", "5–95 %"]] * 2
    assert [one[1].high for one in view.channel_presets] == [59.0, 59000.0]
    assert not view.colour


def test_three_channels_of_one_scan_are_no_colour(workspace: Workspace) -> None:
    source = Source(format="nifti", names=("x.nii",), sha256="1" * 64)
    image = Image(np.zeros((3, 4, 5, 2), dtype=np.uint8), Grid.of_spacing((4, 5, 2), (1, 1, 1)))
    assert not case_view(add_case(workspace, image, NewCase(name="y", patient="p", split="train", source=source))).colour


def test_a_case_imported_before_anything_was_kept_opens_with_its_values_and_says_what_is_unknown(
    workspace: Workspace, tmp_path: Path
) -> None:
    case = added(workspace, series(tmp_path / "ct"))
    old = case_view(dataclasses.replace(case, source=dataclasses.replace(case.source, display=None)))
    assert (old.modality, old.unit, old.looks_like) == ("", "", "")
    assert [(p.name, p.low, p.high) for p in old.presets] == [("Auto", *case.window), ("Full", *case.value_range)]
    air = dataclasses.replace(case, value_range=(-1024.0, 900.0), source=dataclasses.replace(case.source, display=None))
    assert case_view(air).looks_like == "CT"


@pytest.mark.parametrize("value", [0.0, 7.5, 1e9])
def test_an_image_of_one_value_has_windows_that_can_be_drawn(workspace: Workspace, value: float) -> None:
    image = Image(np.full((1, 4, 5, 2), value, dtype=np.float32), Grid.of_spacing((4, 5, 2), (1, 1, 1)))
    source = Source(format="nifti", names=("x.nii",), sha256="2" * 64)
    view = case_view(add_case(workspace, image, NewCase(name="z", patient="p", split="train", source=source)))
    assert all(preset.low < preset.high for preset in view.presets)


def test_one_outlier_does_not_darken_the_rest(workspace: Workspace) -> None:
    array = np.random.default_rng(0).normal(100, 10, (1, 20, 20, 4)).astype(np.float32)
    array[0, 0, 0, 0] = 3e7
    source = Source(format="nifti", names=("x.nii",), sha256="3" * 64)
    view = case_view(
        add_case(
            workspace, Image(array, Grid.of_spacing((20, 20, 4), (1, 1, 1))), NewCase(name="o", patient="p", split="train", source=source)
        )
    )
    assert view.window[1] < 150


def test_names_that_are_not_one_per_channel_are_left_out(workspace: Workspace, tmp_path: Path) -> None:
    slice_of(0).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    assert added(workspace, tmp_path / "x.dcm", channel_names=("CT", "PT")).display.channel_names == ()


@pytest.mark.parametrize(("codes", "letters"), [((1, 1), True), ((0, 1), True), ((0, 0), False)])
def test_a_nifti_without_codes_has_no_letters(workspace: Workspace, tmp_path: Path, codes: tuple[int, int], letters: bool) -> None:
    image = nibabel.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    image.set_sform(np.eye(4), codes[0])
    image.set_qform(np.eye(4), codes[1])
    nibabel.save(image, tmp_path / "x.nii")
    view = case_view(added(workspace, tmp_path / "x.nii"))
    assert view.oriented is letters
    assert all(bool(edge) is letters for plane in view.planes for edge in plane.edges)


def test_a_case_from_before_has_the_row_it_had(workspace: Workspace, tmp_path: Path) -> None:
    slice_of(0).save_as(tmp_path / "x.dcm", enforce_file_format=True)
    case = added(workspace, tmp_path / "x.dcm")
    old = dataclasses.replace(case, source=dataclasses.replace(case.source, display=None))
    assert "display" not in to_row(old)["source"]
    shown = dataclasses.replace(
        case.source, display=Display(windows=(Window(name="DICOM", low=1.0, high=2.0),), channel_windows=((1.0, 2.0),))
    )
    row = to_row(dataclasses.replace(case, source=shown))
    assert kind_of(Case).codecs["source"].decode(row["source"]) == shown
