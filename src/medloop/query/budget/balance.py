"""Batches that keep classes in balance: ask for what was asked least and is rare.

A case counts for a class by the share of it that the model predicts as that class, compared with a typical share: half
a typical liver counts half, and anything larger than typical counts one. For a classification the shares are votes.
"""

import numpy as np

from medloop.core.arrays import BoolArray, CaseScores, FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.query.pool import Pick, Pool
from medloop.query.strategy import Strategy, ordered


def class_presence(shares: FloatArray, typical: CaseScores) -> FloatArray:
    """How much each case counts for each class, 0..1, shape (cases, classes).

    Args:
        shares: Share of each case predicted as each class, shape (cases, classes).
        typical: Share that counts as a whole occurrence, shape (classes,); see `typical_shares`.
    """
    return np.clip(shares / np.where(typical > 0, typical, 1.0), 0.0, 1.0)


def typical_shares(shares: FloatArray) -> CaseScores:
    """Median share of each class among the cases that hold any of it, shape (classes,); 0 for a class nobody holds."""
    held = np.where(shares > 0, shares, np.nan)
    present = (shares > 0).any(axis=0)
    typical = np.zeros(shares.shape[1])
    typical[present] = np.nanmedian(held[:, present], axis=0)
    return typical


@ordered
def select_class_balanced(pool: Pool, count: int, rng: np.random.Generator) -> list[Pick]:  # noqa: ARG001 - nothing random here
    """Pick by pick: the class with fewest cases so far, and of its cases the one whose voxels of it are least sure.

    Of classes asked equally often the one rarest in the pool comes first. Expected counts of the picks are added as
    they are made, so a batch alternates over the rare classes.
    """
    shares, doubts = pool.table("class_share"), pool.table("class_entropy")
    if shares.shape != doubts.shape:
        raise ShapeError(f"Class shares and class entropies must have one shape, got {shares.shape} and {doubts.shape}")
    known = _known_shares(pool, shares.shape[1])
    typical = typical_shares(np.vstack([shares, known]))
    presence = class_presence(shares, typical)
    so_far = class_presence(known, typical).sum(axis=0, dtype=np.float64)
    left, picks = np.ones(len(shares), dtype=bool), []
    for _ in range(count):
        case, wanted = _next_case(presence, doubts, so_far, left)
        picks.append(_pick(case, wanted, so_far, doubts))
        left[case] = False
        so_far = so_far + presence[case]
    return picks


def _known_shares(pool: Pool, classes: int) -> FloatArray:
    known = pool.labelled_table("class_share")
    if known is None:
        return np.zeros((0, classes))
    if known.ndim != 2 or known.shape[1] != classes:
        raise ShapeError(f"Class shares of annotated cases need {classes} classes, got shape {known.shape}")
    if not np.isfinite(known).all():
        raise InputError("Class shares of annotated cases must be finite", remedy="check the model's output")
    return known


def _next_case(presence: FloatArray, doubts: FloatArray, so_far: CaseScores, left: BoolArray) -> tuple[int, int | None]:
    """The case to ask next and the class it is asked for; None when no case left holds any class."""
    open_cases = np.flatnonzero(left)
    supply = np.array([presence[open_cases, c].sum() for c in range(presence.shape[1])])
    held = np.flatnonzero(supply > 0)
    if not len(held):
        return int(open_cases[np.argmax(doubts[open_cases].sum(axis=1))]), None
    wanted = int(held[np.lexsort((held, supply[held], so_far[held]))[0]])
    worth = presence[open_cases, wanted] * doubts[open_cases, wanted]
    order = np.lexsort((open_cases, -presence[open_cases, wanted], -worth))
    return int(open_cases[order[0]]), wanted


def _pick(case: int, wanted: int | None, so_far: CaseScores, doubts: FloatArray) -> Pick:
    if wanted is None:
        return Pick(case, float(doubts[case].sum()), "no class is predicted in the cases that are left; the least sure of them")
    doubt = float(doubts[case, wanted])
    reason = f"class {wanted} is rare so far (about {so_far[wanted]:.1f} cases) and probably here (its entropy {doubt:.3g})"
    return Pick(case, doubt, reason)


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        name="class-balanced",
        title="Class-balanced uncertainty",
        paper="Ertekin et al. 2007, doi:10.1145/1321440.1321461, for the aim; the rule by expected class counts is medloop's own",
        needs=frozenset({"class_share", "class_entropy"}),
        cost="one prediction per case",
        advice="When some labels occur in few cases: each pick goes to the class queried least, if the model finds it at all.",
        select=select_class_balanced,
    ),
)
