"""BatchBALD: the batch whose answers, taken together, say most about the model; a duplicate adds nothing.

What a batch says is the joint mutual information I(y_1 … y_n; w) of its answers and the model w. It grows by greedy
steps, and the gain of a case x after the batch A is the mean, over the answers a that A may get, of the entropy of
p(y_x | a), minus the entropy of y_x that remains when w is known. While there are few answers a (`configurations` at
most) all are enumerated and gains are exact; then that many are drawn in proportion to their probability.

Few cases are evaluated against every configuration. Configurations are grouped by what they say of the model, and the
entropy at the mean of a group is at least the mean of the entropies (Jensen), so that a handful of groups bounds the
gain of every case, a few more tighten the best bounds, and only cases whose bound beats the best gain are evaluated. The
picks are those of a full evaluation against the same configurations. Blocks are float32 and a few MiB.

Source: Kirsch et al. 2019, arXiv:1906.08158, section 4.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseScores, ClassSamples, FloatArray, IntArray
from medloop.core.errors import SettingError, ShapeError
from medloop.query.pool import Pick, Pool
from medloop.query.probabilities import blocks, checked
from medloop.query.strategy import Strategy, ordered

CONFIGURATIONS = 4_000
"""Joint answers of the batch that are kept at most."""

GROUPS = (16, 256)
"""Numbers of groups of configurations with which gains are bounded, coarse to fine."""

_BLOCK_NUMBERS = 1 << 20
"""Joint probabilities per block: 4 MiB of float32, twice."""

_EVALUATED_AT_ONCE = 16

_NEGLIGIBLE = 1e-12
"""Posteriors below change no gain, but make numbers so small that processors slow down."""

_ROUNDING = 1e-5
"""Gains closer than this are equal: more than float32 loses in these sums."""


@dataclass(frozen=True, eq=False)
class Configurations:
    """Joint answers that the batch so far may get.

    Attributes:
        masses: Probability of each, shape (configurations,); sums to 1.
        posteriors: What each says of the model: probability of each sample of it, shape (configurations, samples).
    """

    masses: FloatArray
    posteriors: FloatArray


@dataclass(frozen=True)
class JointPicks:
    """A batch in order of picking.

    Attributes:
        indices: Cases.
        gains: What each adds to the joint mutual information, in nats.
    """

    indices: tuple[int, ...]
    gains: tuple[float, ...]


def batchbald(samples: ClassSamples, count: int, rng: np.random.Generator, *, configurations: int = CONFIGURATIONS) -> JointPicks:
    """Choose a batch greedily by joint mutual information.

    Args:
        samples: Class probabilities, shape (samples, cases, classes), at least two samples.
        count: How many; at most all cases.
        rng: Draws configurations once there are more than `configurations`.
        configurations: How many joint answers to keep, at least the number of classes.

    Returns:
        The batch; equal gains go to the lower index.

    Raises:
        ShapeError: Not three axes, or fewer than two samples.
        InputError: NaN, negative, or rows that do not sum to 1.
        SettingError: A negative count, or too few configurations.
    """
    table = checked(samples)
    if len(table) < 2:
        raise ShapeError(f"Disagreement needs >= 2 samples per case, got {len(table)}", remedy="use dropout or an ensemble")
    if count < 0 or configurations < table.shape[2]:
        raise SettingError(f"Expected a count >= 0 and configurations >= {table.shape[2]} classes, got {count} and {configurations}")
    remaining = conditional_entropies(table)
    known, open_cases = no_outcomes(len(table)), np.ones(table.shape[1], dtype=bool)
    indices, gains = [], []
    for _ in range(min(count, table.shape[1])):
        index, gain = next_case(known, table, remaining, np.flatnonzero(open_cases))
        indices.append(index)
        gains.append(gain)
        open_cases[index] = False
        known = with_outcomes(known, table[:, index], configurations, rng)
    return JointPicks(tuple(indices), tuple(gains))


def no_outcomes(samples: int) -> Configurations:
    """The one configuration of an empty batch: every sample of the model is as likely as the others."""
    return Configurations(np.ones(1), np.full((1, samples), 1.0 / samples))


def with_outcomes(known: Configurations, case: FloatArray, limit: int, rng: np.random.Generator) -> Configurations:
    """Every configuration with every answer to one more case, or `limit` of them.

    More than `limit` are thinned by stratified draws, in proportion to their probability; one number per draw, because
    with a single one every configuration would go on with the same quantile of the answers.

    Args:
        known: Configurations of the batch before.
        case: Class probabilities of the new case, shape (samples, classes).
        limit: How many to keep.
        rng: For the draw; not used while all are kept.
    """
    joint = known.masses[:, None, None] * known.posteriors[:, None, :] * np.asarray(case, dtype=np.float64).T
    joint = joint.reshape(-1, len(case))
    masses = joint.sum(axis=1)
    possible = masses > 0
    joint, masses = joint[possible], masses[possible]
    if len(masses) <= limit:
        return Configurations(masses / masses.sum(), joint / masses[:, None])
    places = (np.arange(limit) + rng.random(limit)) / limit * masses.sum()
    drawn = np.minimum(np.searchsorted(np.cumsum(masses), places), len(masses) - 1)
    kept, times = np.unique(drawn, return_counts=True)
    return Configurations(times / limit, joint[kept] / masses[kept, None])


def conditional_entropies(samples: ClassSamples) -> CaseScores:
    """Entropy of the answer to each case when the model is known: mean over its samples, in nats, shape (cases,)."""
    found = np.empty(samples.shape[1])
    for part in blocks(*samples.shape[1:]):
        found[part] = sum(_entropy(sample[part].astype(np.float64)) for sample in samples) / len(samples)
    return found


def gains_of(known: Configurations, samples: ClassSamples, remaining: CaseScores, cases: IntArray) -> CaseScores:
    """What each of these cases adds to the joint mutual information, in nats, never below 0.

    With groups in place of configurations: no less than that.

    Args:
        known: Configurations or groups of them.
        samples: Class probabilities, shape (samples, cases, classes).
        remaining: `conditional_entropies` of all cases.
        cases: Which to evaluate.
    """
    count, _, classes = samples.shape
    masses = known.masses.astype(np.float32)
    posteriors = np.where(known.posteriors < _NEGLIGIBLE, 0.0, known.posteriors).astype(np.float32)
    step = max(1, _BLOCK_NUMBERS // (len(masses) * classes))
    found = np.empty(len(cases))
    for start in range(0, len(cases), step):
        part = cases[start : start + step]
        block = samples.take(part, axis=1).astype(np.float32, copy=False).reshape(count, -1)
        joint = posteriors @ block
        logs = np.log(np.maximum(joint, np.finfo(np.float32).tiny))
        logs *= joint
        found[start : start + step] = -(masses @ logs).reshape(-1, classes).sum(axis=1, dtype=np.float64)
    return np.maximum(found - remaining[cases], 0.0)


def grouped(known: Configurations, groups: int) -> Configurations:
    """At most that many groups of similar configurations, each with its mean posterior.

    Again and again the group that varies most is cut at its mean along the sample that varies most.
    """
    parts = [_varying(known, np.arange(len(known.masses)))]
    while len(parts) < groups and parts[0][0] < 0:
        _, _, part, sample = heapq.heappop(parts)
        posteriors = known.posteriors[part, sample]
        high = posteriors > known.masses[part] @ posteriors / known.masses[part].sum()
        heapq.heappush(parts, _varying(known, part[high]))
        heapq.heappush(parts, _varying(known, part[~high]))
    masses = np.array([known.masses[part].sum() for _, _, part, _ in parts])
    means = np.stack([known.masses[part] @ known.posteriors[part] for _, _, part, _ in parts]) / masses[:, None]
    return Configurations(masses, means)


def next_case(known: Configurations, samples: ClassSamples, remaining: CaseScores, cases: IntArray) -> tuple[int, float]:
    """The case with the highest gain, and its gain; equal gains go to the lower index.

    Args:
        known: Configurations of the batch so far.
        samples: Class probabilities, shape (samples, cases, classes).
        remaining: `conditional_entropies` of all cases.
        cases: Which may be picked, at least one, ascending.
    """
    bounds, left, best = np.full(len(cases), np.inf), np.arange(len(cases)), (-1, -np.inf)
    for groups in (g for g in GROUPS if g < len(known.masses)):
        bounds[left] = gains_of(grouped(known, groups), samples, remaining, cases[left])
        first = left[np.argsort(-bounds[left], kind="stable")[:_EVALUATED_AT_ONCE]]
        best = _better(best, cases[first], gains_of(known, samples, remaining, cases[first]))
        left = left[bounds[left] >= best[1] - _ROUNDING]
    order = left[np.argsort(-bounds[left], kind="stable")]
    step = _EVALUATED_AT_ONCE if len(known.masses) > GROUPS[0] else len(order)
    for start in range(0, len(order), max(step, 1)):
        part = order[start : start + step]
        if bounds[part[0]] < best[1] - _ROUNDING:
            break
        best = _better(best, cases[part], gains_of(known, samples, remaining, cases[part]))
    return int(best[0]), float(best[1])


def _better(best: tuple[int, float], cases: IntArray, gains: CaseScores) -> tuple[int, float]:
    """The higher gain; of gains that differ by rounding only, the lower index."""
    top = max(best[1], float(gains.max()))
    near = [int(n) for n in cases[gains >= top - _ROUNDING]]
    if best[1] >= top - _ROUNDING:
        near.append(best[0])
    return min(near), top


def _varying(known: Configurations, part: IntArray) -> tuple[float, int, IntArray, int]:
    """A heap's entry: minus the mass-weighted variance within the part, its first configuration, it, its most varying sample."""
    masses, posteriors = known.masses[part], known.posteriors[part]
    means = masses @ posteriors / masses.sum()
    variances = masses @ (posteriors - means) ** 2
    most = int(np.argmax(variances))
    splits = posteriors[:, most].max() > means[most] > posteriors[:, most].min() and variances[most] > _NEGLIGIBLE
    return (-float(variances.sum()) if splits else 0.0), int(part[0]), part, most


def _entropy(rows: FloatArray) -> CaseScores:
    entropy: CaseScores = -(rows * np.log(np.maximum(rows, np.finfo(np.float64).tiny))).sum(axis=1)
    return entropy


@ordered
def select_batchbald(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """The batch of `batchbald`; the score of a pick is what it adds to the joint information."""
    found = batchbald(pool.require_samples(), count, rng)
    words = "its annotation adds {:.3g} nats to what the batch says of the model"
    return [Pick(index, gain, words.format(gain)) for index, gain in zip(found.indices, found.gains, strict=True)]


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="batchbald",
        title="BatchBALD (joint mutual information)",
        paper="Kirsch et al. 2019, arXiv:1906.08158",
        needs=frozenset({"samples"}),
        cost="several samples per case; seconds for a batch of 10 out of 10,000",
        advice="Classification with small batches and near-duplicates in the pool; beyond about ten picks little is left to tell apart.",
        select=select_batchbald,
    ),
)
