"""A trained model's answer to an image: probability samples on the image's own grid, and an embedding."""

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from medloop.core.arrays import ClassProbabilities, FloatArray, ProbabilitySamples
from medloop.core.errors import InputError
from medloop.core.image import Image
from medloop.core.settings import UncertaintySource
from medloop.models.foundation.compute import choose_device, limited_threads
from medloop.models.foundation.fitting import fit_for_networks
from medloop.models.foundation.landmarks import Landmarks
from medloop.models.foundation.networks import AnyNetwork, load_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.foundation.resample import resample
from medloop.models.inference.inference import run_heads
from medloop.models.inference.uncertainty import Pass, Sampler, sampler_of


class Calibrated(Protocol):
    """Probabilities to probabilities, such as the values of `medloop.quality.calibrate`."""

    def __call__(self, probabilities: FloatArray, *, axis: int) -> FloatArray:
        """The same shape; `axis` holds the classes."""
        ...


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """What a model says about a case.

    Attributes:
        samples: Shape (samples, classes, I, J, K) on the image's grid, or (samples, classes); float32, sums to 1
            over classes.
        features: The embedding, from the first pass, shape (dimensions,), float32.
    """

    samples: ProbabilitySamples
    features: npt.NDArray[np.float32]

    @cached_property
    def probabilities(self) -> ClassProbabilities:
        """Mean over the samples, shape (classes, I, J, K) or (classes,)."""
        mean: ClassProbabilities = self.samples.mean(axis=0)
        return mean


class AnyPredictor(Protocol):
    """What answers to an image, whoever made it; `medloop.testing.check_predictor` holds the promises."""

    def predict(self, image: Image, *, samples: int, rng: np.random.Generator) -> ModelOutput:
        """Probability samples of an image."""
        ...


def only_learned(stated: ProbabilitySamples, unlearned: Collection[int]) -> ProbabilitySamples:
    """Probabilities without classes that no case taught, (samples, classes, …): the others share what these had.

    A short training leaves such classes some of the probability that random weights gave them, which says nothing of the image and would
    count as uncertainty wherever it is.
    """
    if not unlearned:
        return stated
    learned = stated.copy()
    learned[:, list(unlearned)] = 0.0
    found: ProbabilitySamples = learned / np.maximum(learned.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return found


class Predictor:
    """Networks ready to predict; `aligned` may be set to what is done to normalised images before the networks see them.

    Args:
        recipe: What they were trained with.
        networks: One per member, in evaluation mode.
        device: Where they are.
        sampler: Where samples come from, or the name of a source.
        calibrated: Applied to the samples, classes on axis 1; for example a fitted temperature. None leaves them as trained.
        unlearned: Classes that no training case annotates, which get no probability.
    """

    def __init__(
        self,
        recipe: Recipe,
        networks: Sequence[AnyNetwork],
        *,
        device: torch.device,
        sampler: Sampler | UncertaintySource = "all",
        calibrated: Calibrated | None = None,
        unlearned: Collection[int] = (),
    ) -> None:
        self.recipe = recipe
        self.networks = tuple(networks)
        self.device = device
        self.sampler = sampler_of(sampler, members=len(self.networks), axes=recipe.flips) if isinstance(sampler, str) else sampler
        self.calibrated = calibrated
        self.unlearned = tuple(unlearned)
        self.aligned: Landmarks | None = None

    @classmethod
    def load(
        cls,
        recipe: Recipe,
        weights: Sequence[bytes],
        *,
        sampler: Sampler | UncertaintySource = "all",
        calibrated: Calibrated | None = None,
        unlearned: Collection[int] = (),
    ) -> "Predictor":
        """Networks from the safetensors bytes of a model's members.

        Raises:
            InputError: Without weights.
            FormatError: When bytes are not safetensors, or not weights of this recipe.
        """
        if not weights:
            raise InputError("A predictor needs the weights of at least one member, got none")
        networks = [load_network(recipe, data) for data in weights]
        return cls(recipe, networks, device=choose_device(), sampler=sampler, calibrated=calibrated, unlearned=unlearned)

    def predict(self, image: Image, *, samples: int, rng: np.random.Generator) -> ModelOutput:
        """Predict one image.

        Args:
            image: As stored; normalised and resampled here.
            samples: How many samples to draw; there may be more: at least one per member, and in every pass one per head.
            rng: Randomness of dropout.

        Raises:
            ShapeError: When the image does not fit the recipe.
        """
        prepared = fit_for_networks(self.recipe, image).array
        if self.aligned is not None:
            prepared = self.aligned(prepared)
        passes = self.sampler.passes(max(1, -(-samples // self.recipe.heads)), rng)
        with limited_threads(self.recipe.threads):
            answers = [self._run(one, prepared) for one in passes]
        stacked = np.stack([self._on_grid(probabilities, image) for heads, _ in answers for probabilities in heads])
        stacked = only_learned(stacked, self.unlearned)
        if self.calibrated is not None:
            stacked = self.calibrated(stacked, axis=1).astype(np.float32)
        return ModelOutput(stacked, answers[0][1])

    def _run(self, one: Pass, prepared: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        network = self.networks[one.member]
        mirrored = np.flip(prepared, tuple(axis + 1 for axis in one.flips))
        with torch.random.fork_rng(devices=[]) if one.dropout_seed is not None else nullcontext():
            if one.dropout_seed is not None:
                torch.manual_seed(one.dropout_seed)
            for module in network.modules():
                if isinstance(module, nn.Dropout | nn.Dropout2d | nn.Dropout3d):
                    module.train(one.dropout_seed is not None)
            probabilities, features = run_heads(network, self.recipe, mirrored, device=self.device)
        if self.recipe.kind == "segmentation":
            probabilities = np.flip(probabilities, tuple(axis + 2 for axis in one.flips))
        return probabilities, features

    def _on_grid(self, probabilities: npt.NDArray[np.float32], image: Image) -> npt.NDArray[np.float32]:
        return resample(probabilities, image.grid.shape) if self.recipe.kind == "segmentation" else probabilities
