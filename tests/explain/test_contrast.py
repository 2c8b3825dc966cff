import math

import numpy as np
import pytest

from medloop.core.errors import SettingError, ShapeError
from medloop.core.geometry import Grid
from medloop.explain.contrast import prompt_effects, suggest_prompts

GRID = Grid.of_spacing((12, 6, 1), (1.0, 1.0, 1.0))


def bar(stop: int, height: int = 6) -> np.ndarray:
    mask = np.zeros(GRID.shape, dtype=np.uint8)
    mask[1:stop, :height] = 1
    return mask


def as_samples(*answers: np.ndarray, sure: float = 1.0) -> np.ndarray:
    inside = np.stack(answers).astype(np.float32) * (2 * sure - 1) + (1 - sure)
    return np.stack([1 - inside, inside], axis=1)


def test_one_answer_settles_which_of_two_masks_is_right() -> None:
    """Half the samples end at 5, half at 11: knowing a voxel between 5 and 11 gives ln 2 nats and the whole mask."""
    (place,) = suggest_prompts(as_samples(bar(5), bar(11)), GRID, count=1)
    assert 5 <= place.voxel[0] < 11
    assert place.information == pytest.approx(math.log(2), abs=1e-4)
    assert place.shares == {0: 0.5, 1: 0.5}
    # the mean of both is undecided beyond 5, which counts as background: it stays, or grows from 24 to 60 pixels
    assert place.change == pytest.approx(0.5 * (1 - 2 * 24 / 84))


def test_the_larger_quarrel_is_asked_about_first() -> None:
    """Half the samples have a speck, whatever the length of their bar: knowing it moves one pixel."""
    specks = [bar(5), bar(11)]
    for speck in specks:
        speck[0, 0] = 1
    places = suggest_prompts(as_samples(bar(5), bar(11), *specks), GRID, count=40, apart_mm=1.0)
    assert places[0].voxel[0] >= 5
    assert places[-1].voxel == (0, 0, 0)


def test_doubting_samples_give_less_information() -> None:
    sure, unsure = (suggest_prompts(as_samples(bar(5), bar(11), sure=s), GRID, count=1)[0] for s in (1.0, 0.7))
    assert 0 < unsure.information < sure.information


def test_where_all_agree_there_is_nothing_to_ask() -> None:
    assert suggest_prompts(as_samples(bar(5), bar(5)), GRID) == []


def test_places_keep_their_distance() -> None:
    places = suggest_prompts(as_samples(bar(3), bar(6), bar(11)), GRID, count=10, by="information", apart_mm=3.0)
    voxels = np.array([p.voxel for p in places])
    gaps = np.linalg.norm(voxels[:, None] - voxels[None], axis=2)[np.triu_indices(len(voxels), 1)]
    assert len(places) >= 3
    assert gaps.min() >= 3.0
    assert [p.information for p in places] == sorted((p.information for p in places), reverse=True)


def test_a_prompt_that_changes_nothing_has_no_effect() -> None:
    effects = prompt_effects(lambda used: bar(11) if 1 in used else bar(5), 3, labels=[1])
    assert [e.changed for e in effects] == [0, 36, 0]
    assert effects[1].change == pytest.approx(1 - 2 * 24 / 84)


def test_prompts_of_an_engine_can_be_left_out_one_by_one() -> None:
    """The engine here is the hard constraint itself: each click sets its voxel."""
    from medloop.interaction.prompts import Point, keep_prompts

    prompts = [Point((0, 0, 0)), Point((8, 3, 0)), Point((2, 2, 0))]
    effects = prompt_effects(lambda used: keep_prompts(bar(5), [prompts[n] for n in used]), 3, labels=[1])
    assert [e.changed for e in effects] == [1, 1, 0]


def test_wrong_use_is_told() -> None:
    with pytest.raises(ShapeError, match="Samples"):
        suggest_prompts(np.zeros((2, 2, 3, 3, 3)), GRID)
    with pytest.raises(SettingError, match="information or change"):
        suggest_prompts(as_samples(bar(5)), GRID, by="luck")  # type: ignore[arg-type]
