import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from medloop.core.errors import CancelledError, ConflictError, FormatError, InputError, IntegrityError, MedloopError
from medloop.core.image import Image
from medloop.core.settings import SETTINGS
from medloop.models.foundation.checkpoint import checkpoint_file, decode_weights, encode_weights
from medloop.models.inference.predict import Predictor
from medloop.models.training import train as training
from medloop.models.training.batches import TrainingCase, prepare_cases
from medloop.models.training.state import start
from medloop.models.training.train import FEWEST_STEPS, plan_steps, rate_at, seconds_per_step, take_step, train


def go_on(_):
    return True


def weights(trained):
    return [file.read_bytes() for file in trained.weights]


def test_one_batch_can_be_learned_by_heart(recipe_2d, pictures, tmp_path):
    recipe = dataclasses.replace(recipe_2d, steps=100, augmentation=0.0, dropout=0.0, batch=1, learning_rate=2e-2)
    trained = train(recipe, pictures[:1], [], tmp_path, report=go_on)
    image, mask = pictures[0].load()
    answer = Predictor.load(recipe, weights(trained)).predict(image, samples=1, rng=np.random.default_rng(0))
    assert trained.metrics["loss"] < 0.3
    assert (answer.probabilities.argmax(0) == mask.array).mean() > 0.97


def test_a_folded_network_learns_a_volume_by_heart(recipe_folded, volumes, tmp_path):
    recipe = dataclasses.replace(recipe_folded, steps=150, augmentation=0.0, dropout=0.0, batch=1, learning_rate=2e-2)
    trained = train(recipe, volumes[:1], [], tmp_path, report=go_on)
    assert trained.metrics["loss"] < 0.4


def test_the_same_arguments_give_the_same_weights(recipe_3d, volumes, tmp_path):
    first = train(recipe_3d, volumes, [], tmp_path / "a", report=go_on)
    again = train(recipe_3d, volumes, [], tmp_path / "b", report=go_on)
    other = train(dataclasses.replace(recipe_3d, seed=99), volumes, [], tmp_path / "c", report=go_on)
    assert weights(first) == weights(again) != weights(other)


def test_a_stopped_training_goes_on_as_if_nothing_had_happened(recipe_3d, volumes, tmp_path):
    recipe = dataclasses.replace(recipe_3d, members=2, validations=2)
    whole = train(recipe, volumes[:2], volumes[2:], tmp_path / "whole", report=go_on)
    for stop in (1, 4, 9):  # in the first member, after its validation, in the second member
        with pytest.raises(CancelledError, match="of 6"):
            train(recipe, volumes[:2], volumes[2:], tmp_path / "parts", report=lambda p, stop=stop: p.step != stop)
    parts = train(recipe, volumes[:2], volumes[2:], tmp_path / "parts", report=go_on)
    assert weights(parts) == weights(whole)
    assert parts.metrics["validation"] == whole.metrics["validation"]


KILLED = """
import dataclasses, sys, time
from pathlib import Path
from medloop.images.phantoms import phantom_2d
from medloop.models.training.batches import TrainingCase
from medloop.models.foundation.recipes import Recipe
from medloop.models.training.train import train
import json

def load(index):
    phantom = phantom_2d(index, shape=(32, 32))
    return phantom.image, phantom.mask

def report(progress):
    print(progress.step, flush=True)
    return True

recipe = Recipe.from_json(json.loads(sys.argv[2]))
cases = [TrainingCase(f"picture-{index}", lambda index=index: load(index)) for index in range(3)]
train(recipe, cases, [], Path(sys.argv[1]), report=report)
"""


def test_a_killed_training_ends_with_the_same_weights_bit_for_bit(recipe_2d, pictures, tmp_path):
    step = 3
    recipe = dataclasses.replace(recipe_2d, steps=20, checkpoint_seconds=0.0)
    whole = train(recipe, pictures, [], tmp_path / "whole", report=go_on)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), json.dumps(recipe.to_json())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}) as child:
        for line in child.stdout:
            if int(line) == step:
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
    resumed = []
    again = train(recipe, pictures, [], tmp_path / "killed", report=lambda p: resumed.append(p.step) or True)
    assert step - 1 <= resumed[0] - 1 < recipe.steps - 1
    assert weights(again) == weights(whole)


def test_a_damaged_checkpoint_is_refused_not_trained_on(recipe_2d, pictures, tmp_path):
    with pytest.raises(CancelledError):
        train(recipe_2d, pictures, [], tmp_path, report=lambda p: p.step < 2)
    file = checkpoint_file(tmp_path / "checkpoint-0")
    damaged = bytearray(file.read_bytes())
    damaged[-7] ^= 4
    file.write_bytes(damaged)
    with pytest.raises(IntegrityError):
        train(recipe_2d, pictures, [], tmp_path, report=go_on)


def test_a_folder_belongs_to_one_training(recipe_2d, pictures, tmp_path):
    train(recipe_2d, pictures, [], tmp_path, report=go_on)
    with pytest.raises(ConflictError, match="another recipe or other cases"):
        train(recipe_2d, pictures[:2], [], tmp_path, report=go_on)


def test_a_finished_training_is_not_repeated(recipe_2d, pictures, tmp_path):
    first = train(recipe_2d, pictures, [], tmp_path, report=go_on)
    assert train(recipe_2d, pictures, [], tmp_path, report=lambda _: pytest.fail("trained again")) == first
    assert not list(tmp_path.glob("prepared-*"))
    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_classifier_learns_to_tell_black_from_white(recipe_tags, tagged, tmp_path):
    def load(index):
        image, _ = tagged[index].load()
        bright = np.zeros_like(image.array, dtype=np.float32)
        bright[:, :16] = 1 if index % 2 else 0
        bright[:, 16:] = 0 if index % 2 else 1
        return Image(bright, image.grid), index % 2

    cases = [TrainingCase(f"half-{index}", lambda index=index: load(index)) for index in range(6)]
    recipe = dataclasses.replace(recipe_tags, steps=40, flips=(), dropout=0.1)
    trained = train(recipe, cases[:4], cases[4:], tmp_path, report=go_on)
    assert trained.metrics["validation"] == 1.0


def test_a_loss_that_is_no_number_stops_and_says_so(recipe_2d, pictures, tmp_path):
    state = start(dataclasses.replace(recipe_2d, steps=3), 0)
    images = torch.full((1, 1, *recipe_2d.patch[:2]), torch.nan)
    with pytest.raises(MedloopError, match=r"must be a number, got nan at step 1.*learning rate"):
        take_step(recipe_2d, 0, state, images, torch.zeros(1, *recipe_2d.patch[:2], dtype=torch.int64))


def test_progress_counts_over_all_members(recipe_2d, pictures, tmp_path):
    seen = []
    recipe = dataclasses.replace(recipe_2d, members=2, steps=3)
    trained = train(recipe, pictures, [], tmp_path, report=lambda p: seen.append((p.step, p.steps)) or True)
    assert seen == [(n, 6) for n in range(1, 7)]
    assert len(set(weights(trained))) == 2
    assert trained.metrics["steps"] == 3


def test_a_time_budget_becomes_steps_and_the_plan_survives_a_stop(recipe_2d, pictures, tmp_path):
    recipe = dataclasses.replace(recipe_2d, steps=0, minutes=0.01)
    planned = []
    with pytest.raises(CancelledError):
        train(recipe, pictures, [], tmp_path, report=lambda p: planned.append(p.steps) or False)
    trained = train(recipe, pictures, [], tmp_path, report=go_on)
    assert trained.metrics["steps"] == planned[0] >= 50


def test_steps_share_the_minutes_between_members(recipe_2d):
    timed = dataclasses.replace(recipe_2d, minutes=10, members=2)
    assert plan_steps(timed, 1.0) == int(0.93 * 300)
    assert plan_steps(timed, 1.0, spent=79) == 200
    assert plan_steps(timed, 1e6) == 50


def test_the_minutes_of_a_training_are_an_aim_with_fewest_steps_as_its_setting_says(recipe_2d):
    declared = SETTINGS["train_minutes"]
    assert declared.help == f"Minutes aimed at for one training; {FEWEST_STEPS} steps are made in any case."
    for minutes in (declared.low, declared.high):
        timed = dataclasses.replace(recipe_2d, minutes=minutes, members=1)
        assert FEWEST_STEPS <= plan_steps(timed, 0.5) <= max(FEWEST_STEPS, minutes * 120)


def test_seconds_per_step_use_the_clock_they_are_given(recipe_2d, pictures, tmp_path):
    ticks = iter(range(100))
    assert seconds_per_step(recipe_2d, prepare_cases(recipe_2d, pictures, tmp_path), clock=lambda: next(ticks)) == 1


def test_the_learning_rate_warms_up_and_fades_out():
    rates = [rate_at(step, 1000) for step in range(1000)]
    assert rates[0] == 1 / 50
    assert max(rates) == rates[49] == 1.0
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] < 1e-5


def test_training_needs_cases(recipe_2d, tmp_path):
    with pytest.raises(InputError, match="at least one annotated case"):
        train(recipe_2d, [], [], tmp_path, report=go_on)


def test_weights_are_plain_safetensors(recipe_2d, pictures, tmp_path):
    trained = train(recipe_2d, pictures, [], tmp_path, report=go_on)
    tensors = decode_weights(weights(trained)[0])
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())


def test_training_goes_on_from_given_weights(recipe_2d):
    first = start(dataclasses.replace(recipe_2d, seed=1), 0)
    data = encode_weights(first.network.state_dict())
    going_on = start(dataclasses.replace(recipe_2d, seed=2), 0, [data])
    for name, weight in first.network.state_dict().items():
        assert torch.equal(weight, going_on.network.state_dict()[name])
        assert torch.equal(weight, going_on.mean[name])


def test_weights_of_another_recipe_are_no_start(recipe_2d):
    other = start(dataclasses.replace(recipe_2d, classes=recipe_2d.classes + 1), 0)
    with pytest.raises(FormatError, match="do not belong"):
        start(recipe_2d, 0, [encode_weights(other.network.state_dict())])


def test_under_a_time_budget_the_quicker_precision_is_taken(recipe_2d, monkeypatch):
    timed = dataclasses.replace(recipe_2d, steps=0, precision="auto")
    seconds = {"bfloat16": 0.5, "float32": 0.3}
    monkeypatch.setattr(training, "has_bfloat16", lambda _: True)
    assert training.quickest_precision(timed, lambda recipe: seconds[recipe.precision]) == ("float32", 0.3)
    seconds["bfloat16"] = 0.2
    assert training.quickest_precision(timed, lambda recipe: seconds[recipe.precision]) == ("bfloat16", 0.2)
    fixed = dataclasses.replace(timed, precision="float32")
    assert training.quickest_precision(fixed, lambda recipe: seconds[recipe.precision]) == ("float32", 0.3)
    monkeypatch.setattr(training, "has_bfloat16", lambda _: False)
    assert training.quickest_precision(timed, lambda _: 0.4) == ("auto", 0.4)


def test_a_resumed_training_keeps_its_precision_and_is_not_timed_again(recipe_2d, pictures, tmp_path, monkeypatch):
    timed = dataclasses.replace(recipe_2d, steps=0, minutes=0.01, precision="auto")
    monkeypatch.setattr(training, "has_bfloat16", lambda _: True)
    monkeypatch.setattr(training, "seconds_per_step", lambda recipe, **_: 1.0 if recipe.precision == "float32" else 2.0)
    with pytest.raises(CancelledError):
        train(timed, pictures, [], tmp_path / "a", report=lambda progress: progress.step < 20)
    monkeypatch.setattr(training, "seconds_per_step", lambda *_, **__: pytest.fail("timed again"))
    again = train(timed, pictures, [], tmp_path / "a", report=lambda _: True)
    whole = train(dataclasses.replace(timed, steps=FEWEST_STEPS, precision="float32"), pictures, [], tmp_path / "b", report=lambda _: True)
    assert weights(again) == weights(whole)
