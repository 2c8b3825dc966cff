"""Pseudo-labels: confident predictions that a training may use beside people's answers.

Most unlabelled cases are easy, and the model's own answer to them is probably right. They are taken when their entropy
lies below a threshold that falls round by round: as the model gets surer of everything, it must be surer to be believed.
"""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseScores
from medloop.core.errors import InputError, SettingError


@dataclass(frozen=True)
class Threshold:
    """Entropy below which a prediction is believed, as a share of the most there can be (ln classes).

    Attributes:
        start: In the first round, 0..1.
        decay: What each round takes off.
    """

    start: float = 0.05
    decay: float = 0.0033

    def __post_init__(self) -> None:
        if not (0 <= self.start <= 1 and self.decay >= 0):
            raise SettingError(f"A threshold starts in 0..1 and decays by 0 or more, got {self.start} and {self.decay}")


def threshold_at(threshold: Threshold, round_index: int) -> float:
    """The threshold of a round, never below 0.

    Args:
        threshold: Start and decay.
        round_index: 1 for the first round.

    Raises:
        SettingError: A round before the first.

    Source: Wang et al. 2017, arXiv:1701.03551: the threshold is updated as δ₀ - dr · t.
    """
    if round_index < 1:
        raise SettingError(f"Rounds count from 1, got {round_index}")
    return max(0.0, threshold.start - threshold.decay * (round_index - 1))


def confident_cases(entropy: CaseScores, *, classes: int, limit: float, at_most: int) -> list[int]:
    """The cases whose entropy lies below the limit, surest first.

    Args:
        entropy: Predictive entropy in nats, shape (cases,).
        classes: Number of classes, >= 2.
        limit: Share of ln(classes); see `threshold_at`.
        at_most: Largest number of cases, so that guesses never outnumber what is known.

    Returns:
        Indices; equal entropies in the order given.

    Raises:
        InputError: NaN, infinity, or entropies outside 0..ln(classes).
        SettingError: Fewer than two classes.

    Source: Wang et al. 2017, arXiv:1701.03551.
    """
    shares = _entropy_shares(entropy, classes)
    order = np.argsort(shares, kind="stable")
    return [int(n) for n in order if shares[n] < limit][: max(0, at_most)]


def pseudo_weights(entropy: CaseScores, *, classes: int, limit: float) -> CaseScores:
    """How much a confident case counts beside an answer: 1 without doubt, falling to 0 at the limit; shape (cases,).

    The paper weighs all alike; a gentle edge keeps one case from jumping in and out between rounds.

    Raises:
        InputError: As `confident_cases`.
        SettingError: As `confident_cases`.
    """
    shares = _entropy_shares(entropy, classes)
    if limit <= 0:
        return np.zeros(len(shares))
    return 1.0 - np.clip(shares, 0.0, limit) / limit


def _entropy_shares(entropy: CaseScores, classes: int) -> CaseScores:
    if classes < 2:
        raise SettingError(f"Pseudo-labels need two classes or more, got {classes}")
    shares: CaseScores = np.asarray(entropy, dtype=np.float64) / np.log(classes)
    if not np.isfinite(shares).all() or (shares < -1e-6).any() or (shares > 1 + 1e-6).any():
        raise InputError(f"Entropies must lie in 0..ln({classes})", remedy="give the mean over voxels in nats")
    return shares
