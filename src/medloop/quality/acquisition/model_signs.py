"""Signs of a poor acquisition that need a model: it is unsure, finds nothing, or what it finds is cut off by the border."""

from collections.abc import Mapping

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.quality.acquisition.planes import slice_axis
from medloop.quality.acquisition.signs import Sign

MODEL_SIGNS = (
    Sign("cut", "field_of_view", 1, 0.01, "share of the proposal's outline at the border of the image"),
    Sign("found", "model_unsure", -1, 0.02, "whether the model finds anything"),
    Sign("expected", "model_unsure", -1, 0.01, "expected Dice of the proposal"),
    Sign("agreement", "model_unsure", -1, 0.01, "agreement of the model's samples"),
    Sign("entropy", "model_unsure", 1, 0.01, "uncertainty around the proposal"),
    Sign("promised", "model_unsure", -1, 0.01, "Dice that the model's probabilities promise"),
    Sign("pieces", "model_unsure", 1, 1.0, "pieces of the proposal"),
    Sign("spread", "model_unsure", 1, 0.01, "spread of the measurement over the model's samples"),
)
"""What is looked at in a proposal."""

_FROM = {"agreement": "sample_agreement", "entropy": "entropy_around_mask", "promised": "softmax_dice", "pieces": "components"}
"""Signs that are kept with every prediction, by their names there (`medloop.quality.features`)."""


def said_signs(kept: Mapping[str, float]) -> dict[str, float]:
    """The signs that a prediction keeps, under their names here."""
    return {name: float(kept[there]) for name, there in _FROM.items() if there in kept}


def mask_signs(mask: MaskArray, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Signs of a proposed mask alone.

    Args:
        mask: Label values, shape (I, J, K).
        spacing_mm: Of its voxels.
    """
    inside = np.asarray(mask > 0)
    across = slice_axis(mask.shape, spacing_mm)
    steps = [axis for axis in range(3) if axis != across or mask.shape[axis] > 1]
    at_border = sum(int(np.take(inside, end, axis=axis).sum()) for axis in steps for end in (0, -1))
    within = sum(int(np.count_nonzero(np.diff(inside, axis=axis))) for axis in steps)
    whole = at_border + within
    return {"cut": round(at_border / whole, 5) if whole else 0.0, "found": float(inside.any())}
