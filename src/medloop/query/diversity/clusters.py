"""Clusters of a pool and the most typical case of each (TypiClust), without any label."""

import warnings

import numpy as np

from medloop.core.arrays import Features, FloatArray, IntArray
from medloop.query.diversity.tables import BLOCK_NUMBERS, checked_pair, squared_distances
from medloop.query.pool import checked_number

NEIGHBOURS = 20
"""Nearest cases of the same cluster by which typicality is measured, as in the paper."""

MOST_CLUSTERS = 500
"""As in the paper: more would leave too few cases in each."""

LEAST_MEMBERS = 5
"""Smaller clusters are asked last, as in the authors' program."""

_LARGE = 10_000
"""Cases from which k-means learns from random parts."""

_PART = 4096
"""Cases of one such part."""


def cluster(features: Features, clusters: int, rng: np.random.Generator) -> IntArray:
    """Group cases by k-means: all at once while they are few, by random parts when they are many.

    Args:
        features: Shape (cases, dimensions), at least one case.
        clusters: How many; at most one per case, and fewer come out when cases are alike.
        rng: Source of the seed.

    Returns:
        Number of the cluster of each case, shape (cases,).
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    number, seed = max(1, min(clusters, len(features))), int(rng.integers(2**31))
    rule = KMeans(number, n_init=1, random_state=seed)
    if len(features) > _LARGE:
        rule = MiniBatchKMeans(number, n_init=1, random_state=seed, batch_size=_PART, max_iter=3, init_size=max(_PART, 3 * number))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # says that some cases are alike
        labels: IntArray = rule.fit(features).labels_
    return labels


def typicality(features: Features, *, neighbours: int = NEIGHBOURS) -> FloatArray:
    """One over the mean distance to the nearest other cases; 0 for a single one.

    Args:
        features: Shape (cases, dimensions), all of one cluster.
        neighbours: How many count; fewer if there are not as many.

    Returns:
        Shape (cases,), higher means denser surroundings.

    Source: Hacohen et al. 2022, arXiv:2202.02794, equation 1.
    """
    count = min(neighbours, len(features) - 1)
    scores = np.zeros(len(features))
    if count < 1:
        return scores
    table = features - features.mean(axis=0)
    block = max(1, BLOCK_NUMBERS // len(table))
    for start in range(0, len(table), block):
        away = squared_distances(table[start : start + block], table)
        away[np.arange(len(away)), start + np.arange(len(away))] = -1.0  # itself, to be left out
        near = np.partition(away, count, axis=1)[:, : count + 1]
        scores[start : start + block] = np.sqrt(np.maximum(near, 0.0)).sum(axis=1, dtype=np.float64) / count
    return 1.0 / (scores + 1e-5)  # the authors' guard against cases that are all alike


def typiclust(features: Features, known: Features | None, count: int, rng: np.random.Generator) -> list[int]:
    """The most typical case of each cluster: clusters with the fewest answers first, then the largest.

    Everything is grouped into answered + count clusters (at most `MOST_CLUSTERS`). Clusters of less than
    `LEAST_MEMBERS` cases come last; when there are more picks than clusters, the order repeats with what is left.

    Args:
        features: Shape (cases, dimensions).
        known: Features of answered cases, shape (answered, dimensions), or None.
        count: How many to choose; at most all.
        rng: Source of the clustering's seed.

    Returns:
        Indices in order of picking.

    Raises:
        ShapeError: Not tables, or of different dimensions.
        InputError: NaN or infinity.
        SettingError: A negative count.

    Source: Hacohen et al. 2022, arXiv:2202.02794, algorithm 1.
    """
    table, answered = checked_pair(features, known)
    wanted = checked_number(count, len(table))
    if not wanted:
        return []
    labels = cluster(np.concatenate([table, answered]), min(MOST_CLUSTERS, len(answered) + wanted), rng)
    return most_typical(table, labels[: len(table)], labels[len(table) :], wanted)


def most_typical(features: Features, labels: IntArray, answered: IntArray, count: int) -> list[int]:
    """The rule of `typiclust` for clusters that are given.

    Args:
        features: Shape (cases, dimensions).
        labels: Cluster of each case, 0 or more, shape (cases,).
        answered: Cluster of each answered case, shape (answered,).
        count: How many to choose; at most all.

    Returns:
        Indices in order of picking; equally typical cases by the lower index.
    """
    ranked: dict[int, list[int]] = {}
    picks: list[int] = []
    clusters = _in_order(labels, answered)
    while len(picks) < count:
        for number in clusters:
            left = ranked[number] if number in ranked else ranked.setdefault(number, _ranked(features, labels, number))
            if left and len(picks) < count:
                picks.append(left.pop())
    return picks


def _in_order(labels: IntArray, answered: IntArray) -> list[int]:
    """Clusters that hold cases: fewest answers, then most members; small ones last."""
    number = int(max(labels.max(initial=-1), answered.max(initial=-1))) + 1
    members, answers = np.bincount(labels, minlength=number), np.bincount(answered, minlength=number)
    order = np.lexsort((np.arange(number), -members, answers, members + answers < LEAST_MEMBERS))
    return [int(n) for n in order if members[n]]


def _ranked(features: Features, labels: IntArray, number: int) -> list[int]:
    """Members of a cluster, the most typical last."""
    members = np.flatnonzero(labels == number)
    return [int(n) for n in members[np.argsort(-typicality(features[members]), kind="stable")][::-1]]
