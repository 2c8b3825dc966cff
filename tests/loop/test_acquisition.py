"""Whether an image is good enough: by the project's own images, by its model, and by the measure that it is acquired for."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from degrading import degrade
from medloop.core.errors import FormatError, InputError, SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Case, Source
from medloop.images.read import ReadImage
from medloop.loop.annotating.annotations import choose_case, flag_case
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.acquisition import Demand, Proposed, judge_image
from medloop.loop.overview.acquisition_checks import AcquisitionChecker, check_case, check_cases, unsaved_case
from medloop.loop.overview.acquisition_kept import kept_verdicts
from medloop.loop.overview.acquisition_limits import Limits
from medloop.loop.project import Project
from tests.quality.acquisition.pictures import as_image, picture

from .conftest import FAST, MakeWorkspace
from .made_up import add_model, add_prediction, every_case

GRID = Grid.of_spacing((64, 64, 1), (1.0, 1.0, 1.0))


@pytest.fixture
def filled(make_workspace: MakeWorkspace) -> Workspace:
    """Forty good pictures of forty patients, without a model."""
    return fill(make_workspace([]), 40)


def fill(workspace: Workspace, count: int) -> Workspace:
    for number in range(count):
        array = as_image(picture(number))
        source = Source(format="raster", names=(f"p{number}.png",), sha256=hashlib.sha256(array.tobytes()).hexdigest())
        add_case(workspace, Image(array, GRID), NewCase(name=f"p{number}", patient=f"p{number}", split="train", source=source))
    return workspace


def read(plane: np.ndarray) -> ReadImage:
    return ReadImage(Image(as_image(plane), GRID), Source(format="raster", names=("image.png",), sha256="0" * 64))


def saved(path: Path, plane: np.ndarray) -> Path:
    Picture.fromarray(np.rint(np.clip(plane, 0, 255)).astype(np.uint8).T).save(path)
    return path


def test_a_good_picture_is_accepted_and_a_moved_one_is_to_be_acquired_again(filled: Workspace):
    checker = AcquisitionChecker(filled)
    good = [checker.check_image(read(picture(n))).check for n in range(200, 220)]
    assert sum(one.verdict == "accept" for one in good) >= 17
    assert (good[0].alarm, good[0].patients, good[0].compared_with, good[0].model) == (0.05, 40, "unflagged", None)
    moved = checker.check_image(read(degrade(picture(200), "motion", 0.9, np.random.default_rng(0)))).check
    assert (moved.verdict, moved.reasons[0].reason) == ("acquire again", "motion")


def test_nothing_of_a_new_image_stays_behind(filled: Workspace, tmp_path: Path):
    checker = AcquisitionChecker(filled)
    checker.check(saved(tmp_path / "doe_jane.png", picture(300)), picture=True)
    with filled.store.read() as tx:
        before = tx.count(Case), len(tx.events(limit=1000))
    blobs = sorted(path.name for path in filled.folder.rglob("*") if path.is_file())
    assert checker.check(saved(tmp_path / "roe_john.png", picture(301)), picture=True).picture.startswith(b"\x89PNG")
    with filled.store.read() as tx:
        assert (tx.count(Case), len(tx.events(limit=1000))) == before
    assert sorted(path.name for path in filled.folder.rglob("*") if path.is_file()) == blobs
    assert b"roe_john" not in b"".join(path.read_bytes() for path in filled.folder.rglob("*") if path.is_file())


def test_with_too_few_images_there_are_numbers_and_no_verdict(make_workspace: MakeWorkspace):
    found = AcquisitionChecker(fill(make_workspace([]), 5)).check_image(read(picture(9))).check
    assert (found.verdict, found.alarm) == ("unknown", 0.0)
    assert found.notes[0] == "No limit from images: 5 patients to compare with, at least 19 needed at 0.05"
    assert {line.usual for line in found.signs} == {None}


def test_flagged_images_set_no_limits(filled: Workspace):
    opened = choose_case(filled, every_case(filled)[0].id, annotator_named(filled, "Ann").id)
    flag_case(filled, opened.assignment.id, reason="blurred")
    assert AcquisitionChecker(filled).check_image(read(picture(9))).check.patients == 39


def test_a_case_is_not_compared_with_its_own_patient_and_the_pool_can_be_searched(filled: Workspace):
    bad = as_image(degrade(picture(70), "noise", 0.9, np.random.default_rng(0)))
    source = Source(format="raster", names=("bad.png",), sha256="1" * 64)
    case = add_case(filled, Image(bad, GRID), NewCase(name="bad", patient="bad", split="train", source=source))
    one = check_case(filled, case)
    assert (one.verdict, one.reasons[0].reason, one.patients) == ("acquire again", "noise", 40)
    again = [line.case_name for line in check_cases(filled) if line.check.verdict == "acquire again"]
    assert "bad" in again
    assert len(again) <= 4
    kept = kept_verdicts(filled)
    assert (kept[case.id].verdict, kept[case.id].reasons[0], len(kept)) == ("acquire again", one.reasons[0].words, 41)
    assert check_case(filled, case, Demand(alarm=0.4)) != one
    assert kept_verdicts(filled)[case.id] == kept[case.id]  # another rate of false alarms is another question
    add_model(filled, 1)
    assert kept_verdicts(filled) == {}  # the model in use finds something else


def said(filled: Workspace, case: Case, **how: float) -> Proposed:
    """A made-up model's prediction of a case that nobody stores."""
    with filled.store.read() as tx:
        model = tx.live_model()
    mask = np.zeros(case.grid.shape, np.uint8)
    if how.get("found", 1):
        mask[20:40, 20:40] = 1
    if how.get("cut"):
        mask[:15, 20:40] = 1
    made = add_prediction(filled, model, every_case(filled)[0], agreement=how.get("agreement", 0.95))
    return Proposed(model, dataclasses.replace(made, id="new", case_id=case.id, mask=None), mask)


@pytest.fixture
def modelled(filled: Workspace) -> Workspace:
    """The same with a model whose samples agree well in all of them."""
    model = add_model(filled, 1)
    rng = np.random.default_rng(0)
    for case in every_case(filled):
        add_prediction(filled, model, case, agreement=0.95 + 0.02 * rng.normal())
    return filled


def test_a_model_that_is_unlike_itself_or_finds_nothing_is_a_reason(modelled: Workspace):
    case = unsaved_case(read(picture(200)))
    limits = Limits(modelled, 0.05)
    sure = judge_image(limits, case, read(picture(200)).image, said(modelled, case, agreement=0.95))
    unsure = judge_image(limits, case, read(picture(200)).image, said(modelled, case, agreement=0.5))
    nothing = judge_image(limits, case, read(picture(200)).image, said(modelled, case, found=0))
    assert (sure.verdict, sure.model, sure.alarm) == ("accept", 1, 0.05)
    assert [one.reason for one in unsure.reasons] == ["model_unsure"]
    assert [one.reason for one in nothing.reasons] == ["model_unsure"]


def test_a_measure_that_has_no_bounds_is_said_and_is_no_reason(modelled: Workspace):
    case = unsaved_case(read(picture(200)))
    found = judge_image(Limits(modelled, 0.05), case, read(picture(200)).image, said(modelled, case), Demand(measure="area"))
    assert found.verdict == "accept"
    assert any(note.startswith("The area of large has no bounds") for note in found.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda path: Picture.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path),
            "1 channel",
        ),
        (lambda path: Picture.fromarray((257 * picture(0)).astype(np.uint16)).save(path), "uint8, this one has values of uint16"),
        (lambda path: Picture.fromarray(np.full((64, 64), 9, np.uint8)).save(path), "9 everywhere"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n no"), "image.png"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(filled: Workspace, tmp_path: Path, change, words: str):
    change(tmp_path / "image.png")
    with pytest.raises((InputError, FormatError), match=words) as refusal:
        AcquisitionChecker(filled).check(tmp_path / "image.png")
    assert "\n" not in str(refusal.value)


def test_a_demand_outside_its_range_is_refused():
    for wrong in ({"alarm": 0.9}, {"measure": "weight"}, {"tolerance": 0.0}):
        with pytest.raises(SettingError):
            Demand(**wrong)


def test_from_python_images_and_cases_are_judged(tmp_path: Path):
    with Project.create(tmp_path / "project", kind="segmentation", labels=["disc"], settings=FAST) as project:
        assert project.check_acquisition() == ()
        fill(project.workspace, 20)
        path = saved(tmp_path / "new.png", picture(90))
        (one,) = project.check_acquisition(path, demand=Demand(alarm=0.1))
        assert one.alarm == 0.1
        assert len(project.check_acquisition()) == 20
