"""What three sites reach together without sharing an image, beside pooled training and each site alone; and what choosing cases brings.

The cases are split over three sites by patient, a quarter of the patients is held out for the test, always the same ones. Sites are
projects, and `medloop.loop.learning.federated.Site` learns as it does in `medloop federate join`; here all are in one process, without
Flower between them. Runs, each a line of the `--json` file; one that is there is not run again:

    pooled        one project with the cases of all sites, as many steps as all sites take together
    federated     --rounds rounds of --steps steps at each site, averaged by cases
    fedprox       the same, each site held near the common weights
    local-norm    the same, normalisation layers each site's own; tested with each site's, and the mean taken
    alone         each site by itself with the steps of its rounds; the mean over the sites
    chosen, random   federated with --start cases a site, then as many again: by each site's own query with the common model, or at random;
                  then a second federation on both together. Equal budgets.

The goal: federated within 2 % of the Dice of pooled training.

    python benchmarks/federated.py --data ../shared/data --seeds 3 --json federated.jsonl --work /tmp/federated
"""

import argparse
import dataclasses
import itertools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop import Project
from medloop.core.records import Model, ProjectSettings, Source
from medloop.core.seeds import generator
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.learning.federated import Site, plan_of
from medloop.metrics.intervals import bootstrap_mean, paired_difference
from medloop.metrics.overlap import dice
from medloop.models.exchange.federation import Rounds, terms_of
from medloop.models.exchange.flower_side.updates import decode_arrays, encode_arrays, weighted_mean
from medloop.models.foundation.federated_weights import first_weights
from semi_supervised import Item, read_set

SITES = ("north", "south", "west")
RUNS = ("pooled", "federated", "chosen", "random", "alone", "fedprox", "local-norm")
PAIRS = (("federated", "pooled"), ("alone", "pooled"), ("fedprox", "federated"), ("local-norm", "federated"), ("chosen", "random"))
SAME = ("set", "cases", "start", "rounds", "steps", "tested")
"""Options that two lines must share to stand in one table."""
HELD_OUT = 0.25
GOAL = 0.02


def split(items: Sequence[Item], count: int, seed: int, most_tested: int) -> tuple[dict[str, list[Item]], list[Item]]:
    """So many cases for each site, drawn by seed, and the test cases."""
    patients = sorted({item.patient for item in items})
    held_out = {str(p) for p in generator(0, "test").permutation(patients)[: round(HELD_OUT * len(patients))]}
    order = [str(p) for p in generator(seed, "sites").permutation([p for p in patients if p not in held_out])]
    of = {name: set(order[n * count : (n + 1) * count]) for n, name in enumerate(SITES)}
    tested = [item for item in items if item.patient in held_out][:most_tested]
    return {name: [item for item in items if item.patient in found] for name, found in of.items()}, tested


def make(folder: Path, name: str, items: Sequence[Item], labels: Sequence[str], annotated: int, seed: int) -> Project:
    """A project with these cases, the first of them annotated."""
    settings = ProjectSettings(seed=seed, audit_fraction=0.0, train_minutes=2.0, samples=4, strategy="foreground")
    project = Project.create(folder / name, kind="segmentation", labels=list(labels), name=name, settings=settings)
    truth = annotator_named(project.workspace, "truth", program=True)
    for n, item in enumerate(items):
        image, mask = item.load()
        case = NewCase(
            name=item.name, patient=item.patient, split="train", source=Source(format="bench", names=(item.name,), sha256=item.name)
        )
        add_case(project.workspace, image, case, Incoming(mask, truth) if n < annotated else None)
    return project


def federate(projects: Sequence[Project], how: Rounds) -> list[bytes]:
    """The weights of each project after all rounds."""
    plan = plan_of(projects[0].workspace)
    terms = json.loads(json.dumps(terms_of(plan, how)))
    common, told = first_weights(plan.recipe, how.seed, terms["shared"]), []
    sites = [Site(one.workspace, one.workspace.project.name, lambda _: None) for one in projects]
    for number in range(1, how.rounds + 1):
        answers = [site.learn({**terms, "round": number}, common) for site in sites]
        cases = [float(facts["cases"]) for facts, _ in answers]
        common = encode_arrays(weighted_mean([decode_arrays(weights) for _, weights in answers], cases))
        told.append({"round": number, "sites": [dict(facts) for facts, _ in answers], "left_out": {}})
    found = []
    for site in sites:
        site.keep({**terms, "rounds_told": told}, common)
        with site.workspace.store.read() as tx:
            model = tx.find(Model, order=("index",))[-1]
        found.append(site.workspace.store.blobs.get(model.weights[0]))
    return found


def scores(project: Project, weights: Sequence[bytes], tested: Sequence[Item], labels: int) -> dict[str, float]:
    """Test patient → mean Dice of the labels, averaged over the networks."""
    from medloop.models.inference.predict import Predictor

    recipe = plan_of(project.workspace).recipe
    found: dict[str, list[float]] = {}
    for one in weights:
        predictor = Predictor.load(recipe, [one])
        for item in tested:
            image, mask = item.load()
            guess = predictor.predict(image, samples=1, rng=generator(0, "test")).probabilities.argmax(axis=0)
            values = dice(guess, mask.array, range(1, labels + 1))
            found.setdefault(item.patient, []).append(float(np.mean(list(values.values()))))
    return {patient: float(np.mean(values)) for patient, values in found.items()}


def annotate(project: Project, items: Sequence[Item], count: int, *, chosen: bool, seed: int) -> list[str]:
    """Annotate so many more cases: those that the project queries, or random ones; their names."""
    known = {item.name: item for item in items}
    with project.workspace.store.read() as tx:
        left = [case.name for case in tx.unlabelled_cases(["train"])]
    if chosen:
        project.work()
        query = project.query(strategy="foreground", count=count)
        with project.workspace.store.read() as tx:
            cases = {case.id: case.name for case in tx.unlabelled_cases(["train"], exclude_open=False)}
        names = [cases[choice.case_id] for choice in query.choices] if query else []
    else:
        names = [str(name) for name in generator(seed, "random", project.workspace.project.name).permutation(sorted(left))[:count]]
    for name in names:
        project.submit(project.open_case(name), known[name].load()[1].array)
    return names


def same(options: argparse.Namespace) -> dict[str, str]:
    """What a line must share with another to stand in the same table."""
    return {key: str(getattr(options, key)) for key in SAME}


def run(name: str, seed: int, options: argparse.Namespace, items: Sequence[Item], classes: int) -> dict[str, Any]:
    """One run: scores of the test patients."""
    labels, begun = [f"label{n}" for n in range(1, classes)], time.monotonic()
    by_site, tested = split(items, options.cases, seed, options.tested)
    folder = options.work / f"{name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped
    how = Rounds(rounds=options.rounds, steps=options.steps, min_sites=1, seed=seed)
    every = options.rounds * options.steps
    if name == "pooled":
        together = [item for found in by_site.values() for item in found]
        projects = [make(folder, "pooled", together, labels, len(together), seed)]
        weights = federate(projects, dataclasses.replace(how, rounds=1, steps=every * len(SITES)))
    elif name == "alone":
        projects = [make(folder, one, found, labels, len(found), seed) for one, found in by_site.items()]
        weights = [federate([one], dataclasses.replace(how, rounds=1, steps=every))[0] for one in projects]
    elif name in ("chosen", "random"):
        projects = [make(folder, one, found, labels, options.start, seed) for one, found in by_site.items()]
        federate(projects, how)
        for one in projects:
            annotate(one, by_site[one.workspace.project.name], options.start, chosen=name == "chosen", seed=seed)
        weights = federate(projects, dataclasses.replace(how, seed=seed + 1))[:1]
    else:
        more: dict[str, Any] = {"fedprox": {"strategy": "fedprox"}, "local-norm": {"local_norm": True}}.get(name, {})
        projects = [make(folder, one, found, labels, len(found), seed) for one, found in by_site.items()]
        weights = federate(projects, dataclasses.replace(how, **more))
        weights = weights if name == "local-norm" else weights[:1]
    found = scores(projects[0], weights, tested, len(labels))
    for one in projects:
        one.close()
    return {"run": name, "seed": seed, "scores": found, "seconds": round(time.monotonic() - begun, 1), "options": same(options)}


def table(lines: Sequence[dict[str, Any]], say: Callable[[str], None]) -> None:
    """The means, and what each is beside pooled training and beside random cases."""
    rng = generator(0, "table")
    by_run: dict[str, dict[tuple[int, str], float]] = {}
    for line in lines:
        by_run.setdefault(line["run"], {}).update({(line["seed"], patient): value for patient, value in line["scores"].items()})
    for name in [one for one in RUNS if one in by_run]:
        own = by_run[name]
        mean = bootstrap_mean(list(own.values()), [patient for _, patient in own], rng)
        say(f"{name:<12} Dice {mean.mean:.3f} ({mean.low} to {mean.high}), {len({seed for seed, _ in own})} seeds")
    for name, beside in PAIRS:
        both = sorted(set(by_run.get(name, {})) & set(by_run.get(beside, {})))
        if both:
            first, second = ([by_run[one][key] for key in both] for one in (name, beside))
            found = paired_difference(first, second, [patient for _, patient in both], rng)
            share = found.mean / float(np.mean(second))
            say(f"{name} - {beside}: {found.mean:+.3f} ({found.low} to {found.high}), {share:+.1%} of {beside}")
            if (name, beside) == ("federated", "pooled"):
                say(f"within {GOAL:.0%} of pooled: {'yes' if share >= -GOAL else 'no'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="hippocampus")
    parser.add_argument("--runs", default=",".join(RUNS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=12, help="of each site")
    parser.add_argument("--start", type=int, default=4, help="annotated cases of each site before it chooses")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--tested", type=int, default=20)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    items, classes = read_set(options.set, options.data)
    every = [json.loads(line) for line in options.json.read_text().splitlines()] if options.json.exists() else []
    lines = [line for line in every if line["options"] == same(options)]
    done = {(line["run"], line["seed"]) for line in lines}
    pairs = [options.runs.split(",")[n : n + 2] for n in range(0, len(options.runs.split(",")), 2)]
    for pair in pairs:  # what is compared with each other comes together, the first pair of all seeds before the next
        for seed, name in itertools.product(range(options.seeds), pair):
            if (name, seed) not in done:
                lines.append(run(name, seed, options, items, classes))
                with options.json.open("a") as file:
                    file.write(f"{json.dumps(lines[-1])}\n")
    table(lines, lambda text: print(text, flush=True))


if __name__ == "__main__":
    sys.exit(main())
