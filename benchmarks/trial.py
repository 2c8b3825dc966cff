"""An engine tried by a simulated user: gesture after gesture, with what each was worth and what it cost."""

import time
from dataclasses import dataclass

from medloop.core.arrays import MaskArray
from medloop.core.image import Image
from medloop.core.seeds import generator
from medloop.interaction.engine import Engine
from medloop.interaction.prompts import Prompt
from medloop.interaction.simulated_users.robots import Robot, Scene, require_role


@dataclass(frozen=True, eq=False)
class Turn:
    """Where things stand after a number of gestures.

    Attributes:
        prompt: The last gesture; None for the automatic proposal, or when the user had nothing to say.
        mask: The answer.
        cpu_seconds: Of this process for the answer.
        quality: What the engine thinks of it.
    """

    prompt: Prompt | None
    mask: MaskArray
    cpu_seconds: float
    quality: float | None


def try_engine(
    engine: Engine, image: Image, truth: MaskArray, robot: Robot, *, labels: tuple[int, ...], gestures: int, seed: int, name: str = ""
) -> list[Turn]:
    """Let a robot correct an engine.

    Args:
        engine: Who answers.
        image: What of.
        truth: Label values, 255 where unknown.
        robot: A test robot.
        labels: The task's.
        gestures: How many at most.
        seed: Root of the robot's chance.
        name: Of the case: another one has other chance.

    Returns:
        `gestures` + 1 turns, the first without a gesture; a user with nothing to say leaves the mask as it is.

    Raises:
        SettingError: A training robot: it would test what it taught.
    """
    require_role(robot, "test")
    embedding = engine.embed(image)
    begun = time.process_time()
    first = engine.refine(embedding, (), labels=labels)
    turns = [Turn(None, first.mask, time.process_time() - begun, first.quality)]
    given: tuple[Prompt, ...] = ()
    for number in range(gestures):
        last = turns[-1]
        prompt = robot.act(Scene(truth, last.mask, given), generator(seed, "robot", robot.name, name, number))
        if prompt is None:
            turns.append(Turn(None, last.mask, 0.0, last.quality))
            continue
        given = (*given, prompt)
        begun = time.process_time()
        refined = engine.refine(embedding, given, labels=labels, previous=last.mask)
        turns.append(Turn(prompt, refined.mask, time.process_time() - begun, refined.quality))
    return turns
