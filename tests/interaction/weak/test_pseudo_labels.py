"""What marks make likely, on pictures and volumes whose truth is known."""

import numpy as np
import pytest

from medloop.core.arrays import UNKNOWN
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.images.phantoms import phantom_3d
from medloop.interaction.prompts import Box, Scribble
from medloop.interaction.weak.marks import Mark, Tag
from medloop.interaction.weak.pseudo_labels import pseudo_labels
from medloop.interaction.weak.simulated import GIVEN_KINDS, GivenKind, mask_seconds, simulated_marks
from medloop.interaction.weak.supervision import Supervision, supervise

NAMES = {1: "large", 2: "small"}
DRAWN = tuple(kind for kind in GIVEN_KINDS if kind not in ("mask", "tags", "superpixels"))


def given(seed: int, kind: GivenKind) -> tuple[Image, np.ndarray, Supervision]:
    phantom = phantom_3d(seed, 1, (40, 40, 12))
    truth = phantom.mask.array
    names = {int(v): f"label {v}" for v in np.unique(truth) if v}
    marks = simulated_marks(truth, phantom.mask.grid, kind, tuple(names), np.random.default_rng(seed), image=phantom.image.array).marks
    return phantom.image, truth, supervise(marks, truth.shape, names)


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("seed", [0, 1])
def test_simulated_marks_are_true_and_what_they_make_likely_obeys_them(kind: GivenKind, seed: int) -> None:
    image, truth, known = given(seed, kind)
    found = pseudo_labels(image, known)
    certain = known.certain != UNKNOWN
    assert known.possible[known.sets, truth].all()
    assert np.array_equal(found[certain], known.certain[certain])
    guessed = found != UNKNOWN
    assert known.possible[known.sets[guessed], found[guessed]].all()


@pytest.mark.parametrize("kind", ["scribbles", "boxes", "extreme-points"])
def test_what_is_likely_is_mostly_right(kind: GivenKind) -> None:
    right, guessed = 0, 0
    for seed in range(3):
        image, truth, known = given(seed, kind)
        found = pseudo_labels(image, known)
        likely = (found != UNKNOWN) & (found > 0)
        right, guessed = right + int((found[likely] == truth[likely]).sum()), guessed + int(likely.sum())
    assert guessed > 500
    assert right / guessed > 0.6


def test_a_box_without_any_edge_in_it_still_teaches_its_middle_and_not_its_corners() -> None:
    image = Image(np.random.default_rng(0).normal(0, 1, (1, 40, 40, 1)).astype(np.float32), Grid((40, 40, 1), np.eye(4)))
    marks: list[Mark] = [Box((10, 8, 0), (30, 32, 1), 1)]
    found = pseudo_labels(image, supervise(marks, (40, 40, 1), NAMES))
    assert found[20, 20, 0] == 1
    assert found[11, 9, 0] != 1
    inside = found[10:30, 8:32, 0] == 1
    assert 0.1 < inside.mean() < 0.95
    assert not (found == 1)[:10].any()


def test_tags_make_nothing_likely() -> None:
    image = Image(np.zeros((1, 20, 20, 1), dtype=np.float32), Grid((20, 20, 1), np.eye(4)))
    assert (pseudo_labels(image, supervise([Tag(1)], (20, 20, 1), NAMES)) == UNKNOWN).all()
    found = pseudo_labels(image, supervise([Tag(1, False), Tag(2, False)], (20, 20, 1), NAMES))
    assert (found == 0).all()


def test_marks_take_less_time_than_the_mask_by_the_stated_model() -> None:
    phantom = phantom_3d(0, 1, (128, 128, 12))
    labels = tuple(int(v) for v in np.unique(phantom.mask.array) if v)
    rng = np.random.default_rng(0)
    seconds = {
        kind: simulated_marks(phantom.mask.array, phantom.mask.grid, kind, labels, rng, image=phantom.image.array).seconds
        for kind in GIVEN_KINDS
        if kind != "mask"
    }
    whole = mask_seconds(phantom.mask.array, phantom.mask.grid)
    assert seconds["tags"] == len(labels)
    assert seconds["tags"] < seconds["points"] < whole
    assert seconds["boxes"] == seconds["extreme-points"]


def test_what_boxes_of_overlapping_labels_both_make_likely_is_of_both() -> None:
    image = Image(np.full((1, 40, 40, 1), 1, np.float32), Grid((40, 40, 1), np.eye(4)))
    regions = {1: (1, 3), 2: (2, 3)}
    marks: list[Mark] = [Box((4, 4, 0), (28, 28, 1), 1), Box((10, 10, 0), (36, 36, 1), 2)]
    found = pseudo_labels(image, supervise(marks, (40, 40, 1), NAMES, regions=regions))[:, :, 0]
    assert [int(found[at, at]) for at in (14, 19, 24)] == [1, 3, 2]
    apart = pseudo_labels(image, supervise(marks, (40, 40, 1), NAMES))
    assert 3 not in apart
    strokes: list[Mark] = [Scribble(tuple((10, n, 0) for n in range(40)), 1), Scribble(tuple((30, n, 0) for n in range(40)), 0)]
    assert (pseudo_labels(image, supervise(strokes, (40, 40, 1), NAMES)) == 1).any()
    left = pseudo_labels(image, supervise(strokes, (40, 40, 1), NAMES, regions=regions))
    assert not (left == 1).any(), "around them may be both"
    assert (left == 0).any()
