import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch

from medloop.core.errors import CancelledError, ConflictError, SettingError
from medloop.interaction.interactive_network.rehearsal import Rehearsal
from medloop.interaction.simulated_users.robots import Apprentice, CentreClicker
from medloop.models.training.train import train

from ..conftest import guided_recipe, pictures
from .layout import GuidanceChannels

LAYOUT = GuidanceChannels.of(3)


def batch(size=6, shape=(24, 24)):
    masks = torch.zeros(size, *shape, dtype=torch.int64)
    masks[:, 4:12, 4:12] = 1
    masks[:, 14:20, 8:20] = 2
    return torch.zeros(size, 1, *shape), masks


def wrong_answer(seen, which):
    answer = torch.zeros(len(seen), 3, *seen.shape[2:])
    answer[:, 0] = 0.6
    answer[:, 1, 8:18, 8:18] = 0.9
    return answer


def guidance(guide, step=0, ask=wrong_answer, size=6):
    images, masks = batch(size)
    return guide(guided_recipe(), images, masks, ask, member=0, step=step)[0][:, 1:]


def test_automatic_samples_carry_no_guidance_and_ask_nobody():
    assert not guidance(Rehearsal(automatic=1.0), ask=lambda *_: pytest.fail("asked")).any()


def test_guided_samples_show_the_wrong_answer_and_hints_where_it_is_wrong():
    guide = Rehearsal(
        robots=(Apprentice(strokes=0, wrong=0),), automatic=0.0, corrupted=0.0, boxed=0.0, disputed=0.0, blank=0.0, rounds=1, gestures=1
    )
    channels, (_, masks) = guidance(guide).numpy(), batch()
    answered = wrong_answer(torch.zeros(6, 1, 24, 24), range(6)).argmax(1).numpy()
    assert (channels[:, LAYOUT.previous][:, 0] == (answered == 1)).all()
    hinted = np.argwhere(channels[:, LAYOUT.hints] == 1)
    assert len(hinted) == 6
    for sample, label, i, j in hinted:
        assert masks[sample, i, j] == label != answered[sample, i, j]


def test_shares_come_out_as_asked():
    guide = Rehearsal(automatic=0.4, corrupted=0.0, boxed=0.0, disputed=0.0, blank=0.0)
    silent = [not sample.any() for step in range(30) for sample in guidance(guide, step).numpy()]
    assert abs(np.mean(silent) - 0.4) < 0.15  # four standard deviations of 180 draws


def test_some_boxed_samples_have_the_box_alone():
    guide = Rehearsal(automatic=0.0, corrupted=0.0, boxed=1.0, blank=0.0)
    kinds = Counter()
    for step in range(10):
        for sample in guidance(guide, step).numpy():
            assert sample[LAYOUT.boxes].any()
            kinds[bool(sample[LAYOUT.hints].any())] += 1
    assert min(kinds[True], kinds[False]) > 5


def test_disputed_samples_want_other_borders_and_automatic_ones_do_not():
    images, masks = batch()
    for automatic, kept in ((1.0, True), (0.0, False)):
        guide = Rehearsal(automatic=automatic, disputed=1.0)
        _, wanted = guide(guided_recipe(), images, masks, wrong_answer, member=0, step=0)
        assert wanted.dtype == masks.dtype
        assert torch.equal(wanted, masks) == kept
        overlaps = [2 * ((a > 0) & (b > 0)).sum() / ((a > 0).sum() + (b > 0).sum()) for a, b in zip(wanted, masks, strict=True)]
        assert min(overlaps) > 0.5


def test_the_same_step_is_played_the_same_way_and_another_is_not():
    first, again, other = guidance(Rehearsal(), 3), guidance(Rehearsal(), 3), guidance(Rehearsal(), 4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_patches_without_any_answer_are_never_hinted_at():
    images, masks = batch()
    guide = Rehearsal(automatic=0.0, corrupted=0.0, blank=0.0)
    channels = guide(guided_recipe(), images, torch.full_like(masks, 255), wrong_answer, member=0, step=0)[0][:, 1:]
    assert not channels[:, LAYOUT.hints].any()
    assert not channels[:, LAYOUT.boxes].any()


def test_users_that_test_may_not_rehearse():
    with pytest.raises(SettingError, match="cannot be a training annotator"):
        Rehearsal(robots=(CentreClicker(),))


@pytest.mark.parametrize("wrong", [{"robots": ()}, {"rounds": 0}, {"gestures": 0}, {"automatic": 1.5}, {"blank": -0.1}])
def test_a_rehearsal_checks_its_numbers(wrong):
    with pytest.raises(SettingError, match="shares within"):
        Rehearsal(**wrong)


def test_a_stopped_guided_training_goes_on_bit_for_bit(tmp_path):
    recipe, guide = guided_recipe(steps=4, batch=2), Rehearsal(automatic=0.2)
    whole = train(recipe, pictures(2), [], tmp_path / "whole", report=lambda _: True, guide=guide)
    for stop in (1, 3):
        with pytest.raises(CancelledError):
            train(recipe, pictures(2), [], tmp_path / "parts", report=lambda p, stop=stop: p.step != stop, guide=guide)
    parts = train(recipe, pictures(2), [], tmp_path / "parts", report=lambda _: True, guide=guide)
    assert whole.weights[0].read_bytes() == parts.weights[0].read_bytes()


def test_a_checkpoint_belongs_to_its_users(tmp_path):
    recipe = guided_recipe(steps=4)
    with pytest.raises(CancelledError):
        train(recipe, pictures(2), [], tmp_path, report=lambda _: False, guide=Rehearsal())
    with pytest.raises(ConflictError, match="another recipe"):
        train(recipe, pictures(2), [], tmp_path, report=lambda _: True, guide=Rehearsal(rounds=2))


def test_hints_teach_something_that_the_same_steps_without_them_do_not(tmp_path):
    recipe = guided_recipe(steps=2)
    with_hints = train(recipe, pictures(2), [], tmp_path / "a", report=lambda _: True, guide=Rehearsal(automatic=0.0))
    without = train(dataclasses.replace(recipe), pictures(2), [], tmp_path / "b", report=lambda _: True)
    assert with_hints.weights[0].read_bytes() != without.weights[0].read_bytes()
