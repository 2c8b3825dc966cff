"""A network for more labels says of the old ones what it said, and old cases do not teach it that the new one is background."""

import dataclasses

import numpy as np
import pytest
import torch

from medloop.core.errors import FormatError
from medloop.models.foundation.checkpoint import decode_weights, encode_weights
from medloop.models.foundation.growing import can_grow, grown_importances, grown_weights
from medloop.models.foundation.networks import build_network, load_network
from medloop.models.inference.predict import Predictor
from medloop.models.training.anchor import Anchor
from medloop.models.training.batches import TrainingCase
from medloop.models.training.train import TrainingRun, train, train_members
from tests.models.conftest import small_recipe
from tests.models.test_learning_from_partial_labels import SHAPE, two_discs


@pytest.fixture(params=["2d", "3d", "folded", "guided", "guided folded", "heads"])
def recipe(request, recipe_2d, recipe_3d, recipe_folded):
    return {
        "2d": recipe_2d, "3d": recipe_3d, "folded": recipe_folded,
        "guided": dataclasses.replace(recipe_2d, guided=True), "guided folded": dataclasses.replace(recipe_folded, guided=True),
        "heads": dataclasses.replace(recipe_2d, heads=3),
    }[request.param]  # fmt: skip


def test_a_grown_network_says_of_the_old_classes_what_it_said(recipe):
    old, classes = build_network(recipe, seed=1), recipe.classes + 2
    data = encode_weights(old.state_dict())
    grown = load_network(dataclasses.replace(recipe, classes=classes), grown_weights(recipe, classes, data))
    size = recipe.patch[: recipe.dimension]
    hints = torch.rand(2, recipe.inputs, *size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        before, after = old.eval()(hints).softmax(1), grown(_with_new_channels(recipe, hints, classes)).softmax(1)
    assert after[:, 1 : recipe.classes].numpy() == pytest.approx(before[:, 1:].numpy(), abs=1e-5)
    shared = torch.cat([after[:, :1], after[:, recipe.classes :]], dim=1)
    assert shared.sum(1).numpy() == pytest.approx(before[:, 0].numpy(), abs=1e-5)
    assert shared[:, 1:].numpy() == pytest.approx(shared[:, :1].expand_as(shared[:, 1:]).numpy(), abs=1e-5)


def test_a_grown_classification_takes_no_class_for_a_background(recipe_tags):
    classes = recipe_tags.classes
    old = build_network(recipe_tags, seed=1)
    grown = load_network(
        dataclasses.replace(recipe_tags, classes=classes + 2), grown_weights(recipe_tags, classes + 2, encode_weights(old.state_dict()))
    )
    images = torch.rand(4, recipe_tags.inputs, *recipe_tags.patch[: recipe_tags.dimension], generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        before, after = old.eval()(images).softmax(1), grown(images).softmax(1)
    among = after[:, :classes] / after[:, :classes].sum(1, keepdim=True)
    assert among.numpy() == pytest.approx(before.numpy(), abs=1e-5)
    assert float(after[:, classes:].max()) <= 1 / (classes + 1) + 1e-6
    ones = encode_weights({name: torch.ones_like(weight) for name, weight in old.named_parameters()})
    importances = decode_weights(grown_importances(recipe_tags, classes + 2, ones))
    assert sum(float(t.sum()) for t in importances.values()) == sum(w.numel() for w in old.parameters())


def _with_new_channels(recipe, given, classes):
    """Hints as a network for more classes takes them, with some for the new labels, which it does not know yet."""
    if not recipe.guided:
        return given
    old, image = recipe.classes, recipe.channels
    new = torch.rand(len(given), classes - old, *given.shape[2:])
    parts = given.split([image, old - 1, old, old - 1], dim=1)
    return torch.cat([parts[0], parts[1], new, parts[2], new, parts[3], new], dim=1)


def test_new_weights_matter_to_nothing(recipe):
    network = build_network(recipe, seed=1)
    ones = encode_weights({name: torch.ones_like(weight) for name, weight in network.named_parameters()})
    found = decode_weights(grown_importances(recipe, recipe.classes + 1, ones))
    grown = build_network(dataclasses.replace(recipe, classes=recipe.classes + 1), seed=1)
    assert {name: tensor.shape for name, tensor in found.items()} == {name: weight.shape for name, weight in grown.named_parameters()}
    assert sum(float(t.sum()) for t in found.values()) == sum(w.numel() for w in network.parameters())


def test_only_labels_may_differ_and_other_weights_are_refused(recipe_2d, recipe_3d):
    more = dataclasses.replace(recipe_2d, classes=4)
    assert can_grow(recipe_2d, more)
    assert not can_grow(more, recipe_2d)
    assert not can_grow(recipe_2d, dataclasses.replace(more, channels=2))
    with pytest.raises(FormatError, match="do not belong"):
        grown_weights(recipe_2d, 4, encode_weights(build_network(recipe_3d, seed=1).state_dict()))


def dice_of(recipe, trained):
    from medloop.metrics.overlap import dice

    network, found = Predictor.load(recipe, [file.read_bytes() for file in trained.weights]), []
    for index in range(100, 106):
        image, truth = two_discs(index)
        chances = network.predict(image, samples=1, rng=np.random.default_rng(0)).probabilities
        found.append(dice(chances.argmax(0).astype(np.uint8), truth.array, [1, 2]))
    return {value: float(np.mean([scores[value] for scores in found])) for value in (1, 2)}


def test_a_label_that_comes_later_is_learned_and_the_old_one_stays(tmp_path):
    usual = {"steps": 60, "batch": 4, "augmentation": 0.0, "dropout": 0.0, "learning_rate": 2e-2, "ema_decay": 0.9}
    first = dataclasses.replace(small_recipe((*SHAPE, 1)), classes=2, **usual)
    old = [TrainingCase(f"old-{n}", lambda n=n: two_discs(n, without=2)) for n in range(6)]
    before = train(first, old, [], tmp_path / "first", report=lambda _: True)
    recipe = dataclasses.replace(first, classes=3, distillation=1.0, steps=90)
    initial = [grown_weights(first, 3, file.read_bytes()) for file in before.weights]
    new = [TrainingCase(f"new-{n}", lambda n=n: two_discs(n, without=1), known=(0, 2)) for n in range(20, 26)]  # the new label alone
    replay = [dataclasses.replace(case, known=(0, 1)) for case in old[:2]]
    run = TrainingRun(recipe, [*new, *replay], [], tmp_path / "second", lambda _: True, initial, anchor=Anchor(2))
    found = dice_of(recipe, train_members(run))
    assert found[1] > 0.85
    assert found[2] > 0.85
