import dataclasses

import numpy as np
import pytest
import torch

from medloop.core.errors import FormatError, InputError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.normalise import normalise
from medloop.models.inference.predict import Predictor
from medloop.models.inference.uncertainty import McDropout, Pass


def rng():
    return np.random.default_rng(0)


def predictor(recipe, members=1, **options):
    return Predictor.load(recipe, [encode_weights(build_network(recipe, seed=m).state_dict()) for m in range(members)], **options)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A sampler that runs exactly these passes."""

    plan: tuple[Pass, ...]

    def passes(self, samples, rng):  # noqa: ARG002 - the protocol's arguments
        return self.plan


def test_an_answer_lies_on_the_images_grid_and_sums_to_one(recipe_3d, volumes):
    image, _ = volumes[0].load()
    answer = predictor(recipe_3d).predict(image, samples=3, rng=rng())
    assert answer.samples.shape == (3, 3, *image.grid.shape)
    assert answer.samples.dtype == np.float32
    np.testing.assert_allclose(answer.samples.sum(axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(answer.probabilities, answer.samples.mean(axis=0))
    assert answer.features.shape == (recipe_3d.features[-1],)


def test_a_classification_answers_with_one_row_per_sample(recipe_tags, tagged):
    image, _ = tagged[0].load()
    answer = predictor(recipe_tags).predict(image, samples=4, rng=rng())
    assert answer.samples.shape == (4, 2)
    assert answer.features.shape == (recipe_tags.features[-1],)


def test_logits_after_loading_equal_the_networks_own(recipe_2d, pictures):
    image, _ = pictures[0].load()
    network = build_network(recipe_2d, seed=3).eval()
    with torch.no_grad():
        own = network(torch.from_numpy(normalise(image.array))[..., 0][None]).softmax(1)[0].numpy()
    loaded = Predictor.load(recipe_2d, [encode_weights(network.state_dict())])
    np.testing.assert_allclose(loaded.predict(image, samples=1, rng=rng()).samples[0, ..., 0], own, atol=1e-6)


def test_the_same_seed_draws_the_same_samples(recipe_3d, volumes):
    image, _ = volumes[0].load()
    first, again = (predictor(recipe_3d).predict(image, samples=4, rng=rng()).samples for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_dropout_disagrees_with_itself_and_no_dropout_does_not(recipe_3d, volumes):
    image, _ = volumes[0].load()
    dropping = predictor(dataclasses.replace(recipe_3d, dropout=0.3), sampler=McDropout()).predict(image, samples=3, rng=rng())
    still = predictor(recipe_3d, sampler=Plan((Pass(), Pass()))).predict(image, samples=2, rng=rng())
    assert dropping.samples.std(axis=0).max() > 1e-3
    assert still.samples.std(axis=0).max() == 0


def test_members_disagree_and_all_are_asked(recipe_3d, volumes):
    image, _ = volumes[0].load()
    answer = predictor(recipe_3d, members=3).predict(image, samples=1, rng=rng())
    assert len(answer.samples) == 3
    assert answer.samples.std(axis=0).max() > 1e-3


def test_a_flipped_pass_of_a_mirrored_image_is_the_mirrored_answer(recipe_3d, volumes):
    image, _ = volumes[0].load()
    mirrored = Image(np.ascontiguousarray(image.array[:, ::-1]), image.grid)
    plain = predictor(recipe_3d, sampler=Plan((Pass(),))).predict(image, samples=1, rng=rng())
    flipped = predictor(recipe_3d, sampler=Plan((Pass(flips=(0,)),))).predict(mirrored, samples=1, rng=rng())
    np.testing.assert_allclose(flipped.samples[0, :, ::-1], plain.samples[0], atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5, 2), (40, 24, 16), (70, 20, 9)])
def test_any_size_of_volume_is_answered(recipe_3d, shape):
    image = Image(rng().normal(size=(1, *shape)).astype(np.float32), Grid.of_spacing(shape, (1, 1, 1)))
    answer = predictor(recipe_3d).predict(image, samples=1, rng=rng())
    assert answer.samples.shape == (1, 3, *shape)
    assert np.isfinite(answer.samples).all()


def test_an_image_of_other_spacing_is_answered_on_its_own_grid(recipe_3d):
    recipe = dataclasses.replace(recipe_3d, spacing_mm=(2.0, 2.0, 2.0))
    image = Image(rng().normal(size=(1, 40, 40, 20)), Grid.of_spacing((40, 40, 20), (1.0, 1.0, 3.0)))
    answer = predictor(recipe).predict(image, samples=2, rng=rng())
    assert answer.samples.shape == (2, 3, 40, 40, 20)
    np.testing.assert_allclose(answer.samples.sum(axis=1), 1, atol=1e-4)


def test_weights_of_another_recipe_are_refused(recipe_2d, recipe_3d):
    with pytest.raises(FormatError, match="do not belong"):
        Predictor.load(recipe_3d, [encode_weights(build_network(recipe_2d, seed=0).state_dict())])
    with pytest.raises(FormatError, match="safetensors"):
        Predictor.load(recipe_3d, [b"garbage"])
    with pytest.raises(InputError, match="at least one member"):
        Predictor.load(recipe_3d, [])


def test_an_image_with_other_channels_is_refused(recipe_2d):
    with pytest.raises(ShapeError, match="1 channels, got 2"):
        predictor(recipe_2d).predict(Image(np.zeros((2, 32, 32, 1)), Grid.flat(32, 32)), samples=1, rng=rng())
