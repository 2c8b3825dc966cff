import dataclasses
import subprocess
import sys

import pytest
import torch

from medloop.models.foundation.networks import build_network, fold_voxels, pool


def images(recipe, batch=2):
    return torch.randn(batch, recipe.channels, *recipe.patch[: recipe.dimension])


@pytest.mark.parametrize("name", ["recipe_3d", "recipe_2d", "recipe_folded"])
def test_logits_have_the_size_of_the_image(name, request):
    recipe = request.getfixturevalue(name)
    logits = build_network(recipe, seed=0)(images(recipe))
    assert logits.shape == (2, 3, *recipe.patch[: recipe.dimension])


def test_a_classifier_gives_one_row_per_image(recipe_tags):
    assert build_network(recipe_tags, seed=0)(images(recipe_tags)).shape == (2, 2)


def test_segmentation_and_classification_share_the_encoder(recipe_2d):
    segmenting = build_network(recipe_2d, seed=0)
    classifying = build_network(dataclasses.replace(recipe_2d, kind="classification"), seed=1)
    classifying.encoder.load_state_dict(segmenting.encoder.state_dict())
    batch = images(recipe_2d)
    assert torch.equal(segmenting.eval().encode(batch)[0], classifying.eval().encode(batch)[0])


def test_anisotropic_levels_fit_together(recipe_3d):
    recipe = dataclasses.replace(
        recipe_3d,
        patch=(16, 16, 6),
        fold=(1, 1, 1),
        features=(4, 8, 8),
        strides=((1, 1, 1), (2, 2, 1), (2, 2, 2)),
        kernels=((3, 3, 1), (3, 3, 1), (3, 3, 3)),
    )
    assert build_network(recipe, seed=0)(images(recipe)).shape == (2, 3, 16, 16, 6)


def test_anisotropic_images_are_folded_within_their_slices(recipe_3d):
    recipe = dataclasses.replace(
        recipe_3d, patch=(16, 16, 6), fold=(2, 2, 1), features=(4, 8), strides=((1, 1, 1), (2, 2, 2)), kernels=((3, 3, 1), (3, 3, 3))
    )
    network = build_network(recipe, seed=0)
    assert network.borders.block.conv1.conv.kernel_size == (3, 3, 1)
    assert network(images(recipe)).shape == (2, 3, 16, 16, 6)


def test_folding_moves_each_block_of_voxels_into_channels():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    folded = fold_voxels(image, (2, 2))
    assert folded[0, :, 0, 0].tolist() == [0.0, 1.0, 4.0, 5.0]
    assert folded[0, :, 1, 1].tolist() == [10.0, 11.0, 14.0, 15.0]
    assert fold_voxels(image, (1, 1)) is image
    assert fold_voxels(image, (2, 1))[0, :, 1, 3].tolist() == [11.0, 15.0]


def test_channels_are_normalised_image_by_image(recipe_3d):
    """A group per channel is instance normalisation: other images in the batch change nothing."""
    network, batch = build_network(recipe_3d, seed=0).eval(), images(recipe_3d, batch=3)
    alone = network(batch[:1])
    torch.testing.assert_close(network(batch)[:1], alone, rtol=1e-4, atol=1e-4)


def test_weights_follow_from_the_seed_and_leave_the_global_stream_alone(recipe_2d):
    torch.manual_seed(1)
    first = build_network(recipe_2d, seed=4).state_dict()
    drawn = torch.rand(1)
    again, other = build_network(recipe_2d, seed=4).state_dict(), build_network(recipe_2d, seed=5).state_dict()
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_dropout_acts_in_training_only(recipe_2d):
    network, batch = build_network(recipe_2d, seed=0), images(recipe_2d)
    assert not torch.equal(network(batch), network(batch))
    network.eval()
    assert torch.equal(network(batch), network(batch))


def test_pooling_is_the_mean_over_space():
    features = torch.arange(16.0).reshape(1, 2, 2, 2, 2)
    assert pool(features).tolist() == [[3.5, 11.5]]


@pytest.mark.parametrize("name", ["recipe_3d", "recipe_2d", "recipe_folded"])
def test_a_guided_network_takes_an_image_alone_as_one_without_hints(name, request):
    recipe = dataclasses.replace(request.getfixturevalue(name), guided=True)
    network = build_network(recipe, seed=0).eval()
    alone = images(recipe)
    silent = torch.cat([alone, torch.zeros(2, recipe.guidance, *alone.shape[2:])], dim=1)
    assert torch.equal(network(alone), network(silent))
    assert not torch.equal(network(alone), network(torch.cat([alone, torch.ones_like(silent[:, recipe.channels :])], dim=1)))


def test_monai_is_loaded_with_a_network_not_with_a_project():
    modules = "medloop.loop.project, medloop.loop.worker, medloop.models.training.train, medloop.models.training.pretext_task"
    code = f"import sys, {modules}; sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
