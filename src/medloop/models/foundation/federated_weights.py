"""Which weights of a network are common to the sites of a federation, and which stay each site's own.

With normalisation of each site's own, scale and shift of the normalisation layers are not averaged: images of another scanner have other
statistics after the same convolutions. medloop's layers keep no running statistics; each image is normalised by itself.

Source: Li et al. 2021, FedBN, arXiv:2102.07623.
"""

from collections.abc import Collection

from torch import nn

from medloop.core.errors import FormatError
from medloop.core.seeds import derive_seed
from medloop.models.foundation.checkpoint import decode_weights, encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Recipe

NORMS = (nn.GroupNorm, nn.LayerNorm, nn.modules.batchnorm._NormBase)


def shared_names(recipe: Recipe, *, local_norm: bool) -> tuple[str, ...]:
    """Names of the tensors that leave a site, sorted; without those of normalisation layers where these are each site's own."""
    network = build_network(recipe, seed=0)
    own = {
        f"{name}.{part}" if name else part
        for name, module in network.named_modules()
        if local_norm and isinstance(module, NORMS)
        for part in module.state_dict()
    }
    return tuple(sorted(set(network.state_dict()) - own))


def first_weights(recipe: Recipe, seed: int, shared: Collection[str]) -> bytes:
    """The common weights before the first round, safetensors; they follow from the seed."""
    state = build_network(recipe, seed=derive_seed(seed, "federation", "weights")).state_dict()
    return encode_weights({name: state[name].float() for name in shared})


def joined_weights(recipe: Recipe, own: bytes, common: bytes) -> bytes:
    """A site's weights with the common ones in place of its own.

    Args:
        recipe: Of the network.
        own: The site's weights, safetensors; b"" for those a network of this recipe begins with.
        common: Those that came.

    Raises:
        FormatError: The common ones are not weights of this network.
    """
    state = decode_weights(own) if own else build_network(recipe, seed=derive_seed(recipe.seed, 0, "weights")).state_dict()
    given = decode_weights(common)
    for name, tensor in given.items():
        if name not in state or state[name].shape != tensor.shape:
            raise FormatError(f"The weights {name} do not belong to this recipe", remedy="install the same medloop at every site")
    return encode_weights({**state, **given})


def common_weights(weights: bytes, shared: Collection[str]) -> bytes:
    """The part of a site's weights that leaves it."""
    found = decode_weights(weights)
    return encode_weights({name: found[name].float() for name in shared})
