"""What a strategy sees and says: the pool's numbers in, ordered picks out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import lt
from types import MappingProxyType

import numpy as np

from medloop.core.arrays import CaseScores, ClassSamples, Features, FloatArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query.probabilities import checked
from medloop.query.sharding import WHOLE, Sharding

SCORES = MappingProxyType(
    {
        "least_confidence": "one minus the probability of the likeliest class",
        "margin": "one minus the gap between the two likeliest classes",
        "ratio": "probability of the second likeliest class over that of the likeliest",
        "entropy": "predictive entropy in nats",
        "bald": "mutual information of prediction and model in nats",
        "variation_ratio": "share of the samples that do not vote for the most voted class",
        "mean_std": "standard deviation over the samples, averaged over the classes",
        "vote_entropy": "entropy of the samples' votes in nats",
        "foreground": "share of voxels that the model predicts to be foreground",
        "oracle_foreground": "share of voxels that truly are foreground; simulations only",
        "minutes": "predicted minutes of expert time",
        "cost": "predicted minutes of expert time, each counted by its annotator's rate",
        "predicted_loss": "loss that the model's own loss head expects",
        "unlabelled": "probability that a discriminator calls the case unlabelled",
        "disagreement": "probability that two readers differ, as a model expects that learned from several",
        "adversarial_distance": "least change of the input that changes the prediction",
    }
)
"""Scores a pool may hold, each of shape (cases,)."""

TABLES = MappingProxyType(
    {
        "features": "the model's embedding of each case, shape (cases, dimensions)",
        "latent": "a latent code learned without labels, shape (cases, dimensions)",
        "class_entropy": "mean entropy over the voxels predicted as each class, 0 where it is absent, shape (cases, classes)",
        "class_share": "share of the voxels predicted as each class, shape (cases, classes)",
    }
)
"""Tables a pool may hold, one row per case."""

OTHERS = MappingProxyType(
    {
        "samples": "class probabilities of several samples of each case, shape (samples, cases, classes)",
        "classes": "class of each annotated case, shape (annotated,)",
    }
)

NEEDS = frozenset({*SCORES, *TABLES, *OTHERS})
"""Everything that a strategy may ask a pool to hold."""

COLD = frozenset({"features"})
"""Needs that are there before the first model."""

LATENT = frozenset({"latent", "unlabelled"})
"""Needs that a network trained on all images, without annotations, works out."""

ON_DEMAND = LATENT | {"predicted_loss", "adversarial_distance"}
"""Needs that are worked out only for a strategy that has them."""

COMPARING = ON_DEMAND | {"features", "classes", "class_share", "class_entropy"}
"""Needs that compare the unlabelled cases with every labelled one."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The cases that may be queried, as numbers.

    Attributes:
        case_ids: Names that order ties; all different. Order carries no meaning.
        scores: By name of `SCORES`, each of shape (cases,).
        features: One embedding per case, shape (cases, dimensions), or None.
        labelled_features: Embeddings of the annotated cases, shape (annotated, dimensions), or None.
        tables: By name of `TABLES` except features, each with one row per case.
        labelled: The same tables of the annotated cases, and "classes", each with one row per annotated case, in the
            order of `labelled_features`.
        samples: Class probabilities, shape (samples, cases, classes), or None.
        round: Which round queries, 1 for the first; strategies with a schedule follow it.
        sharding: Whether and by whom large selections are worked out in parts; the picks do not depend on it.
    """

    case_ids: tuple[str, ...]
    scores: Mapping[str, CaseScores]
    features: Features | None
    labelled_features: Features | None
    tables: Mapping[str, FloatArray] = field(default_factory=dict)
    labelled: Mapping[str, FloatArray] = field(default_factory=dict)
    samples: ClassSamples | None = None
    round: int = 1
    sharding: Sharding = WHOLE

    def __post_init__(self) -> None:
        cases = len(self.case_ids)
        if not self._is_ordered and len(set(self.case_ids)) != cases:
            raise InputError("Case ids of a pool must all be different")
        for name, values in self.scores.items():
            if np.shape(values) != (cases,):
                raise ShapeError(f"Score {name!r} needs one value per case ({cases}), got shape {np.shape(values)}")
        tables = {"features": self.features, **self.tables} if self.features is not None else self.tables
        for name, rows in tables.items():
            if len(rows) != cases:
                raise ShapeError(f"{name.capitalize()} need one row per case ({cases}), got {len(rows)}")
        if self.samples is not None and (self.samples.ndim != 3 or self.samples.shape[1] != cases):
            raise ShapeError(f"Samples need the shape (samples, {cases}, classes), got {self.samples.shape}")

    @cached_property
    def _is_ordered(self) -> bool:
        """Whether each case id is greater than the one before it, and so all are different."""
        return all(map(lt, self.case_ids, self.case_ids[1:]))

    def score(self, name: str) -> CaseScores:
        """The scores of that name.

        Raises:
            InputError: The pool lacks them, or some are not numbers; the first such case is named.
        """
        if name not in self.scores:
            known = ", ".join(sorted(self.scores)) or "none"
            raise InputError(f"The pool has no {name!r} scores (it has: {known})", remedy="predict the pool first")
        values = np.asarray(self.scores[name], dtype=np.float64)
        self._require_finite(values, f"{name} scores")
        return values

    def table(self, name: str) -> FloatArray:
        """The table of that name, one row per case; "features" is one of them.

        Raises:
            InputError: The pool lacks it, or some of it is not a number; the first such case is named.
        """
        rows = self.features if name == "features" else self.tables.get(name)
        if rows is None:
            remedy = "predict the pool with a model that gives embeddings" if name == "features" else "predict the pool first"
            raise InputError(f"The pool has no {name}", remedy=remedy)
        self._require_finite(rows.reshape(len(rows), -1).sum(axis=1, dtype=np.float64), name)
        return rows

    def labelled_table(self, name: str) -> FloatArray | None:
        """The table of that name for the annotated cases, or None."""
        return self.labelled_features if name == "features" else self.labelled.get(name)

    def require_samples(self) -> ClassSamples:
        """The samples of every case, shape (samples, cases, classes).

        Raises:
            InputError: The pool has none, or some are no probabilities (logits, for example); NaN is named with its case.
        """
        if self.samples is None:
            raise InputError("The pool has no samples", remedy="predict the pool with dropout or an ensemble")
        self._require_finite(self.samples.sum(axis=(0, 2), dtype=np.float64), "samples")
        return checked(self.samples)

    def in_order(self) -> tuple["Pool", list[int]]:
        """The pool sorted by case id, and for each of its rows the index in this pool.

        Strategies work on the sorted pool; so neither ties nor random draws depend on the order of the cases.
        """
        if self._is_ordered:
            return self, list(range(len(self.case_ids)))
        order = sorted(range(len(self.case_ids)), key=self.case_ids.__getitem__)
        return self.subset(order), order

    def subset(self, indices: Sequence[int]) -> "Pool":
        """The pool of these cases only, in this order; the annotated cases stay."""
        chosen = np.asarray(indices, dtype=np.intp)
        return replace(
            self,
            case_ids=tuple(self.case_ids[n] for n in indices),
            scores={name: np.asarray(values)[chosen] for name, values in self.scores.items()},
            features=None if self.features is None else self.features[chosen],
            tables={name: rows[chosen] for name, rows in self.tables.items()},
            samples=None if self.samples is None else self.samples[:, chosen],
        )

    def _require_finite(self, values: CaseScores, what: str) -> None:
        bad = ~np.isfinite(values)
        if bad.any():
            case = self.case_ids[int(np.argmax(bad))]
            raise InputError(f"{what} must be finite, {int(bad.sum())} are not, first {case}", remedy="check the model's output")


@dataclass(frozen=True)
class Pick:
    """One chosen case.

    Attributes:
        index: Its place in the pool that was given.
        score: What the strategy liked about it, higher is more; comparable within one strategy only.
        reason: The same in words, for the annotator.
        probability: Chance of this pick among the cases left at that moment, or None where the choice was certain;
            kept so that selection bias can be corrected (`medloop.query.budget.bias`).
    """

    index: int
    score: float
    reason: str
    probability: float | None = None


def checked_number(count: int, cases: int) -> int:
    """How many to choose: at most all.

    Raises:
        SettingError: A negative count.
    """
    if count < 0:
        raise SettingError(f"The number of cases to choose must be 0 or more, got {count}")
    return min(count, cases)
