"""How few clicks finish a mask: Dice after 0, 1, 3, 5 and 10 clicks of a simulated user, by the project's own interactive network.

The whole foreground is one structure. Test cases are drawn once and never trained or tuned on; training cases are drawn by seed from the
others. The user clicks by the rule of the CVPR 2025 challenge (deepest voxel of the largest 26-connected error), at random in the error
(P ∝ depth²), or by that rule with a shaking hand and one wrong sign in twenty; the network rehearsed with none of them. Training is
measured in CPU minutes: the steps that fit are planned from a timed start. The same robots are answered by the classical engine, which
learns nothing beforehand, and by peers: the random walker of scikit-image, with the border of the image as background, and, with
`--deepedit`, MONAI's DeepEdit trained on the same cases for the same minutes. With `--unseen colour` the test cases are of a kind that
training never saw: coloured pictures, learned from grey ones.

    python benchmarks/clicks.py --data ../shared/data/hippocampus --seeds 2 --cases-trained 8 40 --minutes 9.5 16 --json clicks.json
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
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from scipy.stats import binomtest

from full_data import Question, machine, question_of, read_case, shape_of
from medloop.core.arrays import MaskArray
from medloop.core.errors import MedloopError
from medloop.core.image import Image, Mask
from medloop.core.seeds import generator
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.discover import open_dataset
from medloop.images.read import read_image
from medloop.interaction.engine import Engine, ImageEmbedding, RefinedMask, StillWanted, changed_box
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.prompts import Point, Prompt, keep_prompts, prompted_voxels
from medloop.interaction.simulated_users.robots import test_robot
from medloop.metrics.intervals import bootstrap_mean
from medloop.metrics.overlap import dice
from medloop.models.foundation.recipes import Recipe, choose_recipe, fingerprint
from trial import Turn, try_engine

SHOWN = (0, 1, 3, 5, 10)
CLICKS = 10
TUNED = 20
"""Cases to choose settings on: neither trained nor tested on."""
NEAR = 8
"""Voxels around a click on background in which the mask must not grow: the reach of a hint."""
MEASURED = 0.95
"""Share of the CPU minutes planned for steps: reading the cases and writing checkpoints take the rest."""
LEANER = 0.75
"""Channels of each level against the recipe's own: more steps in the same minutes, better after 10 CPU minutes."""

VARIANTS = ("network", "network+cut", "network+emphasis+cut", "network+adaptation+cut")


class RandomWalker:
    """scikit-image's random walker between clicks, with the border of the image as background."""

    name = "random walker"

    def embed(self, image: Image) -> ImageEmbedding:
        """Nothing is worked out beforehand."""
        return ImageEmbedding(image, self.name)

    def refine(
        self,
        embedding: ImageEmbedding,
        prompts: Sequence[Prompt],
        *,
        labels: Sequence[int],
        previous: MaskArray | None = None,
        locked: Sequence[int] = (),  # noqa: ARG002 - belongs to the protocol
        wanted: StillWanted = lambda: True,  # noqa: ARG002 - belongs to the protocol
    ) -> RefinedMask:
        """See `Engine.refine`; the mask before plays no part."""
        from skimage.segmentation import random_walker

        shape = embedding.image.grid.shape
        mask, hints = np.zeros(shape, dtype=np.uint8), prompted_voxels(prompts, shape, label=labels[0])
        if len(hints.positive):
            seeds = np.full(shape, 2, dtype=np.int64)
            seeds[tuple(slice(1, -1) if n > 1 else slice(None) for n in shape)] = 0
            seeds[tuple(hints.negative.T)], seeds[tuple(hints.positive.T)] = 2, 1
            grey = embedding.image.array.mean(axis=0).astype(np.float64)
            spacing = np.array(embedding.image.grid.spacing_mm)
            found = random_walker(grey, seeds, beta=130, mode="cg_j", spacing=spacing / spacing.min())
            mask = keep_prompts((found == 1).astype(np.uint8), prompts)
        shares = np.stack([mask == 0, mask == 1]).astype(np.float32)
        start, stop = changed_box(previous, mask)
        return RefinedMask(mask, shares, tuple(labels), None, start, stop)


def read_binary(case: CaseSource, question: Question) -> tuple[Image, Mask]:
    """A case with its whole foreground as label 1; colours become grey, since some sets mix both."""
    image, mask = read_case(case, dataclasses.replace(question, foreground=True))
    if not isinstance(mask, Mask):
        raise SystemExit("error: clicks need masks, this data set has classes")
    if image.channels == 3 and image.grid.is_2d:
        image = Image(image.array.mean(axis=0, keepdims=True).astype(np.float32), image.grid)
    return image, mask


def split_kinds(cases: Sequence[CaseSource], tested: int) -> tuple[list[CaseSource], list[CaseSource]]:
    """Grey pictures to draw training cases from, and some coloured ones to test on: always the same."""
    coloured = {case.name: read_image(case.images[0]).image.channels > 1 for case in cases}
    known, unseen = ([case for case in cases if coloured[case.name] == wanted] for wanted in (False, True))
    if not known or not unseen:
        raise SystemExit("error: --unseen colour needs grey and coloured pictures, this data set has only one kind")
    return known, split(unseen, tested)[1]


def split(cases: Sequence[CaseSource], tested: int) -> tuple[list[CaseSource], list[CaseSource]]:
    """Cases to draw training cases from, and to test on, by patient: always the same."""
    patients = list(dict.fromkeys(case.patient for case in cases))
    ordered = [patients[n] for n in generator(0, "test").permutation(len(patients))]
    by_order = [case for patient in ordered for case in cases if case.patient == patient]
    known = {case.patient for case in by_order[:tested]}
    return [case for case in by_order if case.patient not in known], by_order[:tested]


def draw(pool: Sequence[CaseSource], seed: int) -> list[CaseSource]:
    """The pool in a seed's order: training takes the first, tuning the last of other patients."""
    return [pool[n] for n in generator(seed, "training").permutation(len(pool))]


def tuning_cases(drawn: Sequence[CaseSource], most: int) -> list[CaseSource]:
    """Cases to choose settings on, of patients that no training of this seed sees."""
    seen = {case.patient for case in drawn[:most]}
    return [case for case in drawn[most:] if case.patient not in seen][-TUNED:]


def train_network(
    cases: Sequence[CaseSource],
    question: Question,
    seed: int,
    minutes: float,
    folder: Path,
    *,
    steps: int = 0,
    remapped: float | None = None,
) -> tuple[Recipe, bytes, float]:
    """The recipe, the weights and the CPU minutes of a training, or those of an earlier one in the same folder."""
    from medloop.interaction.interactive_network.rehearsal import Rehearsal
    from medloop.models.foundation.checkpoint import checkpoint_file
    from medloop.models.foundation.compute import limited_threads
    from medloop.models.training.batches import TrainingCase, prepare_cases
    from medloop.models.training.train import TrainingProgress, TrainingRun, seconds_per_step, train_member

    noted = folder / "training.json"
    if noted.exists():
        facts = json.loads(noted.read_text())
        return Recipe.from_json(facts["recipe"]), checkpoint_file(folder / "member-0").read_bytes(), facts["cpu_minutes"]
    folder.mkdir(parents=True, exist_ok=True)
    training = [TrainingCase(case.name, partial(read_binary, case, question)) for case in cases]
    found = fingerprint([shape_of(read_binary(case, question)[0]) for case in cases])
    planned = folder / "recipe.json"
    chosen = choose_recipe(found, kind="segmentation", classes=2, minutes=minutes, threads=1, seed=seed)
    guide = Rehearsal(spacing_mm=chosen.spacing_mm or found.spacing_mm)
    if planned.exists():
        recipe = Recipe.from_json(json.loads(planned.read_text()))
    else:
        features = tuple(int(8 * np.ceil(width * LEANER / 8)) for width in chosen.features)
        share = chosen.remapped if remapped is None else remapped
        recipe = dataclasses.replace(chosen, features=features, validations=0, steps=steps, remapped=share)
    if not recipe.steps:
        with tempfile.TemporaryDirectory() as temporary, limited_threads(1):
            seconds = seconds_per_step(recipe, prepare_cases(recipe, training, Path(temporary)), clock=time.process_time, guide=guide)
        recipe = dataclasses.replace(recipe, steps=max(50, int(minutes * 60 * MEASURED / seconds)))
    planned.write_text(json.dumps(recipe.to_json()))
    begun = time.process_time()

    def report(progress: TrainingProgress) -> bool:
        if progress.step % 100 == 0:
            print(f"  {progress.message}, {time.process_time() - begun:.0f} CPU s", file=sys.stderr, flush=True)
        return True

    file, _ = train_member(TrainingRun(recipe, training, [], folder, report, guide=guide), 0)
    spent = (time.process_time() - begun) / 60
    noted.write_text(json.dumps({"recipe": recipe.to_json(), "cpu_minutes": spent, "cases": [case.name for case in cases]}))
    return recipe, file.read_bytes(), spent


def network_engine(recipe: Recipe, weights: bytes, variant: str) -> Engine:
    """The network with what its name says."""
    from medloop.interaction.interactive_network.adaptation import Adaptation
    from medloop.interaction.interactive_network.network import EMPHASIS, NetworkEngine, Refinement
    from medloop.interaction.solvers.mincut import SMOOTHNESS

    refinement = Refinement(
        adaptation=Adaptation() if "adaptation" in variant else None,
        emphasis=EMPHASIS if "emphasis" in variant else 1.0,
        smoothness=SMOOTHNESS if "cut" in variant else None,
    )
    return NetworkEngine.load(recipe, [weights], refinement=refinement)


def measure(engine: Engine, robot: str, cases: Sequence[CaseSource], question: Question, seed: int) -> dict[str, Any]:
    """Dice per case and number of clicks, the CPU seconds of every click, and what each background click did to the mask around it."""
    scores, seconds, changes = [], [], []
    for case in cases:
        image, truth = read_binary(case, question)
        turns = try_engine(engine, image, truth.array, test_robot(robot), labels=(1,), gestures=CLICKS, seed=seed, name=case.name)
        scores.append([dice(turn.mask, truth.array, [1])[1] for turn in turns])
        seconds += [turn.cpu_seconds for turn in turns if turn.prompt is not None]
        changes += background_changes(turns)
    return {"dice": scores, "cpu_seconds": seconds, "names": [case.name for case in cases], "background_changes": changes}


def background_changes(turns: Sequence[Turn]) -> list[int]:
    """By how many voxels the mask grew within `NEAR` voxels of each click on background; it should never grow."""
    found = []
    for before, after in pairwise(turns):
        if isinstance(after.prompt, Point) and not after.prompt.positive:
            near = tuple(slice(max(0, n - NEAR), n + NEAR + 1) for n in after.prompt.voxel)
            found.append(int(np.count_nonzero(after.mask[near])) - int(np.count_nonzero(before.mask[near])))
    return found


def clicks_to(scores: Sequence[float], wanted: float) -> int:
    """Clicks until a Dice is reached, `CLICKS` when it never is."""
    return next((n for n, score in enumerate(scores) if score >= wanted), CLICKS)


def summarise(measured: dict[str, Any], patients: Sequence[str], seed: int) -> dict[str, Any]:
    """Means with intervals over cases, clicks to 0.85 and 0.90, and the normalised area over clicks 1 to 5."""
    scores = np.array(measured["dice"])
    shown = {str(n): bootstrap_mean(scores[:, n].tolist(), patients, generator(seed, "bootstrap", n)) for n in SHOWN}
    reached = {str(w): float((scores >= w).any(axis=1).mean()) for w in (0.85, 0.90)}
    needed = {str(w): float(np.mean([clicks_to(row, w) for row in scores])) for w in (0.85, 0.90)}
    area = float(np.mean((scores[:, 1:5] + scores[:, 2:6]) / 2))
    p50, p95 = np.percentile(measured["cpu_seconds"], [50, 95]) if measured["cpu_seconds"] else (0.0, 0.0)
    means = {
        n: {"mean": i.mean, "low": float("nan") if i.low is None else i.low, "high": float("nan") if i.high is None else i.high}
        for n, i in shown.items()
    }
    changes = np.array(measured.get("background_changes", []))
    grew, shrank = int((changes > 0).sum()), int((changes < 0).sum())
    sign = float(binomtest(grew, grew + shrank, alternative="less").pvalue) if grew + shrank else 1.0
    return {
        "dice_after": means,
        "background": {"clicks": len(changes), "grew": grew, "shrank": shrank, "sign_test_p": sign},
        "noc": needed,
        "reached": reached,
        "area": area,
        "cpu_seconds_p50": float(p50),
        "cpu_seconds_p95": float(p95),
    }


def line(name: str, summary: dict[str, Any]) -> str:
    """One row of the table."""
    after = " / ".join(f"{summary['dice_after'][str(n)]['mean']:.3f}" for n in SHOWN)
    ends = summary["dice_after"][str(CLICKS)]
    noc = ", ".join(f"NoC{int(float(w) * 100)} {n:.1f} ({summary['reached'][w]:.0%})" for w, n in summary["noc"].items())
    return (
        f"{name:58s} {after} [{ends['low']:.3f}, {ends['high']:.3f}]  {noc}  AUC {summary['area']:.3f}  "
        f"CPU s {summary['cpu_seconds_p50']:.2f} / {summary['cpu_seconds_p95']:.2f}  "
        f"background clicks that grew the mask: {summary['background']['grew']} of {summary['background']['clicks']}"
    )


def write(options: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> None:
    """The rows so far, so that an interrupted run keeps them."""
    if options.json:
        settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
        options.json.write_text(json.dumps({"options": settings, "machine": machine(), "rows": rows}))


def run(dataset: Dataset, options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """Everything asked for, one row after the other."""
    question, rows = question_of(dataset), []
    labelled = [case for case in dataset.cases if case.labelled]
    pool, unseen = (split_kinds if options.unseen else split)(labelled, options.test_cases)

    def note(name: str, engine: Engine, robot: str, seed: int, **facts: Any) -> None:
        measured = measure(engine, robot, tested, question, seed)
        summary = summarise(measured, [case.patient for case in tested], seed)
        rows.append({"engine": name, "robot": robot, "seed": seed, **facts, **summary, **measured})
        write(options, rows)
        print(line(f"{name}, {facts.get('trained', 0)} cases, {robot}, seed {seed}", summary), flush=True)

    for seed in range(options.first_seed, options.first_seed + options.seeds):
        drawn = draw(pool, seed)
        tested = tuning_cases(drawn, max(options.cases_trained)) if options.tune else unseen
        if not options.no_baseline:
            note("classical engine", ClassicalEngine(), options.robots[0], seed)
            note("random walker", RandomWalker(), options.robots[0], seed)
        for count, minutes in zip(options.cases_trained, options.minutes, strict=True):
            if not count:
                continue
            folder = work / f"cases-{count}-seed-{seed}-{minutes:g}"
            if options.deepedit:
                from deepedit import train_deepedit

                known = [read_binary(case, question) for case in drawn[:count]]
                peer, spent, taken = train_deepedit(known, seed, minutes, folder, steps=options.deepedit_steps)
                for robot in options.robots:
                    note(peer.name, peer, robot, seed, trained=count, training_cpu_minutes=spent, steps=taken)
            recipe, weights, spent = train_network(
                drawn[:count], question, seed, minutes, folder, steps=options.steps, remapped=options.remapped
            )
            for variant in options.variants:
                for robot in options.robots:
                    engine = network_engine(recipe, weights, variant)
                    note(variant, engine, robot, seed, trained=count, training_cpu_minutes=spent, recipe=recipe.to_json())
    return rows


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a Decathlon folder, images/ + masks/ folder, or CSV with images")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each has its own training cases, weights and clicks")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of these seeds")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--cases-trained", type=int, nargs="+", default=[8, 40], help="how many cases to train on; 0 trains none")
    parser.add_argument("--minutes", type=float, nargs="+", default=[9.5, 16.0], help="CPU minutes of training for each of these")
    parser.add_argument("--test-cases", type=int, default=30, help="cases to test on")
    parser.add_argument("--tune", action="store_true", help=f"test on {TUNED} other cases, to choose settings on")
    parser.add_argument("--robots", nargs="+", default=["centre", "random", "noisy"], help="who clicks")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS[2:]), choices=VARIANTS, help="what happens to the network's answer")
    parser.add_argument("--no-baseline", action="store_true", help="leave the random walker and the classical engine out")
    parser.add_argument("--deepedit", action="store_true", help="add MONAI's DeepEdit, trained on the same cases for the same minutes")
    parser.add_argument("--unseen", choices=["colour"], help="test on coloured pictures, train on grey ones")
    parser.add_argument("--steps", type=int, default=0, help="steps of each training instead of minutes")
    parser.add_argument("--remapped", type=float, help="share of patches with grey values through a random curve; else the recipe's own")
    parser.add_argument("--deepedit-steps", type=int, default=0, help="the same of DeepEdit")
    parser.add_argument("--work", type=Path, help="folder for trained networks; naming it again trains none twice")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table, write the JSON."""
    options = parse(arguments)
    try:
        dataset = open_dataset(options.data)
        with tempfile.TemporaryDirectory() as temporary:
            run(dataset, options, options.work or Path(temporary))
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
