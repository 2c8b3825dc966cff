"""A good mask and one correct click: what the click is worth, and how often it makes the mask worse.

One mistake is made in a true mask (`spoiling.py`: a bite, a hole, a missing object or slice, a
false blob or bump, or none at all), one correct click points it out, and the label's Dice before and after is compared. The
classical engine corrects, or with `--network STEPS` the project's interactive network, lean and briefly trained on other cases of
the set: one that is worse than the mask it corrects. Each click is also given through a session of the nnInteractive server.
Settings were chosen on the first 20 cases of each set and phantoms, so `--first 20` measures others.

    python benchmarks/good_mask.py --data ../shared/data --cases 40 --json good_mask.json
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np

from full_data import question_of, read_case, shape_of
from medloop.core.arrays import MaskArray
from medloop.core.image import Image, Mask
from medloop.core.seeds import generator
from medloop.datasets.discover import open_dataset
from medloop.images.phantoms import phantom_2d, phantom_3d
from medloop.interaction.engine import Engine, ImageEmbedding
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.nninteractive.session import Service, Session
from medloop.metrics.intervals import bootstrap_mean
from spoiling import KINDS, WHERE, spoil

FOLDERS = ("hc18_ultrasound", "nuclei_dsb2018", "hippocampus", "acdc_cardiac")
SETS = ("phantom2d", "phantom3d", *FOLDERS)
FALLS = 1e-9
TRAINED = 12
"""Cases a network learns from: never those it is tested on."""


def main() -> None:
    """Measure and print one row per set, engine and kind of mistake."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of the data sets; without it phantoms only")
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--first", type=int, default=20, help="the first case that is tested; those before were used for tuning")
    parser.add_argument("--network", type=int, default=0, metavar="STEPS", help="correct with a network trained for so many steps per set")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.sets:
        if name in FOLDERS and options.data is None:
            continue
        engine = trained(name, options) if options.network else ClassicalEngine()
        rows += summary(name, engine.name, list(trials(name, engine, options)))
        print(*(f"{key} {value}" for row in rows[-len(KINDS) - 1 :] for key, value in [*row.items(), ("", "\n")]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"command": sys.argv, "rows": rows}, indent=2) + "\n", encoding="utf-8")


def trained(name: str, options: argparse.Namespace) -> Engine:
    """The set's own interactive network, with half the channels of the recipe for three minutes."""
    from medloop.interaction.interactive_network.network import NetworkEngine
    from medloop.interaction.interactive_network.rehearsal import Rehearsal
    from medloop.models.foundation.recipes import choose_recipe, fingerprint
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.train import train

    pairs = list(cases_of(name, options.data, options.first + options.cases, TRAINED))
    found = fingerprint([shape_of(image) for image, _ in pairs])
    classes = 1 + int(max(mask.max() for _, mask in pairs))
    recipe = choose_recipe(found, kind="segmentation", classes=classes, minutes=3, threads=1, seed=0)
    lean = tuple(max(8, n // 2) for n in recipe.features)
    recipe = dataclasses.replace(recipe, guided=True, steps=options.network, features=lean, batch=min(recipe.batch, 4))
    cases = [TrainingCase(f"{name}{n}", lambda p=p: (p[0], Mask(p[1], p[0].grid))) for n, p in enumerate(pairs)]
    with tempfile.TemporaryDirectory() as scratch:
        made = train(recipe, cases, [], Path(scratch), report=lambda _progress: True, guide=Rehearsal(rounds=2))
        return NetworkEngine.load(recipe, [file.read_bytes() for file in made.weights])


def cases_of(name: str, data: Path | None, start: int, count: int) -> Iterator[tuple[Image, MaskArray]]:
    """Images of a set with their true masks, `count` from `start` on, in an order that is always the same."""
    if data is None or name not in FOLDERS:
        for n in range(start, start + count):
            made = phantom_3d(n, 5, (48, 48, 32)) if name == "phantom3d" else phantom_2d(n, 5, (256, 256))
            yield made.image, made.mask.array
        return
    dataset = open_dataset(data / name)
    question = question_of(dataset)
    order = generator(0, "good mask", name).permutation(len(dataset.cases))
    for n in order[start : start + count]:
        image, mask = read_case(dataset.cases[int(n)], question)
        assert isinstance(mask, Mask)
        yield image, mask.array


def trials(name: str, engine: Engine, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every kind of mistake in every case, clicked in its middle, anywhere and at its edge."""
    for case, (image, truth) in enumerate(cases_of(name, options.data, options.first, options.cases), options.first):
        if not truth.any():
            continue
        labels, embedding = labels_of(engine, truth), engine.embed(image)
        alone = automatic(engine, embedding, truth, labels)
        for kind in KINDS:
            where = WHERE[(case + len(kind)) % 3]
            made = spoil(truth, image.grid, kind, generator(case, "mistake", name, kind), where=where)
            if made is None:
                continue
            began = time.process_time()
            after = engine.refine(embedding, [made.click], labels=labels, previous=made.mask).mask
            seconds = time.process_time() - began
            before, then = (dice(m, truth, made.click.label) for m in (made.mask, after))
            through = over_the_wire(engine, image, made.mask, made.click, labels)
            yield {
                "kind": kind,
                "where": where,
                "case": case,
                "before": before,
                "after": then,
                "wire": dice(through, truth, made.click.label),
                "others": int(((after != made.mask) & (after != truth)).sum()),
                "seconds": seconds,
                "alone": alone,
            }


def labels_of(engine: Engine, truth: MaskArray) -> tuple[int, ...]:
    """Those that an engine knows."""
    recipe = getattr(engine, "recipe", None)
    return tuple(range(1, recipe.classes)) if recipe else tuple(int(v) for v in np.unique(truth[truth > 0]))


def automatic(engine: Engine, embedding: ImageEmbedding, truth: MaskArray, labels: Sequence[int]) -> float:
    """Mean Dice of what the engine proposes without a click."""
    if not hasattr(engine, "recipe"):
        return 0.0
    found = engine.refine(embedding, (), labels=labels).mask
    return float(np.mean([dice(found, truth, label) for label in labels if (truth == label).any()]))


def over_the_wire(engine: Engine, image: Image, mask: MaskArray, click: Any, labels: Sequence[int]) -> MaskArray:
    """The same click as a front end of nnInteractive gives it: one structure at a time."""
    from medloop.interaction.nninteractive.sent_prompts import AxisOrder

    session = Session(Service(engine, labels=labels, label=click.label, order=AxisOrder(slowest_first=False)))
    session.set_image(image.array, image.grid.spacing_mm)
    session.set_target(image.grid.shape, np.dtype("uint8"))
    session.start_from(mask == click.label, run=False)
    shown = (mask == click.label).astype(np.uint8)
    difference = session.add([click], run=True)
    if difference.bounds is not None:
        shown[tuple(slice(a, b) for a, b in difference.bounds)] = difference.values
    return shown * np.uint8(click.label)


def dice(mask: MaskArray, truth: MaskArray, label: int) -> float:
    """Of one label."""
    found, wanted = mask == label, truth == label
    return 2 * int((found & wanted).sum()) / max(1, int(found.sum() + wanted.sum()))


def summary(name: str, title: str, made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means with 95 % intervals over cases, and how many fell."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trial in made:
        kinds[trial["kind"]].append(trial)
        kinds["all"].append(trial)
    rows = []
    for kind, some in kinds.items():
        change = [t["after"] - t["before"] for t in some]
        gain = bootstrap_mean(change, [t["case"] for t in some], generator(0, "interval")) if len(change) > 1 else None
        rows.append(
            {
                "set": name,
                "engine": title,
                "mistake": kind,
                "n": len(some),
                "automatic": round(float(np.mean([t["alone"] for t in some])), 4),
                "before": round(float(np.mean([t["before"] for t in some])), 4),
                "after": round(float(np.mean([t["after"] for t in some])), 4),
                "change": f"{np.mean(change):+.4f}" + (f" ({gain.low:+.4f} to {gain.high:+.4f})" if gain and gain.low is not None else ""),
                "fell": f"{sum(c < -FALLS for c in change)}/{len(some)}",
                "fell_over_wire": f"{sum(t['wire'] - t['before'] < -FALLS for t in some)}/{len(some)}",
                "worst": round(min(change), 4),
                "cpu_ms": round(1000 * float(np.median([t["seconds"] for t in some])), 1),
            }
        )
    return rows


if __name__ == "__main__":
    main()
