"""Whether a model errs more on a group than it was expected to, where annotations of the group show it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.names import counted
from medloop.core.records import Case, Prediction, Snapshot, Split
from medloop.core.seeds import generator
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.damage import LeftOut, sound_annotations
from medloop.loop.foundation.leaning import leans_on_proposal
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.domain import Domain
from medloop.loop.judging.evaluation import score_annotations
from medloop.loop.judging.evaluation_cases import evaluated_cases
from medloop.metrics.drift import DriftTest
from medloop.metrics.intervals import MIN_PATIENTS, bootstrap_mean, group_means, interval_words

SPLITS: tuple[Split, ...] = ("train", "audit", "test", "validation")


@dataclass(frozen=True)
class ErrorDrift:
    """The test, where enough patients are annotated; and what to say beside it."""

    test: DriftTest | None
    note: str


def calibration_drift(workspace: Workspace, domain: Domain, inside: Callable[[Case], bool]) -> ErrorDrift:
    """Observed less expected score of the annotated cases of a group that the model did not learn from.

    What is expected is the quality predicted with each case, or the mean over the model's other evaluated cases where none was. Annotations
    that began as a proposal are left out. The test is Student's, one-sided for a lower score, over patients.
    """
    observed, expected, patients, by = _pairs(workspace, domain, inside)
    if not len(observed):
        return ErrorDrift(None, "no annotated cases of the group: expected and observed quality were not compared")
    if len(set(patients)) < MIN_PATIENTS:
        count = counted(len(set(patients)), "annotated patient")
        return ErrorDrift(None, f"{count} of the group: at least {MIN_PATIENTS} needed to compare expected and observed quality")
    less = observed - expected
    interval = bootstrap_mean(less, patients, generator(workspace.settings.seed, "calibration drift", domain.model.index))
    means = group_means(less, patients)
    error = max(float(means.std(ddof=1)) / len(means) ** 0.5, 1e-6)
    p = _below(float(means.mean()) / error, len(means) - 1)
    about = f"observed {observed.mean():.3f}, expected {expected.mean():.3f} {by}; difference {interval_words(interval, '+.3f')}"
    return ErrorDrift(DriftTest("calibration", about, float(means.mean()) / error, p, interval.mean, "observed less expected quality"), "")


def _below(t: float, freedom: int) -> float:
    from scipy.special import stdtr

    return float(stdtr(freedom, t))


def _pairs(workspace: Workspace, domain: Domain, inside: Callable[[Case], bool]) -> tuple[FloatArray, FloatArray, list[str], str]:
    """Observed and expected scores, the patients, and by what they are expected."""
    model = domain.model
    with workspace.store.read() as tx:
        learned = set(tx.get(Snapshot, model.snapshot_id).annotation_ids)
        taught = {case.patient for case in domain.training.cases}
        answers = [a for split in SPLITS for a in consensus_annotations(tx, split) if a.id not in learned and not leans_on_proposal(tx, a)]
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
        predictions = {
            p.case_id: p for p in tx.find(Prediction, where={"model_id": model.id, "case_id": list(cases)[:20_000]}) if p.case_id in cases
        }
        others = [c.truth for c in evaluated_cases(tx, model.id) if not inside(tx.get(Case, c.case_id))]
    wanted = [a for a in answers if inside(cases[a.case_id]) and a.case_id in predictions and cases[a.case_id].patient not in taught]
    left_out = LeftOut(workspace)
    scores = score_annotations(workspace, model, sound_annotations(wanted, cases, left_out), cases, left_out)
    ids = list(scores)
    observed = np.array([np.mean(list(scores[i].values())) for i in ids], dtype=np.float64)
    qualities = [predictions[i].quality for i in ids]
    if ids and all(q is not None for q in qualities):
        return observed, np.array(qualities, dtype=np.float64), [cases[i].patient for i in ids], "by the quality predicted with each"
    if not others or not ids:
        return np.zeros(0), np.zeros(0), [], ""
    return observed, np.full(len(ids), float(np.mean(others))), [cases[i].patient for i in ids], "as on the other evaluated cases"
