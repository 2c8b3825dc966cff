"""Losses for annotations of which some are wrong: a voxel or class that the network finds very improbable moves it little.

The cross-entropy pulls hardest where the network contradicts the annotation most, which late in a training is where the annotation is
wrong. Both losses here lie between it and the mean absolute error, which stands wrong labels and learns slowly.

Sources: Zhang & Sabuncu 2018, Generalized cross entropy loss, arXiv:1805.07836; Wang et al. 2020, A noise-robust framework for
segmentation of COVID-19 pneumonia lesions, doi:10.1109/TMI.2020.3000314.
"""

from torch import Tensor

EXPONENT = 0.7
"""Of the generalised cross-entropy: towards 0 it is the cross-entropy, 1 is the mean absolute error; the paper's choice."""

DICE_EXPONENT = 1.5
"""Of the noise-robust Dice loss: 2 is the usual Dice loss with squares, 1 the mean absolute error; the paper's choice."""

LEAST = 1e-6
"""Probabilities are taken to be at least this: below it the slope of a power knows no bounds."""


def generalised_cross_entropy(chances: Tensor, truth: Tensor) -> Tensor:
    """(1 − p^q) / q of every voxel or image, shape (B, …), its mean over the target's classes.

    Args:
        chances: Class probabilities, shape (B, classes, …).
        truth: Probabilities of the target, same shape, which sum to 1 over the classes.

    Source: equation 6 of Zhang & Sabuncu.
    """
    each = (1 - chances.clamp(min=LEAST) ** EXPONENT) / EXPONENT
    return (truth * each).sum(1)


def noise_robust_dice(chances: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean over the foreground classes of Σ|p − g|^γ / Σ(p² + g²), each over the whole batch; 0 of a class without any voxel.

    Args:
        chances: Class probabilities, shape (B, classes, …).
        truth: Probabilities of the target, same shape.
        valid: Where the target says anything, bool, shape (B, …).

    Source: equation 1 of Wang et al.
    """
    axes = [axis for axis in range(chances.ndim) if axis != 1]
    inside = valid.unsqueeze(1).to(chances.dtype)
    p, g = (chances * inside)[:, 1:], (truth * inside)[:, 1:].to(chances.dtype)
    apart = (p - g).abs().clamp(min=LEAST) ** DICE_EXPONENT * inside
    sizes = (p**2 + g**2).sum(axes)
    return (apart.sum(axes) / (sizes + 1.0)).mean()
