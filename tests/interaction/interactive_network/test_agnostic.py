import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.interaction.interactive_network.agnostic import cases_for_any_label, draw_shape, draw_superpixels, rehearsal_for_any_label
from medloop.interaction.interactive_network.network import NetworkEngine
from medloop.interaction.prompts import Box
from medloop.models.training.batches import TrainingCase
from medloop.models.training.train import train

from ..conftest import guided_recipe, pictures


def test_every_label_superpixel_and_shape_is_a_case_of_its_own():
    made = cases_for_any_label(pictures(2), labels=(1, 2), seed=0, superpixels=2, shapes=1)
    assert len({case.id for case in made}) == len(made) == 2 * (2 + 2 + 1)
    for case in made:
        assert set(np.unique(case.load()[1].array)) <= {0, 1}


def test_a_case_is_the_same_however_often_it_is_read():
    for case in cases_for_any_label(pictures(1), labels=(1,), seed=0):
        (image, mask), (image_again, mask_again) = case.load(), case.load()
        assert (image.array == image_again.array).all()
        assert (mask.array == mask_again.array).all()


def test_a_left_out_label_teaches_nothing():
    image, mask = pictures(1)[0].load()
    case = cases_for_any_label(pictures(1), labels=(1,), seed=0, superpixels=0, shapes=0)
    assert len(case) == 1
    assert (case[0].load()[1].array == (mask.array == 1)).all()
    assert (case[0].load()[0].array == image.array).all()


def test_a_label_around_another_or_crossing_it_is_learned_with_all_its_voxels():
    image, mask = pictures(1)[0].load()
    values = mask.array.copy()
    values[:3] = 3
    case = TrainingCase("crossed", lambda: (image, Mask(values, mask.grid)))
    made = cases_for_any_label([case], labels=(1, 2), seed=0, superpixels=0, shapes=0, regions={1: (1, 2, 3), 2: (2, 3)})
    outer, inner = (one.load()[1].array for one in made)
    assert (outer == (values > 0)).all()
    assert (inner == np.isin(values, (2, 3))).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(24, 20, 1), (16, 14, 10)]))
def test_drawn_regions_are_parts_of_the_image(seed, shape):
    rng = np.random.default_rng(seed)
    grey = rng.normal(size=shape).astype(np.float32)
    pixels, drawn = draw_superpixels(grey, rng), draw_shape(shape, rng)
    assert pixels.shape == drawn.shape == shape
    assert 0 < pixels.sum() < pixels.size
    assert drawn.sum() < drawn.size


def test_classes_cannot_teach_it():
    image, _ = pictures(1)[0].load()
    case = cases_for_any_label([TrainingCase("tagged", lambda: (image, 1))], labels=(1,), seed=0)[0]
    with pytest.raises(InputError, match="learns from masks, got a class"):
        case.load()


def made_up(seed):
    """A bright bar (label 1) and a bright disc (label 2) on noise."""
    rng = np.random.default_rng(seed)
    i, j = np.ogrid[:32, :32]
    mask = np.zeros((32, 32, 1), dtype=np.uint8)
    mask[3:8, 3:29] = 1
    mask[(i - rng.integers(17, 24)) ** 2 + (j - rng.integers(9, 23)) ** 2 <= 25] = 2
    grid = Grid.flat(32, 32, 1.0)
    return Image((2.0 * (mask > 0) + rng.normal(0, 0.3, mask.shape))[None].astype(np.float32), grid), Mask(mask, grid)


def overlap(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_a_loose_box_finds_a_label_that_nobody_has_taught(tmp_path):
    recipe = guided_recipe(classes=2, steps=80, learning_rate=1e-2)
    taught = [TrainingCase(f"made-up-{seed}", lambda seed=seed: made_up(seed)) for seed in range(3)]
    cases = cases_for_any_label(taught, labels=(1,), seed=0)
    weights = train(recipe, cases, [], tmp_path, report=lambda _: True, guide=rehearsal_for_any_label()).weights[0].read_bytes()
    engine = NetworkEngine.load(recipe, [weights], any_label=True)
    found, filled = [], []
    for seed in range(10, 14):
        image, mask = made_up(seed)
        disc = mask.array == 2
        low, high = np.argwhere(disc).min(axis=0).tolist(), np.argwhere(disc).max(axis=0).tolist()
        box = Box((low[0] - 3, low[1] - 3, 0), (min(high[0] + 4, 32), min(high[1] + 4, 32), 1), label=7)
        answer = engine.refine(engine.embed(image), [box], labels=(3, 7)).mask
        assert set(np.unique(answer)) <= {0, 7}
        boxed = np.zeros_like(disc)
        boxed[tuple(slice(a, b) for a, b in zip(box.start, box.stop, strict=True))] = True
        found.append(overlap(answer == 7, disc))
        filled.append(overlap(boxed, disc))
    assert np.mean(found) > np.mean(filled) + 0.1, (found, filled)


def test_it_never_answers_unasked(tmp_path):
    recipe = guided_recipe(classes=2, steps=1)
    weights = train(recipe, pictures_of_one(), [], tmp_path, report=lambda _: True, guide=rehearsal_for_any_label()).weights[0].read_bytes()
    engine = NetworkEngine.load(recipe, [weights], any_label=True)
    assert not engine.refine(engine.embed(pictures(1)[0].load()[0]), (), labels=(1, 2)).mask.any()


def pictures_of_one():
    return cases_for_any_label(pictures(1), labels=(1,), seed=0)
