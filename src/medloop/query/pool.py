"""What a strategy sees and says: the pool's numbers in, ordered picks out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import CaseScores, Features
from medloop.core.errors import InputError, SettingError, ShapeError


@dataclass(frozen=True, eq=False)
class Pool:
    """The cases that may be asked, as numbers.

    Attributes:
        case_ids: Names that order ties; all different. Order carries no meaning.
        scores: By name, each of shape (cases,): entropy, margin, least_confidence, bald, foreground (share of voxels
            the model guesses to be foreground), oracle_foreground (that share in the truth, simulations only).
        features: One embedding per case, shape (cases, dimensions), or None.
        labelled_features: Embeddings of the answered cases, shape (labelled, dimensions), or None.
    """

    case_ids: tuple[str, ...]
    scores: Mapping[str, CaseScores]
    features: Features | None
    labelled_features: Features | None

    def __post_init__(self) -> None:
        if len(set(self.case_ids)) != len(self.case_ids):
            raise InputError("Case ids of a pool must all be different")
        for name, values in self.scores.items():
            if np.shape(values) != (len(self.case_ids),):
                raise ShapeError(f"Score {name!r} needs one value per case ({len(self.case_ids)}), got shape {np.shape(values)}")
        if self.features is not None and len(self.features) != len(self.case_ids):
            raise ShapeError(f"Features need one row per case ({len(self.case_ids)}), got {len(self.features)}")

    def score(self, name: str) -> CaseScores:
        """The scores of that name.

        Raises:
            InputError: The pool lacks them, or some are not numbers; the first such case is named.
        """
        if name not in self.scores:
            known = ", ".join(sorted(self.scores)) or "none"
            raise InputError(f"The pool has no {name!r} scores (it has: {known})", remedy="predict the pool first")
        values = np.asarray(self.scores[name], dtype=np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            case = self.case_ids[int(np.argmax(bad))]
            raise InputError(f"{name} scores must be finite, {int(bad.sum())} are not, first {case}", remedy="check the model's output")
        return values

    def require_features(self) -> Features:
        """The features of every case.

        Raises:
            InputError: The pool has none.
        """
        if self.features is None:
            raise InputError("The pool has no features", remedy="predict the pool with a model that gives embeddings")
        return self.features

    def in_order(self) -> tuple["Pool", list[int]]:
        """The pool sorted by case id, and for each of its rows the index in this pool.

        Strategies work on the sorted pool; so neither ties nor random draws depend on the order of the cases.
        """
        order = sorted(range(len(self.case_ids)), key=self.case_ids.__getitem__)
        ids = tuple(self.case_ids[n] for n in order)
        scores = {name: np.asarray(values)[order] for name, values in self.scores.items()}
        features = None if self.features is None else self.features[order]
        return Pool(ids, scores, features, self.labelled_features), order


@dataclass(frozen=True)
class Pick:
    """One chosen case.

    Attributes:
        index: Its place in the pool that was given.
        score: What the strategy liked about it, higher is more; comparable within one strategy only.
        reason: The same in words, for the person who is asked.
    """

    index: int
    score: float
    reason: str


def checked_count(pool: Pool, count: int) -> int:
    """How many to pick: at most the whole pool.

    Raises:
        SettingError: A negative count.
    """
    if count < 0:
        raise SettingError(f"The number of cases to choose must be 0 or more, got {count}")
    return min(count, len(pool.case_ids))
