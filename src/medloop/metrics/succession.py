"""Whether a newer model is worse than the one in use: a paired difference over patients, with a verdict in words.

Both models are scored on the same cases; cases are averaged within their patient, and the mean of the patients'
differences gets Student's interval, whose coverage holds from few patients on where a percentile bootstrap's does not.
Patients may agree to the last digit (tags are right or wrong), so that they look infinitely sure: a spread below
`RESOLUTION` is taken for `RESOLUTION`.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.errors import ShapeError
from medloop.core.names import counted
from medloop.metrics.intervals import group_means, t_quantile

Verdict: TypeAlias = Literal["better", "worse", "no difference shown", "too few patients"]

FEWEST_PATIENTS = 6
"""With five that all got worse, a sign test still gives chance 1 in 16: no verdict. Simulated coverage holds from here on."""

RESOLUTION = 0.005
"""Smallest standard deviation of a patient's difference that is believed: half a hundredth of Dice."""


@dataclass(frozen=True)
class Comparison:
    """A newer model against the one in use.

    Attributes:
        with_index: Index of the model it was compared with.
        difference: Mean score of the newer one minus that of the other, over patients.
        low, high: 95 % interval; None with too few patients.
        patients: How many were scored by both.
        verdict: "better" and "worse" only where the interval leaves out 0.
        source: Whose patients, in words.
    """

    with_index: int
    difference: float
    low: float | None
    high: float | None
    patients: int
    verdict: Verdict
    source: str

    @property
    def text(self) -> str:
        """One line for people."""
        found = f"{self.difference:+.3f} against model {self.with_index} on {counted(self.patients, 'patient')} ({self.source})"
        if self.low is None or self.high is None:
            return f"{found}; too few patients for an interval (at least {FEWEST_PATIENTS})"
        return f"{found}, 95 % interval {self.low:+.3f} to {self.high:+.3f}: {self.verdict}"

    def to_json(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {**asdict(self), "text": self.text}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Comparison":
        """Inverse of `to_json`."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})


def compare(
    newer: npt.ArrayLike, older: npt.ArrayLike, patients: Sequence[Hashable], *, with_index: int, source: str, confidence: float = 0.95
) -> Comparison:
    """Compare two models on the same cases.

    Args:
        newer: Scores of the newer model, shape (cases,), at least one.
        older: Scores of the one in use, same cases in the same order.
        patients: The patient of each case.
        with_index: Index of the model in use.
        source: Whose patients, in words.
        confidence: Coverage aimed at.

    Raises:
        ShapeError: Lengths that differ, or no case.
        InputError: Scores that are not finite.

    Source: Student 1908, doi:10.1093/biomet/6.1.1, paired, over patients.
    """
    first, second = np.asarray(newer, dtype=np.float64), np.asarray(older, dtype=np.float64)
    if first.shape != second.shape:
        raise ShapeError(f"A comparison needs the same cases on both sides, got {first.shape} and {second.shape}")
    differences = group_means(first - second, patients)
    count, mean = len(differences), float(differences.mean())
    if count < FEWEST_PATIENTS:
        return Comparison(with_index, mean, None, None, count, "too few patients", source)
    error = max(float(differences.std(ddof=1)), RESOLUTION) / np.sqrt(count)
    reach = float(t_quantile(count - 1, confidence) * error)
    low, high = mean - reach, mean + reach
    verdict: Verdict = "worse" if high < 0.0 else "better" if low > 0.0 else "no difference shown"
    return Comparison(with_index, mean, low, high, count, verdict, source)
