"""Strategies that ask what teaches the model most, by its last layer or by its answers to other cases."""

import numpy as np

from medloop.core.errors import InputError
from medloop.query.information.fisher import LastLayerCases, choose_informative, last_layer_cases
from medloop.query.information.last_layer import expected_gradient_length, with_bias
from medloop.query.information.predictive import predictive_information
from medloop.query.information.projection import fit_projection, project
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, ordered

MOST_AXES = 32
"""Principal axes that stand for the features at most."""

MOST_WEIGHTS = 512
"""Classes × (axes + bias) is kept below this, so that a matrix over all weights of the last layer takes 2 MB."""

MOST_PRODUCTS = 1 << 29
"""Cases × classes³ at most: a second or two per pick on one core, and below a few hundred MiB."""

MOST_TARGETS = 256
"""EPIG's targets: the whole pool up to this size, else as many cases drawn from it."""


@ordered
def select_fisher(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """Greedily the cases that lower the expected variance of the last layer on the pool most."""
    chosen = choose_informative(*_last_layer(pool), count)
    return [Pick(n, fall, f"its annotation would steady the last layer (variance falls by {fall:.3g})") for n, fall in chosen]


@ordered
def select_bait(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """As many cases again as asked, then those that are missed least are taken out."""
    chosen = choose_informative(*_last_layer(pool), count, spare=count)
    return [Pick(n, fall, f"the batch would know less of the last layer without it (variance falls by {fall:.3g})") for n, fall in chosen]


@ordered
def select_model_change(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """The cases whose answers would move the last layer farthest."""
    lengths = expected_gradient_length(pool.table("features"), pool.require_samples().mean(axis=0, dtype=np.float64))
    best = np.argsort(-lengths, kind="stable")[:count]
    return [Pick(int(n), float(lengths[n]), f"its annotation would change the model most (by {lengths[n]:.3g})") for n in best]


@ordered
def select_epig(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:
    """The cases whose answers tell most about the answers to the pool's other cases."""
    samples = pool.require_samples()
    cases = samples.shape[1]
    aims = np.arange(cases) if cases <= MOST_TARGETS else np.sort(rng.choice(cases, MOST_TARGETS, replace=False))
    gains = predictive_information(samples, samples[:, aims])
    best = np.argsort(-gains, kind="stable")[:count]
    return [Pick(int(n), float(gains[n]), f"its annotation informs on other cases ({gains[n]:.3g} nats)") for n in best]


def _last_layer(pool: Pool) -> tuple[LastLayerCases, LastLayerCases]:
    """The pool's cases and the answered ones; these have no samples, so each borrows those of the nearest case of the pool."""
    probabilities = pool.require_samples().mean(axis=0, dtype=np.float64)
    cases, classes = probabilities.shape
    if cases * classes**3 > MOST_PRODUCTS:
        raise InputError(
            f"fisher and bait take cases × classes³ products per pick, at most {MOST_PRODUCTS:,}, got {cases:,} × {classes:,}³",
            remedy="use another strategy, such as badge",
        )
    most = max(1, min(MOST_AXES, MOST_WEIGHTS // probabilities.shape[1] - 1))
    projection = fit_projection(pool.table("features"), most=most)
    inputs = project(pool.table("features"), projection)
    known = inputs[:0] if pool.labelled_features is None else project(pool.labelled_features, projection)
    borrowed = probabilities[[int(np.argmin(((inputs - row) ** 2).sum(axis=1))) for row in known]]
    return last_layer_cases(with_bias(inputs), probabilities), last_layer_cases(with_bias(known), borrowed)


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="fisher",
        title="Fisher information",
        paper="Sourati et al. 2019, doi:10.1109/TMI.2019.2907805; of the last layer, chosen greedily in place of a semidefinite program",
        needs=frozenset({"features", "samples"}),
        cost="batch × cases × (classes × 33)² multiplications over at most 32 principal axes; refused above 2²⁹ cases × classes³",
        advice="Classification with good embeddings: uncertain and varied cases at once, weighed by what the pool holds.",
        select=select_fisher,
    ),
    Strategy(
        name="bait",
        title="BAIT (Fisher information, there and back)",
        paper="Ash et al. 2021, arXiv:2106.09675; over at most 32 principal axes",
        needs=frozenset({"features", "samples"}),
        cost="twice that of fisher",
        advice="Like fisher, for large batches: chooses twice as many and takes out again what the batch can spare.",
        select=select_bait,
    ),
    Strategy(
        name="expected-model-change",
        title="Expected gradient length",
        paper="Settles, Craven and Ray 2008; Settles 2009, section 3.3; of the last layer",
        needs=frozenset({"features", "samples"}),
        cost="one prediction per case",
        advice="Classification with small batches; long embeddings win, so outliers are queried early.",
        select=select_model_change,
    ),
    Strategy(
        name="epig",
        title="EPIG (expected predictive information gain)",
        paper="Bickford Smith et al. 2023, arXiv:2304.08151; the pool, or 256 cases drawn from it, as the target",
        needs=frozenset({"samples"}),
        cost="several samples per case, and cases × 256 × classes² × samples multiplications",
        advice="Where BALD queries outliers: prefers cases that inform about many others; below ten samples, chance agreement counts.",
        select=select_epig,
    ),
)
