"""How much each weight of a trained network matters to what it says: a diagonal Fisher information.

Patches of the cases it learned are shown to the network without augmentation and dropout; the labels are drawn from its own probabilities,
and the squared gradients of their log-likelihood by each weight are averaged. The annotations are not needed: it is the information of the
model, not of its errors (the "empirical Fisher", with the annotated labels, is another quantity).

What earlier models knew is not forgotten either, nor are their images needed again: the importances of one training are averaged with those
of the model it went on from, each by the number of its cases (online EWC without decay).

Sources: Kirkpatrick et al. 2017, arXiv:1612.00796; Schwarz et al. 2018 (online EWC), arXiv:1805.06370, section 4; on drawing labels,
Kunstner et al. 2019, arXiv:1905.12558.
"""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from medloop.core.seeds import derive_seed
from medloop.models.foundation.checkpoint import Checkpoint, decode_weights, encode_weights, read_checkpoint, write_checkpoint
from medloop.models.foundation.compute import limited_threads
from medloop.models.foundation.networks import AnyNetwork, load_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.batches import PreparedCase, TrainingCase, draw_batch, prepare_cases

PATCHES = 50
"""Shown of all cases together: about the cost of as many training steps of one patch."""


def importances_of(
    recipe: Recipe, weights: Sequence[bytes], cases: Sequence[TrainingCase], folder: Path, *, patches: int = PATCHES
) -> tuple[bytes, ...]:
    """One safetensors document for each member; what a killed call has written is found again.

    Args:
        recipe: Of the networks.
        weights: Safetensors of the members.
        cases: What they have learned.
        folder: For the documents and the prepared images; a folder belongs to one model.
        patches: How many are shown to each member.

    Raises:
        InputError: Without cases.
        IntegrityError: A document was damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = dataclasses.replace(recipe, batch=1, augmentation=0.0, touched_weight=1.0)
    lacking = [member for member in range(len(weights)) if read_checkpoint(folder / f"importance-{member}") is None]
    if lacking:
        prepared = folder / "prepared"
        try:
            with limited_threads(recipe.threads):
                found = prepare_cases(own, cases, prepared)
                for member in lacking:
                    tensors = fisher(own, load_network(own, weights[member]), found, member=member, patches=patches)
                    write_checkpoint(folder / f"importance-{member}", Checkpoint(tensors, {}), mark="fisher")
        finally:
            shutil.rmtree(prepared, ignore_errors=True)
    return tuple(encode_weights(_read(folder, member)) for member in range(len(weights)))


def _read(folder: Path, member: int) -> dict[str, Tensor]:
    found = read_checkpoint(folder / f"importance-{member}")
    return found.tensors if found else {}


def fisher(recipe: Recipe, network: AnyNetwork, cases: Sequence[PreparedCase], *, member: int, patches: int = PATCHES) -> dict[str, Tensor]:
    """Mean squared gradients by name of the weight, float32, on the CPU; the same arguments give the same.

    Args:
        recipe: With a batch of 1.
        network: In evaluation mode.
        cases: Prepared for it.
        member: Which one it is.
        patches: How many are shown.
    """
    sums = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in network.named_parameters()}
    device = next(network.parameters()).device
    for step in range(patches):
        images, _ = draw_batch(recipe, cases, member=member, step=step)
        logits = network(images.to(device)).float()
        network.zero_grad(set_to_none=True)
        _likelihood(logits, derive_seed(recipe.seed, member, "fisher", step)).backward()  # type: ignore[no-untyped-call]  # torch
        for name, weight in network.named_parameters():
            if weight.grad is not None:
                sums[name] += weight.grad.float().square() / patches
    network.zero_grad(set_to_none=True)
    return {name: tensor.detach().cpu() for name, tensor in sums.items()}


def _likelihood(logits: Tensor, seed: int) -> Tensor:
    """Log-likelihood of labels drawn from the network's own probabilities, summed over voxels."""
    spoken = logits.log_softmax(1).movedim(1, -1).flatten(0, -2)
    drawn = torch.multinomial(spoken.detach().cpu().exp(), 1, generator=torch.Generator().manual_seed(seed)).to(spoken.device)
    return spoken.gather(1, drawn).sum()


def merged(own: bytes, cases: int, before: bytes, cases_before: int) -> bytes:
    """Importances of two sets of cases as one mean, each weighed by its number of cases; weights that only one knows keep its share."""
    first, second, total = decode_weights(own), decode_weights(before), max(1, cases + cases_before)
    mixed = {name: tensor * (cases / total) for name, tensor in first.items()}
    for name, tensor in second.items():
        mixed[name] = mixed[name] + tensor * (cases_before / total) if name in mixed else tensor * (cases_before / total)
    return encode_weights(mixed)
