"""A whole model as one TorchScript program: an image as it is stored goes in, probabilities come out.

Every step of `Predictor.predict` (channels, normalisation, working grid, mirror images, windows, softmax, the way back, calibration) is
written here once more in what TorchScript understands, so that the file needs neither medloop nor instructions. The tests hold both
against each other. Dropout is the one thing it leaves out: whoever runs the file twice gets the same answer.

The functions are compiled, and TorchScript knows few types: hence lists for shapes, and loops in place of comprehensions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from medloop.metrics.calibration import SMALLEST
from medloop.models.exchange.description import Description
from medloop.models.foundation.normalise import MAX_SAMPLES, TAILS
from medloop.models.foundation.resample import CLOSE_ENOUGH

SIGMA = 0.125
"""Deviation of the Gaussian that windows are blended with, as a share of the window (MONAI's)."""


class Whole(nn.Module):
    """The program.

    Args:
        network: Traced: (B, channels, I, J[, K]) to (B, members × heads × classes, …).
        description: With `takes` windows, of that network.
    """

    spacing: list[float]
    framed: list[float]
    size: list[int]
    fitted: list[int]
    flips_of: list[list[int]]
    not_learned: list[int]
    curves_x: list[Tensor]
    curves_y: list[Tensor]

    def __init__(self, network: nn.Module, description: Description) -> None:
        super().__init__()
        d = description
        self.network = network
        self.segments = d.kind == "segmentation"
        self.dimension = d.dimension
        self.channels = d.channels
        self.classes = d.classes
        self.heads = d.heads
        self.outputs = d.members * d.heads * d.classes
        self.spacing = [float(mm) for mm in d.spacing_mm or ()]
        self.framed = [float(mm) for mm in d.framed_mm or ()]
        self.size = [int(n) for n in d.size or ()]
        self.fitted = [int(n) for n in d.fitted or ()]
        self.window = [int(n) for n in d.window.size]
        self.stride = [int(n) for n in d.window.stride]
        self.whole = float(d.window.whole)
        self.overlap = float(d.window.overlap)
        self.member_of = [int(run.member) for run in d.runs]
        self.flips_of = [[int(axis) for axis in run.flips] for run in d.runs]
        self.temperature = float(d.calibration.get("temperature", 0.0))
        curves = d.calibration.get("curves", [])
        self.curves_x = [torch.tensor(x, dtype=torch.float64) for x, _ in curves]
        self.curves_y = [torch.tensor(y, dtype=torch.float64) for _, y in curves]
        self.not_learned = [int(value) for value in d.not_learned]
        self.tails = [float(percent) for percent in TAILS]
        self.most = int(MAX_SAMPLES)
        self.close = float(CLOSE_ENOUGH)
        self.smallest = float(SMALLEST)
        self.sigma = float(SIGMA)

    def forward(self, image: Tensor, affine: Tensor | None = None) -> Tensor:
        """Probabilities of every class.

        Args:
            image: As it is stored, shape (B, channels, I, J, K), or (B, channels, I, J) of single slices; any real type.
            affine: Voxels to mm, shape (4, 4) or (B, 4, 4); only networks with a working spacing need it.

        Returns:
            Shape (B, classes, I, J, K), or (B, classes, I, J), or (B, classes) of a classification; float32.
        """
        flat = image.dim() == 4
        if flat:
            image = image.unsqueeze(-1)
        found: list[Tensor] = []
        for n in range(image.shape[0]):
            own = [1.0, 1.0, 1.0]
            if affine is not None:
                matrix = affine[n] if affine.dim() == 3 else affine
                lengths = matrix[:3, :3].double().pow(2).sum(0).sqrt()
                own = [float(lengths[0]), float(lengths[1]), float(lengths[2])]
            elif len(self.spacing) == 3 and len(self.framed) == 0:
                raise RuntimeError("this network works at a spacing of its own: give the affine of the image, too")
            found.append(self.one(image[n], own))
        answer = torch.stack(found)
        if flat and self.segments:
            answer = answer.squeeze(-1)
        return answer

    @torch.jit.export
    def mask(self, image: Tensor, affine: Tensor | None = None) -> Tensor:
        """Arguments as `forward`; label values, shape (B, I, J[, K]), or the class of each, shape (B,); uint8."""
        return self.forward(image, affine).argmax(dim=1).to(torch.uint8)

    def one(self, image: Tensor, own: list[float]) -> Tensor:
        """One image (channels, I, J, K)."""
        image = self.fit(image)
        shape = [image.shape[1], image.shape[2], image.shape[3]]
        normal = torch.stack([self.normalise(channel) for channel in image])
        prepared = self.resample(normal, self.working_shape(shape, own))
        answers: list[Tensor] = []
        logits = prepared
        for n in range(len(self.member_of)):
            axes = [axis + 1 for axis in self.flips_of[n]]
            if n == 0 or self.flips_of[n] != self.flips_of[n - 1]:  # all members look at a mirror image at once
                logits = self.look(torch.flip(prepared, axes) if len(axes) > 0 else prepared)
            answers.append(self.answer(logits, self.member_of[n], axes, shape))
        mean = torch.cat(answers).mean(dim=0)
        for value in self.not_learned:
            mean[value] = 0.0
        return mean / mean.sum(dim=0, keepdim=True) if len(self.not_learned) > 0 else mean

    def fit(self, image: Tensor) -> Tensor:
        """With the channels that the network reads: grey pictures become coloured ones, and the other way."""
        given = image.shape[0]
        if given == self.channels:
            return image
        if self.dimension == 2 and given == 1 and self.channels == 3:
            return image.repeat(3, 1, 1, 1)
        if self.dimension == 2 and given == 3 and self.channels == 1:
            return image.double().mean(dim=0, keepdim=True).float()
        raise RuntimeError("the network reads " + str(self.channels) + " channels, the image has " + str(given))

    def normalise(self, channel: Tensor) -> Tensor:
        """Robust z-score of one channel (I, J, K), as `models.foundation.normalise` does it."""
        values = channel.double()
        finite = torch.isfinite(values)
        if not bool(finite.any()):
            return torch.zeros_like(values).float()
        if not bool(finite.all()):
            known = values[finite].sort()[0]
            n = known.shape[0]
            values = torch.where(finite, values, (known[(n - 1) // 2] + known[n // 2]) / 2)
        flat = values.flatten()
        some = flat[:: max(1, flat.shape[0] // self.most)].sort()[0]
        low, high = self.percentile(some, self.tails[0]), self.percentile(some, self.tails[1])
        clipped = values.clamp(low, high)
        deviation = float(clipped.std(unbiased=False))
        if deviation <= 1e-12 * max(1.0, max(abs(low), abs(high))):
            return torch.zeros_like(values).float()
        return ((clipped - clipped.mean()) / deviation).float()

    def percentile(self, ordered: Tensor, percent: float) -> float:
        """Of sorted numbers, linear between them."""
        place = percent / 100.0 * (ordered.shape[0] - 1)
        below = int(place)
        above = min(below + 1, ordered.shape[0] - 1)
        a, b = float(ordered[below]), float(ordered[above])
        return a + (b - a) * (place - below)

    def rounded(self, value: float) -> int:
        """To the nearest whole number, halves to the even one."""
        return int(torch.round(torch.tensor([value], dtype=torch.float64))[0])

    def working_shape(self, shape: list[int], own: list[float]) -> list[int]:
        """The shape at which the network sees the image."""
        if len(self.size) == 3:
            return self.size
        if len(self.fitted) == 3:
            times = min(self.fitted[0] / shape[0], self.fitted[1] / shape[1])
            return [max(1, min(self.fitted[axis], self.rounded(shape[axis] * times))) for axis in range(2)] + [1]
        if len(self.spacing) != 3:
            return shape
        wanted: list[int] = []
        close = True
        for axis in range(3):
            mm = self.framed[axis] if len(self.framed) == 3 else own[axis]
            n = shape[axis] * mm / self.spacing[axis]
            if self.dimension == 2 and axis == 2:
                n = 1.0
            close = close and abs(n / shape[axis] - 1) < self.close
            wanted.append(max(1, self.rounded(n)))
        return shape if close else wanted

    def resample(self, array: Tensor, shape: list[int]) -> Tensor:
        """Linear interpolation of (channels, I, J, K) to another shape, by averages where it shrinks."""
        old = [array.shape[1], array.shape[2], array.shape[3]]
        if old == shape:
            return array
        times: list[int] = []
        fine: list[int] = []
        for axis in range(3):
            times.append(max(1, self.rounded(old[axis] / shape[axis])))
            fine.append(shape[axis] * times[axis])
        found = functional.interpolate(array[None].contiguous(), size=fine, mode="trilinear")
        if max(times) > 1:
            found = functional.avg_pool3d(found, times)
        return found[0]

    def look(self, prepared: Tensor) -> Tensor:
        """Logits of all members over a prepared image (channels, I, J, K): shape (outputs, I, J, K), or (outputs,)."""
        if self.segments:
            return self.slide(prepared)
        tensor = prepared[None].squeeze(-1) if self.dimension == 2 else prepared[None]
        logits: Tensor = self.network(tensor).float()[0]
        return logits

    def answer(self, logits: Tensor, member: int, axes: list[int], shape: list[int]) -> Tensor:
        """What one member says, mirrored back: shape (heads, classes, I, J, K) on the image's own grid, or (1, classes)."""
        answers: list[Tensor] = []
        for head in range(self.heads):
            first = (member * self.heads + head) * self.classes
            probabilities = logits[first : first + self.classes].softmax(dim=0)
            for value in self.not_learned:
                probabilities[value] = 0.0
            if len(self.not_learned) > 0:
                probabilities = probabilities / probabilities.sum(dim=0, keepdim=True).clamp(min=1e-37)
            if self.segments:
                if len(axes) > 0:
                    probabilities = torch.flip(probabilities, axes)
                probabilities = self.resample(probabilities, shape)
            answers.append(probabilities)
        return self.calibrate(torch.stack(answers))

    def window_size(self, shape: list[int]) -> list[int]:
        """The whole image where it is not much larger than a patch; else the patch."""
        found: list[int] = []
        for axis in range(3):
            if shape[axis] > self.whole * self.window[axis]:
                return self.window
            n = (shape[axis] + self.stride[axis] - 1) // self.stride[axis] * self.stride[axis]
            found.append(1 if axis == 2 and self.dimension == 2 else max(n, 2 * self.stride[axis]))
        return found

    def slide(self, image: Tensor) -> Tensor:
        """Logits over an image (channels, I, J, K), blended from windows: shape (outputs, I, J, K)."""
        shape = [image.shape[1], image.shape[2], image.shape[3]]
        size = self.window_size(shape)
        pads: list[int] = []
        for axis in range(3):
            lacking = max(size[2 - axis] - shape[2 - axis], 0)
            pads.append(lacking // 2)
            pads.append(lacking - lacking // 2)
        padded = functional.pad(image, pads)
        weights = self.importance(size, image)
        total = torch.zeros([self.outputs, padded.shape[1], padded.shape[2], padded.shape[3]], device=image.device)
        seen = torch.zeros([padded.shape[1], padded.shape[2], padded.shape[3]], device=image.device)
        for i in self.starts(padded.shape[1], size[0]):
            for j in self.starts(padded.shape[2], size[1]):
                for k in self.starts(padded.shape[3], size[2]):
                    window = padded[None, :, i : i + size[0], j : j + size[1], k : k + size[2]]
                    if self.dimension == 2:
                        window = window.squeeze(-1)
                    logits = self.network(window)[0].float()
                    if self.dimension == 2:
                        logits = logits.unsqueeze(-1)
                    total[:, i : i + size[0], j : j + size[1], k : k + size[2]] += logits * weights
                    seen[i : i + size[0], j : j + size[1], k : k + size[2]] += weights
        blended = total / seen
        return blended[:, pads[4] : pads[4] + shape[0], pads[2] : pads[2] + shape[1], pads[0] : pads[0] + shape[2]]

    def starts(self, length: int, size: int) -> list[int]:
        """Where windows begin along one axis."""
        found: list[int] = []
        interval = size if size == length else max(1, int(size * (1 - self.overlap)))
        start = 0
        while start + size < length:
            found.append(start)
            start += interval
        found.append(max(0, length - size))
        return found

    def importance(self, size: list[int], like: Tensor) -> Tensor:
        """Weights of a window, shape (I, J, K): a Gaussian, nowhere below a thousandth."""
        found = torch.ones([1, 1, 1], device=like.device)
        for axis in range(self.dimension):
            n = size[axis]
            x = torch.arange(n, dtype=torch.float32, device=like.device) - (n - 1) / 2.0
            line = torch.exp(x * x / (-2 * (n * self.sigma) ** 2))
            places = [1, 1, 1]
            places[axis] = n
            found = found * line.reshape(places)
        return found.clamp(min=max(float(found.min()), 1e-3))

    def calibrate(self, probabilities: Tensor) -> Tensor:
        """Probabilities (answers, classes, …) as they come true; see `medloop.quality.calibrate`."""
        if self.temperature > 0:
            logs = probabilities.double().clamp(min=self.smallest).log() / self.temperature
            return logs.softmax(dim=1).float()
        if len(self.curves_x) == 0:
            return probabilities
        stated = probabilities.double()
        if self.classes == 2 and len(self.curves_x) == 1:
            second = self.bend(stated[:, 1], self.curves_x[0], self.curves_y[0])
            return torch.stack([1.0 - second, second], dim=1).float()
        bent: list[Tensor] = []
        for value in range(self.classes):
            bent.append(self.bend(stated[:, value], self.curves_x[value], self.curves_y[value]))
        found = torch.stack(bent, dim=1)
        return (found / found.sum(dim=1, keepdim=True)).float()

    def bend(self, stated: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Linear between the corners of a curve, level beyond its ends."""
        at = stated.contiguous()
        x, y = x.to(at.device), y.to(at.device)
        after = torch.searchsorted(x, at, right=True).clamp(1, max(1, x.shape[0] - 1))
        if x.shape[0] == 1:
            return torch.ones_like(at) * y[0]
        share = ((at - x[after - 1]) / (x[after] - x[after - 1])).clamp(0.0, 1.0)
        return y[after - 1] + share * (y[after] - y[after - 1])
