"""A case to choose, in a few numbers that mean the same in every pool: what learned strategies look at.

No number depends on units, on the size of the embedding or on the number of classes, so what is learned on one task can be applied
to another. Distances are taken over the pool's principal axes and divided by the root mean square distance of two cases.
"""

from dataclasses import dataclass, replace

import numpy as np

from medloop.core.arrays import ClassSamples, Features, FloatArray
from medloop.core.errors import ShapeError
from medloop.query.diversity.tables import squared_distances
from medloop.query.information.projection import fit_projection, project
from medloop.query.scores import entropy, least_confidence, margin, mutual_information

NAMES = ("doubt", "distrust", "tie", "disagreement", "density", "novelty", "answered", "answered_share")
"""Columns of `describe`: entropy / ln C; (1 - p₁) C / (C - 1); 1 - (p₁ - p₂); mutual information / ln C; mean closeness to the pool;
distance to the nearest answered or chosen case, at most `FARTHEST`; log₂(1 + answered) / 10; answered / all."""

FARTHEST = 2.0
"""Novelty of a case when nothing is answered, and at most."""

MOST_AXES = 32
MOST_ANCHORS = 256
"""Density is measured at so many cases, spread evenly over the pool in its order."""

_BLOCK_ROWS = 256


@dataclass(frozen=True, eq=False)
class Candidates:
    """The pool while a batch is being chosen.

    Attributes:
        places: Cases along the principal axes, in units of their root mean square distance, shape (cases, axes).
        fixed: The first five columns, shape (cases, 5).
        novelty: Distance to the nearest answered or chosen case, shape (cases,).
        answered: How many are answered or chosen.
    """

    places: FloatArray
    fixed: FloatArray
    novelty: FloatArray
    answered: int


def candidates(samples: ClassSamples, features: Features, answered: Features | None) -> Candidates:
    """The pool before the first choice.

    Args:
        samples: Class probabilities, shape (samples, cases, classes), two samples and two classes or more.
        features: Shape (cases, dimensions).
        answered: Features of the answered cases, shape (answered, dimensions), or None.

    Raises:
        ShapeError: A single sample or class, or tables that do not fit together.
        InputError: NaN or infinity, or probabilities that are none.
    """
    if samples.ndim != 3 or samples.shape[1] != len(features) or samples.shape[2] < 2:
        raise ShapeError(f"Samples need the shape (samples, {len(features)}, >= 2 classes), got {samples.shape}")
    projection = fit_projection(features, most=MOST_AXES)
    unit = np.sqrt(2.0 * max(1, projection.axes.shape[1]))
    places = project(features, projection) / unit
    known = places[:0] if answered is None else project(answered, projection) / unit
    return Candidates(places, np.column_stack([_uncertainties(samples), _density(places)]), _nearest(places, known), len(known))


def describe(state: Candidates) -> FloatArray:
    """The numbers of every case, shape (cases, 8); see `NAMES`."""
    cases = len(state.novelty)
    answered = np.full(cases, np.log2(1.0 + state.answered) / 10.0)
    share = np.full(cases, state.answered / max(1, state.answered + cases))
    return np.column_stack([state.fixed, state.novelty, answered, share])


def after_choosing(state: Candidates, index: int) -> Candidates:
    """The pool when the case is chosen too: others near it are less new."""
    reach = np.linalg.norm(state.places - state.places[index], axis=1)
    return replace(state, novelty=np.minimum(state.novelty, reach), answered=state.answered + 1)


def _uncertainties(samples: ClassSamples) -> FloatArray:
    mean, classes = samples.mean(axis=0, dtype=np.float64), samples.shape[2]
    nats = np.log(classes)
    distrust = least_confidence(mean) * classes / (classes - 1)
    return np.column_stack([entropy(mean) / nats, distrust, margin(mean), mutual_information(samples) / nats])


def _density(places: FloatArray) -> FloatArray:
    """Mean of exp(-distance²) to the anchors, 0..1, shape (cases,)."""
    anchors = places[np.unique(np.linspace(0, len(places) - 1, min(MOST_ANCHORS, len(places))).astype(np.intp))]
    blocks = [np.exp(-squared_distances(places[n : n + _BLOCK_ROWS], anchors)) for n in range(0, len(places), _BLOCK_ROWS)]
    density: FloatArray = np.concatenate(blocks).mean(axis=1)
    return density


def _nearest(places: FloatArray, known: FloatArray) -> FloatArray:
    """Distance to the nearest known case, at most `FARTHEST`, shape (cases,)."""
    nearest = np.full(len(places), FARTHEST**2)
    for start in range(0, len(known), _BLOCK_ROWS):
        np.minimum(nearest, squared_distances(places, known[start : start + _BLOCK_ROWS]).min(axis=1), out=nearest)
    distances: FloatArray = np.sqrt(nearest)
    return distances
