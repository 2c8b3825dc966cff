"""Two more kinds of spread: far from the annotated cases on average (MedAL), and unlike in what is confused (CDAL)."""

import numpy as np

from medloop.core.arrays import ClassSamples, Features, FloatArray
from medloop.query.diversity.tables import checked_pair
from medloop.query.pool import checked_number

_LEAST = 1e-6
"""Probabilities below this are raised to it, so that a divergence stays finite."""


def farthest_on_average(features: Features, known: Features | None, count: int) -> list[int]:
    """Again and again the case with the highest mean distance to everything known or chosen so far.

    Args:
        features: Shape (cases, dimensions), in order of preference: the first is taken when nothing is known.
        known: Features of answered cases, shape (answered, dimensions), or None.
        count: How many to choose; at most all.

    Returns:
        Indices in order of picking; ties to the lower index.

    Raises:
        ShapeError: Not tables, or of different dimensions.
        InputError: NaN or infinity.
        SettingError: A negative count.

    Source: Smailagic et al. 2018, arXiv:1809.09287, section III.
    """
    table, answered = checked_pair(features, known)
    sums = np.zeros(len(table))
    for centre in answered:
        sums += _distances(table, centre)
    picks: list[int] = []
    for _ in range(checked_number(count, len(table))):
        picks.append(int(np.argmax(np.round(sums, 9))))
        sums += _distances(table, table[picks[-1]])
        sums[picks] = -np.inf
    return picks


def contexts(samples: ClassSamples) -> FloatArray:
    """What the model confuses each class with, case by case.

    The row of class c is the mean of the samples whose likeliest class is c, weighted by their entropy. The paper
    averages over the regions of an image where we average over the model's samples; a class that no sample votes
    for, which the paper leaves out, takes the mean of all samples, so that cases without a common class differ.

    Args:
        samples: Class probabilities, shape (samples, cases, classes).

    Returns:
        Shape (cases, classes, classes); last axis sums to 1.

    Source: Agarwal et al. 2020, arXiv:2008.05723, equation 1.
    """
    from scipy.special import entr

    classes = samples.shape[2]
    weights = entr(np.clip(samples, 0.0, 1.0)).sum(axis=2) + _LEAST
    votes = samples.argmax(axis=2)
    rows = np.empty((samples.shape[1], classes, classes))
    for number in range(classes):
        own = np.where(votes == number, weights, 0.0)
        own[:, ~own.any(axis=0)] = 1.0
        rows[:, number] = np.einsum("sn,snc->nc", own / own.sum(axis=0), samples)
    return rows


def contextual_k_centre(rows: FloatArray, count: int, *, first: int) -> list[int]:
    """Greedy k-centre where the distance is the symmetric divergence of contexts, summed over the classes.

    Args:
        rows: Of `contexts`, shape (cases, classes, classes).
        count: How many to choose; at most all.
        first: The first pick.

    Returns:
        Indices in order of picking; ties to the lower index.

    Raises:
        SettingError: A negative count.

    Source: Agarwal et al. 2020, arXiv:2008.05723, equation 2 and section 3.2 (CDAL-CS).
    """
    wanted = checked_number(count, len(rows))
    flat = np.maximum(rows.reshape(len(rows), -1), _LEAST)
    logs = np.log(flat)
    own = np.einsum("nc,nc->n", flat, logs)
    nearest, picks = np.full(len(rows), np.inf), [first][:wanted]
    while len(picks) < wanted:
        last = picks[-1]
        reach = 0.5 * (own + own[last] - flat @ logs[last] - logs @ flat[last])
        np.minimum(nearest, np.round(np.maximum(reach, 0.0), 9), out=nearest)
        nearest[last] = -1.0
        picks.append(int(np.argmax(nearest)))
    return picks


def _distances(table: Features, centre: Features) -> FloatArray:
    away = table - centre
    distances: FloatArray = np.sqrt(np.einsum("nd,nd->n", away, away, dtype=np.float64))
    return distances
