"""What a preview of prompts costs in keys, against prompts that are saved at once, for a person who takes back what makes a mask worse.

Both ways need the prompts themselves, and a key for each answer that is taken back (undo, or one prompt less in the preview). A preview
needs Enter besides, once for every object; it saves keys only where a whole sequence is dropped. Phantoms and
the engine that needs no training.

    python benchmarks/preview_keys.py --json FILE
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from medloop.core.image import Image
from medloop.core.seeds import generator
from medloop.images.phantoms import phantom_2d, phantom_3d
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.prompts import Prompt
from medloop.interaction.simulated_users.robots import Scene, test_robot
from medloop.metrics.overlap import dice

GOOD, MOST, WORSE = 0.9, 6, 0.005
"""Dice at which the person is content, prompts at most, and by how much Dice must fall to be seen."""


@dataclass(frozen=True)
class Sitting:
    """One object drawn by prompts: how many, how many of them were taken back, and the Dice at the end."""

    prompts: int
    taken_back: int
    dice: float


def sit(image: Image, truth: np.ndarray, robot_name: str, seed: int) -> Sitting:
    """Draw one object, label 1 of the truth, by a robot's prompts."""
    engine, robot = ClassicalEngine(), test_robot(robot_name)
    embedding, mask, given, back = engine.embed(image), np.zeros(truth.shape, np.uint8), list[Prompt](), 0
    for number in range(MOST):
        before = dice(mask, truth, [1])[1]
        prompt = robot.act(Scene(truth, mask, tuple(given)), generator(seed, "preview keys", robot_name, number)) if before < GOOD else None
        if prompt is None:
            return Sitting(number, back, before)
        after = refine_guarded(engine, embedding, mask, given, [prompt], Guard((1,))).mask
        if dice(after, truth, [1])[1] < before - WORSE:
            back += 1
        else:
            mask = after
        given.append(prompt)
    return Sitting(MOST, back, dice(mask, truth, [1])[1])


def objects(seeds: int) -> Iterator[tuple[Image, np.ndarray]]:
    """Every label of some phantoms, a flat one and a volume per seed, as label 1."""
    for seed in range(seeds):
        for phantom in (phantom_2d(seed), phantom_3d(seed)):
            for label in (1, 2):
                yield phantom.image, (phantom.mask.array == label).astype(np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, write what is behind it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="phantoms of each kind")
    parser.add_argument("--json", type=Path, help="where to write every sitting")
    options = parser.parse_args(arguments)
    sittings = dict[str, list[Sitting]]()
    print("| Person | Prompts per object | Taken back | Actions at once | Actions with a preview | Dice |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ("centre", "random", "noisy", "scribbler"):
        made = [sit(image, truth, name, number) for number, (image, truth) in enumerate(objects(options.seeds))]
        sittings[name] = made
        prompts, back = (float(np.mean([getattr(one, field) for one in made])) for field in ("prompts", "taken_back"))
        score = float(np.mean([one.dice for one in made]))
        print(f"| {name} | {prompts:.1f} | {back:.2f} | {prompts + back:.1f} | {prompts + back + 1:.1f} | {score:.2f} |")
    if options.json:
        options.json.write_text(json.dumps({name: [asdict(one) for one in made] for name, made in sittings.items()}, indent=1))


if __name__ == "__main__":
    main()
