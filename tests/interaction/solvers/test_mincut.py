import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from medloop.core.errors import CancelledError, ShapeError
from medloop.interaction.prompts import PromptedVoxels
from medloop.interaction.solvers.cut_energy import edge_weights, unary_cost
from medloop.interaction.solvers.mincut import cut, relax_labels, settle_labels

from ..exact_cut import energy, exact_cut


def hints(positive=(), negative=()):
    return PromptedVoxels(np.array(positive, dtype=np.int64).reshape(-1, 3), np.array(negative, dtype=np.int64).reshape(-1, 3))


def blob(shape, seed, noise=4.0):
    """A map that believes in a noisy ball, and an image of it."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape], indexing="ij"))
    ball = np.linalg.norm(at, axis=0) < 0.6
    image = gaussian_filter(ball.astype(float), 1) + rng.normal(0, 0.2, shape)
    evidence = 3 * gaussian_filter(2.0 * ball - 1 + rng.normal(0, noise, shape), 1)
    return 1 / (1 + np.exp(-evidence)), image[np.newaxis].astype(np.float32)


def test_a_lone_doubter_is_talked_round_and_a_sure_block_is_not():
    probability = np.full((5, 5, 1), 0.1)
    probability[2, 2] = 0.6
    probability[:2, :2] = 0.99
    found = cut(probability, np.zeros((1, 5, 5, 1)), hints(), (1, 1, 1), smoothness=0.5).answers >= 0.5
    expected = np.zeros((5, 5, 1), dtype=bool)
    expected[:2, :2] = True
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(("shape", "spacing"), [((24, 24, 24), (1, 1, 1)), ((28, 20, 9), (0.8, 1.2, 4.0)), ((72, 64, 1), (1, 1, 1))])
def test_the_relaxation_agrees_with_the_exact_cut_but_for_a_few_voxels(shape, spacing):
    probability, image = blob(shape, seed=1)
    given_hints = hints([(2, 2, 0)], [tuple(n // 2 for n in shape)])
    cost, weights = unary_cost(probability, given_hints), edge_weights(image, spacing, smoothness=2.0)
    exact = exact_cut(cost, weights)
    found = cut(probability, image, given_hints, spacing, smoothness=2.0, iterations=400).answers >= 0.5
    assert (found != exact).sum() <= 0.005 * exact.sum()
    assert energy(cost, weights, found) <= energy(cost, weights, exact) + 2 * 2.0


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.data())
def test_every_hint_is_obeyed(seed, data):
    shape = (6, 7, 3)
    rng = np.random.default_rng(seed)
    voxels = [tuple(v) for v in np.argwhere(np.ones(shape))]
    chosen = data.draw(st.lists(st.sampled_from(voxels), unique=True, max_size=12))
    half = len(chosen) // 2
    said = hints(chosen[:half], chosen[half:])
    found = cut(rng.random(shape), rng.normal(size=(2, *shape)), said, (1, 1, 3), smoothness=3.0, iterations=20).answers
    assert (found[tuple(said.positive.T)] >= 0.5).all()
    assert (found[tuple(said.negative.T)] < 0.5).all()
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_swapping_axes_swaps_the_answer():
    probability, image = blob((14, 12, 10), seed=3)
    straight = cut(probability, image, hints(), (1, 2, 3), iterations=600)
    swapped = cut(probability.transpose(2, 0, 1), image.transpose(0, 3, 1, 2), hints(), (3, 1, 2), iterations=600)
    assert ((straight.answers >= 0.5).transpose(2, 0, 1) != (swapped.answers >= 0.5)).mean() < 0.005


def test_faces_across_thick_slices_cost_less():
    weights = edge_weights(np.zeros((1, 2, 2, 2)), (1, 2, 5), smoothness=3.0)
    assert [float(w.max()) for w in weights] == pytest.approx([3.0, 1.5, 0.6])


def test_without_smoothness_the_map_is_thresholded():
    probability, image = blob((8, 8, 4), seed=2)
    assert np.array_equal(cut(probability, image, hints(), (1, 1, 1), smoothness=0.0).answers >= 0.5, probability >= 0.5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 1), (4, 1, 6)])
def test_images_of_few_voxels_are_cut_too(shape):
    found = cut(np.full(shape, 0.7), np.full((1, *shape), np.nan), hints(negative=[(0, 0, 0)]), (1, 1, 1)).answers
    assert found[0, 0, 0] < 0.5
    assert (found >= 0.5).sum() in (0, found.size - 1)


def test_of_two_labels_each_voxel_gets_the_one_that_wants_it_and_hints_stay():
    shape = (12, 12, 1)
    probabilities = np.full((3, *shape), 0.05)
    probabilities[1, :6], probabilities[2, 6:] = 0.9, 0.9
    said = [hints([(9, 9, 0)]), hints([(2, 2, 0)], [(9, 9, 0)])]
    answers = relax_labels(probabilities, np.zeros((1, *shape)), said, (1, 1, 1), smoothness=0.5)
    chosen = settle_labels(answers, probabilities, said)
    expected = np.full(shape, 1)
    expected[6:] = 2
    expected[9, 9], expected[2, 2] = 1, 2
    assert np.array_equal(chosen, expected)


def test_a_cut_nobody_waits_for_ends():
    probability, image = blob((16, 16, 8), seed=0)
    with pytest.raises(CancelledError):
        cut(probability, image, hints(), (1, 1, 1), wanted=lambda: False)


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="map's grid"):
        cut(np.zeros((3, 3, 3)), np.zeros((3, 3, 3)), hints(), (1, 1, 1))
    with pytest.raises(ShapeError, match="its prompts"):
        relax_labels(np.zeros((2, 3, 3, 3)), np.zeros((1, 3, 3, 3)), [], (1, 1, 1))


def test_small_grids_are_cut_at_the_least_price_and_the_gap_told_is_true():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(3, 9, 3)) if seed % 3 else (*rng.integers(3, 12, 2), 1)
        probability, image = rng.random(shape), rng.normal(size=(1, *shape)).astype(np.float32)
        cost, weights = unary_cost(probability, hints()), edge_weights(image, (1, 1, 2), smoothness=2.0)
        least = energy(cost, weights, exact_cut(cost, weights))
        done, stopped = cut(probability, image, hints(), (1, 1, 2)), cut(probability, image, hints(), (1, 1, 2), iterations=3)
        assert energy(cost, weights, done.answers >= 0.5) <= least + 0.03
        assert energy(cost, weights, stopped.answers >= 0.5) <= least + stopped.gap + 0.01


def test_a_cut_that_ran_out_of_iterations_says_so():
    probability, image = blob((24, 24, 24), seed=1)
    assert cut(probability, image, hints(), (1, 1, 1), iterations=2).gap > 2.0
    assert cut(probability, image, hints(), (1, 1, 1), iterations=2000).gap <= 2.0
