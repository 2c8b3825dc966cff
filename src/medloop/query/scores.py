"""From class probabilities to scores: how unsure a model is about a case.

`probabilities` have the shape (cases, classes), `samples` are several answers to each case, shape (samples, cases, classes); the last axis
sums to 1. Higher always means: query sooner. All logarithms are natural. The same scores voxel by voxel are in
`medloop.query.uncertainty.voxels`.
"""

import numpy as np

from medloop.core.arrays import CaseProbabilities, CaseScores, ClassSamples, FloatArray
from medloop.core.errors import ShapeError
from medloop.query.probabilities import as_table, by_blocks, checked, disagreements, entropy_of, two_best


def least_confidence(probabilities: CaseProbabilities) -> CaseScores:
    """One minus the probability of the most likely class.

    Returns:
        Shape (cases,), 0 (sure) to 1 - 1/classes.

    Raises:
        ShapeError: Not two axes.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Lewis and Gale 1994, arXiv:cmp-lg/9407020; Settles 2009, section 3.1.
    """
    return 1.0 - by_blocks(lambda turned: turned.max(axis=0), probabilities)


def margin(probabilities: CaseProbabilities) -> CaseScores:
    """One minus the gap between the two most likely classes.

    Returns:
        Shape (cases,), 0 (sure) to 1 (two classes tie).

    Raises:
        ShapeError: Not two axes, or a single class.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Scheffer et al. 2001, doi:10.1007/3-540-44816-0_31; Settles 2009, section 3.1.
    """
    return by_blocks(_one_minus_gap, probabilities)


def ratio(probabilities: CaseProbabilities) -> CaseScores:
    """Probability of the second most likely class over that of the most likely.

    Returns:
        Shape (cases,), 0 (sure) to 1 (two classes tie).

    Raises:
        ShapeError: Not two axes, or a single class.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Monarch 2021, Human-in-the-Loop Machine Learning, section 3.2.3 (ratio of confidence).
    """
    return by_blocks(_ratio, probabilities)


def entropy(probabilities: CaseProbabilities) -> CaseScores:
    """Shannon entropy of the predicted classes.

    Returns:
        Nats, shape (cases,), 0 to ln(classes).

    Raises:
        ShapeError: Not two axes.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Shannon 1948, section 6; Settles 2009, section 3.1.
    """
    return by_blocks(entropy_of, probabilities)


def mutual_information(samples: ClassSamples) -> CaseScores:
    """Score each case by how much the model's samples disagree (BALD).

    The same number is called the Jensen-Shannon divergence of the samples with equal weights.

    Returns:
        Scores in nats, shape (cases,), within [0, ln(classes)]; higher means query sooner.

    Raises:
        ShapeError: Not three axes, or fewer than two samples per case.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Houlsby et al. 2011, arXiv:1112.5745, section 2.
    """
    return disagreements(_several(as_table(samples, axes=3)))


def expected_entropy(samples: ClassSamples) -> CaseScores:
    """Mean entropy of the samples: the doubt that each of them has by itself (aleatoric).

    With `mutual_information`, the doubt that comes from their disagreement (epistemic), it adds up to
    `consensus_entropy`. More labels help against the second kind, better images against the first.

    Returns:
        Nats, shape (cases,), 0 to ln(classes).

    Raises:
        ShapeError: Not three axes, or no sample.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Depeweg et al. 2018, arXiv:1710.07283, equation 2; Smith and Gal 2018, arXiv:1803.08533.
    """
    table = checked(samples)
    if not len(table):
        raise ShapeError("An expected entropy needs at least one sample, got none")
    doubt: CaseScores = np.mean([entropy(sample) for sample in table], axis=0)
    return doubt


def consensus_entropy(samples: ClassSamples) -> CaseScores:
    """Entropy of the mean of the samples: doubt that they share and doubt from their disagreement together.

    Returns:
        Nats, shape (cases,), 0 to ln(classes); never below `mutual_information`.

    Raises:
        ShapeError: Not three axes, or no sample.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: McCallum and Nigam 1998, ICML (committee's mean); Settles 2009, section 3.2.
    """
    table = checked(samples)
    if not len(table):
        raise ShapeError("A consensus needs at least one sample, got none")
    return entropy(table.mean(axis=0))


def vote_entropy(samples: ClassSamples) -> CaseScores:
    """Entropy of the votes, where each sample votes for its most likely class (the first on a tie).

    Returns:
        Nats, shape (cases,), 0 (all agree) to ln(min(samples, classes)).

    Raises:
        ShapeError: Not three axes, or fewer than two samples per case.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Dagan and Engelson 1995, ICML, committee-based sampling, section 3.
    """
    return entropy(vote_shares(_several(checked(samples)), axis=-1))


def variation_ratio(samples: ClassSamples) -> CaseScores:
    """Share of the samples that do not vote for the most voted class.

    Returns:
        Shape (cases,), 0 (all agree) to 1 - 1/classes.

    Raises:
        ShapeError: Not three axes, or fewer than two samples per case.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Freeman 1965; Gal et al. 2017, arXiv:1703.02910, section 4.
    """
    scores: CaseScores = 1.0 - vote_shares(_several(checked(samples)), axis=-1).max(axis=-1)
    return scores


def mean_std(samples: ClassSamples) -> CaseScores:
    """Standard deviation of each class's probability over the samples, averaged over the classes.

    Returns:
        Shape (cases,), 0 (all agree) to 1/2.

    Raises:
        ShapeError: Not three axes, or fewer than two samples per case.
        InputError: NaN, negative, or rows that do not sum to 1.

    Source: Kampffmeyer et al. 2016, CVPR workshops; Gal et al. 2017, arXiv:1703.02910, section 4.
    """
    scores: CaseScores = _several(checked(samples)).std(axis=0).mean(axis=-1)
    return scores


def class_rows(samples: ClassSamples) -> dict[str, FloatArray]:
    """Tables with one row per case: "class_share", the votes for each class, and "class_entropy", the entropy under the class predicted.

    Returns:
        By name of `medloop.query.pool.TABLES`, each of shape (cases, classes).

    Raises:
        InputError: NaN, negative, or rows that do not sum to 1.
    """
    mean, classes = samples.mean(axis=0), np.arange(samples.shape[2])
    likeliest = mean.argmax(axis=1)[:, None] == classes
    return {"class_share": vote_shares(samples, axis=-1), "class_entropy": np.where(likeliest, entropy(mean)[:, None], 0.0)}


def vote_shares(samples: FloatArray, *, axis: int) -> FloatArray:
    """Share of the samples whose most likely class is each class: the shape of one sample.

    Args:
        samples: Class probabilities, samples on the first axis.
        axis: Which axis holds the classes.
    """
    votes, classes = samples.argmax(axis=axis), samples.shape[axis]
    return np.stack([(votes == c).mean(axis=0) for c in range(classes)], axis=-1 if axis == -1 else axis - 1)


def _one_minus_gap(turned: FloatArray) -> FloatArray:
    best, second = two_best(turned)
    return 1.0 - (best - second)


def _ratio(turned: FloatArray) -> FloatArray:
    best, second = two_best(turned)
    return second / best


def _several(samples: ClassSamples) -> ClassSamples:
    if len(samples) < 2:
        raise ShapeError(f"Disagreement needs >= 2 samples per case, got {len(samples)}", remedy="use dropout or an ensemble")
    return samples


OF_MEAN = {"least_confidence": least_confidence, "margin": margin, "ratio": ratio, "entropy": entropy}
"""Scores of the mean prediction, by name of `medloop.query.pool.SCORES`."""

OF_SAMPLES = {"bald": mutual_information, "vote_entropy": vote_entropy, "variation_ratio": variation_ratio, "mean_std": mean_std}
"""Scores of the disagreement of several samples, likewise."""
