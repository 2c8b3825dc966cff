"""Whether a project should train its interactive network by default: what that costs without prompts, and what it brings with them.

Two networks learn from the same cases for the same CPU minutes with the product's own recipe: the plain one, whose project answers
prompts with the classical engine, and the interactive one, which answers them itself. Both propose masks of the same unseen cases; a
simulated user then clicks the deepest voxel of the largest error, up to five times, through the guard that every prompt passes. The
default is worth changing when the Dice without prompts stays within 0.005. A step is timed in CPU seconds, both networks in turn, so
that what else runs on the machine touches both alike.

    python benchmarks/interactive_default.py --data ../shared/data/hippocampus ../shared/data/hc18_ultrasound --seeds 3 --out pairs.jsonl

Every pair is one line of `--out`, written when it ends; the same command goes on from there.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from clicks import draw, split
from full_data import Question, machine, question_of, read_case, shape_of
from medloop.core.errors import MedloopError
from medloop.core.image import Mask
from medloop.core.records import ProjectSettings
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource
from medloop.datasets.discover import open_dataset
from medloop.interaction.engine import Engine
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.prompts import Prompt, still_meant
from medloop.interaction.simulated_users.robots import Scene, test_robot
from medloop.metrics.mixed import mixed_mean
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe, choose_recipe, fingerprint

NETWORKS = ("plain", "interactive")
CLICKS = 5
SHOWN = (0, 1, 3, 5)
TIMED = 20
"""Steps timed of each network: those of an interactive one differ, as its users need one to four rounds."""
MARGIN = 0.005


def planned(cases: Sequence[CaseSource], question: Question, seed: int, options: argparse.Namespace) -> dict[str, Recipe]:
    """The product's recipe of each network, with the steps that fit into the same CPU minutes."""
    from medloop.models.training.train import plan_steps

    found = fingerprint([shape_of(read_case(case, question)[0]) for case in cases])
    recipe = choose_recipe(
        found, kind="segmentation", classes=question.classes, minutes=options.minutes, threads=1, seed=derive_seed(seed, "pair")
    )
    recipe = dataclasses.replace(recipe, validations=0, steps=options.steps)
    recipes = {name: dataclasses.replace(recipe, guided=name == "interactive") for name in NETWORKS}
    if options.steps:
        return recipes
    seconds = seconds_per_step(recipes, cases, question)
    return {name: dataclasses.replace(recipe, steps=plan_steps(recipe, seconds[name])) for name, recipe in recipes.items()}


def seconds_per_step(recipes: dict[str, Recipe], cases: Sequence[CaseSource], question: Question) -> dict[str, float]:
    """Mean CPU seconds of a training step of each network, measured in turn."""
    from medloop.models.foundation.compute import limited_threads
    from medloop.models.training.batches import TrainingCase, draw_batch, prepare_cases
    from medloop.models.training.state import start
    from medloop.models.training.train import take_step

    some = [TrainingCase(case.name, partial(read_case, case, question)) for case in cases[:8]]
    spent: dict[str, list[float]] = {name: [] for name in recipes}
    with tempfile.TemporaryDirectory() as folder, limited_threads(1):
        ready = {name: prepare_cases(recipe, some, Path(folder) / name) for name, recipe in recipes.items()}
        states = {name: start(recipe, 0) for name, recipe in recipes.items()}
        for step in range(TIMED + 2):
            for name, recipe in recipes.items():
                states[name].steps = TIMED + 2
                begun = time.process_time()
                take_step(recipe, 0, states[name], *draw_batch(recipe, ready[name], member=0, step=step), guide=guide_of(recipe))
                spent[name].append(time.process_time() - begun)
    return {name: float(np.mean(seconds[2:])) for name, seconds in spent.items()}


def guide_of(recipe: Recipe) -> Any:
    """Who plays the user in training, as a project chooses."""
    from medloop.interaction.interactive_network.rehearsal import Rehearsal

    return Rehearsal() if recipe.guided else None


def run_network(
    recipe: Recipe, cases: Sequence[CaseSource], tested: Sequence[CaseSource], question: Question, samples: int
) -> dict[str, Any]:
    """Train, propose masks of the tested cases and have them corrected: Dice of each after 0 to 5 clicks."""
    from medloop.interaction.interactive_network.network import NetworkEngine
    from medloop.models.inference.predict import Predictor
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import train

    training = [TrainingCase(case.name, partial(read_case, case, question)) for case in cases]
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        made = train(recipe, training, [], Path(folder), report=lambda _progress: True, guide=guide_of(recipe))
        minutes, weights = (time.process_time() - begun) / 60, [file.read_bytes() for file in made.weights]
    predictor = Predictor.load(recipe, weights)
    engine: Engine = NetworkEngine.load(recipe, weights) if recipe.guided else ClassicalEngine()
    begun = time.process_time()
    curves = [correct(predictor, engine, case, question, recipe.seed, samples) for case in tested]
    seconds = (time.process_time() - begun) / len(tested)
    return {"steps": recipe.steps, "cpu_minutes": minutes, "cpu_seconds_per_case": seconds, "dice": curves, "recipe": recipe.to_json()}


def correct(predictor: Any, engine: Engine, case: CaseSource, question: Question, seed: int, samples: int) -> list[float]:
    """Mean foreground Dice of the proposal, and after each click."""
    image, truth = read_case(case, question)
    assert isinstance(truth, Mask)
    labels = tuple(range(1, question.classes))
    answer = predictor.predict(image, samples=samples, rng=generator(seed, "predict", case.name))
    mask, given = answer.probabilities.argmax(axis=0).astype(np.uint8), list[Prompt]()
    embedding, robot = engine.embed(image), test_robot("centre")
    curve = [float(np.mean(list(dice(mask, truth.array, labels).values())))]
    for number in range(CLICKS):
        prompt = robot.act(Scene(truth.array, mask, tuple(given)), generator(seed, "click", case.name, number))
        if prompt is not None:
            mask = refine_guarded(engine, embedding, mask, still_meant(given, mask), [prompt], Guard(labels)).mask
            given.append(prompt)
        curve.append(float(np.mean(list(dice(mask, truth.array, labels).values()))))
    return curve


def run_pair(data: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Both networks of one seed, on the same training and test cases."""
    dataset = open_dataset(data)
    question = question_of(dataset)
    if question.kind != "segmentation":
        raise SystemExit(f"error: {data.name} has classes, interactive networks draw masks")
    pool, tested = split([case for case in dataset.cases if case.labelled], options.test_cases)
    cases = draw(pool, seed)[: options.cases]
    pair: dict[str, Any] = {**settings_of(options), "data": data.name, "seed": seed, "patients": [case.patient for case in tested]}
    for name, recipe in planned(cases, question, seed, options).items():
        pair[name] = run_network(recipe, cases, tested, question, options.samples)
        mean = np.mean([curve[0] for curve in pair[name]["dice"]])
        print(f"{data.name} seed {seed}, {name}: {recipe.steps} steps, Dice {mean:.4f}", file=sys.stderr, flush=True)
    return {**pair, "machine": machine()}


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """What pairs must have in common to be put together."""
    return {name: getattr(options, name) for name in ("minutes", "steps", "cases", "test_cases", "samples")}


def read_pairs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The pairs of these settings that were measured before."""
    lines = options.out.read_text().splitlines() if options.out and options.out.exists() else []
    return [pair for pair in map(json.loads, lines) if settings_of(options).items() <= pair.items()]


def differences(pairs: Sequence[dict[str, Any]], clicks: int) -> np.ndarray:
    """Interactive less plain Dice after so many clicks, shape (seeds, patients)."""
    patients = list(dict.fromkeys(pairs[0]["patients"]))
    rows = []
    for pair in pairs:
        each = np.array([b[clicks] - a[clicks] for a, b in zip(pair["plain"]["dice"], pair["interactive"]["dice"], strict=True)])
        rows.append([each[[p == patient for p in pair["patients"]]].mean() for patient in patients])
    return np.array(rows)


def print_table(pairs: Sequence[dict[str, Any]]) -> None:
    """Per set: what each network took and reached, and the difference after 0, 1, 3 and 5 clicks with its interval."""
    for name in dict.fromkeys(pair["data"] for pair in pairs):
        some = [pair for pair in pairs if pair["data"] == name]
        print(f"{name}, {len(some)} seeds, {len(set(some[0]['patients']))} patients")
        for network in NETWORKS:
            of = [pair[network] for pair in some]
            after = " / ".join(f"{np.mean([curve[n] for one in of for curve in one['dice']]):.4f}" for n in SHOWN)
            took = f"{np.mean([one['steps'] for one in of]):.0f} steps, {np.mean([one['cpu_minutes'] for one in of]):.2f} CPU minutes"
            print(f"  {network:11s} {took}, Dice after {' / '.join(map(str, SHOWN))} clicks {after}")
        for clicks in SHOWN:
            found = mixed_mean(differences(some, clicks)).interval
            bounds = f"({found.low:+.4f} to {found.high:+.4f})" if found.low is not None and found.high is not None else f"({found.note})"
            within = f", within {MARGIN}: {'yes' if found.mean >= -MARGIN else 'no'}" if clicks == 0 else ""
            print(f"  interactive less plain after {clicks} clicks {found.mean:+.4f} {bounds}{within}")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="Decathlon folders, images/ + masks/ folders, or CSVs")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds: each has its own training cases and weights")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--minutes", type=float, default=2.0, help="CPU minutes of each training")
    parser.add_argument("--steps", type=int, default=0, help="steps of each training instead of minutes")
    parser.add_argument("--cases", type=int, default=24, help="cases to learn from")
    parser.add_argument("--test-cases", type=int, default=30, help="cases to test on, the same for every seed")
    parser.add_argument("--samples", type=int, default=ProjectSettings().samples, help="samples per proposal")
    parser.add_argument("--out", type=Path, help="a line of JSON per pair; pairs that it holds already are not measured again")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, one seed of every set after the other, and print the table."""
    options = parse(arguments)
    pairs = read_pairs(options)
    known = {(pair["data"], pair["seed"]) for pair in pairs}
    try:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for data in (data for data in options.data if (data.name, seed) not in known):
                pairs.append(run_pair(data, seed, options))
                if options.out:
                    with options.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(pairs[-1]) + "\n")
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print_table(pairs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
