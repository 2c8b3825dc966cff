"""Differentially private steps (DP-SGD): each patient's gradient is clipped by itself, and noise is added to their sum.

In each step every patient is drawn by itself with the same chance (Poisson sampling), with one of his cases, drawn alike. The Dice loss of
medloop looks at a batch as a whole, and its layers work in place, so that gradients per sample as Opacus' hooks give them are none: each
patient's loss is worked out alone, one after the other. Opacus' accountant says what the steps cost. What is drawn, and the noise, must not
be known to others: both come from the system's own randomness, so that two private trainings are never the same.

Source: Abadi et al. 2016, arXiv:1607.00133, algorithm 1; accounting by Mironov et al. 2019, arXiv:1908.10530 (Opacus' RDP accountant).
"""

import math
import secrets
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.errors import SettingError, UnavailableError
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.batches import Marks, PreparedCase, draw_batch, draw_marks

ALONE: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {"robust": ("none", "robust-loss"), "unlabelled": ("none",), "annotator_model": ("none",), "weak_learned": (False,)}
)
"""Fields of a recipe with the values by which a case's loss depends on no other case."""

Sample = tuple[tuple[Tensor, Tensor], Marks]


@dataclass(frozen=True)
class Private:
    """How a training is private.

    Attributes:
        noise: Standard deviation of the noise, as a multiple of `clip`.
        clip: Longest gradient of one patient.
        patients: Numbers of each patient's cases.
    """

    noise: float
    clip: float
    patients: tuple[tuple[int, ...], ...]

    def rate(self, recipe: Recipe) -> float:
        """Chance that a patient is drawn in a step: as many are expected as a batch has samples."""
        return min(1.0, recipe.batch / len(self.patients))


def require_private(recipe: Recipe, network: nn.Module) -> None:
    """Refuse networks and losses in which one patient's part depends on others'.

    Raises:
        SettingError: They do.
    """
    mixing = [name for name, module in network.named_modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if mixing:
        rule = f"A private training knows no batch normalisation, which mixes patients; the network has it at {mixing[0]}"
        raise SettingError(rule, remedy="use group or instance normalisation")
    for name, allowed in ALONE.items():
        if getattr(recipe, name) not in allowed:
            words = " or ".join(str(one) for one in allowed)
            raise SettingError(f"A private training needs {name} {words}, got {getattr(recipe, name)}", remedy="medloop configure sets it")


def draw_privately(recipe: Recipe, cases: Sequence[PreparedCase], private: Private, *, member: int) -> list[Sample]:
    """What a step learns from: a patch of one case of each patient that was drawn; none at times."""
    rng = np.random.default_rng(secrets.randbits(128))
    alone, found = replace(recipe, batch=1), list[Sample]()
    for numbers in private.patients:
        if rng.random() < private.rate(recipe):
            case, step = [cases[numbers[int(rng.integers(len(numbers)))]]], int(rng.integers(2**31))
            found.append((draw_batch(alone, case, member=member, step=step), draw_marks(alone, case, member=member, step=step)))
    return found


def private_gradient(network: nn.Module, losses: Iterable[Callable[[], Tensor]], private: Private, *, expected: float) -> float:
    """Put the gradient of a private step into a network.

    Args:
        network: What learns.
        losses: Of each patient that was drawn, by itself.
        private: How.
        expected: Patients that a step draws on average.

    Returns:
        The mean loss, which is not private; NaN where nobody was drawn.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    total, values = [torch.zeros_like(weight) for weight in weights], list[float]()
    for loss_of in losses:
        loss = loss_of()
        values.append(float(loss.detach()))
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        length = math.sqrt(sum(float(g.double().square().sum()) for g in gradients if g is not None))
        shrunk = min(1.0, private.clip / length) if length > 0 else 1.0
        for sum_of, gradient in zip(total, gradients, strict=True):
            if gradient is not None and math.isfinite(length):
                sum_of.add_(gradient, alpha=shrunk)
    source = torch.Generator(device=total[0].device)
    source.manual_seed(secrets.randbits(63))
    for weight, sum_of in zip(weights, total, strict=True):
        noise = torch.randn(sum_of.shape, generator=source, device=sum_of.device) * private.noise * private.clip
        weight.grad = (sum_of + noise) / expected
    return float(np.mean(values)) if values else math.nan


def epsilon_of(noise: float, rate: float, steps: int, delta: float) -> float:
    """What so many steps cost one patient, at a δ; infinite without noise.

    Raises:
        UnavailableError: Opacus is not installed.
    """
    if noise <= 0:
        return math.inf
    accountant = _opacus().RDPAccountant()
    accountant.history = [(noise, rate, steps)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at the ends of its orders the bound holds, and is merely not the tightest
        return float(accountant.get_epsilon(delta))


def noise_for(epsilon: float, rate: float, steps: int, delta: float) -> float:
    """The least noise with which so many steps cost no more than ε.

    Raises:
        UnavailableError: Opacus is not installed.
        SettingError: No noise does.
    """
    _opacus()
    find = import_module("opacus.accountants.utils").get_noise_multiplier
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(find(target_epsilon=epsilon, target_delta=delta, sample_rate=rate, steps=steps, accountant="rdp"))
    except ValueError as error:
        rule = f"No noise makes {steps} steps cost ε {epsilon:g} at δ {delta:g}"
        raise SettingError(rule, remedy="allow a larger ε, or take fewer rounds") from error


def _opacus() -> Any:
    try:
        return import_module("opacus.accountants")
    except ImportError as error:
        raise UnavailableError("A private training needs Opacus", remedy="pip install 'medloop[privacy]'") from error
