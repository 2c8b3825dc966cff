"""Which masks are probably wrong, most suspicious first: against a model's prediction, or against the other annotators."""

from collections.abc import Mapping, Sequence

import numpy as np

from medloop.core.arrays import UNKNOWN, ClassProbabilities, FloatArray, IntArray, MaskArray
from medloop.core.errors import LabelError, ShapeError
from medloop.raters.pairs import pairwise_dice
from medloop.raters.suspects import Suspect, predicted_confidently, require_probabilities
from medloop.raters.votes import NONE


def suspect_masks(
    cases: Sequence[tuple[MaskArray, ClassProbabilities]], labels: Sequence[int], names: Mapping[int, str] | None = None
) -> list[Suspect]:
    """Masks with the largest share of voxels that are confidently predicted as another label.

    Args:
        cases: Annotated mask, shape (I, J, K), and out-of-sample probabilities, shape (labels, I, J, K), background first. Each
            case is read twice, so a sequence that loads cases one by one is enough.
        labels: Foreground labels, in the order of the probabilities.
        names: What people call the labels, by value; without, the reasons give the values.

    Returns:
        Every case, by descending score: confidently other voxels as a share of those annotated or confidently predicted as foreground.

    Raises:
        ShapeError: Mask and probabilities that do not fit.
        InputError: Probabilities that are not.
        LabelError: Values outside the task.

    Source: Northcutt et al. 2021, doi:10.1613/jair.1.12125, with the voxel as the item and usual probabilities over all cases.
    """
    known = (0, *labels)
    totals, counts = np.zeros(len(known)), np.zeros(len(known))
    for mask, probabilities in cases:
        given, rows = _voxels(mask, probabilities, known)
        for k in range(len(known)):
            totals[k] += rows[given == k, k].sum()
            counts[k] += np.count_nonzero(given == k)
    called = ("background", *((names or {}).get(value, f"label {value}") for value in labels))
    usual = np.where(counts > 0, totals / np.maximum(counts, 1.0), np.inf)
    found = [_mask_suspect(n, *_voxels(*case, known), usual, called) for n, case in enumerate(cases)]
    return sorted(found, key=lambda s: (-s.score, s.item))


def suspect_annotations(cases: Sequence[Mapping[str, MaskArray]], labels: Sequence[int]) -> list[Suspect]:
    """Masks that agree much less with those of the others than the others do among themselves.

    Args:
        cases: For each case the masks by annotator, at least three; cases with fewer are not judged, since nothing shows who is right.
        labels: Foreground labels of the task.

    Returns:
        Every mask of these cases, by descending score: an annotator agrees by the median Dice with each of the others (mean over
        labels); the score is the median agreement of the others minus the own one, 0 where it is as high.

    Raises:
        ShapeError, InputError, LabelError: Masks of a case that are not on one grid, or not label values of the task.
    """
    found = []
    for n, case in enumerate(cases):
        names = sorted(case)
        if len(names) >= 3:
            agreement = _with_others([case[name] for name in names], labels)
            found += [_annotation_suspect(n, name, agreement, a) for a, name in enumerate(names)]
    return sorted(found, key=lambda s: (-s.score, s.item, str(s.annotator)))


def _voxels(mask: MaskArray, probabilities: ClassProbabilities, known: Sequence[int]) -> tuple[IntArray, FloatArray]:
    """Class of each annotated voxel, shape (voxels,), and its probabilities, shape (voxels, classes)."""
    if probabilities.shape != (len(known), *mask.shape):
        raise ShapeError(f"Probabilities of a mask {mask.shape} and {len(known)} labels must fit, got {probabilities.shape}")
    annotated = mask != UNKNOWN
    class_of = np.full(256, NONE, dtype=np.int64)
    class_of[list(known)] = np.arange(len(known))
    given = class_of[mask[annotated]]
    if len(given) and given.min() < 0:
        raise LabelError(f"Masks may hold 0 and the task's labels {list(known[1:])}, got others too", remedy="map these values first")
    rows = np.moveaxis(probabilities, 0, -1)[annotated]
    require_probabilities(rows)
    return given, rows


def _mask_suspect(item: int, given: IntArray, rows: FloatArray, usual: FloatArray, called: Sequence[str]) -> Suspect:
    confident = predicted_confidently(rows, usual)
    confident = np.where(confident == NONE, given, confident)
    size = len(called)
    counts = np.bincount(given * size + confident, minlength=size**2).reshape(size, size)
    other = counts - np.diag(np.diag(counts))
    foreground = counts.sum() - counts[0, 0]
    score = float(other.sum() / foreground) if foreground else 0.0
    was, seems = np.unravel_index(other.argmax(), other.shape)
    most = f", most of them {called[int(was)]} predicted as {called[int(seems)]} ({other[was, seems]} voxels)" if other.any() else ""
    return Suspect(item, None, score, f"{100 * score:.0f} % of the foreground is confidently another label{most}")


def _with_others(masks: Sequence[MaskArray], labels: Sequence[int]) -> FloatArray:
    """Median Dice of each annotator with each of the others, shape (annotators,)."""
    dice = np.mean(list(pairwise_dice(masks, labels).values()), axis=0)
    return np.array([np.median(np.delete(row, a)) for a, row in enumerate(dice)])


def _annotation_suspect(item: int, name: str, agreement: FloatArray, a: int) -> Suspect:
    own, usual = float(agreement[a]), float(np.median(np.delete(agreement, a)))
    why = f"Dice {own:.2f} with the other {len(agreement) - 1} annotators, who reach {usual:.2f}"
    return Suspect(item, name, max(usual - own, 0.0), why)
