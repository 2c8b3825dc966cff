"""The queried cases' estimate beside the audit sample's: which of them to go by, and whether they contradict each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.records import Evaluation, Model
from medloop.core.seeds import generator
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drawn import DrawnEstimate, newest_estimate
from medloop.loop.judging.evaluation_cases import FAIR_SPLITS, shown_interval
from medloop.metrics.intervals import group_numbers, interval_words
from medloop.query.budget.drawn_mean import Draws
from medloop.query.stopping import Curve
from medloop.store.reader import Reader

WIDER = 2.576 / 1.960
"""From the ends of a 95 % interval to those of a 99 % one: the question is asked after every model."""

DRAWS = 400


@dataclass(frozen=True)
class SelectedView:
    """What the queried cases say, beside the evaluation cases.

    Attributes:
        estimate: Of the newest model that has one; see `DrawnEstimate`.
        split: Of the evaluation cases that the same model was judged on; "" where it was on none.
        audit, audit_low, audit_high: Its score there; None without.
        basis: What the advice to stop and the forecast go by, in words.
        warning: That both contradict each other beyond chance; "" where they do not.
    """

    estimate: DrawnEstimate
    split: str
    audit: float | None
    audit_low: float | None
    audit_high: float | None
    basis: str
    warning: str

    @property
    def words(self) -> tuple[str, ...]:
        """The same as lines of a status."""
        one = self.estimate
        if one.mean is None:
            return (one.note,)
        plain = f"; their plain mean, which their choice biases, is {one.plain:.3f}" if one.plain is not None else ""
        rests = f"model {one.model_index}: {one.mean:.3f} ({interval_words(one)}) over a pool of {one.pool} cases"
        lines = [f"{rests}, by {one.cases} of them drawn and weighted by their chances{plain}", one.warning]
        if self.audit is not None:
            ends = "no interval" if self.audit_low is None else f"{self.audit_low:.3f} to {self.audit_high:.3f}"
            lines.append(f"on {self.split} cases the same model has {self.audit:.3f} ({ends})")
        return tuple(filter(None, [*lines, self.warning]))


def selected_view(workspace: Workspace, drawn: Sequence[DrawnEstimate], basis: str) -> SelectedView | None:
    """The estimate of the queried cases that stands for the project; None before the first model."""
    estimate = newest_estimate(drawn)
    if estimate is None:
        return None
    estimate = replace(estimate, draws=None)
    with workspace.store.read() as tx:
        found = _judged_beside(tx, estimate)
        if found is None:
            return SelectedView(estimate, "", None, None, None, basis, "")
        interval = shown_interval(tx, found)
    ends = (interval.mean, interval.low, interval.high)
    return SelectedView(estimate, found.split, *ends, basis, _contradiction(estimate, found.split, ends))


def _judged_beside(tx: Reader, estimate: DrawnEstimate) -> Evaluation | None:
    """The evaluation of the same model on the audit sample, or else on test cases."""
    models = tx.find(Model, where={"index": estimate.model_index})
    judged = {e.split: e for model in models for e in tx.current_evaluations(model_id=model.id)}
    return next((judged[split] for split in reversed(FAIR_SPLITS) if split in judged), None)


def _contradiction(estimate: DrawnEstimate, split: str, ends: tuple[float, float | None, float | None]) -> str:
    mean = ends[0]
    if estimate.mean is None or not contradict((estimate.mean, estimate.low, estimate.high), ends):
        return ""
    higher = "lower" if mean < estimate.mean else "higher"
    return (
        f"the {split} sample says {mean:.3f}, {higher} than the queried cases' {estimate.mean:.3f} beyond chance (1 %): either the pool "
        f"differs from the {split} patients, annotations lean on proposals, or one of both was not annotated as it was drawn"
    )


def contradict(one: tuple[float, float | None, float | None], other: tuple[float, float | None, float | None]) -> bool:
    """Whether two independent means, each with its 95 % interval, differ at the level of 1 %; never where one has no interval.

    Of each interval the half that faces the other mean counts, as both are skewed.
    """
    (low_mean, _, up), (high_mean, down, _) = sorted([one, other], key=lambda ends: ends[0])
    if up is None or down is None:
        return False
    return bool(high_mean - low_mean > WIDER * np.hypot(up - low_mean, high_mean - down))


def drawn_curve(workspace: Workspace, estimates: Sequence[DrawnEstimate]) -> Curve | None:
    """The learning curve over the pool by the queried cases; None where no model has an interval.

    Points share draws, so patients are drawn anew for all of them at once.
    """
    points = [e for e in estimates if e.low is not None and e.draws is not None]
    if not points:
        return None
    everybody = list(dict.fromkeys(p for e in points if e.draws for p in e.draws.patients))
    rng = generator(workspace.settings.seed, "drawn")
    weights = dict(zip(everybody, rng.standard_exponential((len(everybody), DRAWS)), strict=True))
    newest = points[-1]
    return Curve(
        labels=np.array([e.labelled_cases for e in points], dtype=np.float64),
        scores=np.array([e.mean for e in points], dtype=np.float64),
        draws=np.stack([_redrawn(e.draws, weights) for e in points if e.draws is not None], axis=1),
        low=newest.low,
        patients=min(e.patients for e in points),
        source=f"{newest.cases} queried cases weighted by their chances, for model {newest.model_index}",
    )


def _redrawn(draws: Draws, weights: dict[object, FloatArray]) -> FloatArray:
    """The mean score with patients weighted at random, shape (DRAWS,)."""
    patients = list(draws.patients)
    number = group_numbers(patients)
    own = np.stack([weights[p] for p in dict.fromkeys(patients)])  # (patients, DRAWS)
    times = own / own.mean(axis=0)
    return np.asarray(1.0 - (draws.weights * draws.losses) @ times[number] / len(patients), dtype=np.float64)
