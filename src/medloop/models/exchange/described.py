"""A network of which only a description is known, ready to predict: everything around it is done here, the network runs elsewhere."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medloop.core.arrays import FloatArray
from medloop.core.errors import FormatError, GridSizeError, ShapeError
from medloop.core.geometry import Grid, Shape3, triple
from medloop.core.image import Image
from medloop.models.exchange.description import Description, Run
from medloop.models.exchange.intensities import apply_steps
from medloop.models.exchange.orienting import Turn, turn_to
from medloop.models.foundation.plans import COLOURED, GREY, Spacing, common_channels
from medloop.models.foundation.resample import ALWAYS_VOXELS, CLOSE_ENOUGH, MOST_VOXELS, TIMES_LARGER, fitting_shape, resample
from medloop.models.inference.predict import Calibrated, ModelOutput, only_learned

Arrays: TypeAlias = Sequence[npt.NDArray[np.generic]]
RunNetwork: TypeAlias = Callable[[Arrays], npt.NDArray[np.float32]]
"""From the inputs of a network to its output: windows (1, channels, …), or an image (1, channels, I, J, K) and its affine (4, 4)."""

_NO_FEATURES: npt.NDArray[np.float32] = np.zeros(0, dtype=np.float32)


class DescribedPredictor:
    """Predicts like `medloop.models.inference.predict.Predictor`.

    Args:
        description: What has to be done.
        run: The network.
        name: Of the file, for errors.
        calibrated: Applied to the probabilities, what the description names as `calibration`; None leaves them as they are.
    """

    def __init__(self, description: Description, run: RunNetwork, name: str, *, calibrated: Calibrated | None = None) -> None:
        self.calibrated = calibrated
        self.description = description
        self.run = run
        self.name = name
        self.kind, self.dimension, self.channels, self.classes = (
            description.kind,
            description.dimension,
            description.channels,
            description.classes,
        )

    def predict(self, image: Image, *, samples: int, rng: np.random.Generator) -> ModelOutput:  # noqa: ARG002 - as every predictor
        """Predict one image; `samples` and `rng` change nothing, since such a network answers once per run.

        Raises:
            ShapeError: The image has other channels, or slices where the network is 2D.
            FormatError: The network gives something else than its description says.
        """
        fitted = self._fitted(image)
        if self.description.takes == "image":
            found = self.run([fitted[None], np.array(image.grid.affine)])
            return ModelOutput(self._checked(found, 1 if self.description.kind == "classification" else 3), _NO_FEATURES)
        return ModelOutput(self._samples(fitted, image.grid), _NO_FEATURES)

    def _fitted(self, image: Image) -> npt.NDArray[np.generic]:
        """With the channels that the network reads."""
        wanted = self.description.channels
        if self.dimension == 2 and not image.grid.is_2d:
            raise ShapeError(f"{self.name}: the network is for single slices, got {image.grid.shape[2]}", remedy="take a 3D network")
        if image.channels == wanted:
            return image.array
        if common_channels((image.channels, wanted), dimension=self.dimension) is None:
            raise ShapeError(f"{self.name}: the network reads {wanted} channels, got {image.channels}", remedy="take another network")
        if image.channels == GREY:
            return np.repeat(image.array, COLOURED, axis=0)
        grey: npt.NDArray[np.float32] = image.array.mean(axis=0, keepdims=True, dtype=np.float32)
        return grey

    def _samples(self, array: npt.NDArray[np.generic], grid: Grid) -> npt.NDArray[np.float32]:
        """Shape (runs × heads, classes, I, J, K), or (runs × heads, classes)."""
        d, turn = self.description, turn_to(grid, self.description.orientation)
        turned = turn.forth(array)
        own = triple(turned.shape[1:])
        prepared = self._prepared(turned, turn.spacing(grid.spacing_mm))
        seen: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}
        answers = []
        for one in d.runs:
            if one.flips not in seen:
                seen = {one.flips: self._look(np.flip(prepared, tuple(axis + 1 for axis in one.flips)))}
            answers += self._answers(seen[one.flips], one, own, turn)
        stacked = only_learned(np.stack(answers), d.not_learned)
        if self.calibrated is not None:
            stacked = self.calibrated(stacked, axis=1).astype(np.float32)
        return stacked

    def _prepared(self, turned: npt.NDArray[np.generic], spacing_mm: Spacing) -> npt.NDArray[np.float32]:
        d = self.description
        shape = _working_shape(d, triple(turned.shape[1:]), spacing_mm)
        if d.normalise_first:
            return resample(apply_steps(turned, d.intensities), shape)
        return apply_steps(resample(turned.astype(np.float32), shape), d.intensities)

    def _look(self, prepared: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Outputs of the network over a prepared image: (outputs, I, J, K), or (outputs,)."""
        if self.description.kind == "classification":
            return np.asarray(self._called(torch.from_numpy(np.array(prepared, order="C"))[None])[0].numpy())
        from monai.inferers.utils import sliding_window_inference  # MONAI takes seconds to load, which only predicting needs

        d = self.description
        tensor = torch.from_numpy(np.array(prepared, order="C"))[None]
        tensor = tensor.squeeze(-1) if d.dimension == 2 else tensor
        size = _window_size(d, triple(prepared.shape[1:]))[: d.dimension]
        found = sliding_window_inference(tensor, size, 1, self._called, overlap=d.window.overlap, mode=d.window.blend)
        answer = torch.as_tensor(found).float()
        return (answer.unsqueeze(-1) if d.dimension == 2 else answer)[0].numpy()

    def _called(self, windows: Tensor) -> Tensor:
        """The network on windows (1, channels, I, J[, K]), checked."""
        d = self.description
        given = windows.permute(0, 1, *reversed(range(2, windows.dim()))) if d.axes == "kji" else windows
        given = given.squeeze(-1) if d.kind == "classification" and d.dimension == 2 else given
        found = torch.from_numpy(np.array(self.run([given.contiguous().numpy()]), dtype=np.float32))
        if d.axes == "kji" and found.dim() > 2:
            found = found.permute(0, 1, *reversed(range(2, found.dim())))
        wanted = (1, d.members * d.heads * len(d.outputs), *(() if d.kind == "classification" else windows.shape[2:]))
        if tuple(found.shape) != wanted:
            rule = f"{self.name}: for a window of {tuple(windows.shape[2:])} its output must have the shape {wanted}"
            raise FormatError(f"{rule}, got {tuple(found.shape)}", remedy="correct its labels, dimension, or window")
        return found

    def _answers(self, outputs: npt.NDArray[np.float32], one: Run, own: Shape3, turn: Turn) -> list[npt.NDArray[np.float32]]:
        """What one member says, head by head, as probabilities of every value, on the image's own grid."""
        d, count = self.description, len(self.description.outputs)
        found = []
        for head in range(d.heads):
            first = (one.member * d.heads + head) * count
            stated = self._stated(outputs[first : first + count])
            if d.kind == "segmentation":
                stated = np.flip(stated, tuple(axis + 1 for axis in one.flips))
                stated = turn.back(resample(stated, own))
            found.append(stated)
        return found

    def _stated(self, outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Outputs of one answer as probabilities of every value, (classes, …)."""
        d = self.description
        if not np.isfinite(outputs).all():
            raise FormatError(
                f"{self.name}: the network's outputs must be finite, got NaN or infinity", remedy="check its weights and intensities"
            )
        if d.gives == "sigmoid":
            return overlapping(1.0 / (1.0 + np.exp(-outputs.astype(np.float64))), d)
        stated = torch.from_numpy(np.ascontiguousarray(outputs))
        stated = stated.softmax(dim=0) if d.gives == "logits" else stated
        if tuple(d.outputs) == tuple(range(d.classes)):
            return stated.numpy()
        placed = np.zeros((d.classes, *stated.shape[1:]), dtype=np.float32)
        for value, layer in zip(d.outputs, stated.numpy(), strict=True):
            placed[value] += layer
        return placed

    def _checked(self, found: npt.NDArray[np.float32], axes: int) -> npt.NDArray[np.float32]:
        """The answer of a program that does everything, as one sample."""
        answer: npt.NDArray[np.float32] = np.asarray(found, dtype=np.float32)
        if answer.ndim != (2 if axes == 1 else 5) or answer.shape[:2] != (1, self.classes) or not np.isfinite(answer).all():
            rule = f"{self.name}: its answer must be finite probabilities of {self.classes} classes"
            raise FormatError(f"{rule}, got the shape {answer.shape}", remedy="export it again")
        return answer


def overlapping(stated: FloatArray, description: Description) -> npt.NDArray[np.float32]:
    """Probabilities of labels that may overlap, (outputs, …), as those of every value of a mask, (classes, …).

    Labels count as independent of each other: a value is as likely as all labels that it stands for being there and the others not.
    """
    d = description
    names = {value: name for name, value in d.labels.items()}
    holders = [frozenset(d.regions.get(names[value], (value,))) for value in d.outputs]
    found = np.zeros((d.classes, *stated.shape[1:]), dtype=np.float64)
    for value in {0, *d.labels.values()}:
        chance = np.ones(stated.shape[1:])
        for own, layer in zip(holders, stated, strict=True):
            chance = chance * (layer if value in own else 1.0 - layer)
        found[value] = chance
    total = found.sum(axis=0)
    found[0] = np.where(total > 0, found[0], 1.0)
    return np.asarray(found / found.sum(axis=0), dtype=np.float32)


def _working_shape(d: Description, shape: Shape3, spacing_mm: Spacing) -> Shape3:
    """Voxels at which the network sees an image, as `models.foundation.resample.working_shape` has it."""
    if d.size is not None:
        return d.size
    if d.fitted is not None:
        return fitting_shape(shape, d.fitted)
    if d.spacing_mm is None:
        return shape
    wanted = np.array(shape) * np.array(d.framed_mm or spacing_mm) / np.array(d.spacing_mm)
    if d.dimension == 2:
        wanted[2] = 1
    if (np.abs(wanted / np.array(shape) - 1) < CLOSE_ENOUGH).all():
        return shape
    found = triple(np.maximum(1, np.round(wanted)))
    voxels, most = math.prod(found), min(MOST_VOXELS, max(ALWAYS_VOXELS, TIMES_LARGER * math.prod(shape)))
    if voxels > most:
        rule = f"At the network's voxels of {d.spacing_mm} mm the image would have {voxels:.2g} voxels, at most {most:.2g} can be computed"
        raise GridSizeError(rule, remedy="check the voxel size in its file, or give another --spacing")
    return found


def _window_size(d: Description, shape: Shape3) -> Shape3:
    """See `models.inference.inference.window_size`; (0, 0, 0) is the whole image."""
    size, stride = d.window.size, d.window.stride
    if size == (0, 0, 0) or all(n <= d.window.whole * p for n, p in zip(shape, size, strict=True)):
        least = 1 if size == (0, 0, 0) else 2
        i, j, k = (max(-(-n // s) * s, least * s) for n, s in zip(shape, stride, strict=True))
        return (i, j, k if d.dimension == 3 else 1)
    return size
