"""Pretraining: the network of a recipe learns from images alone, before anybody has annotated one; exact to resume.

What is kept are the weights of all layers but the head, by the names they have in the recipe's network, so that
`models.foundation.transfer` puts them into a new one. As in `train`, everything random follows from the recipe's seed and the step, and
the number of steps is fixed before the first one: a run that was killed ends with the same weights, bit for bit, on a CPU.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from medloop.core.errors import CancelledError, InputError
from medloop.core.records import Json
from medloop.core.seeds import derive_seed
from medloop.models.foundation.checkpoint import Checkpoint, checkpoint_file, read_checkpoint, write_checkpoint
from medloop.models.foundation.compute import choose_device, limited_threads, mixed_precision
from medloop.models.foundation.plans import FEWEST_IMAGES
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.batches import PreparedCase
from medloop.models.training.consistency import UnlabelledCase, prepare_unlabelled
from medloop.models.training.pretext_task import PretextNetwork, Puzzle, draw_puzzle, pretext_loss, pretext_recipe
from medloop.models.training.state import require_identity
from medloop.models.training.train import TIMED_STEPS, Report, TrainingProgress, plan_steps, rate_at

CONTRAST = 0.1
"""Weight of knowing a patch again beside restoring it."""

LEARNING_RATE = 2e-3
RESULT, UNDERWAY = "pretrained", "pretraining"
RECENT = 20
"""Steps over which the error of the end is averaged."""


@dataclass(frozen=True)
class PretrainingRun:
    """Everything that makes a pretraining.

    Attributes:
        recipe: Of the network that will be trained; steps, minutes and seed are the pretraining's own.
        cases: Images to learn from.
        folder: Holds checkpoints and the result; the same run goes on there.
        report: Called after every step; returning False stops.
        contrast: Weight of knowing a patch again; 0 restores only.
    """

    recipe: Recipe
    cases: Sequence[UnlabelledCase]
    folder: Path
    report: Report
    contrast: float = CONTRAST


@dataclass
class _State:
    network: PretextNetwork
    optimiser: torch.optim.Optimizer
    steps: int
    step: int = 0
    seconds: float = 0.0
    errors: list[float] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


def pretrain(run: PretrainingRun) -> tuple[Path, Json]:
    """Learn from the images; the file of weights (safetensors) and metrics: steps, seconds, images, first and last error.

    Raises:
        InputError: Fewer than `FEWEST_IMAGES` images.
        ShapeError: An image that does not fit the recipe.
        CancelledError: `report` returned False; the checkpoint is kept.
        ConflictError: The folder holds another pretraining.
        IntegrityError: A checkpoint was damaged.
    """
    if len(run.cases) < FEWEST_IMAGES:
        rule = f"Pretraining needs at least {FEWEST_IMAGES} images, got {len(run.cases)}"
        raise InputError(rule, remedy="import more training cases, or start from the weights of a file")
    recipe, identity = pretext_recipe(run.recipe), identify_pretraining(run)
    run.folder.mkdir(parents=True, exist_ok=True)
    if finished := read_checkpoint(run.folder / RESULT):
        require_identity(identity, finished.facts, run.folder)
        return checkpoint_file(run.folder / RESULT), finished.facts["metrics"]
    prepared = run.folder / "prepared"
    shutil.rmtree(prepared, ignore_errors=True)
    try:
        with limited_threads(recipe.threads):
            begun = time.perf_counter()
            cases = prepare_unlabelled(recipe, run.cases, prepared)
            state = _start(recipe)
            if not _restore(state, run.folder, identity):
                state.steps = recipe.steps or plan_steps(recipe, _seconds_per_step(run, recipe, cases), spent=time.perf_counter() - begun)
                _save(state, run.folder, identity)
            _learn(run, recipe, state, cases, identity)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    return _finish(run, state, identity)


def identify_pretraining(run: PretrainingRun) -> str:
    """What a checkpoint is bound to: SHA-256 over the recipe, the images' ids in order and the weight of the contrast."""
    content = [pretext_recipe(run.recipe).identity, [case.id for case in run.cases], run.contrast]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _start(recipe: Recipe) -> _State:
    network = PretextNetwork(recipe).to(choose_device())
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=recipe.weight_decay)
    return _State(network, optimiser, recipe.steps)


def _learn(run: PretrainingRun, recipe: Recipe, state: _State, cases: Sequence[PreparedCase], identity: str) -> None:
    begun = saved = time.perf_counter() - state.seconds
    while state.step < state.steps:
        error = _take_step(recipe, state, draw_puzzle(recipe, cases, step=state.step), run.contrast)
        state.errors.append(error)
        state.seconds = time.perf_counter() - begun
        message = f"learning from {len(cases)} images, step {state.step}/{state.steps}, error {error:.3f}"
        go_on = run.report(TrainingProgress(state.step, state.steps, error, state.seconds, message))
        if not go_on or time.perf_counter() - saved >= recipe.checkpoint_seconds:
            _save(state, run.folder, identity)
            saved = time.perf_counter()
        if not go_on:
            raise CancelledError(
                f"Pretraining stopped at step {state.step} of {state.steps}", remedy="start it again to continue from there"
            )


def _take_step(recipe: Recipe, state: _State, puzzle: Puzzle, contrast: float) -> float:
    for group in state.optimiser.param_groups:
        group["lr"] = LEARNING_RATE * rate_at(state.step, state.steps)
    state.network.train()
    moved = Puzzle(*(part.to(state.device) for part in (puzzle.plain, puzzle.spoiled, puzzle.other, puzzle.hidden)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "pretext dropout", state.step))
        with mixed_precision(state.device, recipe.precision):
            loss, error = pretext_loss(state.network, moved, contrast=contrast)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip)
    state.optimiser.step()
    state.step += 1
    return float(error.detach())


def _seconds_per_step(run: PretrainingRun, recipe: Recipe, cases: Sequence[PreparedCase]) -> float:
    """Median seconds of a step, from a few of a network that is thrown away."""
    state, seconds = _start(recipe), []
    state.steps = TIMED_STEPS + 2
    for step in range(state.steps):
        begun = time.perf_counter()
        _take_step(recipe, state, draw_puzzle(recipe, cases, step=step), run.contrast)
        seconds.append(time.perf_counter() - begun)
    return median(seconds[2:])


def _finish(run: PretrainingRun, state: _State, identity: str) -> tuple[Path, Json]:
    first, last = (float(sum(part) / max(1, len(part))) for part in (state.errors[:RECENT], state.errors[-RECENT:]))
    metrics: dict[str, Any] = {"steps": state.steps, "seconds": round(state.seconds, 3), "images": len(run.cases)}
    metrics |= {"first_error": round(first, 4), "last_error": round(last, 4)}
    body = {name: tensor for name, tensor in state.network.body.state_dict().items() if not name.startswith("head.")}
    kept = body if run.recipe.kind == "segmentation" else {n: t for n, t in body.items() if n.startswith("encoder.")}
    file = write_checkpoint(run.folder / RESULT, Checkpoint(kept, {"identity": identity, "metrics": metrics}), mark="weights")
    for leftover in run.folder.glob(f"{UNDERWAY}.*"):
        leftover.unlink()
    return file, metrics


def _save(state: _State, folder: Path, identity: str) -> None:
    tensors: dict[str, Tensor] = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    for number, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": tensor for name, tensor in moments.items()}
    facts = {"identity": identity, "step": state.step, "steps": state.steps, "seconds": state.seconds, "errors": state.errors}
    write_checkpoint(folder / UNDERWAY, Checkpoint(tensors, facts), mark=str(state.step))


def _restore(state: _State, folder: Path, identity: str) -> bool:
    """Bring a fresh state to where the last checkpoint left off; False without one."""
    if (found := read_checkpoint(folder / UNDERWAY)) is None:
        return False
    require_identity(identity, found.facts, folder)
    parts = {
        part: {n.removeprefix(f"{part}."): t for n, t in found.tensors.items() if n.startswith(f"{part}.")}
        for part in ("network", "optimiser")
    }
    state.network.load_state_dict(parts["network"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimiser"].items():
        number, key = name.split(".", 1)
        moments.setdefault(int(number), {})[key] = tensor
    state.optimiser.load_state_dict({"state": moments, "param_groups": state.optimiser.state_dict()["param_groups"]})
    state.step, state.steps, state.seconds = found.facts["step"], found.facts["steps"], found.facts["seconds"]
    state.errors = list(found.facts["errors"])
    return True
