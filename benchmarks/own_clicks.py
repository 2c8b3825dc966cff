"""Does a project teach its own clicks? Cases are annotated one after another from no label at all, with trainings between.

On each case a simulated user (`robots.CentreClicker`) clicks until the mask reaches a Dice of 0.90, under the product's guard
(`medloop.interaction.guarded`). Before the first training the classical engine answers, then the project's interactive network, which
shows its proposal first and is trained on every `--every` cases more, going on from its last weights. Beside it the network as it was
after `--frozen` cases (8) is given the same cases and clicks by the same rule. A case that is not reached within `--most` clicks counts
as `--most`. What the trainings learn from is the clicked mask with what is noticeable corrected by hand (`outlining.noticeable_errors`), or
with `--finish clicked` as it is. All labels count as one, as in `clicks.py`.

    python benchmarks/own_clicks.py --data ../shared/data/hippocampus --seeds 1 --cases 48 --json own_clicks.json
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from clicks import read_binary
from full_data import Question, machine, question_of, shape_of
from medloop.core.errors import MedloopError
from medloop.core.image import Image, Mask
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource
from medloop.datasets.discover import open_dataset
from medloop.interaction.engine import Engine
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.prompts import Prompt
from medloop.interaction.simulated_users.outlining import noticeable_errors
from medloop.interaction.simulated_users.robots import Scene, test_robot
from medloop.metrics.intervals import bootstrap_mean, mean_over_runs
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe, choose_recipe, fingerprint

LABELS, WANTED = (1,), 0.90


@dataclasses.dataclass(frozen=True, eq=False)
class Clicked:
    """A case after its clicks: how many, whether the wanted Dice was reached, the Dice of the proposal, and the mask."""

    clicks: int
    reached: bool
    proposed: float
    mask: Any


def click_until(engine: Engine, image: Image, truth: Any, most: int, rng: np.random.Generator) -> Clicked:
    """Click until the mask is good enough, `most` times at most."""
    embedding, robot = engine.embed(image), test_robot("centre")
    first = np.zeros_like(truth) if isinstance(engine, ClassicalEngine) else engine.refine(embedding, (), labels=LABELS).mask
    mask, given = first, tuple[Prompt, ...]()
    proposed = now = dice(mask, truth, LABELS)[1]
    while now < WANTED and len(given) < most:
        prompt = robot.act(Scene(truth, mask, given), rng)
        if prompt is None:
            break
        mask = refine_guarded(engine, embedding, mask, given, (prompt,), Guard(labels=LABELS)).mask
        given, now = (*given, prompt), dice(mask, truth, LABELS)[1]
    return Clicked(len(given) if now >= WANTED else most, now >= WANTED, proposed, mask)


class Learner:
    """The project's network: trained on what is there, going on from its last weights.

    Args:
        options: The command line.
        seed: Root of all chance.
        folder: For checkpoints.
    """

    def __init__(self, options: argparse.Namespace, seed: int, folder: Path) -> None:
        self._options, self._seed, self._folder, self._weights = options, seed, folder, b""
        self._recipe: Recipe | None = None

    def train(self, known: Mapping[str, tuple[Image, Any]]) -> Engine:
        """An engine that has learned from these images and masks."""
        from medloop.interaction.interactive_network.network import NetworkEngine
        from medloop.interaction.interactive_network.rehearsal import Rehearsal
        from medloop.models.training.batches import TrainingCase
        from medloop.models.training.train import train

        recipe = self._recipe or self._choose([shape_of(image) for image, _ in known.values()])
        steps = self._options.steps if self._weights else self._options.first_steps
        recipe = dataclasses.replace(recipe, steps=steps, seed=derive_seed(self._seed, "own clicks", len(known)))

        def case_of(name: str) -> TrainingCase:
            image, mask = known[name]
            return TrainingCase(name, lambda: (image, Mask(mask, image.grid)))

        guide = Rehearsal(spacing_mm=recipe.spacing_mm or next(iter(known.values()))[0].grid.spacing_mm)
        initial = [self._weights] if self._weights else []
        folder = self._folder / f"cases-{len(known)}"
        trained = train(recipe, [case_of(name) for name in known], [], folder, report=lambda _: True, initial=initial, guide=guide)
        self._recipe, self._weights = recipe, trained.weights[0].read_bytes()
        return NetworkEngine.load(recipe, [self._weights])

    def _choose(self, shapes: Sequence[Any]) -> Recipe:
        recipe = choose_recipe(fingerprint(shapes), kind="segmentation", classes=2, minutes=8.0, threads=1, seed=self._seed)
        narrow = tuple(max(8, round(width * self._options.width)) for width in recipe.features)
        return dataclasses.replace(recipe, features=narrow, validations=0, guided=True)


def run_seed(cases: Sequence[CaseSource], question: Question, seed: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All cases of one seed, in its order."""
    order = generator(seed, "order").permutation(len(cases))[: options.cases]
    learner, frozen = Learner(options, seed, folder), None
    known: dict[str, tuple[Image, Any]] = {}
    engine: Engine = ClassicalEngine()
    rows: list[dict[str, Any]] = []
    for number, index in enumerate(order):
        case, begun = cases[index], time.process_time()
        image, truth = read_binary(case, question)
        own = click_until(engine, image, truth.array, options.most, generator(seed, "clicks", case.name))
        old = own if frozen is None else click_until(frozen, image, truth.array, options.most, generator(seed, "clicks", case.name))
        wrong = noticeable_errors(own.mask, truth.array, image.grid.paging_axis)
        known[case.name] = image, np.where(wrong, truth.array, own.mask) if options.finish == "corrected" else own.mask
        rows.append(
            {
                "case": case.name,
                "patient": case.patient,
                "clicks": own.clicks,
                "frozen": old.clicks,
                "reached": own.reached,
                "frozen_reached": old.reached,
                "proposed": own.proposed,
                "frozen_proposed": old.proposed,
            }
        )
        if len(known) % options.every == 0 and len(known) < len(order):
            engine = learner.train(known)
            frozen = engine if len(known) == options.frozen else frozen
        spent = time.process_time() - begun
        told = f"seed {seed} case {number + 1}: {own.clicks} clicks, frozen {old.clicks}; proposals {own.proposed:.3f}, {old.proposed:.3f}"
        print(f"{told} ({spent:.0f} CPU s)", file=sys.stderr, flush=True)
        write(options, [{"seed": seed, "rows": rows, "unfinished": len(rows) < len(order)}])
    return {"seed": seed, "rows": rows, "unfinished": False}


def summarise(result: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Clicks in all and after the frozen engine's last case, and how many late cases need at most one."""
    rows = result["rows"]
    after, late = rows[options.frozen :], rows[20:]
    few = [float(row["clicks"] <= 1) for row in late]
    found = bootstrap_mean(few, [row["patient"] for row in late], generator(result["seed"], "bootstrap")) if late else None
    return {
        "cases": len(rows),
        "share_all": _share(rows),
        "share_after": _share(after),
        "at_most_one": float(np.mean(few)) if few else None,
        "at_most_one_interval": [found.low, found.high] if found else None,
        "frozen_at_most_one": float(np.mean([row["frozen"] <= 1 for row in late])) if late else None,
    }


def _share(rows: Sequence[dict[str, Any]]) -> float | None:
    frozen = sum(row["frozen"] for row in rows)
    return sum(row["clicks"] for row in rows) / frozen if frozen else None


def print_table(results: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    """One line per seed, and the mean over seeds."""
    print(
        "| seed | cases | clicks, of those of the frozen engine | the same after its last case | at most one click after case 20 (frozen) |"
    )
    print("| --- | --- | --- | --- | --- |")
    summaries = [summarise(result, options) for result in results]
    for result, found in zip(results, summaries, strict=True):
        late = "–" if found["at_most_one"] is None else f"{found['at_most_one']:.0%} ({found['frozen_at_most_one']:.0%})"
        shares = " | ".join("–" if found[name] is None else f"{found[name]:.0%}" for name in ("share_all", "share_after"))
        print(f"| {result['seed']} | {found['cases']} | {shares} | {late} |")
    if shares_known := [found["share_all"] for found in summaries if found["share_all"] is not None]:
        mean = mean_over_runs(shares_known)
        ends = "no interval: too few seeds" if mean.low is None or mean.high is None else f"{mean.low:.0%} to {mean.high:.0%}"
        print(f"clicks of the frozen engine's: {mean.mean:.0%} ({ends})")


def write(options: argparse.Namespace, results: Sequence[dict[str, Any]]) -> None:
    """What is known so far, so that an interrupted run keeps it."""
    if options.json:
        settings = {name: str(value) for name, value in vars(options).items()}
        options.json.write_text(json.dumps({"options": settings, "machine": machine(), "results": results}, indent=1))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a Decathlon folder, images/ + masks/ folder, or CSV with images")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each has its own order and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--cases", type=int, default=200, help="how many cases are annotated")
    parser.add_argument("--every", type=int, default=4, help="a training after every so many cases")
    parser.add_argument("--frozen", type=int, default=8, help="cases of the frozen engine; a multiple of --every")
    parser.add_argument("--most", type=int, default=10, help="clicks per case at most")
    parser.add_argument("--finish", choices=("corrected", "clicked"), default="corrected", help="what trainings learn from")
    parser.add_argument("--first-steps", type=int, default=200, help="training steps of the first training")
    parser.add_argument("--steps", type=int, default=80, help="training steps of each later one")
    parser.add_argument("--width", type=float, default=0.5, help="width of the network, of the product's own choice")
    options = parser.parse_args(arguments)
    if options.frozen % options.every:
        parser.error(f"--frozen must be a multiple of --every, got {options.frozen} and {options.every}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print the table, write the JSON."""
    options = parse(arguments)
    try:
        dataset = open_dataset(options.data)
        question = question_of(dataset)
        cases = [case for case in dataset.cases if case.labelled]
        results = []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                results.append(run_seed(cases, question, seed, options, Path(folder)))
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print_table(results, options)
    write(options, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
