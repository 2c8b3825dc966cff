"""Reproducible randomness: one project seed, independent streams by name."""

import hashlib

import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one purpose, named such as ("round", 3, "query"), independent of the order in which purposes ask."""
    text = "\x1f".join([str(seed), *(str(n) for n in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def drawn_share(*parts: object) -> float:
    """A number from 0 to below 1, drawn by a hash of these: the same for the same ones, whoever asks and when."""
    text = "|".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A generator for one purpose; see `derive_seed`."""
    return np.random.default_rng(derive_seed(seed, *names))
