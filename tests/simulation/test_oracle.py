"""The oracle: the truth, or errors of the size that was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import NotFoundError
from medloop.core.geometry import Grid
from medloop.core.image import Mask
from medloop.metrics.overlap import dice
from medloop.metrics.surface import hd95_mm
from medloop.simulation.oracle import Errors, Oracle
from medloop.simulation.outlines import with_wrong_outlines, with_wrong_tag
from medloop.simulation.prepare import TRUTH

GRID = Grid.of_spacing((40, 40, 20), (1.0, 1.0, 2.0))


def ball(radius: float = 10.0) -> Mask:
    at = np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), axis=-1)
    distance = np.linalg.norm((at - np.array([20, 20, 10])) * np.array(GRID.spacing_mm), axis=-1)
    return Mask(((distance < radius).astype(np.uint8) + (distance < radius / 2)).astype(np.uint8), GRID)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_without_errors_the_truth_comes_back():
    assert with_wrong_outlines(ball(), 0.0, rng()) is not None
    assert np.array_equal(with_wrong_outlines(ball(), 0.0, rng()), ball().array)


@pytest.mark.parametrize("error_mm", [0.5, 1.5])
def test_outlines_stray_by_about_the_size_asked_for(error_mm):
    wrong = with_wrong_outlines(ball(), error_mm, rng(1))
    far = hd95_mm(wrong, ball().array, GRID, 1)
    assert 0 < dice(wrong, ball().array, [1])[1] < 1
    assert error_mm * 0.5 <= far <= 2 * error_mm + max(GRID.spacing_mm)


def test_larger_errors_overlap_less():
    scores = [dice(with_wrong_outlines(ball(), e, rng(2)), ball().array, [2])[2] for e in (0.3, 1.0, 3.0)]
    assert scores == sorted(scores, reverse=True)


@given(st.integers(0, 50), st.floats(0.1, 4.0))
def test_no_label_is_invented(seed, error_mm):
    assert set(Mask(with_wrong_outlines(ball(6.0), error_mm, rng(seed)), GRID).values()) <= {0, 1, 2}


def test_an_empty_mask_stays_empty():
    empty = Mask(np.zeros(GRID.shape, dtype=np.uint8), GRID)
    assert not with_wrong_outlines(empty, 2.0, rng()).any()


def test_a_flat_mask_keeps_its_shape():
    grid = Grid.flat(30, 30)
    mask = Mask(np.zeros(grid.shape, dtype=np.uint8), grid)
    mask.array[8:20, 8:20] = 1
    assert with_wrong_outlines(mask, 1.0, rng()).shape == grid.shape


def test_the_share_of_wrong_tags_is_the_one_asked_for():
    tags = [with_wrong_tag(1, (0, 1, 2), 0.3, rng(n)) for n in range(1000)]
    assert set(tags) == {0, 1, 2}
    assert abs(np.mean(np.array(tags) != 1) - 0.3) < 0.06
    assert with_wrong_tag(1, (0, 1), 0.0, rng()) == 1


def test_the_oracle_knows_every_case_and_repeats_its_errors(finished):
    out, result = finished
    name = next(iter(result.setup.patients))
    with Oracle(out / TRUTH) as perfect, Oracle(out / TRUTH, Errors(outline_mm=4.0, seed=3)) as wrong:
        assert np.array_equal(perfect.annotation(name), perfect.truth(name).array)
        assert np.array_equal(wrong.annotation(name), wrong.annotation(name))
        assert not np.array_equal(wrong.annotation(name), perfect.annotation(name))
        assert 0 < perfect.foreground_shares([name])[name] < 1
        with pytest.raises(NotFoundError, match="no annotation for nobody"):
            perfect.annotation("nobody")
