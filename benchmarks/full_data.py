"""How good a model trained on all answers is: held-out Dice or accuracy after a fixed training budget.

A quarter of the patients is held out per seed; the rest is trained on with the recipe that the product chooses by
itself. The members of the ensemble (one by default, on two threads) are trained side by side, one process each. The budget is
what idle cores give: a step's CPU time on one thread is measured at the start, and the steps that fit are then fixed,
so that a busy machine only takes longer. Wall-clock and CPU time actually spent are both reported. A run that was
interrupted goes on where it stopped when `--work` names the same folder.

    python benchmarks/full_data.py --data ../shared/data/hippocampus --seeds 1 --json full_data.json
"""

import argparse
import dataclasses
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from medloop.core.errors import MedloopError
from medloop.core.image import Image, Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.discover import open_dataset
from medloop.datasets.splits import SplitCase, assign_splits
from medloop.images.read import read_image, read_mask
from medloop.metrics.intervals import bootstrap_mean
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint

HELD_OUT = 0.25
THREAD_GAIN = {1: 1.0, 2: 1.8}
"""How much faster a network trains on two threads than on one, with both cores free: 1.6 to 1.8 measured, batches drawn ahead."""


@dataclasses.dataclass(frozen=True, eq=False)
class Question:
    """How answers in files become the network's classes.

    Attributes:
        kind: segmentation or classification.
        names: Names of the classes, without background.
        values: Mask value or class name → class index.
        foreground: Whether every mask value above 0 means class 1.
    """

    kind: str
    names: tuple[str, ...]
    values: Mapping[str | int, int]
    foreground: bool

    @property
    def classes(self) -> int:
        """Outputs of the network."""
        return len(self.names) + (self.kind == "segmentation")


def question_of(dataset: Dataset) -> Question:
    """What the data set's labels ask."""
    if dataset.kind == "classification":
        names = dataset.labels or tuple(sorted({case.tag for case in dataset.cases if case.tag is not None}))
        return Question("classification", names, {name: index for index, name in enumerate(names)}, False)
    names = dataset.labels or ("foreground",)
    values: dict[str | int, int] = {dataset.label_values.get(name, n + 1): n + 1 for n, name in enumerate(names)}
    return Question("segmentation", names, values, dataset.masks == "foreground" or not dataset.labels)


def read_case(case: CaseSource, question: Question) -> tuple[Image, Mask | int]:
    """The image and its answer as the network learns it."""
    read = read_image(case.images[0] if len(case.images) == 1 else case.images).image
    image = case.sized(read)
    if question.kind == "classification":
        return image, question.values[str(case.tag)]
    mask = read_mask(Path(str(case.mask)), read.grid)
    table = np.zeros(256, dtype=np.uint8)
    for value, index in question.values.items():
        table[int(value)] = index
    return image, Mask((mask.array > 0).astype(np.uint8) if question.foreground else table[mask.array], image.grid)


def choose_cases(cases: Sequence[CaseSource], count: int | None) -> Sequence[CaseSource]:
    """All cases, or `count` of them at random but always the same ones."""
    if count is None or count >= len(cases):
        return cases
    chosen = generator(0, "cases").choice(len(cases), count, replace=False)
    return [cases[index] for index in sorted(chosen)]


def split(cases: Sequence[CaseSource], seed: int) -> tuple[list[CaseSource], list[CaseSource]]:
    """Training and held-out cases, by patient."""
    wanted = [SplitCase(case.name, case.patient, case.tag or case.stratum) for case in cases]
    splits = assign_splits(wanted, validation=0.0, test=HELD_OUT, audit=0.0, seed=seed)
    return [c for c in cases if splits[c.name] == "train"], [c for c in cases if splits[c.name] == "test"]


def shape_of(image: Image) -> CaseShape:
    """What the fingerprint needs."""
    return CaseShape(image.grid.shape, image.grid.spacing_mm, image.channels)


def cpu_seconds_per_step(recipe: Recipe, cases: Sequence[CaseSource], question: Question) -> float:
    """CPU seconds of one training step on this machine."""
    from medloop.models.foundation.compute import limited_threads
    from medloop.models.training.batches import TrainingCase, prepare_cases
    from medloop.models.training.train import seconds_per_step

    some = [TrainingCase(case.name, partial(read_case, case, question)) for case in cases[:8]]
    with tempfile.TemporaryDirectory() as folder, limited_threads(recipe.threads):
        return seconds_per_step(recipe, prepare_cases(recipe, some, Path(folder)), clock=time.process_time)


def train_one(recipe: Recipe, member: int, cases: Sequence[CaseSource], question: Question, folder: Path, quiet: bool) -> None:
    """Train one member in this process and leave its times beside its weights."""
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import TrainingProgress, TrainingRun, train_member

    recent: list[float] = []
    begun, cpu = time.perf_counter(), time.process_time()

    def report(progress: TrainingProgress) -> bool:
        recent.append(progress.loss)
        if not quiet and progress.step % 250 == 0:
            mean = float(np.mean(recent[-250:]))
            spent = f"{time.process_time() - cpu:.0f} CPU s, {time.perf_counter() - begun:.0f} s"
            print(f"  {progress.message}, mean loss {mean:.4f}, {spent}", file=sys.stderr, flush=True)
        return True

    training = [TrainingCase(case.name, partial(read_case, case, question)) for case in cases]
    train_member(TrainingRun(recipe, training, [], folder, report), member)
    spent_seconds = {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.perf_counter() - begun, "steps_here": len(recent)}
    (folder / f"time-{member}.json").write_text(json.dumps(spent_seconds))


def train_side_by_side(recipe: Recipe, cases: Sequence[CaseSource], question: Question, folder: Path, quiet: bool) -> list[dict[str, Any]]:
    """Train every member in a process of its own; their times."""
    context = multiprocessing.get_context("spawn")
    waiting = [m for m in range(recipe.members) if not (folder / f"time-{m}.json").exists()]
    children = [context.Process(target=train_one, args=(recipe, m, cases, question, folder, quiet)) for m in waiting]
    for child in children:
        child.start()
    for child in children:
        child.join()
    if any(child.exitcode for child in children):
        raise SystemExit("error: a training process failed; see its message above")
    return [json.loads((folder / f"time-{member}.json").read_text()) for member in range(recipe.members)]


def score_cases(recipe: Recipe, folder: Path, cases: Sequence[CaseSource], question: Question) -> tuple[list[Any], float]:
    """Answers to the held-out cases: Dice per label, or (truth, probabilities); and the mean seconds per case."""
    from medloop.models.foundation.checkpoint import checkpoint_file
    from medloop.models.inference.predict import Predictor

    weights = [checkpoint_file(folder / f"member-{member}").read_bytes() for member in range(recipe.members)]
    predictor = Predictor.load(recipe, weights)
    samples = recipe.members * 2 ** len(recipe.flips)
    scores: list[Any] = []
    begun = time.process_time()
    for case in cases:
        image, truth = read_case(case, question)
        answer = predictor.predict(image, samples=samples, rng=generator(recipe.seed, "predict", case.name))
        if isinstance(truth, Mask):
            guess = answer.probabilities.argmax(axis=0).astype(np.uint8)
            scores.append(dice(guess, truth.array, range(1, question.classes)))
        else:
            scores.append((truth, answer.probabilities.tolist()))
    return scores, (time.process_time() - begun) / len(cases)


def summarise(question: Question, cases: Sequence[CaseSource], scores: list[Any], seed: int) -> dict[str, Any]:
    """The figures of one seed with bootstrap intervals over patients."""
    patients, rng = [case.patient for case in cases], generator(seed, "bootstrap")
    if question.kind == "segmentation":
        per_case = [float(np.mean(list(score.values()))) for score in scores]
        interval = bootstrap_mean(per_case, patients, rng)
        per_label = {name: float(np.mean([score[n + 1] for score in scores])) for n, name in enumerate(question.names)}
        named = {"metric": "mean foreground Dice", "per_label": per_label}
    else:
        truth, probabilities = np.array([t for t, _ in scores]), np.array([p for _, p in scores])
        guess = probabilities.argmax(axis=1)
        per_case = [float(right) for right in guess == truth]
        interval = bootstrap_mean(per_case, patients, rng)
        aucs = [float(roc_auc_score(truth == value, probabilities[:, value])) for value in np.unique(truth)]
        extra = {"balanced_accuracy": float(balanced_accuracy_score(truth, guess)), "macro_auc": float(np.mean(aucs))}
        named = {"metric": "accuracy", "per_label": extra}
    return {
        **named,
        "mean": interval.mean,
        "low": float("nan") if interval.low is None else interval.low,
        "high": float("nan") if interval.high is None else interval.high,
        "worst": min(per_case),
        "per_case": per_case,
    }


def run_seed(dataset: Dataset, question: Question, seed: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train and score one seed."""
    cases = choose_cases([case for case in dataset.cases if case.labelled], options.cases)
    training, held_out = split(cases, seed)
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / "recipe.json"
    if plan.exists():
        recipe = Recipe.from_json(json.loads(plan.read_text()))
    else:
        recipe = plan_recipe(training, question, seed, options)
        plan.write_text(json.dumps(recipe.to_json(), indent=1))
    print(
        f"seed {seed}: {len(training)} training, {len(held_out)} held out, {recipe.steps} steps of {recipe.batch}×{recipe.patch}",
        file=sys.stderr,
    )
    times = train_side_by_side(recipe, training, question, folder, options.quiet)
    scores, seconds = score_cases(recipe, folder, held_out, question)
    figures = summarise(question, held_out, scores, seed)
    return {
        "seed": seed,
        **figures,
        "training_cases": len(training),
        "held_out_cases": len(held_out),
        "held_out": [case.name for case in held_out],
        "cpu_minutes": [t["cpu_seconds"] / 60 for t in times],
        "wall_minutes": [t["wall_seconds"] / 60 for t in times],
        "resumed": any(t["steps_here"] < recipe.steps for t in times),
        "predict_cpu_seconds": seconds,
        "recipe": recipe.to_json(),
    }


def plan_recipe(training: Sequence[CaseSource], question: Question, seed: int, options: argparse.Namespace) -> Recipe:
    """The product's own choice, with the number of steps that fit into the budget."""
    from medloop.models.training.train import plan_steps

    found = fingerprint([shape_of(read_case(case, question)[0]) for case in training[:50]])
    recipe = choose_recipe(
        found,
        kind=question.kind,  # type: ignore[arg-type]
        classes=question.classes,
        minutes=options.minutes * options.members,
        threads=options.threads,
        seed=derive_seed(seed, "full-data"),
        members=options.members,
    )
    recipe = dataclasses.replace(unfolded(recipe) if options.unfolded else recipe, validations=0)
    seconds = cpu_seconds_per_step(dataclasses.replace(recipe, threads=1), training, question) / THREAD_GAIN[options.threads]
    return dataclasses.replace(recipe, steps=plan_steps(recipe, seconds))


def unfolded(recipe: Recipe) -> Recipe:
    """The plain U-Net that a recipe has without folding: a finest level at full resolution with half the channels."""
    if max(recipe.fold) == 1:
        return recipe
    features = (recipe.features[0] // 2, *recipe.features)
    strides, kernels = (recipe.strides[0], recipe.fold, *recipe.strides[1:]), (recipe.kernels[0], *recipe.kernels)
    return dataclasses.replace(recipe, fold=(1, 1, 1), features=features, strides=strides, kernels=kernels)


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    import torch

    name = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    capability = torch.backends.cpu.get_cpu_capability()
    load = os.getloadavg()[0]
    return {
        "processor": name or platform.processor(),
        "cores": os.cpu_count(),
        "simd": capability,
        "torch": torch.__version__,
        "load": load,
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a Decathlon folder, images/ + masks/ folder, or CSV with images")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each has its own split and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--minutes", type=float, default=25.0, help="minutes of each member on idle cores")
    parser.add_argument("--members", type=int, default=1, help="networks of the ensemble, trained side by side")
    parser.add_argument("--threads", type=int, default=2, choices=sorted(THREAD_GAIN), help="threads of each member")
    parser.add_argument("--unfolded", action="store_true", help="a plain U-Net instead of a folded one, for comparison")
    parser.add_argument("--cases", type=int, default=None, help="use only N cases, drawn at random once")
    parser.add_argument("--work", type=Path, help="folder for checkpoints; naming it again resumes")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print the table, write the JSON."""
    options = parse(arguments)
    try:
        dataset = open_dataset(options.data)
        question = question_of(dataset)
        with tempfile.TemporaryDirectory() as temporary:
            work = options.work or Path(temporary)
            results = [
                run_seed(dataset, question, seed, options, work / f"seed-{seed}")
                for seed in range(options.first_seed, options.first_seed + options.seeds)
            ]
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print_table(results)
    if options.json:
        body = {
            "data": str(options.data),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "command": " ".join([Path(sys.argv[0]).name, *(arguments or sys.argv[1:])]),
            "machine": machine(),
            "results": results,
        }
        options.json.write_text(json.dumps(body, indent=1, default=float))
    return 0


def print_table(results: Sequence[Mapping[str, Any]]) -> None:
    """One line per seed, and their mean."""
    print(f"{'seed':>4} {'metric':<22} {'mean':>6}  {'95 % interval':<15} {'worst':>6} {'CPU min':>12} {'wall min':>12}  per label")
    for r in results:
        cpu, wall = ("+".join(f"{minutes:.1f}" for minutes in r[name]) for name in ("cpu_minutes", "wall_minutes"))
        labels = ", ".join(f"{name} {value:.4f}" for name, value in r["per_label"].items())
        interval = f"{r['low']:.4f}–{r['high']:.4f}"
        print(f"{r['seed']:>4} {r['metric']:<22} {r['mean']:.4f}  {interval:<15} {r['worst']:>6.3f} {cpu:>12} {wall:>12}  {labels}")
    if len(results) > 1:
        print(f"mean of {len(results)} seeds: {np.mean([r['mean'] for r in results]):.4f}")


if __name__ == "__main__":
    sys.exit(main())
