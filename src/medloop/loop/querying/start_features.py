"""Features of a cold start by the weights that trainings begin with: one truth for both.

The encoder that the first network will have looks at the whole image, in windows where it is large; its deepest features, pooled and of
length 1, describe the case. They are kept per start, so that those of another start never mix with them.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.records import Case
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.computable import computable
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.described import Report, Vectors, describe_cases, kept_vectors
from medloop.loop.foundation.starts import Start, start_in_use
from medloop.loop.foundation.workspace import Workspace
from medloop.models.foundation.recipes import Recipe
from medloop.store.blobs import Blobs

if TYPE_CHECKING:
    from medloop.models.foundation.networks import AnyNetwork


def cold_start(workspace: Workspace) -> Start | None:
    """The start whose encoder describes the cases of this project; None where it has none, or describes them otherwise."""
    if workspace.settings.cold_start != "selfsup":
        return None
    with workspace.store.read() as tx:
        return start_in_use(tx, workspace.settings)


def waits_for_pretraining(workspace: Workspace) -> bool:
    """Whether the cases are to be described by weights that a pretraining has yet to make."""
    return workspace.settings.cold_start == "selfsup" and workspace.settings.pretraining == "pool" and cold_start(workspace) is None


def kept_by_start(workspace: Workspace, cases: Sequence[Case]) -> Vectors:
    """The vectors that are there already; only reads."""
    start = cold_start(workspace)
    return kept_vectors(workspace, start.id, start.weights, cases) if start is not None else {}


def describe_by_start(workspace: Workspace, start: Start, cases: Sequence[Case], *, report: Report | None = None) -> Vectors:
    """The vector of every case that the network can read, shape (widest,), of length 1.

    Raises:
        InputError: The weights do not fit the network any more.
        BlobError: They are damaged or gone.
    """
    _encoder(workspace.store.blobs, start)
    readable = computable(Recipe.from_json(start.recipe), cases, LeftOut(workspace))
    return describe_cases(workspace, start.id, start.weights, readable, partial(_vector, start), report=report)


def _vector(start: Start, workspace: Workspace, case: Case) -> FloatArray:
    from medloop.models.foundation.compute import choose_device, limited_threads
    from medloop.models.foundation.fitting import fit_for_networks
    from medloop.models.inference.inference import run_encoder

    recipe, network = Recipe.from_json(start.recipe), _encoder(workspace.store.blobs, start)
    prepared = fit_for_networks(recipe, load_image(workspace.store.blobs, case), case.name).array
    with limited_threads(recipe.threads):
        found = run_encoder(network, recipe, prepared, device=choose_device())
    return np.asarray(found / max(float(np.linalg.norm(found)), 1e-12), dtype=np.float32)


_LOADED: "dict[str, tuple[Start, AnyNetwork]]" = {}
"""The network used last, so that the next case finds it loaded."""


def _encoder(blobs: Blobs, start: Start) -> "AnyNetwork":
    from medloop.models.foundation.checkpoint import decode_weights
    from medloop.models.foundation.compute import choose_device
    from medloop.models.foundation.networks import build_network
    from medloop.models.foundation.transfer import transfer

    loaded, kept = _LOADED.get("start", (None, None))
    if kept is not None and loaded == start:
        return kept
    network = build_network(Recipe.from_json(start.recipe), seed=0)
    offered = decode_weights(blobs.get(start.weights))
    network.load_state_dict(transfer(network.state_dict(), offered, inflate=start.inflate, source=start.source).weights)
    network = network.to(choose_device()).eval()
    _LOADED["start"] = (start, network)
    return network
