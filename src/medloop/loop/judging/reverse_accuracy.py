"""How good the predictions of unanswered cases are, by what there is to judge them by.

Signs of quality that rank the model's evaluated patients come first (`medloop.quality.expected`). Where none does, people's
newest answers judge by reverse classification; whether that tells anything is checked on the evaluated patients, too. Where
it cannot be checked or fails, cases are put in order, and no Dice is named.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import ImageArray
from medloop.core.errors import InputError, SettingError
from medloop.core.names import counted, natural_key
from medloop.core.records import Annotation, Case, Model, Prediction
from medloop.core.seeds import derive_seed
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.arrays import load_image, load_mask, load_proposal
from medloop.loop.foundation.consensus import by_case, deciding
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.label_versions import labels_of_model
from medloop.loop.foundation.workspace import Workspace, require_masks
from medloop.loop.judging.evaluation_cases import EvaluatedCase, evaluated_cases, evaluated_patients
from medloop.loop.judging.predictions import quality_rule
from medloop.loop.judging.quality_signs import signs_of_prediction
from medloop.quality.expected import REVERSE, TITLES, Quality, QualityRule, fit_quality
from medloop.quality.regression import FEWEST_PATIENTS
from medloop.quality.reverse import Reference, ReverseClassifier
from medloop.quality.triage import GOOD_DICE, is_good
from medloop.store.reader import Reader

FEWEST, MOST = 2, 10
"""References: fewer say nothing, more cost time and add little."""

MOST_CHECKED = 40
"""Evaluated cases that check reverse classification: each costs about a second."""


@dataclass(frozen=True)
class JudgedCase:
    """A predicted case.

    Attributes:
        expected, low, high: Mean Dice of its labels to be expected, with a 90 % interval; None where it cannot be told.
        accuracy: The reverse classification accuracy; None where references were not asked.
        good: Whether it is expected to need no look; None where that cannot be told.
    """

    case_id: str
    name: str
    expected: float | None
    low: float | None
    high: float | None
    accuracy: float | None
    good: bool | None


@dataclass(frozen=True)
class JudgedPool:
    """The unanswered predicted cases, the worst first.

    Attributes:
        references: Names of the answered cases that judged; none where the model's own signs did.
        judged_by: What judged, in words.
        note: Why no Dice is named, in words; "" where it is.
        unpredicted: Unanswered cases without a prediction of this model.
    """

    model_index: int
    references: tuple[str, ...]
    judged_by: str
    note: str
    good: float
    cases: tuple[JudgedCase, ...]
    unpredicted: int


def judge_by_references(workspace: Workspace, *, most: int = MOST, good: float = GOOD_DICE) -> JudgedPool:
    """Judge predictions of unanswered cases, by 2 to 10 references (`most`): the newest whole answers outside the evaluation.

    Raises:
        StateError: The project is a classification.
        SettingError: `most` outside 2 to 10.
        InputError: No model, or neither evaluated patients that tell anything nor 2 whole answers.
    """
    require_masks(workspace, "Judging by references")
    if not FEWEST <= most <= MOST:
        raise SettingError(f"Take {FEWEST} to {MOST} references, got {most}")
    with workspace.store.read() as tx:
        model = tx.live_model()
        if model is None:
            raise InputError("Judging predictions needs a model, got none", remedy="annotate some cases and train")
        pool = sorted(tx.unlabelled_cases(["train", "audit"]), key=lambda case: natural_key(case.name))
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id)}
        evaluated = evaluated_cases(tx, model.id)
        newest = _newest_annotations(tx, {case.case_id for case in evaluated})
    predicted = _readable(workspace, [case for case in pool if case.id in predictions], predictions)
    rule = quality_rule(workspace, model)
    names: tuple[str, ...] = ()
    if rule.predictors:
        judged = [_case(case, rule(signs_of_prediction(predictions[case.id])), None, good) for case in predicted]
    else:
        answers = _sound(workspace, newest, most)
        found = [(case, predictions[case.id]) for case in predicted]
        judged, rule = _by_references(workspace, model, answers, found, evaluated, good)
        names = tuple(case.name for case, _ in answers)
    judged.sort(key=lambda case: (case.expected if case.expected is not None else case.accuracy or 0.0, natural_key(case.name)))
    return JudgedPool(model.index, names, _judged_by(rule, names), rule.note, good, tuple(judged), len(pool) - len(predicted))


def _by_references(
    workspace: Workspace,
    model: Model,
    answers: list[tuple[Case, Annotation]],
    predicted: list[tuple[Case, Prediction]],
    evaluated: list[EvaluatedCase],
    good: float,
) -> tuple[list[JudgedCase], QualityRule]:
    """Reverse classification of every case, and what the evaluated patients say about it."""
    if len(answers) < FEWEST:
        raise InputError(f"Judging predictions needs {FEWEST} whole annotations, got {len(answers)}", remedy="annotate some more cases")
    with workspace.store.read() as tx:
        checks = [(tx.get(Case, one.case_id), one) for one in evaluated[:MOST_CHECKED]]
    sound = {case.id for case in _readable(workspace, [case for case, _ in checks], {case.id: one.prediction for case, one in checks})}
    checks = [(case, one) for case, one in checks if case.id in sound]
    mixed = len({case.channels for case, _ in [*predicted, *answers, *checks]}) > 1
    judge = _judge(workspace, model, answers, grey=mixed)
    patients = evaluated_patients([one for _, one in checks])
    enough = patients >= FEWEST_PATIENTS  # fewer decide nothing, so they need not be judged
    signs = [{REVERSE: _score(workspace, judge, case, one.prediction, grey=mixed)} for case, one in checks] if enough else []
    used = [one for _, one in checks] if enough else []
    rule = fit_quality(signs, np.array([one.truth for one in used]), [one.patient for one in used])
    if not enough:
        few = f"{patients} evaluated patient{'' if patients == 1 else 's'}, at least {FEWEST_PATIENTS} needed"
        rule = QualityRule((), f"no Dice is named: reverse classification cannot be checked ({few}); cases are in order only")
    accuracies = [_score(workspace, judge, case, prediction, grey=mixed) for case, prediction in predicted]
    return [_case(case, rule({REVERSE: a}), a, good) for (case, _), a in zip(predicted, accuracies, strict=True)], rule


def _case(case: Case, quality: Quality | None, accuracy: float | None, good: float) -> JudgedCase:
    if quality is None:
        return JudgedCase(case.id, case.name, None, None, None, accuracy, None)
    enough = bool(is_good(quality.expected, threshold=good))
    return JudgedCase(case.id, case.name, quality.expected, quality.low, quality.high, accuracy, enough)


def _judged_by(rule: QualityRule, references: tuple[str, ...]) -> str:
    answers = f"reverse classification by {counted(len(references), 'annotation')}" if references else ""
    if not rule.predictors:
        return answers
    return f"{answers or TITLES[rule.predictors[0].name]}, checked on {counted(rule.patients, 'evaluated patient')}"


def _newest_annotations(tx: Reader, apart: set[str]) -> list[tuple[Case, Annotation]]:
    """The deciding answer of each case, newest first; none of the cases that check."""
    answers = by_case(answer for answer in tx.current_annotations() if answer.case_id not in apart)
    newest = sorted(map(deciding, answers.values()), key=lambda answer: answer.created_at, reverse=True)
    return [(tx.get(Case, answer.case_id), answer) for answer in newest]


def _sound(workspace: Workspace, pairs: Sequence[tuple[Case, Annotation]], most: int) -> list[tuple[Case, Annotation]]:
    """The first pairs whose bytes can be read, at most so many."""
    left_out, found = LeftOut(workspace), list[tuple[Case, Annotation]]()
    for case, answer in pairs:
        if len(found) < most and left_out.can_read(case, answer.blob, case.voxels):
            found.append((case, answer))
    return found


def _readable(workspace: Workspace, cases: Sequence[Case], predictions: Mapping[str, Prediction]) -> list[Case]:
    """The cases whose image and prediction can be read."""
    left_out = LeftOut(workspace)
    return [case for case in cases if left_out.can_read(case, case.voxels, predictions[case.id].mask)]


def _judge(workspace: Workspace, model: Model, answers: list[tuple[Case, Annotation]], *, grey: bool) -> ReverseClassifier:
    """By the labels that the model has learned, and the references that annotate as many of them as most do."""
    blobs = workspace.store.blobs
    answers, values = _alike(workspace, model, answers)
    references = [Reference(_intensities(workspace, case, grey=grey), load_mask(blobs, answer, case).array) for case, answer in answers]
    return ReverseClassifier(references, values, seed=derive_seed(workspace.settings.seed, "references"))


def _alike(
    workspace: Workspace, model: Model, answers: list[tuple[Case, Annotation]]
) -> tuple[list[tuple[Case, Annotation]], tuple[int, ...]]:
    """The references that annotate the labels which most of them do, as far as the model has learned these, and their values."""
    with workspace.store.read() as tx:
        scope = annotated_labels(tx, workspace.task)
    learned = labels_of_model(model, workspace.task)
    own = [tuple(label.value for label in scope.of(answer) if label in learned) for _, answer in answers]
    values = max(Counter(own).items(), key=lambda item: (item[1], len(item[0])))[0]
    return [pair for pair, found in zip(answers, own, strict=True) if set(values) <= set(found)], values


def _score(workspace: Workspace, judge: ReverseClassifier, case: Case, prediction: Prediction, *, grey: bool) -> float:
    """The reverse classification accuracy of a prediction."""
    return judge.score(_intensities(workspace, case, grey=grey), load_proposal(workspace.store.blobs, prediction, case)).best


def _intensities(workspace: Workspace, case: Case, *, grey: bool) -> ImageArray:
    """Shape (channels, I, J, K); the channels' mean where grey and coloured pictures judge each other."""
    array = load_image(workspace.store.blobs, case).array
    return array.mean(axis=0, keepdims=True, dtype=np.float32) if grey else array
