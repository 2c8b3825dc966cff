"""Where a network looks: maps of what speaks for an answer, on the image's own grid.

The question is one number: the class's logit for a classification; for a segmentation, the mean logit of a label over
the voxels that the network gives it (a fixed set, the most likely hundredth where it gives it none). Three methods answer:

- "grad-cam": coarse, one backward pass; what deep features see. Only evidence for the answer. Gradients multiply features
  place by place (HiResCAM): the original's mean gradient is zero in networks that normalise every image, like these.
- "integrated-gradients": fine, some dozens of passes; signed, and sums to the change of the number between a blurred image
  and this one (completeness). The baseline is blurred, not black: the network normalises contrast away, so that the path
  from black holds all change in its first step.
- "occlusion": hides one place after another behind the blurred image; signed, assumes nothing about gradients.

Captum does the arithmetic; it is an optional part. A map is evidence about the network, not about the patient.

Sources: Selvaraju et al. 2017, arXiv:1610.02391; Draelos & Carin 2020, HiResCAM, arXiv:2011.08891; Vinogradova et al. 2020,
Seg-Grad-CAM, arXiv:2002.11434; Sundararajan et al. 2017, arXiv:1703.01365; Zeiler & Fergus 2014, arXiv:1311.2901; Adebayo et al.
2018, Sanity checks for saliency maps, arXiv:1810.03292.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from medloop.core.errors import LabelError, SettingError
from medloop.core.geometry import Shape3
from medloop.core.image import Image
from medloop.explain.methods import METHODS, require_captum
from medloop.models.foundation.compute import limited_threads
from medloop.models.foundation.fitting import cut, fit_for_networks
from medloop.models.foundation.networks import ClassificationNetwork, SegmentationNetwork
from medloop.models.foundation.resample import resample
from medloop.models.inference.inference import run_once, window_size
from medloop.models.inference.predict import Predictor

BLUR = 1 / 12
"""Standard deviation of the blurred baseline, as a share of the window's length."""

IG_STEPS = 32
WINDOWS = {2: 12, 3: 5}
"""Occluded places per axis: 144 in 2D, 125 in 3D."""

CAM_PLACES = 8
"""Coarser features see the whole image at every place: normalised per image, they say what there is but not where."""

LIKELIEST = 0.01


@dataclass(frozen=True, eq=False)
class Saliency:
    """A map of evidence.

    Attributes:
        map: Shape (I, J, K) of the image, float32; positive speaks for the answer, negative against it. Zero outside the box.
        label: Which class or label value was asked about.
        method: See `METHODS`.
        score: The number that is explained, at this image.
        baseline: The same at the blurred image; None where the method has no baseline.
        gap: How far the map's sum is from score - baseline, as a share of it; None unless the method promises that they agree.
        start, stop: Box of voxels that the network saw.
    """

    map: npt.NDArray[np.float32]
    label: int
    method: str
    score: float
    baseline: float | None
    gap: float | None
    start: Shape3
    stop: Shape3


def explain_image(predictor: Predictor, image: Image, *, label: int, method: str = "grad-cam") -> Saliency:
    """Explain one answer of one network, the first of an ensemble.

    Args:
        predictor: The networks.
        image: As stored.
        label: The class, or the label value of a segmentation (0 asks for background).
        method: One of `METHODS`.

    Raises:
        UnavailableError: Captum is not installed.
        SettingError: An unknown method.
        LabelError: A label the model does not know.
        ShapeError: When the image does not fit the recipe.
    """
    recipe = predictor.recipe
    if method not in METHODS:
        raise SettingError(f"A method is one of {', '.join(METHODS)}, got {method!r}")
    if not 0 <= label < recipe.classes:
        raise LabelError(f"The model knows the labels 0 to {recipe.classes - 1}, got {label}")
    require_captum()
    from captum import attr

    network = predictor.networks[0]
    prepared = fit_for_networks(recipe, image).array
    with limited_threads(recipe.threads):
        window = _place_window(predictor, network, prepared, label)
        question = _question(network, window, label, recipe.kind == "segmentation")
        evidence = _METHODS[method](attr, question, window.images)
    return _on_grid(image, window, evidence, label=label, method=method)


_Evidence: TypeAlias = tuple[Tensor, float, float | None, float | None]
"""A map, the score that it explains, and the baseline and gap of the methods that have them."""


@dataclass(frozen=True, eq=False)
class _Window:
    """What the network sees: images (1, channels, spatial…), and where that lies in the prepared array."""

    images: Tensor
    start: tuple[int, ...]
    shape: Shape3
    whole: Shape3


class _Question(nn.Module):
    """A network that answers with the one number to explain, shape (B,).

    Args:
        network: In evaluation mode.
        label: Channel of its logits.
        where: Voxels to average over, shape (spatial…), bool; None for a classification.
    """

    def __init__(self, network: SegmentationNetwork | ClassificationNetwork, label: int, where: Tensor | None) -> None:
        super().__init__()
        self.network, self.label, self.where = network, label, where

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, …) to one number each."""
        logits = self.network.decode(*self.network.encode(images)).float()[:, self.label]
        return logits if self.where is None else logits[:, self.where].mean(dim=1)


def _place_window(
    predictor: Predictor, network: SegmentationNetwork | ClassificationNetwork, prepared: npt.NDArray[np.float32], label: int
) -> _Window:
    """The whole image where it fits the network, else a patch around what it finds of the label."""
    recipe, whole = predictor.recipe, prepared.shape[1:]
    size: Shape3 = recipe.patch if recipe.kind == "classification" else window_size(recipe, whole)
    start = [0, 0, 0]
    if recipe.kind == "segmentation" and any(s < n for s, n in zip(size, whole, strict=True)):
        probabilities, _ = run_once(network, recipe, prepared, device=predictor.device)
        centre = _centre(probabilities, label)
        start = [int(np.clip(c - s // 2, 0, max(0, n - s))) for c, s, n in zip(centre, size, whole, strict=True)]
    elif recipe.kind == "classification":
        size = (int(whole[0]), int(whole[1]), int(whole[2]))
    images = torch.from_numpy(cut(prepared, start, size))[None].to(predictor.device)
    return _Window(images.squeeze(-1) if recipe.dimension == 2 else images, tuple(start), size, (whole[0], whole[1], whole[2]))


def _centre(probabilities: npt.NDArray[np.float32], label: int) -> npt.NDArray[np.int64]:
    """The middle of the largest piece of a label, or its most likely voxel where there is none."""
    from scipy import ndimage

    pieces, count = ndimage.label(probabilities.argmax(axis=0) == label)
    if not count:
        return np.array(np.unravel_index(int(probabilities[label].argmax()), pieces.shape))
    largest = int(np.bincount(pieces.ravel())[1:].argmax()) + 1
    middle: npt.NDArray[np.int64] = np.argwhere(pieces == largest).mean(axis=0).round().astype(np.int64)
    return middle


def _question(network: SegmentationNetwork | ClassificationNetwork, window: _Window, label: int, is_mask: bool) -> _Question:
    network.eval()
    if not is_mask:
        return _Question(network, label, None)
    with torch.no_grad():
        logits = network.decode(*network.encode(window.images)).float()[0]
    where = logits.argmax(dim=0) == label
    if not where.any():
        margin = logits[label]
        where = margin >= margin.flatten().topk(max(1, int(LIKELIEST * margin.numel()))).values[-1]
    return _Question(network, label, where)


def _grad_cam(attributions: Any, question: _Question, images: Tensor) -> _Evidence:
    layer = _cam_layer(question.network, images)
    found = attributions.LayerGradientXActivation(question, layer).attribute(images.clone().requires_grad_(True))
    evidence = found.detach().float().sum(dim=1, keepdim=True).clamp(min=0)
    mode = "bilinear" if images.ndim == 4 else "trilinear"
    enlarged = functional.interpolate(evidence, size=images.shape[2:], mode=mode, align_corners=False)
    return enlarged[0, 0], _score(question, images), None, None


def _cam_layer(network: SegmentationNetwork | ClassificationNetwork, images: Tensor) -> nn.Module:
    """The deepest level that still tells `CAM_PLACES` places apart along the longest axis, else the finest."""
    with torch.no_grad():
        deepest, skips = network.encode(images)  # not the encoder itself: an interactive network reads hints beside the image
    levels = [*skips, deepest][-len(network.encoder.levels) :]
    fine = [n for n, features in enumerate(levels) if max(features.shape[2:]) >= CAM_PLACES]
    return network.encoder.levels[max(fine, default=0)]


def _integrated_gradients(attributions: Any, question: _Question, images: Tensor) -> _Evidence:
    blurred = blur(images)
    found = attributions.IntegratedGradients(question).attribute(
        images.clone().requires_grad_(True), baselines=blurred, n_steps=IG_STEPS, internal_batch_size=1
    )
    score, baseline = _score(question, images), _score(question, blurred)
    summed = found.detach().float()[0].sum(dim=0)
    gap = abs(float(summed.sum()) - (score - baseline)) / max(abs(score - baseline), 1e-6)
    return summed, score, baseline, gap


def _occlusion(attributions: Any, question: _Question, images: Tensor) -> _Evidence:
    places = WINDOWS[images.ndim - 2]
    strides = [max(1, math.ceil(n / places)) for n in images.shape[2:]]
    windows = [min(n, 2 * s) for n, s in zip(images.shape[2:], strides, strict=True)]
    blurred = blur(images)
    with torch.no_grad():
        found = attributions.Occlusion(question).attribute(
            images, sliding_window_shapes=(images.shape[1], *windows), strides=(images.shape[1], *strides), baselines=blurred
        )
    return found.float()[0].mean(dim=0), _score(question, images), _score(question, blurred), None


_METHODS: dict[str, Callable[[Any, _Question, Tensor], _Evidence]] = {
    "grad-cam": _grad_cam,
    "integrated-gradients": _integrated_gradients,
    "occlusion": _occlusion,
}


def _score(question: _Question, images: Tensor) -> float:
    with torch.no_grad():
        return float(question(images)[0])


def blur(images: Tensor) -> Tensor:
    """Images (B, channels, spatial…) without detail: a Gaussian of a twelfth of each axis."""
    from scipy import ndimage

    sigmas = (0.0, 0.0, *(BLUR * n for n in images.shape[2:]))
    smoothed = ndimage.gaussian_filter(images.detach().cpu().float().numpy(), sigmas, mode="nearest")
    return torch.from_numpy(smoothed).to(images.device)


def _on_grid(image: Image, window: _Window, evidence: _Evidence, *, label: int, method: str) -> Saliency:
    found, score, baseline, gap = evidence
    values = found.cpu().numpy().astype(np.float32)
    values = values[..., None] if values.ndim == 2 else values
    stop = [min(s + n, w) for s, n, w in zip(window.start, window.shape, window.whole, strict=True)]
    whole = np.zeros(window.whole, dtype=np.float32)
    inside = tuple(slice(a, b) for a, b in zip(window.start, stop, strict=True))
    whole[inside] = values[tuple(slice(0, b - a) for a, b in zip(window.start, stop, strict=True))]
    scale = np.array(image.grid.shape) / np.array(window.whole)
    low, high = np.floor(window.start * scale).astype(int).tolist(), np.ceil(stop * scale).astype(int).tolist()
    return Saliency(
        resample(whole[None], image.grid.shape)[0],
        label,
        method,
        score,
        baseline,
        gap,
        (low[0], low[1], low[2]),
        (high[0], high[1], high[2]),
    )
