"""Everything a member's training has to remember, and how it goes to disk and back."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from medloop.core.errors import ConflictError
from medloop.core.records import Json
from medloop.core.seeds import derive_seed
from medloop.models.foundation.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from medloop.models.foundation.compute import choose_device
from medloop.models.foundation.confusions import RATE, Confusions
from medloop.models.foundation.networks import AnyNetwork, build_network, load_weights
from medloop.models.foundation.recipes import Recipe
from medloop.models.foundation.weak_balance import RATE as BALANCE_RATE
from medloop.models.foundation.weak_balance import WeakBalance
from medloop.models.training.anchor import Anchor, Anchored, anchored
from medloop.models.training.batches import PreparedCase, TrainingCase
from medloop.models.training.small_loss import SmallLoss

Weights = dict[str, Tensor]


@dataclasses.dataclass
class TrainingState:
    """One member's training between two steps.

    Attributes:
        network, optimiser: What learns.
        mean: Running mean of the weights: what is validated and kept.
        best: The mean at the best validation; empty before the first.
        steps: Planned steps, fixed before the first one.
        step: Steps done.
        loss: Of the last step.
        seconds: Wall-clock time spent so far.
        best_score, scores: The best validation, and every one as (step, score).
        confusions: What is learned of each annotator; None without an annotator model.
        memory: How hard each case is to learn; None where that decides nothing.
        balance: What marks count, where that is learned; else None.
        precision: In which steps are taken, chosen before the first one; "" before that.
        kept: What is kept of the model before; None where nothing is. It follows from what the training began with.
    """

    network: AnyNetwork
    optimiser: torch.optim.Optimizer
    mean: Weights
    steps: int
    best: Weights = dataclasses.field(default_factory=dict)
    step: int = 0
    loss: float = math.nan
    seconds: float = 0.0
    best_score: float = -1.0
    scores: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    confusions: Confusions | None = None
    memory: SmallLoss | None = None
    balance: WeakBalance | None = None
    precision: str = ""
    kept: Anchored | None = None

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def update_mean(self, decay: float) -> None:
        """Move the running mean towards the weights; early on it follows them more closely."""
        share = 1 - min(decay, (1 + self.step) / (10 + self.step))
        for name, weight in self.network.state_dict().items():
            self.mean[name].lerp_(weight, share)

    def keep_best(self, score: float) -> None:
        """Note a validation; of equally good weights the latest are kept."""
        self.scores.append((self.step, score))
        if score >= self.best_score:
            self.best_score, self.best = score, {name: tensor.clone() for name, tensor in self.mean.items()}


def start(
    recipe: Recipe, member: int, initial: Sequence[bytes] = (), *, cases: Sequence[PreparedCase] = (), anchor: Anchor | None = None
) -> TrainingState:
    """A member before its first step.

    Its weights follow from the recipe's seed, or are those of an earlier model's members (`initial`, safetensors), in turn where these are
    fewer. An annotator model needs the `cases` to know how much each annotator annotated, and a memory of losses how many
    they are; `anchor` is the model before, where these weights are its.

    Raises:
        FormatError: When bytes are not weights of this recipe.
    """
    network = build_network(recipe, seed=derive_seed(recipe.seed, member, "weights"))
    if initial:
        load_weights(network, initial[member % len(initial)])
    network = network.to(choose_device())
    kept = anchored(recipe, network, member, anchor)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    confusions = _confusions_of(recipe, network.width, cases)
    if confusions:
        optimiser.add_param_group({"params": [confusions.weight], "weight_decay": 0.0, "times": RATE})
        optimiser.add_param_group({"params": list(confusions.places.parameters() if confusions.places else ())})
    balance = WeakBalance().to(choose_device()) if recipe.weak_learned else None
    if balance:
        optimiser.add_param_group({"params": [balance.log_variances], "weight_decay": 0.0, "times": BALANCE_RATE})
    mean = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    memory = SmallLoss.of(len(cases)) if recipe.robust == "small-loss" else None
    return TrainingState(network, optimiser, mean, recipe.steps, confusions=confusions, memory=memory, balance=balance, kept=kept)


def _confusions_of(recipe: Recipe, width: int, cases: Sequence[PreparedCase]) -> Confusions | None:
    if not recipe.annotators:
        return None
    images = [sum(case.share for case in cases if case.annotator == n) or 1.0 for n in range(recipe.annotators)]
    return Confusions(recipe.annotator_model, recipe.annotators, recipe.classes, width=width, images=images).to(choose_device())


def identify(
    recipe: Recipe,
    member: int,
    training: Sequence[TrainingCase],
    validation: Sequence[TrainingCase],
    initial: Sequence[bytes] = (),
    *,
    guide: str = "",
    unlabelled: Sequence[str] = (),
) -> str:
    """What a checkpoint is bound to: SHA-256 over the recipe, the member, the cases' ids, the initial weights and the guide's name."""
    content = [recipe.identity, member, [case.id for case in training], [case.id for case in validation]]
    content += [hashlib.sha256(data).hexdigest() for data in initial]
    content += [guide] if guide else []
    known = [case.known for case in (*training, *validation)]
    content += [["known", *known]] if any(known) else []
    content += [["annotators", *(case.annotator for case in training)]] if recipe.annotators else []
    content += [["soft", *(case.soft is not None for case in training)]] if recipe.targets == "soft" else []
    content += [["unlabelled", *unlabelled]] if unlabelled else []
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def require_identity(identity: str, facts: Json, folder: Path) -> None:
    """Raise unless the facts of a checkpoint belong to this training.

    Raises:
        ConflictError: When they belong to another.
    """
    if facts["identity"] != identity:
        raise ConflictError(f"The folder {folder.name} holds the training of another recipe or other cases", remedy="use an empty folder")


def save(state: TrainingState, folder: Path, *, member: int, identity: str) -> None:
    """Write the checkpoint of a member, replacing the previous one."""
    tensors = _prefixed("network", state.network.state_dict()) | _prefixed("mean", state.mean) | _prefixed("best", state.best)
    tensors |= _prefixed("confusions", state.confusions.state_dict()) if state.confusions else {}
    tensors |= _prefixed("memory", state.memory.tensors()) if state.memory else {}
    tensors |= _prefixed("balance", state.balance.state_dict()) if state.balance else {}
    for number, moments in state.optimiser.state_dict()["state"].items():
        tensors |= _prefixed(f"optimiser.{number}", moments)
    kept = {name: getattr(state, name) for name in ("step", "steps", "seconds", "best_score", "scores")}
    facts = {"identity": identity, "loss": repr(state.loss), "precision": state.precision} | kept
    write_checkpoint(folder / f"checkpoint-{member}", Checkpoint(tensors, facts), mark=str(state.step))


def restore(state: TrainingState, folder: Path, *, member: int, identity: str) -> bool:
    """Bring a fresh state to where the last checkpoint left off; False when there is none.

    Raises:
        ConflictError: When the checkpoint belongs to another training.
        IntegrityError: When it was damaged.
    """
    checkpoint = read_checkpoint(folder / f"checkpoint-{member}")
    if checkpoint is None:
        return False
    facts = checkpoint.facts
    require_identity(identity, facts, folder)
    state.network.load_state_dict(_part(checkpoint, "network"))
    for name, tensor in _part(checkpoint, "mean").items():
        state.mean[name].copy_(tensor)  # in the layout it had: a teacher that adds up in another order says other last digits
    state.best = {name: tensor.to(state.device) for name, tensor in _part(checkpoint, "best").items()}
    if state.confusions:
        state.confusions.load_state_dict(_part(checkpoint, "confusions"))
    if state.memory:
        state.memory = SmallLoss(**_part(checkpoint, "memory"))
    if state.balance:
        state.balance.load_state_dict(_part(checkpoint, "balance"))
    moments: dict[int, Weights] = {}
    for name, tensor in _part(checkpoint, "optimiser").items():
        number, key = name.split(".", 1)
        moments.setdefault(int(number), {})[key] = tensor
    state.optimiser.load_state_dict({"state": moments, "param_groups": state.optimiser.state_dict()["param_groups"]})
    state.step, state.steps, state.seconds, state.loss = facts["step"], facts["steps"], facts["seconds"], float(facts["loss"])
    state.precision = facts.get("precision", "")  # older checkpoints go on in the precision of their recipe
    state.best_score, state.scores = facts["best_score"], [(step, score) for step, score in facts["scores"]]
    return True


def _prefixed(part: str, tensors: Weights) -> Weights:
    return {f"{part}.{name}": tensor for name, tensor in tensors.items()}


def _part(checkpoint: Checkpoint, part: str) -> Weights:
    start_of_name = len(part) + 1
    return {name[start_of_name:]: tensor for name, tensor in checkpoint.tensors.items() if name.startswith(f"{part}.")}
