"""What the small networks that learn without answers share: thumbnails in, fixed steps, one thread, one seed.

They see thumbnails only, so that a pool of hundreds of cases is learned in a minute or so on one core, and
the same pool and recipe always give the same weights to the bit on one machine.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from medloop.core.errors import InputError, ShapeError
from medloop.core.seeds import derive_seed, generator
from medloop.models.foundation.checkpoint import decode_weights
from medloop.models.foundation.compute import limited_threads
from medloop.models.pretext.thumbnails import SIDE, VIEWS

Thumbnails = npt.NDArray[np.float32]
"""Shape (cases, VIEWS, SIDE, SIDE); see `medloop.models.pretext.thumbnails`."""

Codes = npt.NDArray[np.float32]
"""Shape (cases, dimensions)."""

BLOCK = 64
"""Thumbnails that go through a network at once."""


def convolutions(widths: tuple[int, ...]) -> nn.Sequential:
    """Thumbnails (B, VIEWS, SIDE, SIDE) to (B, last width, SIDE / 2^n, …), each level halving the size."""
    layers: list[nn.Module] = []
    for before, after in zip((VIEWS, *widths), widths, strict=False):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(4, after), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


def require_thumbnails(thumbnails: Thumbnails, *, least: int) -> Tensor:
    """The thumbnails as a tensor.

    Raises:
        ShapeError: Another shape.
        InputError: Fewer than `least`, or not finite.
    """
    if thumbnails.ndim != 4 or thumbnails.shape[1:] != (VIEWS, SIDE, SIDE):
        raise ShapeError(f"Thumbnails have the shape (cases, {VIEWS}, {SIDE}, {SIDE}), got {thumbnails.shape}")
    if len(thumbnails) < least:
        raise InputError(f"Learning without annotations needs at least {least} cases, got {len(thumbnails)}", remedy="import more images")
    if not np.isfinite(thumbnails).all():
        raise InputError("Thumbnails must be finite", remedy="make them with medloop.models.pretext.thumbnails")
    return torch.from_numpy(np.array(thumbnails, dtype=np.float32, order="C"))


@contextmanager
def seeded(seed: int, *names: str | int) -> Iterator[None]:
    """One thread and torch's generator at a state that follows from the seed; both are restored after."""
    with limited_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, *names))
        yield


def draw_cases(cases: int, batch: int, *, seed: int, step: int) -> npt.NDArray[np.int64]:
    """Indices of a batch: distinct cases as long as there are enough; a function of seed and step alone."""
    return generator(seed, "batch", step).permutation(cases)[:batch]


def minimise(
    optimiser: torch.optim.Optimizer,
    loss_at: Callable[[int], Tensor],
    steps: int,
    *,
    clip: float | None = None,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Take so many steps down a loss.

    Args:
        optimiser: Holds the parameters.
        loss_at: The loss of a step, 0, 1, …
        steps: How many.
        clip: Largest norm of the gradient; None leaves it as it is.
        report: Called after every step with the steps done and the loss; may raise to stop.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for step in range(steps):
        loss = loss_at(step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimiser.step()
        if report is not None:
            report(step + 1, float(loss.detach()))


def apply_in_blocks(network: nn.Module, images: Tensor) -> npt.NDArray[np.float32]:
    """A network's output for every thumbnail, without gradients, in evaluation mode."""
    network.eval()
    with torch.no_grad(), limited_threads(1):
        parts = [network(images[n : n + BLOCK]) for n in range(0, len(images), BLOCK)]
        result: npt.NDArray[np.float32] = torch.cat(parts).float().numpy()
    return result


def put_weights(network: nn.Module, data: bytes) -> None:
    """Put safetensors into a network.

    Raises:
        FormatError: Not safetensors.
        InputError: Weights of another network.
    """
    try:
        network.load_state_dict(decode_weights(data))
    except RuntimeError as error:
        raise InputError("The weights do not belong to this network", remedy="train it again") from error
