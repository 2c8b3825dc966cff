import sys
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.engine import ImageEmbedding, RefinedMask, changed_box
from medloop.interaction.prompts import Point, keep_prompts
from medloop.interaction.simulated_users.robots import Apprentice, test_robot

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from trial import try_engine

IMAGE = Image(np.zeros((1, 6, 6, 1), dtype=np.float32), Grid.flat(6, 6, 1.0))


class Obedient:
    """Changes the voxels that were hinted at, and nothing else."""

    name = "obedient"

    def embed(self, image):
        return ImageEmbedding(image, self.name)

    def refine(self, embedding, prompts, *, labels, previous=None, **_):
        before = np.zeros(embedding.image.grid.shape, dtype=np.uint8) if previous is None else previous
        mask = keep_prompts(before, prompts)
        return RefinedMask(mask, np.stack([mask == 0, mask == 1]).astype(np.float32), tuple(labels), None, *changed_box(before, mask))


def truth(*voxels):
    mask = np.zeros((6, 6, 1), dtype=np.uint8)
    for voxel in voxels:
        mask[voxel] = 1
    return mask


def test_every_click_fixes_one_voxel_until_nothing_is_left_to_say():
    turns = try_engine(Obedient(), IMAGE, truth((1, 1, 0), (4, 4, 0)), test_robot("centre"), labels=(1,), gestures=3, seed=0)
    assert [int(turn.mask.sum()) for turn in turns] == [0, 1, 2, 2]
    assert [turn.prompt for turn in turns][::3] == [None, None]
    assert {turn.prompt for turn in turns[1:3]} == {Point((1, 1, 0)), Point((4, 4, 0))}


def test_a_seed_replays_the_user_and_a_name_changes_it():
    block = truth(*[(i, j, 0) for i in range(6) for j in range(6)])
    random = test_robot("random")

    def clicks(seed, name):
        turns = try_engine(Obedient(), IMAGE, block, random, labels=(1,), gestures=4, seed=seed, name=name)
        return [turn.prompt for turn in turns]

    assert clicks(0, "a") == clicks(0, "a")
    assert clicks(0, "a") != clicks(0, "b")
    assert clicks(0, "a") != clicks(1, "a")


def test_a_user_who_taught_may_not_try():
    with pytest.raises(SettingError, match="cannot be a test annotator"):
        try_engine(Obedient(), IMAGE, truth(), Apprentice(), labels=(1,), gestures=1, seed=0)
