"""Several small heads on one decoder: an ensemble's doubt for the price of one pass.

In training every patch is given to one head at random, so each head learns from its own share of the patches, as the
members of a bootstrapped ensemble do; encoder and decoder learn from all. At prediction all heads answer at once, and
their mean is the network's answer. Heads share their features, so they know less about what none of them has seen than
separately trained members, and each sees only its share of the patches: give them more steps than an ordinary network.

Sources: Osband et al. 2016, arXiv:1602.04621 (bootstrapped heads); Lee et al. 2015, arXiv:1511.06314 (TreeNets).
"""

import math

import torch
from torch import Tensor, nn


class Heads(nn.Module):
    """Heads of two pointwise convolutions each.

    Args:
        dimension: 2 or 3.
        width: Channels of the features.
        classes: Outputs of every head.
        heads: How many, at least 2.
    """

    def __init__(self, dimension: int, width: int, classes: int, heads: int) -> None:
        super().__init__()
        convolution = nn.Conv2d if dimension == 2 else nn.Conv3d
        self.heads = nn.ModuleList(
            nn.Sequential(convolution(width, width, 1), nn.LeakyReLU(0.01), convolution(width, classes, 1)) for _ in range(heads)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, width, …) to logits (B, classes, …): of one random head per item in training, else of their mean.

        The draw follows torch's random state, which training sets for every step.
        """
        if not self.training:
            return log_mean(self.every(features), len(self.heads))
        chosen = torch.randint(len(self.heads), (len(features),)).tolist()
        return torch.cat([self.heads[head](features[n : n + 1]) for n, head in enumerate(chosen)])

    def every(self, features: Tensor) -> Tensor:
        """Features (B, width, …) to logits (B, heads × classes, …), head after head."""
        return torch.cat([head(features) for head in self.heads], dim=1)


def split_heads(logits: Tensor, heads: int) -> Tensor:
    """Logits (B, heads × classes, …) as (B, heads, classes, …)."""
    return logits.reshape(len(logits), heads, logits.shape[1] // heads, *logits.shape[2:])


def log_mean(logits: Tensor, heads: int) -> Tensor:
    """Logits (B, heads × classes, …) to logarithms of the heads' mean probabilities, (B, classes, …)."""
    return torch.logsumexp(split_heads(logits.float(), heads).log_softmax(dim=2), dim=1) - math.log(heads)
