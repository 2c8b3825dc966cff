"""How good predictions are when nothing has been evaluated: people's newest answers judge them, by reverse classification.

A few answered cases are enough, and none has to be kept for evaluation. Where evaluation cases exist, the quality that a
prediction already carries (`loop.proposals`) is the better guide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import ImageArray
from medloop.core.errors import InputError, SettingError, StateError
from medloop.core.names import natural_key
from medloop.core.records import Annotation, Case, Prediction
from medloop.core.seeds import derive_seed
from medloop.loop.arrays import load_image, load_mask, load_proposal
from medloop.loop.consensus import deciding
from medloop.loop.damage import LeftOut, sound_answers
from medloop.loop.workspace import Workspace
from medloop.quality.reverse import Reference, ReverseClassifier
from medloop.quality.triage import GOOD_DICE, is_good
from medloop.store.reader import Reader

FEWEST, MOST = 2, 10
"""References: fewer say nothing, more cost time and add little."""


@dataclass(frozen=True)
class JudgedCase:
    """A predicted case.

    Attributes:
        expected: Mean Dice of its labels that the references let expect.
        accuracy: The reverse classification accuracy it follows from.
        good: Whether it is expected to need no look.
    """

    case_id: str
    name: str
    expected: float
    accuracy: float
    good: bool


@dataclass(frozen=True)
class JudgedPool:
    """The unanswered predicted cases, the worst first.

    Attributes:
        references: Names of the answered cases that judged.
        unpredicted: Unanswered cases without a prediction of this model.
    """

    model_index: int
    references: tuple[str, ...]
    good: float
    cases: tuple[JudgedCase, ...]
    unpredicted: int


def judge_by_references(workspace: Workspace, *, most: int = MOST, good: float = GOOD_DICE) -> JudgedPool:
    """Judge what the newest model predicts of unanswered cases by people's newest whole answers.

    Args:
        workspace: The project; a segmentation.
        most: References at most, 2 to 10; the newest answers are taken.
        good: Mean Dice that needs no look.

    Raises:
        StateError: The project asks for tags.
        SettingError: `most` outside 2 to 10.
        InputError: No model, or fewer than 2 whole answers.
    """
    if workspace.task.kind != "segmentation":
        raise StateError("Only masks can be judged by references, this project asks for tags")
    if not FEWEST <= most <= MOST:
        raise SettingError(f"Take {FEWEST} to {MOST} references, got {most}")
    with workspace.store.read() as tx:
        model = tx.live_model()
        if model is None:
            raise InputError("Judging predictions needs a model, got none", remedy="answer some cases and train")
        answers = _newest_answers(tx)
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id)}
        pool = sorted(tx.unanswered_cases(["train", "audit"]), key=lambda case: case.name)
    answers = _sound(workspace, answers, most)
    if len(answers) < FEWEST:
        raise InputError(f"Judging predictions needs {FEWEST} whole answers, got {len(answers)}", remedy="answer some more cases")
    predicted = _readable(workspace, [case for case in pool if case.id in predictions], predictions)
    mixed = len({case.channels for case in [*predicted, *(case for case, _ in answers)]}) > 1
    judge = _judge(workspace, answers, grey=mixed)
    judged = [_judged(workspace, judge, case, predictions[case.id], good, grey=mixed) for case in predicted]
    judged.sort(key=lambda case: (case.expected, natural_key(case.name)))
    names = tuple(case.name for case, _ in answers)
    return JudgedPool(model.index, names, good, tuple(judged), len(pool) - len(predicted))


def _newest_answers(tx: Reader) -> list[tuple[Case, Annotation]]:
    """The deciding answer of each case, newest first."""
    by_case: dict[str, list[Annotation]] = {}
    for answer in tx.current_annotations():
        by_case.setdefault(answer.case_id, []).append(answer)
    newest = sorted(map(deciding, by_case.values()), key=lambda answer: answer.created_at, reverse=True)
    return [(tx.get(Case, answer.case_id), answer) for answer in newest]


def _sound(workspace: Workspace, pairs: Sequence[tuple[Case, Annotation]], most: int) -> list[tuple[Case, Annotation]]:
    """The first pairs whose bytes can be read, at most so many."""
    left_out, found = LeftOut(workspace), list[tuple[Case, Annotation]]()
    for case, answer in pairs:
        if len(found) < most and sound_answers(workspace, [answer], {case.id: case}, left_out):
            found.append((case, answer))
    return found


def _readable(workspace: Workspace, cases: Sequence[Case], predictions: Mapping[str, Prediction]) -> list[Case]:
    """The cases whose image and prediction can be read."""
    left_out, found = LeftOut(workspace), list[Case]()
    for case in cases:
        with left_out.case(case):
            for name in filter(None, (case.voxels, predictions[case.id].mask)):
                workspace.store.blobs.check(name)
            found.append(case)
    return found


def _judge(workspace: Workspace, answers: list[tuple[Case, Annotation]], *, grey: bool) -> ReverseClassifier:
    blobs = workspace.store.blobs
    references = [Reference(_intensities(workspace, case, grey=grey), load_mask(blobs, answer, case).array) for case, answer in answers]
    seed = derive_seed(workspace.settings.seed, "references")
    return ReverseClassifier(references, workspace.task.label_values, seed=seed).calibrate()


def _judged(workspace: Workspace, judge: ReverseClassifier, case: Case, prediction: Prediction, good: float, *, grey: bool) -> JudgedCase:
    score = judge.score(_intensities(workspace, case, grey=grey), load_proposal(workspace.store.blobs, prediction, case))
    return JudgedCase(case.id, case.name, score.expected, score.best, bool(is_good(score.expected, threshold=good)))


def _intensities(workspace: Workspace, case: Case, *, grey: bool) -> ImageArray:
    """Shape (channels, I, J, K); the channels' mean where grey and coloured pictures judge each other."""
    array = load_image(workspace.store.blobs, case).array
    return array.mean(axis=0, keepdims=True, dtype=np.float32) if grey else array
