"""Training: a loop to read aloud, exact to resume.

Everything random follows from (seed, member, step), and the number of steps is fixed before the first one, so a
run that was killed and called again with the same arguments ends with the same weights, bit for bit, on a CPU.
A time budget becomes a number of steps: a few steps are timed once at the start, the plan is stored in the first
checkpoint, and a resumed run keeps it. (Two runs under a time budget may therefore differ; two runs with the
same `steps` do not.)
"""

import dataclasses
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from medloop.core.errors import CancelledError, ConflictError, MedloopError
from medloop.core.records import Json
from medloop.core.seeds import derive_seed
from medloop.models.batches import PreparedCase, TrainingCase, draw_batch, prepare_cases
from medloop.models.checkpoint import Checkpoint, checkpoint_file, read_checkpoint, write_checkpoint
from medloop.models.compute import choose_device, limited_threads, mixed_precision
from medloop.models.losses import loss_of
from medloop.models.networks import ClassificationNetwork, SegmentationNetwork, build_network
from medloop.models.recipes import Recipe
from medloop.models.validate import affordable_cases, validate

TIMED_STEPS = 5
FEWEST_STEPS = 20
RESERVE = 0.93
"""Share of a time budget planned for steps; the rest is validation, checkpoints and preparation."""


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is; steps count over all members."""

    step: int
    steps: int
    loss: float
    seconds: float
    message: str


@dataclass(frozen=True)
class Trained:
    """The result: one safetensors file per member, and a summary."""

    weights: tuple[Path, ...]
    metrics: Json


Report = Callable[[TrainingProgress], bool]


@dataclass
class _Run:
    """The state of one member's training: all of it goes into a checkpoint."""

    network: SegmentationNetwork | ClassificationNetwork
    optimiser: torch.optim.Optimizer
    mean: dict[str, Tensor]
    best: dict[str, Tensor]
    steps: int
    step: int = 0
    loss: float = math.nan
    seconds: float = 0.0
    best_score: float = -1.0
    scores: list[tuple[int, float]] = dataclasses.field(default_factory=list)


def train(recipe: Recipe, training: Sequence[TrainingCase], validation: Sequence[TrainingCase], folder: Path, *, report: Report) -> Trained:
    """Train every member, one after the other.

    Args:
        recipe: What to train.
        training: Answered cases to learn from.
        validation: Answered cases to choose the best weights by; may be empty, then the last weights are kept.
        folder: Holds checkpoints and results; call again with the same arguments to resume.
        report: Called after every step; returning False stops.

    Returns:
        The members' weights (running means) and metrics: steps, seconds, loss, validation score if any.

    Raises:
        CancelledError: When `report` returned False; the checkpoint is kept.
        InputError: Without training cases; LabelError, ShapeError for cases that do not fit the recipe.
        ConflictError: When the folder holds another training.
        IntegrityError: When a checkpoint was damaged.
        MedloopError: When the loss is no longer a number.
    """
    trained = [train_member(recipe, member, training, validation, folder, report=report) for member in range(recipe.members)]
    return Trained(tuple(file for file, _ in trained), _summarise([facts for _, facts in trained]))


def train_member(
    recipe: Recipe, member: int, training: Sequence[TrainingCase], validation: Sequence[TrainingCase], folder: Path, *, report: Report
) -> tuple[Path, Json]:
    """Train one member, or find it trained already; see `train`. Members may run in parallel processes."""
    folder.mkdir(parents=True, exist_ok=True)
    result, prepared = folder / f"member-{member}", folder / f"prepared-{member}"
    identity = _identify(recipe, member, training, validation)
    if finished := read_checkpoint(result):
        _require_same(identity, finished.facts, folder)
        return checkpoint_file(result), finished.facts["metrics"]
    shutil.rmtree(prepared, ignore_errors=True)
    try:
        with limited_threads(recipe.threads):
            started = time.perf_counter()
            cases = prepare_cases(recipe, training, prepared / "training")
            held_out = prepare_cases(recipe, validation, prepared / "validation") if validation else []
            run = _restore(recipe, member, cases, folder, identity, time.perf_counter() - started)
            _train_to_end(recipe, member, run, cases, held_out, folder, identity=identity, report=report)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    metrics = _measure(run)
    file = write_checkpoint(result, Checkpoint(run.best or run.mean, {"identity": identity, "metrics": metrics}), mark="weights")
    for leftover in folder.glob(f"checkpoint-{member}.*"):
        leftover.unlink()
    return file, metrics


def _train_to_end(
    recipe: Recipe,
    member: int,
    run: _Run,
    cases: Sequence[PreparedCase],
    held_out: Sequence[PreparedCase],
    folder: Path,
    *,
    identity: str,
    report: Report,
) -> None:
    held_out = affordable_cases(recipe, held_out, run.steps)
    due = {math.ceil(run.steps * (n + 1) / recipe.validations) for n in range(recipe.validations)} if held_out else set()
    begun = saved = time.perf_counter()
    before = run.seconds
    while run.step < run.steps:
        images, targets = draw_batch(recipe, cases, member=member, step=run.step)
        run.loss = _step(recipe, member, run, images, targets)
        run.step += 1
        if run.step in due:
            _keep_best(recipe, run, held_out)
        run.seconds = before + time.perf_counter() - begun
        go_on = report(_progress(recipe, member, run))
        if not go_on or time.perf_counter() - saved >= recipe.checkpoint_seconds:
            _save(run, member, folder, identity)
            saved = time.perf_counter()
        if not go_on and run.step < run.steps:
            raise CancelledError(f"Training stopped at step {run.step} of {run.steps}", remedy="start it again to continue from there")


def _step(recipe: Recipe, member: int, run: _Run, images: Tensor, targets: Tensor) -> float:
    """Forward, backward, clip, step, running mean."""
    device = next(run.network.parameters()).device
    for group in run.optimiser.param_groups:
        group["lr"] = recipe.learning_rate * rate_at(run.step, run.steps)
    run.network.train()
    with torch.random.fork_rng(devices=[]):  # dropout depends on the step alone
        torch.manual_seed(derive_seed(recipe.seed, member, "dropout", run.step))
        with mixed_precision(device, recipe.precision):
            logits = run.network(images.to(device))
        loss = loss_of(recipe, logits, targets.to(device))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise MedloopError(
                f"The loss became {value} at step {run.step + 1}",
                remedy="use a lower learning rate or precision float32, and look at the data",
            )
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    nn.utils.clip_grad_norm_(run.network.parameters(), recipe.clip)
    run.optimiser.step()
    decay = min(recipe.ema_decay, (1 + run.step) / (10 + run.step))
    for name, weight in run.network.state_dict().items():
        run.mean[name].lerp_(weight, 1 - decay)
    return value


def rate_at(step: int, steps: int) -> float:
    """Share of the learning rate at a step: linear warm-up over 5 % (at most 100 steps), then a cosine to 0."""
    warm = max(1, min(100, steps // 20))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _keep_best(recipe: Recipe, run: _Run, held_out: Sequence[PreparedCase]) -> None:
    """Validate the running mean; the latest of equally good weights is kept."""
    probe = build_network(recipe, seed=0).to(next(run.network.parameters()).device)
    probe.load_state_dict(run.mean)
    score = validate(probe, recipe, held_out)
    run.scores.append((run.step, score))
    if score >= run.best_score:
        run.best_score, run.best = score, {name: tensor.clone() for name, tensor in run.mean.items()}


def _progress(recipe: Recipe, member: int, run: _Run) -> TrainingProgress:
    message = f"member {member + 1}/{recipe.members}, step {run.step}/{run.steps}, loss {run.loss:.3f}"
    if run.scores:
        message += f", validation {run.scores[-1][1]:.3f}"
    return TrainingProgress(member * run.steps + run.step, recipe.members * run.steps, run.loss, run.seconds, message)


def _start(recipe: Recipe, member: int) -> _Run:
    network = build_network(recipe, seed=derive_seed(recipe.seed, member, "weights")).to(choose_device())
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    mean = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    return _Run(network, optimiser, mean, {}, steps=recipe.steps)


def _restore(recipe: Recipe, member: int, cases: Sequence[PreparedCase], folder: Path, identity: str, spent: float) -> _Run:
    """The run as its last checkpoint left it, or a fresh one with its steps planned and stored."""
    run = _start(recipe, member)
    checkpoint = read_checkpoint(folder / f"checkpoint-{member}")
    if checkpoint is None:
        run.steps = recipe.steps or plan_steps(recipe, seconds_per_step(recipe, cases), spent=spent)
        _save(run, member, folder, identity)
        return run
    _require_same(identity, checkpoint.facts, folder)
    _unpack(run, checkpoint)
    return run


def seconds_per_step(recipe: Recipe, cases: Sequence[PreparedCase]) -> float:
    """Median wall-clock seconds of a training step, from a few steps on a network that is thrown away."""
    run = dataclasses.replace(_start(recipe, 0), steps=TIMED_STEPS + 2)
    times = []
    for step in range(run.steps):
        begun = time.perf_counter()
        _step(recipe, 0, run, *draw_batch(recipe, cases, member=0, step=step))
        times.append(time.perf_counter() - begun)
    return median(times[2:])


def plan_steps(recipe: Recipe, seconds: float, *, spent: float = 0.0) -> int:
    """Steps of one member that fit into the recipe's minutes when one takes `seconds`, after `spent` seconds."""
    budget = recipe.minutes * 60 * RESERVE / recipe.members - spent
    return max(FEWEST_STEPS, int(budget / seconds))


def _save(run: _Run, member: int, folder: Path, identity: str) -> None:
    tensors = {f"network.{name}": tensor for name, tensor in run.network.state_dict().items()}
    tensors |= {f"mean.{name}": tensor for name, tensor in run.mean.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in run.best.items()}
    for number, state in run.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": tensor for name, tensor in state.items()}
    facts = {
        "identity": identity, "step": run.step, "steps": run.steps, "loss": repr(run.loss), "seconds": run.seconds,
        "best_score": run.best_score, "scores": run.scores,
    }  # fmt: skip
    write_checkpoint(folder / f"checkpoint-{member}", Checkpoint(tensors, facts), mark=str(run.step))


def _unpack(run: _Run, checkpoint: Checkpoint) -> None:
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "mean": {}, "best": {}, "optimiser": {}}
    for name, tensor in checkpoint.tensors.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = tensor
    device = next(run.network.parameters()).device
    run.network.load_state_dict(parts["network"])
    run.mean = {name: tensor.to(device) for name, tensor in parts["mean"].items()}
    run.best = {name: tensor.to(device) for name, tensor in parts["best"].items()}
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimiser"].items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = tensor
    run.optimiser.load_state_dict({"state": state, "param_groups": run.optimiser.state_dict()["param_groups"]})
    facts = checkpoint.facts
    run.step, run.steps, run.seconds, run.loss = facts["step"], facts["steps"], facts["seconds"], float(facts["loss"])
    run.best_score, run.scores = facts["best_score"], [(step, score) for step, score in facts["scores"]]


def _measure(run: _Run) -> dict[str, Any]:
    measured: dict[str, Any] = {"steps": run.steps, "seconds": round(run.seconds, 3), "loss": run.loss}
    return measured | ({"validation": run.best_score, "validations": run.scores} if run.scores else {})


def _summarise(members: Sequence[Json]) -> Json:
    def mean(name: str) -> float:
        return float(sum(facts[name] for facts in members) / len(members))

    summary: dict[str, Any] = {"steps": members[0]["steps"], "seconds": sum(facts["seconds"] for facts in members), "loss": mean("loss")}
    if "validation" in members[0]:
        summary["validation"] = mean("validation")
    return summary | {"members": [dict(facts) for facts in members]}


def _identify(recipe: Recipe, member: int, training: Sequence[TrainingCase], validation: Sequence[TrainingCase]) -> str:
    content = [recipe.to_json(), member, [case.id for case in training], [case.id for case in validation]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _require_same(identity: str, facts: Json, folder: Path) -> None:
    if facts["identity"] != identity:
        raise ConflictError(f"The folder {folder.name} holds the training of another recipe or other cases", remedy="use an empty folder")
