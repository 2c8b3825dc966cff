"""Every strategy on arrays of one's own, in one line: from what a classifier predicts to the rows to annotate next."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from medloop.core.arrays import BoolArray, CaseScores, ClassSamples, FloatArray, IntArray
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.core.seeds import derive_seed
from medloop.query import scores as measures
from medloop.query.pool import Pick, Pool
from medloop.query.probabilities import checked
from medloop.query.strategies import strategy
from medloop.query.uncertainty.readers import expected_disagreement

ArrayLike: TypeAlias = Any
"""A list, a numpy array, or a tensor of torch, on any device."""


class Classifier(Protocol):
    """Anything that predicts class probabilities, as the classifiers of scikit-learn do."""

    def predict_proba(self, X: Any, /) -> ArrayLike:  # noqa: N803 - the name is scikit-learn's
        """Class probabilities, shape (cases, classes)."""


def query(
    name: str,
    *,
    proba: ArrayLike = None,
    features: ArrayLike = None,
    labelled: ArrayLike = None,
    scores: Mapping[str, ArrayLike] | None = None,
    n: int = 1,
    seed: int = 0,
) -> IntArray:
    """The rows to annotate next; see `picks`, which also says why.

    Returns:
        Indices of rows of what was given, best first, never a labelled one; fewer than `n` when fewer are left.
    """
    found = picks(name, proba=proba, features=features, labelled=labelled, scores=scores, n=n, seed=seed)
    return np.array([pick.index for pick in found], dtype=np.int64)


def picks(
    name: str,
    *,
    proba: ArrayLike = None,
    features: ArrayLike = None,
    labelled: ArrayLike = None,
    scores: Mapping[str, ArrayLike] | None = None,
    n: int = 1,
    seed: int = 0,
) -> list[Pick]:
    """The rows to annotate next, each with its score and the reason in words.

    Args:
        name: Of a strategy; `strategies` lists them with what each needs.
        proba: Class probabilities, shape (cases, classes), or of several models or passes with dropout (samples, cases, classes).
        features: One embedding per case, shape (cases, dimensions).
        labelled: Rows that are annotated already: their indices, or a mask of shape (cases,). They are never picked, and strategies
            of diversity keep away from them.
        scores: Further scores by name, each of shape (cases,), for example "minutes"; they win over those made from `proba`.
        n: How many.
        seed: Of the random draws: the same arguments give the same rows.

    Returns:
        Best first; each `Pick.index` is a row of what was given.

    Raises:
        NotFoundError: No strategy has that name.
        InputError: Something that the strategy needs is missing, or is no probability or not finite.
        ShapeError: Arrays of different numbers of cases.
        SettingError: A negative number of picks.
    """
    chosen = strategy(name)
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise SettingError(f"n must be a whole number of cases >= 0, got {n!r}")
    samples = None if proba is None else _samples(proba)
    table = None if features is None else _table(features)
    given = {key: _column(key, values) for key, values in (scores or {}).items()}
    cases = _number_of_cases(samples, table, given)
    known = _mask(labelled, cases)
    made = {} if samples is None else _scores_of(samples)
    pool = _pool(cases, {**made, **given}, samples, table, known)
    present = {"features": table is not None, "samples": samples is not None}
    missing = sorted(need for need in chosen.needs if not present.get(need, need in pool.scores or need in pool.tables))
    if missing:
        raise InputError(f"The strategy {name!r} needs {', '.join(missing)}", remedy=_remedy(missing, samples))
    free = np.flatnonzero(~known)
    rng = np.random.default_rng(derive_seed(seed, "query", name))
    found = chosen.select(pool, min(int(n), len(free)), rng)
    return [Pick(int(free[p.index]), p.score, p.reason, p.probability) for p in found]


def from_classifier(classifier: Classifier | Sequence[Classifier]) -> Callable[[Any], FloatArray]:
    """What turns inputs into `proba` for `query`: one classifier, or a committee of them.

    Args:
        classifier: Anything with `predict_proba`, or a sequence of such.

    Returns:
        A function from inputs to probabilities, shape (cases, classes), of a committee (members, cases, classes).

    Raises:
        InputError: Something without `predict_proba`, or an empty committee; when called, an output that is no probability.
    """
    several = isinstance(classifier, Sequence)
    members = list(classifier) if isinstance(classifier, Sequence) else [classifier]
    if not members or not all(hasattr(m, "predict_proba") for m in members):
        raise InputError("A classifier needs a method predict_proba", remedy="for a network use medloop.from_torch")

    def predict(inputs: Any) -> FloatArray:
        found = _samples(np.stack([_array(m.predict_proba(inputs)) for m in members]))
        return found if several else found[0]

    return predict


def _off_device(values: ArrayLike) -> ArrayLike:
    """A tensor off its graph and its device; anything else as it is."""
    return values.detach().cpu() if hasattr(values, "detach") else values


def _array(values: ArrayLike) -> FloatArray:
    """As floats in numpy."""
    values = _off_device(values)
    if "bfloat16" in str(getattr(values, "dtype", "")):
        values = values.float()
    try:
        found = np.asarray(values)
        return found if found.dtype in (np.float32, np.float64) else found.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"Not a table of numbers: {error}", remedy="give rows of equal length") from None


def _samples(proba: ArrayLike) -> ClassSamples:
    table = _array(proba)
    if table.ndim not in (2, 3):
        raise ShapeError(f"proba has the shape (cases, classes) or (samples, cases, classes), got {table.shape}")
    return checked(table[None] if table.ndim == 2 else table)


def _table(features: ArrayLike) -> FloatArray:
    table = _array(features)
    if table.ndim != 2:
        raise ShapeError(f"features have the shape (cases, dimensions), got {table.shape}", remedy="flatten images first")
    bad = ~np.isfinite(table).all(axis=1)
    if bad.any():
        raise InputError(f"features must be finite, those of row {int(np.argmax(bad))} are not")
    return table


def _column(name: str, values: ArrayLike) -> CaseScores:
    column = _array(values)
    if column.ndim != 1:
        raise ShapeError(f"Scores have the shape (cases,), got {column.shape} for {name!r}")
    return column


def _number_of_cases(samples: ClassSamples | None, table: FloatArray | None, scores: Mapping[str, CaseScores]) -> int:
    found: dict[str, int] = {} if samples is None else {"proba": samples.shape[1]}
    found |= {} if table is None else {"features": len(table)}
    found |= {name: len(values) for name, values in scores.items()}
    if not found:
        raise InputError("A query needs proba, features or scores: without them the number of cases is unknown")
    if len(set(found.values())) > 1:
        raise ShapeError(f"Different numbers of cases: {', '.join(f'{name} {count}' for name, count in found.items())}")
    return min(found.values())


def _mask(labelled: ArrayLike, cases: int) -> BoolArray:
    """Which rows are annotated, shape (cases,)."""
    known = np.zeros(cases, dtype=np.bool_)
    if labelled is None:
        return known
    rows = np.asarray(_off_device(labelled))
    if not rows.size and rows.dtype != np.bool_:
        return known
    if rows.dtype == np.bool_ and rows.shape == (cases,):
        return rows.copy()
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ShapeError(f"labelled holds indices of rows, or a mask of shape ({cases},); got {rows.dtype} of shape {rows.shape}")
    outside = (rows < 0) | (rows >= cases)
    if outside.any():
        raise InputError(f"labelled names row {int(rows[np.argmax(outside)])}, rows are 0 to {cases - 1}")
    known[rows] = True
    return known


def _scores_of(samples: ClassSamples) -> dict[str, CaseScores]:
    mean = samples.mean(axis=0)
    of_mean = measures.OF_MEAN if mean.shape[1] > 1 else {"entropy": measures.entropy}
    of_samples = measures.OF_SAMPLES if len(samples) > 1 else {}
    made = {name: score(mean) for name, score in of_mean.items()} | {name: score(samples) for name, score in of_samples.items()}
    return {**made, "disagreement": expected_disagreement(samples, axis=2)}


def _pool(cases: int, scores: Mapping[str, CaseScores], samples: ClassSamples | None, table: FloatArray | None, known: BoolArray) -> Pool:
    digits = len(str(cases))
    free = ~known
    around = table[known] if table is not None and known.any() else None
    tables = {} if samples is None else measures.class_rows(samples)
    return Pool(
        tuple(f"{row:0{digits}d}" for row in np.flatnonzero(free)),
        {name: values[free] for name, values in scores.items()},
        None if table is None else table[free],
        around,
        tables={name: rows[free] for name, rows in tables.items()},
        labelled={name: rows[known] for name, rows in tables.items()} if known.any() else {},
        samples=None if samples is None else samples[:, free],
    )


def _remedy(missing: Sequence[str], samples: ClassSamples | None) -> str:
    disagreement = [need for need in missing if need in measures.OF_SAMPLES]
    if disagreement and samples is not None:
        return "give proba of several models or passes, shape (samples, cases, classes)"
    words = (
        ["proba=…"]
        if disagreement or set(missing) & {"samples", "class_entropy", "class_share", "disagreement", "entropy", "margin"}
        else []
    )
    words += ["features=…"] if "features" in missing else []
    return f"give {' and '.join(words)}" if words else f"give scores={{{missing[0]!r}: …}}, or choose another strategy"
