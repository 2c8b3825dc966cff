"""Pools to select from: embeddings from a folder where one is given, otherwise a mixture of clusters, and models' answers to them."""

import os
from pathlib import Path

import numpy as np

FOLDER = "MEDLOOP_SELECTION_DATA"
"""Environment variable with a folder of *.npy tables (cases, dimensions); how selection.py tells the processes it starts."""

CLASSES = 10
CLUSTERS = 50


def embeddings(cases: int, seed: int, *, dimensions: int = 32) -> np.ndarray:
    """Float32, shape (cases, dimensions): rows of the given tables, repeated with a little noise where they are too few."""
    rng = np.random.default_rng(seed)
    folder = os.environ.get(FOLDER)
    if folder is None:
        centres = rng.normal(0.0, 1.0, (CLUSTERS, dimensions)).astype(np.float32)
        return centres[rng.integers(CLUSTERS, size=cases)] + rng.normal(0.0, 0.7, (cases, dimensions)).astype(np.float32)
    rows = np.concatenate([np.load(path) for path in sorted(Path(folder).glob("*.npy"))]).astype(np.float32)
    rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-6)
    chosen = rows[rng.permutation(max(cases, len(rows)))[:cases] % len(rows)]
    return chosen + rng.normal(0.0, 0.05, chosen.shape).astype(np.float32)


def probabilities(cases: int, seed: int) -> np.ndarray:
    """What a random linear classifier answers, float32, shape (cases, classes)."""
    return _softmax(_logits(cases, seed))


def answer_samples(cases: int, seed: int, *, samples: int = 20) -> np.ndarray:
    """Several answers to each case, float32, shape (samples, cases, classes); how far they scatter differs from case to case."""
    rng = np.random.default_rng(seed + 1)
    logits, scatter = _logits(cases, seed), rng.exponential(0.5, (cases, 1)).astype(np.float32)
    found = np.empty((samples, cases, CLASSES), dtype=np.float32)
    for sample in found:
        sample[:] = _softmax(logits + scatter * rng.standard_normal((cases, CLASSES), dtype=np.float32))
    return found


def _logits(cases: int, seed: int) -> np.ndarray:
    rows = embeddings(cases, seed)
    weights = np.random.default_rng(seed + 2).normal(0.0, 3.0 / np.sqrt(rows.shape[1]), (rows.shape[1], CLASSES))
    return rows @ weights.astype(np.float32)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
