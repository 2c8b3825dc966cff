"""Signs of a prediction's quality, as kept with it: what `medloop.quality.expected` learns from."""

import numpy as np

from medloop.core.arrays import MaskArray, ProbabilitySamples
from medloop.core.records import Prediction
from medloop.quality.expected import OWN_SAMPLES, SECOND_MODEL
from medloop.quality.features import RIM_MM, quality_features

EXTRA_VOXELS = 2
"""Around the rim, so that its last voxels are inside."""


def signs_of(
    samples: ProbabilitySamples, agreement: float, *, spacing_mm: tuple[float, float, float], earlier: MaskArray | None = None
) -> dict[str, float]:
    """Signs from samples, shape (samples, classes[, I, J, K]); `earlier`: what the model before says, label values, shape (I, J, K)."""
    if samples.ndim == 2:
        return {OWN_SAMPLES: agreement, "confidence": float(samples.mean(axis=0).max())}
    around = _around_annotations(samples, spacing_mm)
    found = quality_features(samples[(slice(None), slice(None), *around)], spacing_mm=spacing_mm)
    found = {name: round(value, 6) for name, value in found.items()} | {OWN_SAMPLES: agreement}
    if earlier is not None:
        found[SECOND_MODEL] = mask_agreement(samples.mean(axis=0).argmax(axis=0), earlier)
    return found


def mask_agreement(first: MaskArray, second: MaskArray) -> float:
    """Mean Dice over the labels that either mask holds; 1.0 where both are empty."""
    labels = np.union1d(np.unique(first), np.unique(second))
    found = [2.0 * float(((first == n) & (second == n)).sum()) / float((first == n).sum() + (second == n).sum()) for n in labels if n]
    return float(np.mean(found)) if found else 1.0


def signs_of_prediction(prediction: Prediction) -> dict[str, float]:
    """The signs kept with a prediction; of one made before signs were kept, the agreement of its samples."""
    kept = {str(name): float(value) for name, value in prediction.scores.get("signs", ())}
    agreement = prediction.scores.get("agreement")
    return kept or ({} if agreement is None else {OWN_SAMPLES: float(agreement)})


def _around_annotations(samples: ProbabilitySamples, spacing_mm: tuple[float, float, float]) -> tuple[slice, ...]:
    """The part of the volume that any sample answers in, and its rim; everything where none does."""
    inside = (samples.argmax(axis=1) > 0).any(axis=0)
    if not inside.any():
        return (slice(None),) * 3
    parts = []
    for axis, mm in enumerate(spacing_mm):
        held = np.flatnonzero(inside.any(axis=tuple(n for n in range(3) if n != axis)))
        room = int(np.ceil(RIM_MM / mm)) + EXTRA_VOXELS
        parts.append(slice(max(0, int(held[0]) - room), int(held[-1]) + 1 + room))
    return tuple(parts)
