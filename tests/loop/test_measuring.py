"""Measures of answers and predictions, with bounds learned from evaluated cases."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import NotFoundError, StateError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Annotator, Case, Prediction, Source
from medloop.images.result import UNSIZED
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.mask_figures import sample_figures
from medloop.loop.judging.predictions import make_prediction
from medloop.loop.overview.measurements import Measure, measure_case, measure_project
from medloop.models.inference.predict import ModelOutput
from medloop.quality.expected import QualityRule

from .conftest import MakeWorkspace
from .made_up import add_answer, add_evaluation, add_model, add_prediction, case_named, every_case


def row(measures: tuple[Measure, ...], label: str, name: str) -> Measure:
    (found,) = [m for m in measures if (m.label, m.name) == (label, name)]
    return found


def blocks(case: Case, lengths: list[int]) -> np.ndarray:
    """Samples that see a block of label 1 of so many slices, shape (samples, 3, I, J, K)."""
    samples = np.zeros((len(lengths), 3, *case.grid.shape), dtype=np.float32)
    for sample, length in zip(samples, lengths, strict=True):
        sample[1, :length] = 1
        sample[0, length:] = 1
    return samples


def predict(workspace: Workspace, model, case: Case, lengths: list[int]) -> Prediction:
    made = make_prediction(workspace.store.blobs, case, model, ModelOutput(blocks(case, lengths), np.zeros(3, np.float32)), QualityRule())
    with workspace.store.write("worker") as tx:
        tx.add(made)
    return made


def test_an_answer_is_measured_as_it_stands(pool: Workspace, ann: Annotator) -> None:
    case = case_named(pool, "case00")
    add_answer(pool, ann, case, labels=(1, 1, 2))
    found = measure_case(pool, case.id)
    i, j, k = case.grid.spacing_mm
    voxels = case.grid.shape[1] * case.grid.shape[2]
    assert (found.source, found.sized) == ("annotation", True)
    assert row(found.measures, "large", "volume").value == pytest.approx(2 * voxels * i * j * k / 1000)
    assert row(found.measures, "small", "area").value == pytest.approx(case.grid.shape[1] * i * j)
    assert all((m.low, m.high, m.accepted, m.reason) == (None, None, None, "") for m in found.measures)


def test_a_prediction_without_evaluated_patients_has_no_bounds_and_says_so(pool: Workspace) -> None:
    case = case_named(pool, "case00")
    predict(pool, add_model(pool, 1), case, [5, 6, 7])
    volume = row(measure_case(pool, case.id).measures, "large", "volume")
    assert volume.value is not None
    assert (volume.low, volume.high, volume.accepted) == (None, None, None)
    assert volume.reason == "no bounds: 0 evaluated patients, at least 10 needed"


def test_evaluated_cases_say_how_far_figures_are_off(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", *["test"] * 10])
    ann, model = annotator_named(workspace, "Ann"), add_model(workspace, 1)
    sure, unsure, *evaluated = every_case(workspace)
    for n, case in enumerate(evaluated):
        predict(workspace, model, case, [10, 10, 10 + n % 2])
        add_answer(workspace, ann, case, labels=[1] * 11)
    add_evaluation(workspace, model, "test", 1, {case.name: 0.9 for case in evaluated})
    predict(workspace, model, sure, [10, 10, 10])
    predict(workspace, model, unsure, [4, 10, 16])
    found, doubted = (row(measure_case(workspace, c.id).measures, "large", "volume") for c in (sure, unsure))
    assert found.value is not None
    assert (found.low, found.high) == (pytest.approx(0.9 * found.value), pytest.approx(1.1 * found.value))
    assert (found.accepted, found.reason) == (True, "")
    assert doubted.accepted is False
    assert "acquire" in doubted.reason


def test_a_structure_that_is_not_there_is_not_accepted(pool: Workspace) -> None:
    case = case_named(pool, "case00")
    predict(pool, add_model(pool, 1), case, [5, 5])
    absent = row(measure_case(pool, case.id).measures, "small", "volume")
    assert (absent.value, absent.accepted) == (0.0, False)
    assert "nothing measurable" in absent.reason


def flat_case(workspace: Workspace, *, notes: tuple[str, ...]) -> Case:
    image = Image(np.arange(1200, dtype=np.uint8).reshape(1, 40, 30, 1), Grid.flat(40, 30, 0.5))
    source = Source(format="raster", names=("a.png",), sha256="a" * 64)
    return add_case(workspace, image, NewCase(name="flat", patient="flat", split="train", source=source, notes=notes))


def test_an_image_without_pixel_size_is_measured_in_pixels(pool: Workspace, ann: Annotator) -> None:
    case = flat_case(pool, notes=(UNSIZED,))
    add_answer(pool, ann, case, labels=(1, 1))
    found = measure_case(pool, case.id)
    assert not found.sized
    assert {m.unit for m in found.measures} == {"pixels"}
    assert row(found.measures, "large", "area").value == 60


def test_a_picture_that_cuts_the_structure_off_is_not_accepted(pool: Workspace) -> None:
    case = flat_case(pool, notes=())
    predict(pool, add_model(pool, 1), case, [5, 5])
    area = row(measure_case(pool, case.id).measures, "large", "area")
    assert (area.value, area.unit, area.accepted) == (37.5, "mm²", False)
    assert "cuts" in area.reason


def test_old_predictions_keep_no_samples(pool: Workspace) -> None:
    case = case_named(pool, "case01")
    add_prediction(pool, add_model(pool, 1), case)
    found = measure_case(pool, case.id)
    assert found.measures[0].low is None
    assert "keeps no samples" in found.measures[0].reason
    assert [m.case_name for m in measure_project(pool)] == ["case01"]
    assert measure_project(pool, of="annotation") == []


def test_samples_are_kept_as_rows_of_figures(pool: Workspace) -> None:
    case = case_named(pool, "case00")
    rows = sample_figures(blocks(case, [2, 4]), case)
    volumes = next(figures for label, name, figures in rows if (label, name) == (1, "volume"))
    assert volumes[1] == pytest.approx(2 * volumes[0])
    assert next(figures for label, name, figures in rows if (label, name) == (2, "volume")) == [0.0, 0.0]


def test_nothing_to_measure_is_said(pool: Workspace) -> None:
    with pytest.raises(NotFoundError, match="neither an annotation nor a prediction"):
        measure_case(pool, case_named(pool, "case00").id)
    tags = dataclasses.replace(pool, task=dataclasses.replace(pool.task, kind="classification"))
    with pytest.raises(StateError, match="tags"):
        measure_case(tags, case_named(pool, "case00").id)
