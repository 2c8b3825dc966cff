"""Several passes of a network of one's own, as samples for `medloop.query`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, SettingError, ShapeError

DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def from_torch(module: nn.Module | Sequence[nn.Module], *, passes: int = 20, seed: int = 0) -> Callable[[Any], FloatArray]:
    """What turns a batch of inputs into `proba` for `medloop.query.query`: a network with dropout, or an ensemble.

    Args:
        module: A classifier from inputs to logits, shape (cases, classes); of several, each answers once, without dropout.
        passes: With one network: how often it answers with its dropout on, everything else as in `eval`.
        seed: Of the dropout: the same inputs give the same samples.

    Returns:
        A function from inputs to probabilities, shape (samples, cases, classes). The networks are left in the mode they were in.

    Raises:
        InputError: One network without any dropout, of which all passes would be the same; no network.
        SettingError: Fewer than two passes.

    Source: Gal and Ghahramani 2016, arXiv:1506.02142; Lakshminarayanan et al. 2017, arXiv:1612.01474.
    """
    members = [module] if isinstance(module, nn.Module) else list(module)
    if not members:
        raise InputError("An ensemble needs at least one network")
    if passes < 2:
        raise SettingError(f"passes must be >= 2 for samples to disagree, got {passes}")
    if len(members) == 1 and not _dropouts(members[0]):
        raise InputError("All passes of a network without dropout are the same", remedy="give several networks")
    return lambda inputs: _passes(members, inputs, passes if len(members) == 1 else 1, seed)


def _dropouts(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, DROPOUT) and m.p > 0]


def _passes(members: Sequence[nn.Module], inputs: Any, passes: int, seed: int) -> FloatArray:
    modes = [(m, m.training) for network in members for m in network.modules()]
    devices = list({p.device for network in members for p in network.parameters() if p.device.type == "cuda"})
    try:
        for network in members:
            network.eval()
            for dropout in _dropouts(network) if passes > 1 else ():
                dropout.training = True
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            return np.stack([_answer(network, inputs) for network in members for _ in range(passes)])
    finally:
        for part, mode in modes:
            part.training = mode


def _answer(network: nn.Module, inputs: Any) -> FloatArray:
    logits = network(inputs)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2:
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise ShapeError(f"The network must give logits of shape (cases, classes), got {shape}")
    return logits.float().softmax(dim=1).cpu().numpy()
