"""Predictions judged by a few answers, with nothing evaluated."""

import hashlib

import numpy as np
import pytest

from medloop.core.errors import InputError, SettingError, StateError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Annotation, Annotator, Case, Model, Prediction, ProjectSettings, Source, Split, new_id, now
from medloop.images.encode import encode_mask
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.reverse_accuracy import judge_by_references

from .made_up import add_evaluation, add_model

SHAPE = (20, 20, 12)


def ball(shift: float) -> np.ndarray:
    away = np.linalg.norm(np.indices(SHAPE) - np.reshape([10 + shift, 10, 6], (3, 1, 1, 1)), axis=0)
    return (away < 5).astype(np.uint8)


def add_ball(workspace: Workspace, name: str, shift: float, *, channels: int = 1, split: Split = "train") -> Case:
    """A bright ball on noise."""
    noise = np.random.default_rng(int(10 * shift) + 100).normal(size=(channels, *SHAPE))
    image = Image((5.0 * ball(shift) + noise).astype(np.float32), Grid(SHAPE, np.eye(4)))
    source = Source(format="made up", names=(name,), sha256=hashlib.sha256(name.encode()).hexdigest())
    case = add_case(workspace, image, NewCase(name=name, patient=name, split=split, source=source))
    assert case is not None
    return case


def answer(workspace: Workspace, person: Annotator, case: Case, mask: np.ndarray) -> None:
    blob = workspace.store.blobs.put(encode_mask(mask))
    made = Annotation(
        id=new_id("annotation"),
        case_id=case.id,
        task_id=workspace.task.id,
        annotator_id=person.id,
        kind="mask",
        blob=blob,
        created_at=now(),
    )
    with workspace.store.write(person.id) as tx:
        tx.add(made, verb="submit")


def predict(workspace: Workspace, model_id: str, case: Case, mask: np.ndarray, *, agreement: float = 0.5) -> None:
    blob = workspace.store.blobs.put(encode_mask(mask))
    made = Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id=model_id,
        mask=blob,
        uncertainty=None,
        probabilities=(0.9, 0.1),
        features=None,
        scores={"agreement": agreement},
        created_at=now(),
    )
    with workspace.store.write("worker") as tx:
        tx.add(made)


@pytest.fixture
def workspace(tmp_path):
    with Workspace.create(
        tmp_path / "balls", name="Balls", kind="segmentation", labels=["ball"], settings=ProjectSettings(train_after=0)
    ) as made:
        yield made


def filled(workspace: Workspace, *, answers: int = 3, channels: int = 1) -> None:
    """Answered balls, one found where it is, one predicted beside it, one not predicted."""
    person = annotator_named(workspace, "somebody")
    for n in range(answers):
        answer(workspace, person, add_ball(workspace, f"answered{n}", n - 1.0), ball(n - 1.0))
    model = add_model(workspace, 3)
    predict(workspace, model.id, add_ball(workspace, "found", 0.5, channels=channels), ball(0.5))
    predict(workspace, model.id, add_ball(workspace, "missed", 0.6), np.roll(ball(0.6), 7, axis=0))
    add_ball(workspace, "unseen", 0.7)


def checked(workspace: Workspace, patients: int, *, signs: str = "none") -> None:
    """As `filled`, and evaluated test patients whose predictions lie beside the ball by more and more."""
    filled(workspace)
    with workspace.store.read() as tx:
        model = tx.find(Model)[0]
    scores = {}
    for n in range(patients):
        case = add_ball(workspace, f"test{n:02d}", 0.1 * n, split="test")
        moved = np.roll(ball(0.1 * n), n % 8, axis=0)
        dice = 2.0 * float((moved & ball(0.1 * n)).sum()) / float(moved.sum() + ball(0.1 * n).sum())
        predict(workspace, model.id, case, moved, agreement={"none": 0.5, "good": dice}[signs])
        scores[case.name] = dice
    add_evaluation(workspace, model, "test", 1, scores)


def test_unchecked_references_put_cases_in_order_and_name_no_dice(workspace):
    filled(workspace)
    found = judge_by_references(workspace)
    assert [(c.name, c.expected, c.good) for c in found.cases] == [("missed", None, None), ("found", None, None)]
    assert found.note.endswith("cannot be checked (0 evaluated patients, at least 10 needed); cases are in order only")
    assert (found.references, found.model_index, found.unpredicted) == (("answered2", "answered1", "answered0"), 3, 1)
    assert judge_by_references(workspace) == found


def test_references_that_rank_the_evaluated_patients_name_a_dice(workspace):
    checked(workspace, 12)
    found = judge_by_references(workspace)
    assert found.note == ""
    assert found.judged_by == "reverse classification by 3 annotations, checked on 12 evaluated patients"
    missed, there = found.cases
    assert (missed.name, missed.good, there.name, there.good) == ("missed", False, "found", True)
    assert there.expected is not None
    assert there.low is not None
    assert there.high is not None
    assert there.low <= there.expected <= there.high


def test_signs_that_rank_the_evaluated_patients_come_before_references(workspace):
    checked(workspace, 12, signs="good")
    found = judge_by_references(workspace)
    assert (found.references, found.judged_by) == ((), "agreement of its samples, checked on 12 evaluated patients")


def test_few_evaluated_patients_check_nothing(workspace):
    checked(workspace, 4)
    assert "4 evaluated patients, at least 10 needed" in judge_by_references(workspace).note


def test_the_newest_answers_judge(workspace):
    filled(workspace)
    assert judge_by_references(workspace, most=2).references == ("answered2", "answered1")


def test_grey_and_coloured_images_judge_each_other(workspace):
    filled(workspace, channels=3)
    assert [c.name for c in judge_by_references(workspace).cases] == ["missed", "found"]


def test_what_is_missing_is_said_in_a_line(workspace, tmp_path):
    with pytest.raises(InputError, match="needs a model, got none; annotate some cases and train"):
        judge_by_references(workspace)
    filled(workspace, answers=1)
    with pytest.raises(InputError, match="needs 2 whole annotations, got 1; annotate some more cases"):
        judge_by_references(workspace)
    with pytest.raises(SettingError, match="Take 2 to 10 references, got 11"):
        judge_by_references(workspace, most=11)
    with (
        Workspace.create(tmp_path / "tags", name="Tags", kind="classification", labels=["a", "b"]) as tags,
        pytest.raises(StateError, match="needs masks, the project Tags is a classification"),
    ):
        judge_by_references(tags)
