"""Learning from unlabelled cases: the term and the mixture by hand, the batch, and that a training with them is exact to resume."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from medloop.core.errors import CancelledError, ConflictError, SettingError, ShapeError
from medloop.core.image import Image
from medloop.images.phantoms import phantom_2d, phantom_3d, phantom_tags
from medloop.models.foundation.losses import IGNORE, loss_of
from medloop.models.training import pasting
from medloop.models.training.batches import Marks, PreparedCase, draw_batch, prepare_cases
from medloop.models.training.consistency import (
    GROWTH,
    WARM_UP,
    UnlabelledCase,
    agreement_loss,
    confident_entropy,
    consistency,
    draw_views,
    first_step,
    prepare_unlabelled,
    ramp_up,
    teacher_chances,
)
from medloop.models.training.pasting import BOX, confident_labels, draw_boxes, mix, paste, unmarked
from medloop.models.training.state import start
from medloop.models.training.train import TrainingRun, seconds_per_step, take_step, train_members

PICTURE, VOLUME = (32, 32), (24, 24, 16)


def go_on(_):
    return True


def weights(trained):
    return [file.read_bytes() for file in trained.weights]


def train(recipe, cases, validation, folder, *, report, unlabelled=()):
    return train_members(TrainingRun(recipe, cases, validation, folder, report, unlabelled=unlabelled))


def with_(recipe, way, **more):
    return dataclasses.replace(recipe, unlabelled=way, **more)


@pytest.fixture
def pool():
    return [UnlabelledCase(f"unlabelled-{n}", lambda n=n: phantom_2d(10 + n, shape=PICTURE).image) for n in range(3)]


@pytest.fixture
def deep_pool():
    return [UnlabelledCase(f"unlabelled-{n}", lambda n=n: phantom_3d(10 + n, shape=VOLUME).image) for n in range(3)]


def sure_of(label, classes=2, places=4):
    """Logits of a network that is sure of a label everywhere."""
    return torch.full((1, classes, places), -50.0).index_fill_(1, torch.tensor([label]), 50.0)


def test_two_networks_that_agree_cost_nothing():
    logits = torch.randn((2, 3, 5), generator=torch.Generator().manual_seed(0))
    assert float(consistency(logits, logits.softmax(1))) == 0


def test_sure_of_different_classes_costs_two_over_the_classes():
    chances = sure_of(0).softmax(1)
    assert float(consistency(sure_of(1), chances)) == pytest.approx(1.0)
    assert float(consistency(sure_of(1, classes=4), sure_of(0, classes=4).softmax(1))) == pytest.approx(0.5)


def test_voxels_of_which_the_teacher_is_uncertain_do_not_count():
    chances = torch.tensor([[[1.0, 0.5], [0.0, 0.5]]])
    logits = sure_of(1, places=2)
    assert float(consistency(logits, chances, certain=0.9)) == pytest.approx(1.0)
    assert float(consistency(logits, chances, certain=1.0)) == pytest.approx((1.0 + 0.25) / 2)


def test_an_image_counts_by_its_class_where_the_teacher_is_confident():
    logits = torch.zeros((2, 2))
    assert float(confident_entropy(logits, torch.tensor([[0.99, 0.01], [0.6, 0.4]]))) == pytest.approx(math.log(2) / 2)
    assert float(confident_entropy(logits, torch.tensor([[0.9, 0.1], [0.6, 0.4]]))) == 0


def test_the_weight_is_nothing_in_the_warm_up_then_grows_to_all_of_it():
    steps = 1000
    grown = [ramp_up(step, steps) for step in range(steps)]
    assert grown[: first_step(steps)] == [0.0] * int(WARM_UP * steps)
    assert grown[first_step(steps)] == pytest.approx(math.exp(-5))
    assert grown == sorted(grown)
    assert grown[int((WARM_UP + GROWTH) * steps)] == 1.0


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_box_covers_two_thirds_of_each_axis_or_all_but_that(recipe_2d, recipe_3d, dimension):
    recipe = with_(recipe_2d if dimension == 2 else recipe_3d, "copy-paste", batch=16)
    boxes = draw_boxes(recipe, member=0, step=3, share=1.0)
    assert boxes.shape == (16, *recipe.patch[:dimension])
    inside = math.prod(round(n * BOX) for n in recipe.patch[:dimension])
    assert {int(box.sum()) for box in boxes} == {inside, math.prod(recipe.patch) - inside}
    assert not draw_boxes(recipe, member=0, step=3, share=0.0).any()
    assert torch.equal(boxes, draw_boxes(recipe, member=0, step=3, share=1.0))


def test_about_the_share_of_the_patches_is_mixed(recipe_2d):
    recipe = with_(recipe_2d, "copy-paste", batch=400)
    mixed = draw_boxes(recipe, member=0, step=0, share=0.25).flatten(1).any(1)
    assert float(mixed.float().mean()) == pytest.approx(0.25, abs=0.07)


def test_a_mixture_has_the_others_image_and_labels_in_the_box_and_its_own_around_it():
    box = torch.tensor([[True, False, False]])
    images, masks = mix(
        torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[1, 0, IGNORE]]), torch.full((1, 1, 3), 9.0), torch.tensor([[2, 2, 2]]), box
    )
    assert images.tolist() == [[[9.0, 2.0, 3.0]]]
    assert masks.tolist() == [[2, 0, IGNORE]]


def test_a_label_that_the_teacher_is_not_confident_of_counts_nothing():
    chances = torch.tensor([[[0.9, 0.6, 0.1], [0.1, 0.4, 0.9]]])
    assert confident_labels(chances).tolist() == [[0, IGNORE, 1]]


def test_background_that_may_be_a_class_which_is_not_annotated_counts_nothing():
    masks = torch.tensor([[0, 1, IGNORE], [0, 1, 4]])  # 4 is a touched 1 of three classes
    known = torch.tensor([[True, True, False], [True, True, True]])
    assert unmarked(masks, 3, known).tolist() == [[IGNORE, 1, IGNORE], [0, 1, 1]]


def test_a_mixed_patch_learns_the_teachers_labels_also_of_classes_that_its_annotation_lacks(recipe_2d, prepared, monkeypatch):
    monkeypatch.setattr(pasting, "MIXED", 1.0)
    monkeypatch.setattr(pasting, "confident_labels", lambda chances: torch.full_like(chances[:, 0], 2, dtype=torch.int64))
    recipe = with_(recipe_2d, "copy-paste", batch=4, steps=10)
    state = start(recipe, 0)
    state.step = 8
    images, targets = draw_batch(recipe, prepared[0], member=0, step=8)
    known = torch.tensor([[True, True, False]] * 4)
    marks = Marks(known=known, unlabelled=draw_views(recipe, prepared[1], member=0, step=8))
    _, mixed, marks = paste(recipe, 0, state, images, targets.clamp(max=1), marks)
    pasted = (mixed == 2).flatten(1).any(1)
    assert pasted.any()
    assert torch.equal(marks.known.all(1), pasted)
    assert not (mixed[pasted] == 0).any()
    assert torch.isfinite(loss_of(recipe, torch.randn(4, 3, *mixed.shape[1:]), mixed, known=marks.known))


@pytest.fixture
def prepared(recipe_2d, pictures, pool, tmp_path) -> tuple[list[PreparedCase], list[PreparedCase]]:
    recipe = with_(recipe_2d, "copy-paste")
    return prepare_cases(recipe, pictures, tmp_path / "a"), prepare_unlabelled(recipe, pool, tmp_path / "b")


def test_the_second_batch_follows_from_member_and_step_and_only_its_intensities_change(recipe_2d, prepared):
    recipe = with_(recipe_2d, "mean-teacher", batch=8)
    _, pool = prepared
    views, again = (draw_views(recipe, pool, member=1, step=7) for _ in range(2))
    assert torch.equal(views.plain, again.plain)
    assert torch.equal(views.changed, again.changed)
    assert views.plain.shape == views.changed.shape == (8, 1, *recipe.patch[:2])
    assert not torch.equal(views.plain, draw_views(recipe, pool, member=0, step=7).plain)
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(views.plain, views.changed, strict=True)]
    assert min(alike) > 0.5
    assert max(alike) < 1
    assert draw_views(recipe, [], member=1, step=7) is None


def test_the_teacher_is_the_running_mean_of_the_weights(recipe_2d, prepared):
    recipe = with_(recipe_2d, "mean-teacher")
    state = start(recipe, 0)
    images = draw_views(recipe, prepared[1], member=0, step=0).plain
    with torch.no_grad():
        before = state.network.eval()(images).softmax(1)
        for weight in state.network.parameters():
            weight.add_(0.1)
    assert torch.equal(teacher_chances(recipe, state, images), before)
    assert state.network.training


def test_pasting_leaves_the_annotated_part_as_it_was(recipe_2d, prepared, monkeypatch):
    monkeypatch.setattr(pasting, "MIXED", 1.0)
    recipe = with_(recipe_2d, "copy-paste", batch=4, steps=10)
    state = start(recipe, 0)
    state.step = 8
    images, targets = draw_batch(recipe, prepared[0], member=0, step=8)
    views = draw_views(recipe, prepared[1], member=0, step=8)
    soft = torch.ones((4, 3, *recipe.patch[:2])) / 3
    mixed, labels, marks = paste(recipe, 0, state, images, targets, Marks(soft=soft, irrelevant=torch.ones_like(targets), unlabelled=views))
    boxes = draw_boxes(recipe, member=0, step=8, share=1.0)
    assert boxes.flatten(1).any(1).all()
    assert torch.equal(mixed, torch.where(boxes[:, None], views.changed, images))
    assert torch.equal(labels[~boxes], targets[~boxes])
    expected = confident_labels(teacher_chances(recipe, state, views.plain))
    assert torch.equal(labels[boxes], expected[boxes])
    assert not marks.soft.movedim(1, -1)[boxes].any()
    assert torch.equal(marks.irrelevant == 1, ~boxes)


def test_the_term_counts_only_where_the_recipe_says_so(recipe_2d, prepared):
    views = draw_views(recipe_2d, prepared[1], member=0, step=0)
    for way, step, counts in (("mean-teacher", 9, True), ("mean-teacher", 0, False), ("copy-paste", 9, False), ("none", 9, False)):
        recipe = with_(recipe_2d, way, steps=10)
        state = start(recipe, 0)
        state.step = step
        assert (agreement_loss(recipe, 0, state, views).item() > 0) == counts
        assert agreement_loss(recipe, 0, state, None).item() == 0


@pytest.mark.parametrize("way", ["mean-teacher", "copy-paste"])
def test_without_an_unlabelled_case_the_weights_are_those_of_supervised_training(recipe_2d, pictures, pool, tmp_path, way):
    plain = train(recipe_2d, pictures, [], tmp_path / "plain", report=go_on)
    without = train(with_(recipe_2d, way), pictures, [], tmp_path / "without", report=go_on)
    unused = train(recipe_2d, pictures, [], tmp_path / "unused", report=go_on, unlabelled=pool)
    used = train(with_(recipe_2d, way), pictures, [], tmp_path / "used", report=go_on, unlabelled=pool)
    assert weights(plain) == weights(without) == weights(unused) != weights(used)


@pytest.mark.parametrize("way", ["mean-teacher", "copy-paste"])
def test_a_stopped_training_with_unlabelled_volumes_goes_on_as_if_nothing_had_happened(recipe_3d, volumes, deep_pool, tmp_path, way):
    recipe = with_(recipe_3d, way, members=2)
    whole = train(recipe, volumes, [], tmp_path / "whole", report=go_on, unlabelled=deep_pool)
    for stop in (3, 10):
        with pytest.raises(CancelledError):
            train(recipe, volumes, [], tmp_path / "parts", report=lambda p, stop=stop: p.step != stop, unlabelled=deep_pool)
    parts = train(recipe, volumes, [], tmp_path / "parts", report=go_on, unlabelled=deep_pool)
    assert weights(parts) == weights(whole)


KILLED = """
import dataclasses, json, sys
from pathlib import Path
from medloop.images.phantoms import phantom_2d
from medloop.models.training.batches import TrainingCase
from medloop.models.training.consistency import UnlabelledCase
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.train import TrainingRun, train_members

def load(index):
    phantom = phantom_2d(index, shape=(32, 32))
    return phantom.image, phantom.mask

def report(progress):
    print(progress.step, flush=True)
    return True

recipe = Recipe.from_json(json.loads(sys.argv[2]))
cases = [TrainingCase(f"picture-{n}", lambda n=n: load(n)) for n in range(3)]
pool = [UnlabelledCase(f"unlabelled-{n}", lambda n=n: load(10 + n)[0]) for n in range(3)]
train_members(TrainingRun(recipe, cases, [], Path(sys.argv[1]), report, unlabelled=pool))
"""


def test_a_killed_training_with_unlabelled_cases_ends_with_the_same_weights_bit_for_bit(recipe_2d, pictures, pool, tmp_path):
    step = 9
    recipe = with_(recipe_2d, "copy-paste", steps=20, checkpoint_seconds=0.0)
    whole = train(recipe, pictures, [], tmp_path / "whole", report=go_on, unlabelled=pool)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), json.dumps(recipe.to_json())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}) as child:
        for line in child.stdout:
            if int(line) == step:
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
    resumed = []
    again = train(recipe, pictures, [], tmp_path / "killed", report=lambda p: resumed.append(p.step) or True, unlabelled=pool)
    assert step - 1 <= resumed[0] - 1 < recipe.steps - 1
    assert weights(again) == weights(whole)


def test_a_folder_belongs_to_one_set_of_unlabelled_cases(recipe_2d, pictures, pool, tmp_path):
    recipe = with_(recipe_2d, "mean-teacher")
    train(recipe, pictures, [], tmp_path, report=go_on, unlabelled=pool)
    with pytest.raises(ConflictError, match="another recipe or other cases"):
        train(recipe, pictures, [], tmp_path, report=go_on, unlabelled=pool[:2])


def test_the_planned_step_is_one_with_the_second_batch(recipe_2d, prepared, monkeypatch):
    cases, pool = prepared
    seen = []

    def noted(recipe, member, state, *batch, marks, guide):
        seen.append(marks.unlabelled is not None)
        return take_step(recipe, member, state, *batch, marks=marks, guide=guide)

    monkeypatch.setattr("medloop.models.training.train.take_step", noted)
    seconds_per_step(with_(recipe_2d, "mean-teacher"), cases, pool=pool)
    assert seen[:2] == [False, False]
    assert all(seen[2:])


def test_a_classifier_learns_from_unlabelled_pictures(recipe_tags, tagged, tmp_path):
    pool = [UnlabelledCase(f"unlabelled-{n}", lambda n=n: phantom_tags(20 + n, shape=PICTURE).image) for n in range(4)]
    recipe = with_(recipe_tags, "mean-teacher")
    first, again = (train(recipe, tagged, [], tmp_path / name, report=go_on, unlabelled=pool) for name in "ab")
    assert weights(first) == weights(again)


@pytest.mark.parametrize("way", ["mean-teacher", "copy-paste"])
def test_partly_annotated_cases_and_images_of_two_channels_are_learned_with_unlabelled_ones(recipe_2d, tmp_path, way):
    def load(index):
        phantom = phantom_2d(index, shape=PICTURE)
        half = phantom.mask.array.copy()
        half[:16] = IGNORE
        return Image(np.repeat(phantom.image.array, 2, axis=0), phantom.image.grid), dataclasses.replace(phantom.mask, array=half)

    from medloop.models.training.batches import TrainingCase

    cases = [TrainingCase(f"half-{n}", lambda n=n: load(n)) for n in range(2)]
    pool = [UnlabelledCase(f"unlabelled-{n}", lambda n=n: load(10 + n)[0]) for n in range(2)]
    trained = train(with_(recipe_2d, way, channels=2), cases, [], tmp_path, report=go_on, unlabelled=pool)
    assert math.isfinite(trained.metrics["loss"])


def test_an_image_of_other_channels_is_refused_by_name(recipe_2d, pictures, tmp_path):
    def load():
        image = phantom_2d(3, shape=PICTURE).image
        return Image(np.repeat(image.array, 2, axis=0), image.grid)

    with pytest.raises(ShapeError, match="strange: the recipe is for 1 channels, got 2"):
        prepare_unlabelled(with_(recipe_2d, "mean-teacher"), [UnlabelledCase("strange", load)], tmp_path)


def test_masks_cannot_be_pasted_into_a_classification_or_among_annotators_with_errors(recipe_tags, recipe_2d):
    with pytest.raises(SettingError, match="none or mean-teacher"):
        with_(recipe_tags, "copy-paste")
    with pytest.raises(SettingError, match="none or mean-teacher"):
        with_(recipe_2d, "copy-paste", annotator_model="confusion", annotators=2)
    with pytest.raises(SettingError, match="none or mean-teacher or copy-paste"):
        with_(recipe_2d, "pseudo-labels")
