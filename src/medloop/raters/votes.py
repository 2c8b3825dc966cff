"""Which class each annotator gave to each item, checked once, and the simplest rules that turn it into one class per item.

An item is whatever is annotated: a case with a tag, or a pattern of labels that many voxels share. Entries of -1 mean that
the annotator did not annotate the item. Ties go to the lowest class, so that a result never depends on the order of annotators.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import BoolArray, FloatArray, IntArray
from medloop.core.errors import InputError, LabelError, ShapeError

NONE = -1
"""No annotation."""


@dataclass(frozen=True, eq=False)
class Votes:
    """A checked table of annotations.

    Attributes:
        table: Class of each item by each annotator, shape (items, annotators); -1 where there is none.
        classes: Number of classes; entries lie below it.
        counts: How often each item occurs, shape (items,).
    """

    table: IntArray
    classes: int
    counts: FloatArray

    @property
    def annotators(self) -> int:
        """Number of columns."""
        return int(self.table.shape[1])

    @cached_property
    def given(self) -> IntArray:
        """Annotations of each item, shape (items,)."""
        given: IntArray = (self.table != NONE).sum(axis=1)
        return given

    @property
    def shared(self) -> BoolArray:
        """Items with two annotations or more, shape (items,): only these tell annotators apart."""
        return np.asarray(self.given >= 2)

    @cached_property
    def marks(self) -> Any:
        """One 1 per annotation: sparse, shape (items, annotators × classes)."""
        from scipy import sparse

        items, people = np.nonzero(self.table != NONE)
        columns = people * self.classes + self.table[items, people]
        size = (len(self.table), self.annotators * self.classes)
        return sparse.csr_matrix((np.ones(len(items)), (items, columns)), shape=size)

    def tally(self, weights: FloatArray | None = None) -> FloatArray:
        """Weighted number of annotations per class, shape (items, classes).

        Args:
            weights: Of each annotator, shape (annotators,); all 1 by default.
        """
        each = np.ones(self.annotators) if weights is None else weights
        spread = np.kron(each[:, None], np.eye(self.classes))
        tally: FloatArray = self.marks @ spread
        return tally


def check_votes(table: npt.ArrayLike, classes: int | None = None) -> Votes:
    """The table as `Votes`.

    Args:
        table: Integers, shape (items, annotators), -1 for none.
        classes: Number of classes; by default one more than the highest entry, and at least two.

    Raises:
        ShapeError: Not two axes, or no item or annotator.
        InputError: NaN or fractions in place of whole numbers.
        LabelError: An entry below -1, or not below `classes`.
    """
    found = np.asarray(table)
    if found.ndim != 2 or not found.size:
        raise ShapeError(f"Annotations need a table (items, annotators) with at least one of each, got shape {found.shape}")
    if not np.issubdtype(found.dtype, np.integer):
        found = _whole(found)
    low, high = int(found.min()), int(found.max())
    known = max(2, high + 1) if classes is None else classes
    if low < NONE or high >= known:
        outside = low if low < NONE else high
        raise LabelError(f"Classes must be 0..{known - 1}, or -1 for none, got {outside}", remedy="map the classes first")
    return Votes(found.astype(np.int64), known, np.ones(len(found)))


def weighted(votes: Votes, counts: FloatArray) -> Votes:
    """The same votes where each item occurs so many times."""
    return replace(votes, counts=counts)


def _whole(values: npt.NDArray[Any]) -> IntArray:
    numbers = values.astype(np.float64) if np.issubdtype(values.dtype, np.floating) else None
    if numbers is None or not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any():
        raise InputError(f"Classes must be whole numbers, got {values.dtype} with NaN or fractions", remedy="write -1 where there is none")
    return numbers.astype(np.int64)
