"""Predict how wrong a model will be on a case, learned from the cases whose answers are known.

A small regressor on the pooled features learns to put answered cases into the order of their losses. Post hoc: Yoo
and Kweon train such a module together with the network, on features of several depths and on the losses of the
training steps; here the network is finished, the features are its stored embeddings, and a case's loss is one minus
its score. The answered cases were trained on, so their losses are too small; only the order is learned and used.

Source: Yoo and Kweon 2019, arXiv:1905.03677, equation 2.
"""

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.arrays import CaseScores, Features, FloatArray
from medloop.core.errors import InputError, ShapeError
from medloop.models.pretext.networks import minimise, seeded

FEWEST_CASES = 4
"""Answered cases below which there is no order worth learning."""

MARGIN = 1.0
STEPS = 200
WIDTH = 32
LEARNING_RATE = 5e-3
WEIGHT_DECAY = 2e-2


def predicted_losses(features: Features, losses: FloatArray, others: Features, *, seed: int) -> CaseScores:
    """Expected losses of cases, on a scale without a unit: only their order means something.

    Args:
        features: Embeddings of answered cases, shape (answered, dimensions).
        losses: Their losses, shape (answered,).
        others: Embeddings of the cases to judge, shape (cases, dimensions).
        seed: Of the regressor's first weights.

    Returns:
        Shape (cases,); all 0 when the known losses are all equal.

    Raises:
        ShapeError: Tables that do not fit each other.
        InputError: Fewer than `FEWEST_CASES` answered cases, or numbers that are none.
    """
    if features.ndim != 2 or others.ndim != 2 or features.shape[1] != others.shape[1] or losses.shape != (len(features),):
        raise ShapeError(f"Features and losses must fit, got {features.shape}, {losses.shape} and {others.shape}")
    if len(losses) < FEWEST_CASES:
        raise InputError(f"Expected losses need at least {FEWEST_CASES} annotated cases, got {len(losses)}", remedy="annotate more cases")
    if not all(np.isfinite(values).all() for values in (features, losses, others)):
        raise InputError("Features and losses must be finite", remedy="check the model's output")
    if np.ptp(losses) == 0:
        return np.zeros(len(others))
    middle, spread = features.mean(axis=0), features.std(axis=0)
    known, asked = (
        torch.from_numpy(((rows - middle) / np.where(spread > 0, spread, np.inf)).astype(np.float32)) for rows in (features, others)
    )
    truth = torch.from_numpy(losses.astype(np.float32))
    with seeded(seed, "learning loss"):
        head = nn.Sequential(nn.Linear(features.shape[1], WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))
        optimiser = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        minimise(optimiser, lambda _: ranking_loss(head(known)[:, 0], truth), STEPS)
        with torch.no_grad():
            scores: CaseScores = head(asked)[:, 0].double().numpy()
    return scores


def ranking_loss(predicted: Tensor, losses: Tensor) -> Tensor:
    """Mean over all pairs of different loss of max(0, MARGIN − (p_i − p_j)), where i is the case of the larger loss; both shape (cases,).

    Source: Yoo and Kweon 2019, arXiv:1905.03677, equation 2; over all pairs instead of random ones.
    """
    larger = losses[:, None] > losses[None]
    difference = predicted[:, None] - predicted[None]
    return (MARGIN - difference[larger]).clamp(min=0.0).mean()
