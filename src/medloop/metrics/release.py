"""Whether a newly trained model may replace the one in use: non-inferior in all, for each label and in each subgroup of patients.

A paired difference has to be shown to lie above minus its margin, by the lower end of a one-sided Student interval over patients
(as in `succession`, whose coverage holds with few patients; a percentile bootstrap's does not). Everything that is judged has to
hold, so no correction for many comparisons is due: a model that is worse than allowed somewhere passes in at most 5 % of
comparisons, however many others there are (intersection-union test, Berger 1982, doi:10.1080/00401706.1982.10487790). The price is
that a model that is just as good may not pass either; how often, a bootstrap of the same patients says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.core.names import counted
from medloop.metrics.intervals import t_quantile
from medloop.metrics.succession import FEWEST_PATIENTS, RESOLUTION

Kind: TypeAlias = Literal["all", "label", "subgroup", "calibration"]
Verdict: TypeAlias = Literal["held", "worse", "not shown", "too few patients", "lost", "new"]

ONE_SIDED = 0.95
"""Chance at most that a model worse than allowed passes: 1 minus this."""

DRAWS = 1000
"""Bootstrap samples behind the chance that a model as good as the one in use passes."""


@dataclass(frozen=True)
class Question:
    """One thing that may not get worse.

    Attributes:
        kind: "all", "label", "subgroup" or "calibration".
        name: Of the label or subgroup; "" for all cases.
        differences: Of the newer model less the one in use, higher is better, shape (cases,).
        patients: The patient of each case.
        margin: How much worse the newer one may be.
    """

    kind: Kind
    name: str
    differences: FloatArray
    patients: Sequence[str]
    margin: float


@dataclass(frozen=True)
class Finding:
    """What a comparison says of one question.

    Attributes:
        difference: Mean over patients.
        low: Lower end of the one-sided 95 % interval; None with too few patients.
        verdict: "held" where `low` is above minus the margin; "worse" where the upper end is below 0. Of a label that only one model
            has learned, "lost" where that is the one in use, and "new" otherwise.
    """

    kind: Kind
    name: str
    patients: int
    difference: float
    low: float | None
    margin: float
    verdict: Verdict

    @property
    def stops(self) -> bool:
        """Whether the model may not pass because of it: few patients of a label or subgroup show nothing and stop nobody."""
        return self.verdict not in ("held", "new") and (self.kind == "all" or self.verdict != "too few patients")

    @property
    def is_worse(self) -> bool:
        """Whether the newer model is shown to be worse, or cannot do what the one in use does."""
        return self.verdict in ("worse", "lost")

    @property
    def text(self) -> str:
        """One line for people."""
        called = {"all": "all cases", "label": f"label {self.name}", "subgroup": self.name, "calibration": self.name}[self.kind]
        if not self.patients:
            return f"{called}: {_UNCOMPARED.get(self.verdict, 'no evaluation patient has an annotation of it, not judged')}"
        found = f"{called}: {self.difference:+.3f} on {counted(self.patients, 'patient')}"
        if self.low is None:
            return f"{found}, too few to judge (at least {FEWEST_PATIENTS})"
        return f"{found}, at worst {self.low:+.3f} where {-self.margin:+.3f} is allowed: {self.verdict}"


_UNCOMPARED: Mapping[Verdict, str] = MappingProxyType(
    {
        "lost": "the model in use has learned it, the newer one has not: lost",
        "new": "only the newer model has learned it, nothing to hold it against",
    }
)


@dataclass(frozen=True)
class Cost:
    """What a proposal takes.

    Attributes:
        name: What is measured, with its unit.
        newer, older: Of both models.
        most: How many times the older one's the newer one's may be.
    """

    name: str
    newer: float
    older: float
    most: float

    @property
    def stops(self) -> bool:
        """Whether the newer model takes too much."""
        return self.newer > self.most * self.older

    @property
    def text(self) -> str:
        """One line for people."""
        times = self.newer / self.older if self.older > 0 else float("inf")
        verdict = "too much" if self.stops else "held"
        return f"{self.name}: {self.newer:.3g} against {self.older:.3g}, {times:.2g} times where {self.most:g} are allowed: {verdict}"


@dataclass(frozen=True)
class Gate:
    """What a release was decided on.

    Attributes:
        findings: All cases first, then labels, subgroups and calibration.
        alike: Chance that a model as good as the one in use passes on these patients; None with too few of them.
        costs: Time and memory of a proposal, where they were measured.
    """

    findings: tuple[Finding, ...]
    alike: float | None
    costs: tuple[Cost, ...] = ()

    @property
    def judged(self) -> tuple[Finding | Cost, ...]:
        """Everything that was judged."""
        return (*self.findings, *self.costs)

    @property
    def passes(self) -> bool:
        """Whether nothing stops the newer model."""
        return not any(one.stops for one in self.judged)

    @property
    def may_be_tried(self) -> bool:
        """Whether enough patients were there, and nothing speaks against showing the newer model's proposals to people."""
        return (
            self.findings[0].low is not None and not any(one.is_worse for one in self.findings) and not any(one.stops for one in self.costs)
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything that was judged, one line each."""
        return tuple(one.text for one in self.judged)

    @property
    def text(self) -> str:
        """One line for people: what stops it, or how far all held."""
        stopping = [one.text for one in self.judged if one.stops]
        if stopping:
            told = self.alike is not None and any(one.stops for one in self.findings)
            rate = "" if not told else f" (a model as good as the one in use passes in {self.alike:.0%} of such comparisons)"
            return f"{'; '.join(stopping)}{rate}"
        judged = [one for one in self.judged if isinstance(one, Cost) or one.low is not None]
        others = f"; so are all of {counted(len(judged), 'figure')}" if len(judged) > 1 else ""
        return f"{self.findings[0].text}{others}{'' if self.costs else '; time and memory were not measured'}"

    def to_json(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {
            "findings": [{**asdict(one), "text": one.text} for one in self.findings],
            "costs": [{**asdict(one), "text": one.text} for one in self.costs],
            "alike": self.alike,
            "passes": self.passes,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Gate":
        """Inverse of `to_json`."""
        found, cost = Finding.__dataclass_fields__, Cost.__dataclass_fields__
        return cls(
            tuple(Finding(**{name: one[name] for name in found}) for one in value["findings"]),
            value["alike"],
            tuple(Cost(**{name: one[name] for name in cost}) for one in value["costs"]),
        )


def with_labels(gate: Gate, *, lost: Sequence[str], new: Sequence[str], unseen: Sequence[str]) -> Gate:
    """A gate that also says which labels could not be compared.

    Args:
        gate: What was found about those that could.
        lost: Names of labels that only the model in use has learned: they stop the newer one.
        new: Of labels that only the newer model has learned.
        unseen: Of labels that both have learned, and no evaluation patient has an annotation of.
    """
    margin = max(one.margin for one in gate.findings)
    verdicts: Sequence[tuple[Verdict, Sequence[str]]] = (("lost", lost), ("new", new), ("too few patients", unseen))
    more = [Finding("label", name, 0, 0.0, None, margin, verdict) for verdict, names in verdicts for name in names]
    return replace(gate, findings=(*gate.findings, *more))


def judge(questions: Sequence[Question], rng: np.random.Generator) -> Gate:
    """Answer every question of a release.

    Args:
        questions: The first one is about all cases.
        rng: Of the bootstrap behind `Gate.alike`.

    Raises:
        InputError: No question, a margin below 0, or differences that are not finite.
        ShapeError: A question without a case, or whose cases and patients differ in number.
    """
    if not questions or questions[0].kind != "all":
        raise InputError("A release is judged on all cases first", remedy="give the question about all cases")
    everybody = sorted({patient for one in questions for patient in one.patients})
    means = np.column_stack([_by_patient(one, everybody) for one in questions])
    margins = np.array([one.margin for one in questions])
    low, high = _bounds(means)
    counts = np.isfinite(means).sum(axis=0)
    findings = tuple(
        _finding(one, int(count), float(mean), float(least), float(most))
        for one, count, mean, least, most in zip(questions, counts, np.nanmean(means, axis=0), low, high, strict=True)
    )
    return Gate(findings, _alike(means, margins, rng) if counts[0] >= FEWEST_PATIENTS else None)


def _finding(one: Question, count: int, mean: float, low: float, high: float) -> Finding:
    if count < FEWEST_PATIENTS:
        return Finding(one.kind, one.name, count, mean, None, one.margin, "too few patients")
    verdict: Verdict = "held" if low >= -one.margin else "worse" if high < 0 else "not shown"
    return Finding(one.kind, one.name, count, mean, low, one.margin, verdict)


def _by_patient(one: Question, everybody: Sequence[str]) -> FloatArray:
    """Mean difference of each patient, NaN for those that the question has no case of."""
    values = np.asarray(one.differences, dtype=np.float64)
    if values.shape != (len(one.patients),) or not len(values):
        raise ShapeError(f"A question needs one difference and one patient per case, got {values.shape} and {len(one.patients)}")
    if not np.isfinite(values).all() or one.margin < 0:
        raise InputError(f"Differences must be finite and the margin at least 0, got a margin of {one.margin:g}", remedy="check the scores")
    place = {patient: index for index, patient in enumerate(everybody)}
    where = np.array([place[patient] for patient in one.patients])
    total, count = np.bincount(where, values, len(everybody)), np.bincount(where, minlength=len(everybody))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _bounds(means: FloatArray) -> tuple[FloatArray, FloatArray]:
    """One-sided lower and upper ends, shape (…, questions), of patients' means, shape (…, patients, questions) with NaN for none."""
    there = np.isfinite(means)
    count = there.sum(axis=-2)
    filled = np.where(there, means, 0.0)
    mean = filled.sum(axis=-2) / np.maximum(count, 1)
    spread = np.where(there, means - mean[..., None, :], 0.0)
    deviation = np.sqrt((spread**2).sum(axis=-2) / np.maximum(count - 1, 1))
    freedom = np.arange(means.shape[-2] + 1)
    quantiles = np.array([np.inf, np.inf, *(t_quantile(int(n) - 1, 2 * ONE_SIDED - 1) for n in freedom[2:])])
    reach = quantiles[count] * np.maximum(deviation, RESOLUTION) / np.sqrt(np.maximum(count, 1))
    return mean - reach, mean + reach


def _alike(means: FloatArray, margins: FloatArray, rng: np.random.Generator) -> float:
    """Share of samples of these patients in which a model passes whose true differences are all 0 and as spread as these."""
    centred = means - np.nanmean(means, axis=0)
    passed = 0
    for draws in (DRAWS // 10,) * 10:
        chosen = rng.integers(0, len(means), (draws, len(means)))
        sample = centred[chosen]
        low, _ = _bounds(sample)
        counted_in = np.isfinite(sample).sum(axis=1) >= FEWEST_PATIENTS
        counted_in[:, 0] = True
        passed += int(((low >= -margins) | ~counted_in).all(axis=1).sum())
    return passed / DRAWS
