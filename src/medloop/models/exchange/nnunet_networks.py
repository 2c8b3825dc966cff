"""A project's model that nnU-Net trained, ready to predict: like `models.inference.predict.Predictor`, with the networks in a child.

Samples are folds and mirror images, planned as those of any ensemble; there is no dropout in nnU-Net. The child loads the networks once
and lives as long as the predictor.
"""

import tempfile
import weakref
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medloop.core.errors import FormatError, ShapeError
from medloop.core.image import Image
from medloop.core.settings import UncertaintySource
from medloop.models.exchange.child import Limits, NetworkChild
from medloop.models.exchange.described import overlapping
from medloop.models.exchange.description import Description
from medloop.models.exchange.nnunet_child import environment, runner
from medloop.models.exchange.nnunet_weights import folder_files, told_spacing
from medloop.models.foundation.nnunet_recipe import NnunetRecipe
from medloop.models.foundation.plans import COLOURED, GREY, common_channels
from medloop.models.foundation.resample import working_shape
from medloop.models.inference.predict import Calibrated, ModelOutput, only_learned
from medloop.models.inference.uncertainty import Pass, sampler_of

SECONDS_PER_PASS = 3600.0


class NnunetNetworks:
    """Networks of nnU-Net in a process of their own.

    Args:
        recipe: What they were trained by.
        weights: Safetensors of each fold.
        sampler: Where samples come from.
        calibrated: Applied to the samples, classes on axis 1; None leaves them as trained.
        unlearned: Values of labels that no case taught.

    Raises:
        UnavailableError: There is no nnU-Net.
        FormatError: nnU-Net cannot load them.
    """

    def __init__(
        self,
        recipe: NnunetRecipe,
        weights: Sequence[bytes],
        *,
        sampler: UncertaintySource = "all",
        calibrated: Calibrated | None = None,
        unlearned: Collection[int] = (),
    ) -> None:
        threads = recipe.threads
        self.recipe, self.calibrated, self.unlearned = recipe, calibrated, tuple(unlearned)
        self.sampler = sampler_of(sampler, members=len(weights), axes=recipe.flips)
        command = runner("serve")
        with tempfile.TemporaryDirectory(prefix="medloop-nnunet-") as place:  # read once, when the child starts
            folder = Path(place) / "nnunet"
            folder_files(recipe, weights, folder)
            limits = Limits(memory_bytes=1 << 40, wall_seconds=SECONDS_PER_PASS, threads=threads)
            asked = {"folds": list(range(len(weights))), "threads": threads}
            self._child = NetworkChild(
                folder, "nnunet", limits=limits, network=asked, command=command, environment=environment(threads=threads)
            )
        weakref.finalize(self, self._child.close)

    def predict(self, image: Image, *, samples: int, rng: np.random.Generator) -> ModelOutput:
        """Predict one image; see `models.inference.predict.Predictor.predict`.

        Raises:
            ShapeError: When the image does not fit the networks.
            FormatError: nnU-Net failed.
        """
        fitted = self._fitted(image)
        passes = [one for one in self.sampler.passes(samples, rng) if one.dropout_seed is None] or [Pass()]
        answers, features = [], np.zeros(0, dtype=np.float32)
        for one in passes:
            answers.append(self._run(one, fitted, image))
            features = features if features.size else np.array(self._child.features, dtype=np.float32)
        stacked = only_learned(np.stack(answers), self.unlearned)
        if self.calibrated is not None:
            stacked = self.calibrated(stacked, axis=1).astype(np.float32)
        return ModelOutput(stacked, features)

    def _fitted(self, image: Image) -> npt.NDArray[np.float32]:
        """With the channels that the networks read, and numbers only."""
        wanted = self.recipe.channels
        if self.recipe.dimension == 2 and not image.grid.is_2d:
            raise ShapeError(f"The model reads single slices, got {image.grid.shape[2]}", remedy="train on volumes")
        if common_channels((image.channels, wanted), dimension=self.recipe.dimension) is None:
            raise ShapeError(f"The model reads {wanted} channels, got {image.channels}", remedy="leave this image out")
        working_shape(self.recipe, image.grid)
        array = np.nan_to_num(image.array.astype(np.float32), posinf=0.0, neginf=0.0)
        if image.channels == wanted:
            return array
        return np.repeat(array, COLOURED, axis=0) if image.channels == GREY else array.mean(axis=0, keepdims=True)

    def _run(self, one: Pass, array: npt.NDArray[np.float32], image: Image) -> npt.NDArray[np.float32]:
        axes = tuple(axis + 1 for axis in one.flips)
        spacing_mm = np.array(told_spacing(image.grid.spacing_mm, flat=self.recipe.dimension == 2), dtype=np.float64)
        found = self._child([np.flip(array, axes), spacing_mm, np.array([one.member], dtype=np.int64)])
        wanted = (len(self.recipe.outputs), *image.grid.shape)
        if found.shape != wanted or not np.isfinite(found).all():
            raise FormatError(f"nnU-Net must give finite probabilities of the shape {wanted}, got {found.shape}", remedy="train again")
        return self._by_value(np.ascontiguousarray(np.flip(found, axes)))

    def _by_value(self, stated: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Outputs as probabilities of every value of a mask, (classes, I, J, K)."""
        recipe = self.recipe
        if recipe.regions:
            names = {str(value): value for value in range(1, recipe.classes)}
            held = {str(value): recipe.regions[value - 1] for value in names.values()}
            described = Description(
                kind="segmentation", dimension=3, channels=recipe.channels, labels=names, outputs=recipe.outputs, regions=held
            )
            return overlapping(stated, described)
        placed = np.zeros((recipe.classes, *stated.shape[1:]), dtype=np.float32)
        placed[list(recipe.outputs)] = stated
        placed /= placed.sum(axis=0, keepdims=True).clip(1e-9)
        return placed
