"""Tables of features: what makes one acceptable, lengths and angles of its rows."""

import numpy as np

from medloop.core.arrays import Features, FloatArray
from medloop.core.errors import InputError, ShapeError

BLOCK_NUMBERS = 1 << 21
"""Products held at once by blocked passes: 8 MB of float32, which stays near the cache."""


def checked_table(features: Features, what: str) -> Features:
    """The features as float32 if they are, else as float64, once they are known to be numbers.

    Args:
        features: Shape (cases, dimensions).
        what: What they are, for the message.

    Raises:
        ShapeError: Not a table.
        InputError: NaN or infinity; the first such row is named.
    """
    if features.ndim != 2:
        raise ShapeError(f"{what.capitalize()} must be a table (cases, dimensions), got shape {features.shape}")
    table = features if features.dtype == np.float32 else features.astype(np.float64)
    _require_finite(table, what)
    return table


def checked_pair(features: Features, others: Features | None) -> tuple[Features, Features]:
    """Two tables of the same dimensions and type; None stands for an empty second one.

    Raises:
        ShapeError: Not tables, or of different dimensions.
        InputError: NaN or infinity.
    """
    table = checked_table(features, "features")
    if others is None or not len(others):
        return table, table[:0]
    known = checked_table(others, "labelled features")
    if len(table) and known.shape[1] != table.shape[1]:
        raise ShapeError(f"Features and labelled features must have the same dimensions, got {table.shape[1]} and {known.shape[1]}")
    return table, known.astype(table.dtype, copy=False)


def squared_lengths(table: Features) -> FloatArray:
    """Σ of squares of each row, shape (cases,)."""
    lengths: FloatArray = np.einsum("nd,nd->n", table, table)
    return lengths


def unit_rows(features: Features) -> Features:
    """Rows of length 1; a row of zeros stays as it is."""
    lengths = np.sqrt(squared_lengths(features))[:, None]
    return features / np.where(lengths > 0, lengths, 1.0).astype(features.dtype)


def product(rows: FloatArray, others: FloatArray) -> FloatArray:
    """The matrix product of finite numbers, without a warning of an invalid value: there is none.

    BLAS kernels of float32 compute with what lies behind a vector's end and may leave that flag, though the products
    are right. Finite numbers give an invalid value only after an overflow, which is still warned of.
    """
    with np.errstate(invalid="ignore"):
        products: FloatArray = rows @ others
    return products


def cosine_similarity(features: Features, others: Features) -> FloatArray:
    """Cosine of the angle between every pair of rows; a row of zeros is similar to nothing (0).

    Args:
        features: Shape (cases, dimensions).
        others: Shape (others, dimensions).

    Returns:
        Shape (cases, others), -1 to 1.

    Raises:
        ShapeError: Tables of different dimensions.
        InputError: NaN or infinity.
    """
    a, b = checked_table(features, "features"), checked_table(others, "features")
    if a.shape[1] != b.shape[1]:
        raise ShapeError(f"Features to compare must have the same dimensions, got {a.shape[1]} and {b.shape[1]}")
    return np.clip(product(unit_rows(a), unit_rows(b).T), -1.0, 1.0)


def squared_distances(rows: Features, others: Features) -> FloatArray:
    """Squared Euclidean distance of every pair by norms and products, shape (rows, others), never negative."""
    reach = product(rows, others.T)
    reach *= -2.0
    reach += squared_lengths(others)
    reach += squared_lengths(rows)[:, None]
    return np.maximum(reach, 0.0, out=reach)


def _require_finite(table: Features, what: str) -> None:
    block = max(1, BLOCK_NUMBERS // max(1, table.shape[1]))
    for start in range(0, len(table), block):
        finite = np.isfinite(table[start : start + block]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise InputError(f"{what.capitalize()} must be finite, row {row} is not", remedy="check the model's output")
