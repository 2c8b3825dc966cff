"""Tell answered from unanswered cases by their latent codes: what looks unlike everything answered is asked first.

A small network learns to call each code annotated or not; its probability of "unlabelled" is the score. As in VAAL,
but afterwards: there autoencoder and discriminator play against each other while they learn, here the codes are
fixed. Few full-batch steps with strong weight decay keep it from learning the pool by heart.

Source: Sinha et al. 2019 (VAAL), arXiv:1904.00370, section 3.2.
"""

from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from medloop.core.arrays import CaseScores, Features
from medloop.core.errors import InputError, ShapeError
from medloop.models.pretext.networks import minimise, seeded

STEPS = 150
WIDTH = 16
LEARNING_RATE = 1e-2
WEIGHT_DECAY = 5e-2


def unlabelled_probability(codes: Features, labelled: Features, *, seed: int) -> CaseScores:
    """How probably each case is an unanswered one, judged by its code.

    Args:
        codes: Codes of unanswered cases, shape (cases, dimensions).
        labelled: Codes of the answered ones, shape (answered, dimensions); without any, everything is unanswered.
        seed: Of the network's first weights.

    Returns:
        Shape (cases,), 0..1; both groups weigh the same, however many they are.

    Raises:
        ShapeError: Codes of different lengths.
        InputError: Numbers that are none.
    """
    if codes.ndim != 2 or labelled.ndim != 2 or (len(labelled) and codes.shape[1] != labelled.shape[1]):
        raise ShapeError(f"Codes need the same dimensions, got {codes.shape} and {labelled.shape}")
    if not (np.isfinite(codes).all() and np.isfinite(labelled).all()):
        raise InputError("Codes must be finite", remedy="train the latent codes again")
    if not len(labelled) or not len(codes):
        return np.ones(len(codes))
    rows = np.concatenate([codes, labelled]).astype(np.float64)
    spread = rows.std(axis=0)
    scaled = torch.from_numpy(((rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)).astype(np.float32))
    truth = torch.cat([torch.ones(len(codes)), torch.zeros(len(labelled))])
    weight = torch.where(truth > 0, 0.5 / len(codes), 0.5 / len(labelled))
    with seeded(seed, "discriminator"):
        network = nn.Sequential(nn.Linear(rows.shape[1], WIDTH), nn.LeakyReLU(0.1), nn.Linear(WIDTH, 1))
        optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        loss = partial(functional.binary_cross_entropy_with_logits, target=truth, weight=weight, reduction="sum")
        minimise(optimiser, lambda _: loss(network(scaled)[:, 0]), STEPS)
        with torch.no_grad():
            scores: CaseScores = network(scaled)[: len(codes), 0].sigmoid().double().numpy()
    return scores
