"""DeepEdit as a peer of clicks.py: MONAI's own click simulation and guidance, trained on the same cases for the same CPU minutes.

What is MONAI's: the transforms of `monai.apps.deepedit` (where clicks fall in training, Gaussian guidance channels), the DynUNet with
residual blocks, the loss (Dice + cross-entropy), flips, quarter turns and shifts, everything resized to one size, four steps in ten with
clicks. What is not: MONAI Label trains hours on a GPU from 128³, with 32 to 512 channels and Adam at 0.0001. For minutes on a CPU the
network here has 16 to 128 channels, a size of the data's own (128 a side at most) and Adam at 0.001, which favours the peer.

Source: Diaz-Pinto et al. 2023, DeepEdit, arXiv:2305.10655.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from monai.apps.deepedit.transforms import (
    AddGuidanceSignalDeepEditd,
    AddInitialSeedPointMissingLabelsd,
    AddRandomGuidanceDeepEditd,
    FindAllValidSlicesMissingLabelsd,
    FindDiscrepancyRegionsDeepEditd,
)
from monai.losses.dice import DiceCELoss
from monai.networks.nets.dynunet import DynUNet
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import RandShiftIntensityd
from monai.transforms.spatial.dictionary import RandFlipd, RandRotate90d
from scipy.ndimage import zoom
from torch import Tensor, nn
from torch.nn import functional

from medloop.core.arrays import MaskArray
from medloop.core.image import Image, Mask
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted, changed_box
from medloop.interaction.prompts import Prompt, keep_prompts, prompted_voxels
from medloop.models.foundation.compute import choose_device, mixed_precision
from medloop.models.foundation.normalise import normalise

logging.getLogger("monai.apps.deepedit").setLevel(logging.WARNING)
LABELS = {"background": 0, "structure": 1}
WIDTHS = (16, 32, 64, 128)
STEP = 8
"""What the network halves to: sizes are multiples of it, but for axes shorter than it."""
LONGEST = 128
CLICKED, ROUNDS = 0.4, 10
"""Share of steps with clicks, and the most rounds of them in a step; MONAI Label's defaults but for the rounds (it has 20)."""
RATE = 1e-3
WARMED, TIMED = 2, 12
"""Steps not timed, and timed ones, before the steps that fit into the minutes are planned."""

Item: TypeAlias = dict[str, Any]


def chosen_size(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The one size that everything is resized to: the median shape, rounded up; a slice for pictures."""
    median = np.median(np.array(shapes), axis=0)
    return tuple(int(n) if n < STEP else int(min(LONGEST, np.ceil(n / STEP) * STEP)) for n in median)


def build(size: tuple[int, ...]) -> DynUNet:
    """The network for one size: axes shorter than 16 voxels are halved no further than they can be."""
    planes = [n for n in size if n > 1]
    strides, left = [[1] * len(planes)], list(planes)
    for _ in WIDTHS[1:]:
        strides.append([2 if n % 2 == 0 and n > 4 else 1 for n in left])
        left = [n // s for n, s in zip(left, strides[-1], strict=True)]
    return DynUNet(
        spatial_dims=len(planes),
        in_channels=1 + len(LABELS),
        out_channels=len(LABELS),
        kernel_size=[3] * len(WIDTHS),
        strides=strides,
        upsample_kernel_size=strides[1:],
        filters=list(WIDTHS),
        norm_name="instance",
        res_block=True,
    )


def resized(array: npt.NDArray[Any], size: tuple[int, ...], *, order: int) -> npt.NDArray[np.float32]:
    """An array (I, J, K) at the network's size, slices of pictures left out."""
    factors = [n / m for n, m in zip(size, array.shape, strict=True)]
    found: npt.NDArray[np.float32] = zoom(array.astype(np.float32), factors, order=order, grid_mode=True, mode="nearest")
    return found.squeeze(-1) if size[-1] == 1 else found


class ClickSimulation:
    """MONAI's clicks on one training item: image (1, …) and label (1, …), both numpy."""

    def __init__(self, seed: int, planes: int) -> None:
        axes = range(planes)
        self.change = Compose(
            [
                *(RandFlipd(("image", "label"), prob=0.1, spatial_axis=axis) for axis in axes),
                RandRotate90d(("image", "label"), prob=0.1, max_k=3),
                RandShiftIntensityd("image", offsets=0.1, prob=0.5),
            ]
        ).set_random_state(seed)
        self.first = AddInitialSeedPointMissingLabelsd("label").set_random_state(seed)
        self.more = AddRandomGuidanceDeepEditd("NA").set_random_state(seed)
        self.slices, self.errors = FindAllValidSlicesMissingLabelsd("label"), FindDiscrepancyRegionsDeepEditd("label")
        self.signal = AddGuidanceSignalDeepEditd("image", number_intensity_ch=1)
        self.rng = np.random.default_rng(seed)

    def begin(self, image: npt.NDArray[np.float32], label: npt.NDArray[np.float32]) -> Item:
        """A changed copy of an item with its first click and guidance channels."""
        found = self.change({"image": torch.from_numpy(image)[None], "label": torch.from_numpy(label)[None]})
        item: Item = {key: np.ascontiguousarray(np.asarray(value)) for key, value in found.items()}
        if item["image"].shape != (1, *image.shape):  # a quarter turn of a shape that is not square
            item = {"image": image[None], "label": label[None]}
        item["label_names"] = LABELS
        item |= self.slices(item) if label.ndim == 3 else {"sids": dict.fromkeys(LABELS)}
        return self.signal(self.first(item))  # type: ignore[no-any-return]

    def rounds(self, item: Item, ask: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        """The image with guidance channels of simulated clicks, or with empty ones in the steps without."""
        if self.rng.random() >= CLICKED:
            blank = np.array(item["image"])
            blank[1:] = 0
            return blank
        for number in range(ROUNDS):
            item["pred"], item["probability"] = ask(item["image"]), 1.0 - number / ROUNDS
            item = self.signal(self.more(self.errors(item)))
        return np.asarray(item["image"], dtype=np.float32)


class DeepEdit:
    """A trained network as an engine: all clicks become guidance channels, the answer is resized back."""

    name = "DeepEdit"

    def __init__(self, network: nn.Module, size: tuple[int, ...]) -> None:
        self.network, self.size, self.device = network.eval(), size, choose_device()
        self.network.to(self.device)
        self.signal = AddGuidanceSignalDeepEditd("image", number_intensity_ch=1)

    def embed(self, image: Image) -> ImageEmbedding:
        """The image normalised and resized."""
        return ImageEmbedding(image, self.name, resized(normalise(image.array)[0], self.size, order=1)[None])

    def refine(
        self,
        embedding: ImageEmbedding,
        prompts: Sequence[Prompt],
        *,
        labels: Sequence[int],
        previous: MaskArray | None = None,
        locked: Sequence[int] = (),  # noqa: ARG002 - belongs to the protocol
        wanted: StillWanted = lambda: True,  # noqa: ARG002 - belongs to the protocol
    ) -> RefinedMask:
        """See `Engine.refine`; the mask before plays no part, every hint is obeyed where it lies."""
        shape = embedding.image.grid.shape
        hints = prompted_voxels(prompts, shape, label=labels[0])
        scale = np.array(self.size) / np.array(shape)
        sides = {"background": hints.negative, "structure": hints.positive}
        guidance = {side: [[0, *row] for row in self._places(voxels, scale)] for side, voxels in sides.items()}
        image = self.signal({"image": embedding.content, "guidance": guidance})["image"]
        logits = predict(self.network, image, self.device)
        spread = logits.unsqueeze(-1) if self.size[-1] == 1 else logits
        shares = functional.interpolate(spread[None], size=shape, mode="trilinear", align_corners=False)[0].softmax(0).numpy()
        mask = keep_prompts(shares.argmax(0).astype(np.uint8), prompts)
        start, stop = changed_box(previous, mask)
        return RefinedMask(mask, shares.astype(np.float32), tuple(labels), None, start, stop)

    def _places(self, voxels: npt.NDArray[Any], scale: npt.NDArray[Any]) -> list[list[int]]:
        rows = ((voxels + 0.5) * scale).astype(int)
        return [[int(n) for n in (row[:-1] if self.size[-1] == 1 else row)] for row in rows]


@torch.no_grad()
def predict(network: nn.Module, image: npt.NDArray[np.float32], device: torch.device) -> Tensor:
    """Logits (classes, …) of an image with its guidance."""
    network.eval()
    with mixed_precision(device, "auto"):
        logits: Tensor = network(torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None].to(device))
    return logits[0].float().cpu()


def train_deepedit(
    cases: Sequence[tuple[Image, Mask]], seed: int, minutes: float, folder: Path, *, steps: int = 0
) -> tuple[DeepEdit, float, int]:
    """The engine, CPU minutes and steps of a training, or those of an earlier one in the same folder.

    Args:
        cases: Images with one structure, label 1.
        seed: Of weights, changes and clicks.
        minutes: CPU minutes of one thread, from a timed start.
        folder: Keeps the weights.
        steps: Instead of minutes.
    """
    size = chosen_size([image.grid.shape for image, _ in cases])
    torch.manual_seed(seed)
    network, file, noted = build(size), folder / "deepedit.pt", folder / "deepedit.json"
    if noted.exists():
        network.load_state_dict(torch.load(file, weights_only=True))
        facts = json.loads(noted.read_text())
        return DeepEdit(network, size), facts["cpu_minutes"], facts["steps"]
    folder.mkdir(parents=True, exist_ok=True)
    prepared = [(resized(normalise(i.array)[0], size, order=1), resized(m.array == 1, size, order=0)) for i, m in cases]
    spent, taken = _train(network, prepared, seed, minutes, steps)
    torch.save(network.state_dict(), file)
    noted.write_text(json.dumps({"cpu_minutes": spent, "steps": taken}))
    return DeepEdit(network, size), spent, taken


def _train(network: DynUNet, cases: Sequence[tuple[Any, Any]], seed: int, minutes: float, steps: int) -> tuple[float, int]:
    device, clicks = choose_device(), ClickSimulation(seed, cases[0][0].ndim)
    network.to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    rng, order, begun = np.random.default_rng(seed), [], time.process_time()
    step, planned, warmed = 0, steps or WARMED + TIMED, 0.0

    def ask(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return predict(network, image, device).argmax(0)[None].numpy().astype(np.float32)

    while step < planned:
        order = order or rng.permutation(len(cases)).tolist()
        item = clicks.begin(*cases[order.pop()])
        image, label = clicks.rounds(item, ask), torch.from_numpy(item["label"])[None].to(device)
        network.train()
        with mixed_precision(device, "auto"):
            logits = network(torch.from_numpy(image)[None].to(device))
        loss = loss_of(logits.float(), label)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        step += 1
        if step == WARMED:
            warmed = time.process_time()
        if not steps and step == WARMED + TIMED:
            now = time.process_time()
            planned = max(50, step + int((minutes * 60 - (now - begun)) / ((now - warmed) / TIMED)))
    return (time.process_time() - begun) / 60, step
