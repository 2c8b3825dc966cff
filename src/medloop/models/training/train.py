"""Training: a loop to read aloud, exact to resume.

Everything random follows from (seed, member, step), and the number of steps is fixed before the first one, so a
run that was killed and called again with the same arguments ends with the same weights, bit for bit, on a CPU.
A time budget becomes a number of steps: a few steps are timed once at the start, the plan is stored in the first
checkpoint, and a resumed run keeps it. (Two runs under a time budget may therefore differ; two runs with the
same `steps` do not.)
"""

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medloop.core.errors import CancelledError, MedloopError
from medloop.core.records import Json
from medloop.core.seeds import derive_seed
from medloop.models.foundation.checkpoint import Checkpoint, checkpoint_file, read_checkpoint, write_checkpoint
from medloop.models.foundation.compute import choose_device, has_bfloat16, limited_threads, mixed_precision
from medloop.models.foundation.losses import (
    fade,
    irrelevance_penalty,
    loss_as_annotated,
    loss_of,
    plain_masks,
)
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.partial_labels import marginal_chances, marginal_logits
from medloop.models.foundation.recipes import Recipe, WeakWeights
from medloop.models.foundation.weak_losses import weak_loss, weak_terms
from medloop.models.training.ahead import in_order
from medloop.models.training.anchor import Anchor, kept_loss
from medloop.models.training.batches import Marks, PreparedCase, TrainingCase, draw_batch, draw_marks, prepare_cases
from medloop.models.training.consistency import (
    UnlabelledCase,
    agreement_loss,
    draw_views,
    first_step,
    prepare_unlabelled,
    ramp_up,
    teacher_chances,
)
from medloop.models.training.guiding import Guide
from medloop.models.training.pasting import paste
from medloop.models.training.private import Private, draw_privately, private_gradient, require_private
from medloop.models.training.small_loss import WARM_UP as LEARNED_BY_ALL
from medloop.models.training.small_loss import leave_out, losses_of_samples, names_left_out
from medloop.models.training.state import TrainingState, identify, require_identity, restore, save, start
from medloop.models.training.validate import affordable_cases, validate

DRAWN_AHEAD = 3
"""Batches drawn while the network computes, where it leaves a core free: on one thread of a CPU they would only wait in turn."""
TIMED_STEPS = 5
WARM_UP = 0.3
"""Share of the steps before annotators are modelled: a network that knows nothing yet explains small structures as errors of everybody."""
FEWEST_STEPS = 50
"""However small the budget: with fewer, a model is not worth looking at."""
RESERVE = 0.93
"""Share of a time budget planned for steps; the rest is validation and checkpoints."""


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
Step = Callable[[], float]
Draw = Callable[[int], Step]
"""A step that is ready to be taken, by its number; it returns the loss."""


@dataclass(frozen=True)
class TrainingRun:
    """Everything that makes a training: what `train` takes, unlabelled cases where the recipe learns from such, the model before, noise."""

    recipe: Recipe
    training: Sequence[TrainingCase]
    validation: Sequence[TrainingCase]
    folder: Path
    report: Report
    initial: Sequence[bytes] = ()
    guide: Guide | None = None
    unlabelled: Sequence[UnlabelledCase] = ()
    anchor: Anchor | None = None
    private: Private | None = None


def train(
    recipe: Recipe,
    training: Sequence[TrainingCase],
    validation: Sequence[TrainingCase],
    folder: Path,
    *,
    report: Report,
    initial: Sequence[bytes] = (),
    guide: Guide | None = None,
) -> Trained:
    """Train every member, one after the other, from annotated cases alone; `train_members` learns from unlabelled ones too.

    Args:
        recipe: What to train.
        training: Annotated cases to learn from.
        validation: Annotated cases to choose the best weights by; may be empty, then the last weights are kept.
        folder: Holds checkpoints and results; call again with the same arguments to resume.
        report: Called after every step; returning False stops.
        initial: Safetensors of an earlier model of the same recipe to go on from; empty starts from scratch.
        guide: Plays users for a guided recipe; None trains it as one that answers by itself.

    Returns:
        The members' weights (running means) and metrics: steps, seconds, loss, validation score if any.

    Raises:
        CancelledError: When `report` returned False; the checkpoint is kept.
        InputError: Without training cases; LabelError, ShapeError for cases that do not fit the recipe.
        ConflictError: When the folder holds another training.
        IntegrityError: When a checkpoint was damaged.
        MedloopError: When the loss is no longer a number.
    """
    return train_members(TrainingRun(recipe, training, validation, folder, report, initial, guide))


def train_members(run: TrainingRun) -> Trained:
    """Train every member of a run, one after the other; see `train`."""
    trained = [train_member(run, member) for member in range(run.recipe.members)]
    return Trained(tuple(file for file, _ in trained), summarise([metrics for _, metrics in trained]))


def train_member(run: TrainingRun, member: int) -> tuple[Path, Json]:
    """Train one member, or find it trained already; see `train`. Members may be trained in parallel processes."""
    recipe, folder = run.recipe, run.folder
    folder.mkdir(parents=True, exist_ok=True)
    result, prepared = folder / f"member-{member}", folder / f"prepared-{member}"
    identity = identify_run(run, member)
    if finished := read_checkpoint(result):
        require_identity(identity, finished.facts, folder)
        return checkpoint_file(result), finished.facts["metrics"]
    shutil.rmtree(prepared, ignore_errors=True)
    try:
        with limited_threads(recipe.threads):
            begun = time.perf_counter()
            cases = prepare_cases(recipe, run.training, prepared / "training")
            held_out = prepare_cases(recipe, run.validation, prepared / "validation") if run.validation else []
            pool = prepare_unlabelled(recipe, run.unlabelled, prepared / "unlabelled")
            begin = partial(start, recipe, member, run.initial, cases=cases, anchor=run.anchor)
            state = begin()
            if run.private:
                require_private(recipe, state.network)
            if not restore(state, folder, member=member, identity=identity):
                timed = partial(seconds_per_step, cases=cases, guide=run.guide, pool=pool, begin=begin if run.anchor else None)
                state.precision, seconds = (recipe.precision, 0.0) if recipe.steps else quickest_precision(recipe, timed)
                state.steps = recipe.steps or plan_steps(recipe, seconds, spent=time.perf_counter() - begun)
                save(state, folder, member=member, identity=identity)
            recipe = replace(recipe, precision=state.precision or recipe.precision)
            run = replace(run, recipe=recipe)
            _train_to_end(run, member, state, partial(_step, run, (cases, pool), member, state), held_out, identity=identity)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    metrics: dict[str, Any] = {"steps": state.steps, "seconds": round(state.seconds, 3), "loss": state.loss}
    metrics |= {"confusions": state.confusions.matrices().detach().cpu().tolist()} if state.confusions else {}
    metrics |= {"mark_weights": state.balance.weights(WeakWeights(*recipe.weak_weights))} if state.balance else {}
    metrics |= {"stood_out": names_left_out(state.memory, [case.id for case in cases])} if state.memory else {}
    metrics |= {"validation": state.best_score, "validations": state.scores} if state.scores else {}
    file = write_checkpoint(result, Checkpoint(state.best or state.mean, {"identity": identity, "metrics": metrics}), mark="weights")
    for leftover in folder.glob(f"checkpoint-{member}.*"):
        leftover.unlink()
    return file, metrics


def identify_run(run: TrainingRun, member: int) -> str:
    """What a member's checkpoint is bound to; see `identify`."""
    name, pool = run.guide.name if run.guide else "", run.unlabelled if run.recipe.unlabelled != "none" else ()
    begun = (*run.initial, *(run.anchor.identity if run.anchor else ()), *([repr(run.private).encode()] if run.private else ()))
    return identify(run.recipe, member, run.training, run.validation, begun, guide=name, unlabelled=[case.id for case in pool])


def _train_to_end(
    run: TrainingRun, member: int, state: TrainingState, draw: Draw, held_out: Sequence[PreparedCase], *, identity: str
) -> None:
    recipe = run.recipe
    held_out = affordable_cases(recipe, held_out, state.steps)
    due = {math.ceil(state.steps * (n + 1) / recipe.validations) for n in range(recipe.validations)} if held_out else set()
    begun = saved = time.perf_counter() - state.seconds
    ahead = DRAWN_AHEAD if recipe.threads > 1 or state.device.type != "cpu" else 0
    for take in in_order(draw, range(state.step, state.steps), ahead=ahead):
        state.loss = take()
        if state.step in due:
            _validate(recipe, state, held_out)
        state.seconds = time.perf_counter() - begun
        go_on = run.report(_progress(recipe, member, state))
        if not go_on or time.perf_counter() - saved >= recipe.checkpoint_seconds:
            save(state, run.folder, member=member, identity=identity)
            saved = time.perf_counter()
        if not go_on:
            raise CancelledError(f"Training stopped at step {state.step} of {state.steps}", remedy="start it again to continue from there")


def _step(
    run: TrainingRun, cases: tuple[Sequence[PreparedCase], Sequence[PreparedCase]], member: int, state: TrainingState, step: int
) -> Step:
    """A step that is drawn and not yet taken; what a private one learns from is drawn when it is taken."""
    recipe = run.recipe
    if run.private:
        return partial(take_private_step, recipe, member, state, run.private, cases[0])
    batch, marks = _draw(recipe, *cases, member, state.steps, step)
    return partial(take_step, recipe, member, state, *batch, marks=marks, guide=run.guide)


def _draw(
    recipe: Recipe, cases: Sequence[PreparedCase], pool: Sequence[PreparedCase], member: int, steps: int, step: int
) -> tuple[tuple[Tensor, Tensor], Marks]:
    batch, marks = draw_batch(recipe, cases, member=member, step=step), draw_marks(recipe, cases, member=member, step=step)
    if step < first_step(steps):
        return batch, marks
    return batch, replace(marks, unlabelled=draw_views(recipe, pool, member=member, step=step))


def take_step(
    recipe: Recipe,
    member: int,
    state: TrainingState,
    images: Tensor,
    targets: Tensor,
    *,
    marks: Marks | None = None,
    guide: Guide | None = None,
) -> float:
    """Hints if guided, forward, backward, clip, step, running mean; returns the loss.

    Args:
        recipe: What is trained.
        member: Which network.
        state: Where the training stands; changed.
        images: From `draw_batch`.
        targets: Likewise.
        marks: From `draw_marks`.
        guide: Adds hints to the images of a guided network.

    Raises:
        MedloopError: When the loss is not a number.
    """
    for group in state.optimiser.param_groups:
        group["lr"] = recipe.learning_rate * rate_at(state.step, state.steps) * group.get("times", 1.0)
    loss = step_loss(recipe, member, state, images, targets, marks=marks, guide=guide)
    value = _finite(float(loss.detach()), state.step)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip)
    state.optimiser.step()
    if state.balance:
        state.balance.keep_bounded()
    state.step += 1
    state.update_mean(recipe.ema_decay)
    return value


def take_private_step(recipe: Recipe, member: int, state: TrainingState, private: Private, cases: Sequence[PreparedCase]) -> float:
    """The same by `models.training.private`: patients drawn by themselves, each one's gradient clipped, noise; returns the mean loss."""
    for group in state.optimiser.param_groups:
        group["lr"] = recipe.learning_rate * rate_at(state.step, state.steps)
    drawn = draw_privately(recipe, cases, private, member=member)
    losses = (partial(step_loss, recipe, member, state, *batch, marks=marks) for batch, marks in drawn)
    value = private_gradient(state.network, losses, private, expected=private.rate(recipe) * len(private.patients))
    state.optimiser.step()
    state.step += 1
    state.update_mean(recipe.ema_decay)
    return value


def step_loss(
    recipe: Recipe,
    member: int,
    state: TrainingState,
    images: Tensor,
    targets: Tensor,
    *,
    marks: Marks | None = None,
    guide: Guide | None = None,
) -> Tensor:
    """The loss of a step, with every term of the recipe; arguments as `take_step`."""
    images, targets, marks = paste(recipe, member, state, images, targets, marks or Marks())
    if guide and recipe.guided:
        plain = plain_masks(targets, recipe.classes)
        images, wanted = guide(recipe, images, plain, partial(_predict, recipe, state, marks.known), member=member, step=state.step)
        marks = _as_wanted(marks, wanted == plain)
        targets = torch.where(wanted == plain, targets, wanted)  # what the user wants as it was keeps the mark of a person's touch
    state.network.train()
    images = images.to(state.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, member, "dropout", state.step))
        with mixed_precision(state.device, recipe.precision):
            features = state.network.features(images)
            logits = state.network.head(features)
    targets = targets.to(state.device)
    marks = marks.to(state.device)
    loss = batch_loss(recipe, state, images, logits, targets, marks=marks, features=features)
    loss = loss + recipe.rrr * _irrelevance(recipe, member, state, images, targets, marks)
    loss = loss + agreement_loss(recipe, member, state, marks.unlabelled)
    return loss + kept_loss(recipe, state.network, state.kept, images, logits)


def batch_loss(
    recipe: Recipe, state: TrainingState, images: Tensor, logits: Tensor, targets: Tensor, *, marks: Marks, features: Tensor
) -> Tensor:
    """The loss of a batch: of the samples that have masks or classes, and of those that are known by marks, by their numbers."""
    if marks.weak is None or not marks.weak.weak.any():
        return _masked_loss(recipe, state, logits, targets, marks, features)
    weak = marks.weak.weak
    by_marks = marks.weak.of(weak)
    trusted = ramp_up(state.step, state.steps)
    teacher = teacher_chances(recipe, state, images[weak]) if trusted and recipe.weak_weights[-1] else None
    weights = WeakWeights(*recipe.weak_weights)
    weights = weights._replace(agreed=weights.agreed * trusted)
    said = plain_masks(targets[weak], recipe.classes)
    if state.balance is None:
        loss = weak_loss(logits[weak], said, by_marks, weights, teacher=teacher, regions=recipe.regions)
    else:
        loss = state.balance(weak_terms(logits[weak], said, by_marks, teacher=teacher, regions=recipe.regions), weights)
    if weak.all():
        return loss
    share = float(weak.float().mean())
    return share * loss + (1 - share) * _masked_loss(recipe, state, logits[~weak], targets[~weak], marks.of(~weak), features[~weak])


def _masked_loss(recipe: Recipe, state: TrainingState, logits: Tensor, targets: Tensor, marks: Marks, features: Tensor) -> Tensor:
    """The loss of samples that have a mask or a class."""
    targets = _remembered(recipe, state, logits, targets, marks)
    if state.confusions is None or marks.annotators is None or state.step < WARM_UP * state.steps:
        return loss_of(recipe, logits, targets, known=marks.known, soft=marks.soft)
    return loss_as_annotated(recipe, logits, targets, state.confusions, marks.annotators, features, known=marks.known)


def _remembered(recipe: Recipe, state: TrainingState, logits: Tensor, targets: Tensor, marks: Marks) -> Tensor:
    """The targets without the samples of cases that stand out by their loss, which is noted; all of them without such a memory."""
    if state.memory is None or marks.cases is None:
        return targets

    def loss_at(n: int) -> Tensor:
        own = (None if part is None else part[n : n + 1] for part in (marks.known, marks.soft))
        known, soft = own
        return loss_of(recipe, logits[n : n + 1], targets[n : n + 1], known=known, soft=soft)

    state.memory.observe(marks.cases, losses_of_samples(loss_at, len(targets)))
    return leave_out(state.memory, marks.cases, targets, begun=state.step >= LEARNED_BY_ALL * state.steps)


def _as_wanted(marks: Marks, same: Tensor) -> Marks:
    """What is known, but where a user of a guided network wants another label than the annotation has, shape (B, …)."""
    soft = None if marks.soft is None else marks.soft * same.unsqueeze(1)
    return replace(marks, soft=soft, weak=None if marks.weak is None else marks.weak.forgotten(~same))


@torch.no_grad()
def _predict(recipe: Recipe, state: TrainingState, known: Tensor | None, images: Tensor, which: Sequence[int]) -> Tensor:
    """What the network says now of some samples, as their simulated users see it: these know nothing of classes not annotated."""
    state.network.eval()
    with mixed_precision(state.device, recipe.precision):
        logits: Tensor = state.network(images.to(state.device))
    return marginal_chances(logits.float().softmax(1).cpu(), None if known is None else known[list(which)])


def _irrelevance(recipe: Recipe, member: int, state: TrainingState, images: Tensor, targets: Tensor, marks: Marks) -> Tensor:
    """The penalty on evidence from irrelevant voxels, by a second pass over faded images; 0 where none are marked."""
    irrelevant = marks.irrelevant
    if irrelevant is None:
        return images.new_zeros(())
    seed = derive_seed(recipe.seed, member, "fade", state.step)
    shares = torch.rand(len(images), generator=torch.Generator().manual_seed(seed)).to(state.device)
    faded = fade(images, irrelevant, shares).requires_grad_(True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        with mixed_precision(state.device, recipe.precision):
            logits = marginal_logits(state.network(faded), marks.known)
    answers = plain_masks(targets, recipe.classes)
    return irrelevance_penalty(images, faded, logits, answers, irrelevant)


def rate_at(step: int, steps: int) -> float:
    """Share of the learning rate at a step: linear warm-up over 5 % (at most 100 steps), then a cosine to 0."""
    warm = max(1, min(100, steps // 20))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def seconds_per_step(
    recipe: Recipe,
    cases: Sequence[PreparedCase],
    *,
    clock: Callable[[], float] = time.perf_counter,
    guide: Guide | None = None,
    pool: Sequence[PreparedCase] = (),
    begin: Callable[[], TrainingState] | None = None,
) -> float:
    """Median seconds of a training step by `clock`, from a few steps of a network that is thrown away; of one with the second batch.

    `begin` makes the state of a training that keeps something of the model before.
    """
    state = begin() if begin else start(recipe, 0, cases=cases)
    state.steps = TIMED_STEPS + 2
    seconds = []
    for step in range(state.steps):
        begun = clock()
        batch, marks = _draw(recipe, cases, pool, 0, state.steps, step)
        take_step(recipe, 0, state, *batch, marks=marks, guide=guide)
        seconds.append(clock() - begun)
    return median(seconds[2:])


def quickest_precision(recipe: Recipe, seconds_of: Callable[[Recipe], float]) -> tuple[str, float]:
    """The precision in which a training under a time budget takes its steps, and the seconds of one of them.

    With `auto` on a device that computes bf16 both are timed: for small networks its conversions may cost more than it saves.

    Args:
        recipe: What is trained.
        seconds_of: Times a step of a recipe.
    """
    if recipe.precision != "auto" or not has_bfloat16(choose_device()):
        return recipe.precision, seconds_of(recipe)
    timed = {name: seconds_of(replace(recipe, precision=name)) for name in ("bfloat16", "float32")}
    best = min(timed, key=lambda name: timed[name])
    return best, timed[best]


def plan_steps(recipe: Recipe, seconds: float, *, spent: float = 0.0) -> int:
    """Steps of one member that fit into the recipe's minutes when one takes `seconds`, after `spent` seconds."""
    return max(FEWEST_STEPS, int((recipe.minutes * 60 * RESERVE / recipe.members - spent) / seconds))


def summarise(members: Sequence[Json]) -> Json:
    """The metrics of an ensemble: steps of one member, seconds of all, mean loss, validation score and confusions, each member's.

    Cases that stood out do so where any member left them out.
    """
    summary: dict[str, Any] = {"steps": members[0]["steps"], "seconds": sum(m["seconds"] for m in members)}
    for name in ("loss", "validation"):
        if name in members[0]:
            summary[name] = sum(m[name] for m in members) / len(members)
    if "confusions" in members[0]:
        summary["confusions"] = np.mean([m["confusions"] for m in members], axis=0).tolist()
    if "mark_weights" in members[0]:
        summary["mark_weights"] = {name: np.mean([m["mark_weights"][name] for m in members]).item() for name in members[0]["mark_weights"]}
    if "stood_out" in members[0]:
        summary["stood_out"] = sorted({name for member in members for name in member["stood_out"]})
    return summary | {"members": [dict(m) for m in members]}


def _validate(recipe: Recipe, state: TrainingState, held_out: Sequence[PreparedCase]) -> None:
    probe = build_network(recipe, seed=0).to(state.device)
    probe.load_state_dict(state.mean)
    state.keep_best(validate(probe, recipe, held_out))


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        remedy = "use a lower learning rate or precision float32, and look at the annotations and images"
        raise MedloopError(f"The loss must be a number, got {loss} at step {step + 1}", remedy=remedy)
    return loss


def _progress(recipe: Recipe, member: int, state: TrainingState) -> TrainingProgress:
    message = f"member {member + 1}/{recipe.members}, step {state.step}/{state.steps}, loss {state.loss:.3f}"
    if state.scores:
        message += f", validation {state.scores[-1][1]:.3f}"
    done, planned = member * state.steps + state.step, recipe.members * state.steps
    return TrainingProgress(done, planned, state.loss, state.seconds, message)
