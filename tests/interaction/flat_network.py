"""A tiny promptable network: pixels as bright as those clicked, within the box, not where clicked off."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from medloop.interaction.external.promptable_file import EXTRA, Description

SIZE = 32
ABOUT = Description("as-bright", size=SIZE, previous=16, channels=1, low_percentile=0, high_percentile=100, mean=(0.5,), std=(0.5,))


class AsBright(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image

    @torch.jit.export
    def encode(self, image: Tensor) -> Tensor:
        return image

    @torch.jit.export
    def decode(self, embedding: Tensor, points: Tensor, labels: Tensor, boxes: Tensor, previous: Tensor) -> Tensor:  # noqa: ARG002
        picture = embedding[0, 0]
        rows = torch.arange(picture.shape[0]).reshape(-1, 1)
        columns = torch.arange(picture.shape[1]).reshape(1, -1)
        at = points[0].round().long().clamp(0, picture.shape[0] - 1)
        on, off = at[labels[0] > 0.5], at[labels[0] < 0.5]
        inside = torch.ones_like(picture) > 0
        if boxes.shape[1] > 0:
            left, top, right, bottom = boxes[0, 0].unbind()
            inside = (columns >= left - 1) & (columns <= right + 1) & (rows >= top - 1) & (rows <= bottom + 1)
        wanted = picture[on[:, 1], on[:, 0]].mean() if len(on) > 0 else picture[inside].max()
        logits = torch.where(inside, 4 - 40 * (picture - wanted).abs(), torch.full_like(picture, -10.0))
        for k in range(len(off)):
            logits = torch.where((rows - off[k, 1]).abs() + (columns - off[k, 0]).abs() <= 2, torch.full_like(picture, -10.0), logits)
        return logits.reshape(1, 1, picture.shape[0], picture.shape[1])


def save(module: nn.Module, path: Path, about: str = ABOUT.to_json()) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript
        torch.jit.script(module).save(str(path), _extra_files={EXTRA: about} if about else {})
    return path
