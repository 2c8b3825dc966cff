"""How far annotators agree on classes beyond chance: Cohen's and Fleiss' kappa, Krippendorff's alpha.

1 is full agreement, 0 what chance gives, below 0 worse. Where every annotation is the same class, chance agrees fully as well
and no figure is defined: NaN.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.metrics.kappa import kappa_of
from medloop.raters.votes import NONE, Votes, check_votes

Scale = Literal["nominal", "ordinal"]


def cohen_kappa(first: npt.ArrayLike, second: npt.ArrayLike, *, weights: Literal["linear", "quadratic"] | None = None) -> float:
    """Agreement of two annotators beyond chance, on the items that both annotated.

    Args:
        first: Classes by one annotator, shape (items,), -1 where there is none.
        second: By the other, same items.
        weights: How much a larger distance between ordered classes counts more; None for classes without order.

    Returns:
        -1..1; NaN where both only ever gave one and the same class, or share no item.

    Raises:
        ShapeError: Lengths that differ.
        InputError, LabelError: Not a table of classes.

    Source: see `medloop.metrics.kappa`.
    """
    one, two = np.asarray(first), np.asarray(second)
    if one.shape != two.shape:
        raise ShapeError(f"Two annotators need the same items, got shapes {one.shape} and {two.shape}")
    votes = check_votes(np.stack([one, two], axis=-1))
    table = votes.table[votes.shared]
    counts = np.bincount(table[:, 0] * votes.classes + table[:, 1], minlength=votes.classes**2).reshape(votes.classes, -1)
    apart = np.abs(np.subtract.outer(np.arange(votes.classes), np.arange(votes.classes)))
    return kappa_of(counts, {None: apart > 0, "linear": apart, "quadratic": apart**2}[weights].astype(np.float64))


def fleiss_kappa(table: npt.ArrayLike, *, classes: int | None = None) -> float:
    """Agreement beyond chance of equally many annotations per item, whoever made them.

    Args:
        table: Integers, shape (items, annotators), -1 where there is none.
        classes: Number of classes; by default one more than the highest entry.

    Returns:
        NaN where all annotations are one class.

    Raises:
        InputError: Items with different numbers of annotations, or fewer than two each.
        ShapeError, LabelError: Not a table of classes.

    Source: Fleiss 1971, doi:10.1037/h0031619.
    """
    votes = check_votes(table, classes)
    given = set(votes.given.tolist())
    if len(given) > 1 or min(given) < 2:
        raise InputError(
            f"Fleiss' kappa needs equally many annotations per item, two at least, got {min(given)} to {max(given)}",
            remedy="use krippendorff_alpha, which allows missing ones",
        )
    tally, each = votes.tally(), min(given)
    agree = ((tally**2).sum(axis=1) - each) / (each * (each - 1))
    by_chance = float(((tally.sum(axis=0) / tally.sum()) ** 2).sum())
    return _beyond_chance(1.0 - float(agree.mean()), 1.0 - by_chance)


def krippendorff_alpha(table: npt.ArrayLike, *, scale: Scale = "nominal", classes: int | None = None) -> float:
    """Agreement beyond chance with any number of annotators and missing annotations.

    Args:
        table: Integers, shape (items, annotators), -1 where there is none. Items with one annotation do not count.
        scale: Whether classes have an order.
        classes: Number of classes; by default one more than the highest entry.

    Returns:
        NaN where all annotations are one class, or no item has two.

    Raises:
        SettingError: An unknown scale.
        ShapeError, InputError, LabelError: Not a table of classes.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", sections C and E.
    """
    return float(alphas(check_votes(table, classes), scale)[0])


def alpha_by_class(table: npt.ArrayLike, *, classes: int | None = None) -> dict[int, float]:
    """Krippendorff's alpha of each class against all others together: which class the annotators do not agree on.

    Args:
        table: As for `krippendorff_alpha`.
        classes: Likewise.

    Raises:
        ShapeError, InputError, LabelError: Not a table of classes.
    """
    votes = check_votes(table, classes)
    missing = votes.table == NONE
    return {k: krippendorff_alpha(np.where(missing, NONE, votes.table == k)) for k in range(votes.classes)}


def alphas(votes: Votes, scale: Scale, weights: FloatArray | None = None) -> FloatArray:
    """Alpha under each row of item weights, shape (draws,); one row of ones by default."""
    if scale not in ("nominal", "ordinal"):
        raise SettingError(f"scale must be nominal or ordinal, got {scale!r}")
    tally = votes.tally()[votes.shared]
    each = (np.ones((1, len(tally))) if weights is None else weights) / (tally.sum(axis=1) - 1.0)
    pairs = np.einsum("di,ic,ik->dck", each, tally, tally)
    same = np.arange(votes.classes)
    pairs[:, same, same] -= each @ tally
    totals = pairs.sum(axis=2)
    cost = np.stack([_distance(t, scale) for t in totals])
    size = totals.sum(axis=1)
    observed = (cost * pairs).sum(axis=(1, 2))
    expected = np.einsum("dck,dc,dk->d", cost, totals, totals) / np.maximum(size - 1.0, 1e-12)
    return np.array([_beyond_chance(o, e) for o, e in zip(observed.tolist(), expected.tolist(), strict=True)])


def _distance(totals: FloatArray, scale: Scale) -> FloatArray:
    """Squared difference of each two classes."""
    if scale == "nominal":
        return 1.0 - np.eye(len(totals))
    middle = np.cumsum(totals) - totals / 2.0
    return np.asarray(np.subtract.outer(middle, middle) ** 2)


def _beyond_chance(observed: float, expected: float) -> float:
    """1 minus observed over expected disagreement."""
    return 1.0 - observed / expected if expected > 0 else float("nan")
