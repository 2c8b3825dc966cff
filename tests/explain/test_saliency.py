"""Maps point at what decides, keep the promises of their methods, and depend on what was learned."""

import sys

import numpy as np
import pytest
from scipy.stats import spearmanr

from medloop.core.errors import LabelError, SettingError, ShapeError, UnavailableError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.explain.methods import METHODS
from medloop.explain.saliency import Saliency, explain_image
from medloop.models.foundation.compute import choose_device
from medloop.models.foundation.networks import build_network
from medloop.models.inference.predict import Predictor

from . import patches


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Predictor:
    return patches.trained(patches.recipe("classification", steps=60), patches.tagged(24), tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory) -> Predictor:
    return patches.trained(patches.recipe("segmentation", steps=40), patches.masked(12), tmp_path_factory.mktemp("segmenter"))


def inside_share(found: Saliency, mask: np.ndarray, margin: int = 0) -> float:
    """Share of the positive evidence within the patch (and a margin around it)."""
    i, j = patches.CORNER
    region = np.zeros(mask.shape, dtype=bool)
    region[max(0, i - margin) : i + patches.PATCH + margin, max(0, j - margin) : j + patches.PATCH + margin] = True
    positive = np.maximum(found.map, 0)
    return float(positive[region].sum() / positive.sum())


@pytest.mark.parametrize(("method", "margin", "least"), [("grad-cam", 4, 0.5), ("integrated-gradients", 4, 0.45), ("occlusion", 4, 0.7)])
def test_a_class_is_explained_by_the_patch_that_makes_it(classifier, method, margin, least) -> None:
    image, mask = patches.picture(101)
    found = explain_image(classifier, image, label=1, method=method)
    assert found.map.shape == image.grid.shape
    assert inside_share(found, mask.array, margin) > least


def test_occlusion_finds_the_planted_patch(segmenter) -> None:
    image, _ = patches.picture(102)
    found = explain_image(segmenter, image, label=1, method="occlusion")
    peak = np.unravel_index(found.map.argmax(), found.map.shape)
    assert all(abs(p - (c + patches.PATCH / 2)) <= patches.PATCH for p, c in zip(peak, patches.CORNER, strict=False))


@pytest.mark.parametrize("who", ["classifier", "segmenter"])
def test_integrated_gradients_add_up_to_the_change_of_the_answer(who, request) -> None:
    """The completeness axiom: their sum is the score minus the score of the baseline."""
    image, _ = patches.picture(103)
    found = explain_image(request.getfixturevalue(who), image, label=1, method="integrated-gradients")
    assert found.baseline is not None
    assert found.gap is not None
    assert found.map.sum() == pytest.approx(found.score - found.baseline, rel=0.1)
    assert found.gap < 0.1


@pytest.mark.parametrize("method", METHODS)
def test_a_network_that_learned_nothing_gives_another_map(classifier, method) -> None:
    """Adebayo et al. 2018: a map that survives random weights explains the image, not the network."""
    image, _ = patches.picture(104)
    learned = explain_image(classifier, image, label=1, method=method).map
    blank = Predictor(classifier.recipe, [build_network(classifier.recipe, seed=77).eval()], device=choose_device())
    random = explain_image(blank, image, label=1, method=method).map
    assert abs(spearmanr(np.abs(learned).ravel(), np.abs(random).ravel()).statistic or 0.0) < 0.8


def test_explaining_leaves_the_network_as_it_was(segmenter) -> None:
    image, _ = patches.picture(105)
    before = segmenter.predict(image, samples=1, rng=np.random.default_rng(0)).probabilities
    for method in METHODS:
        explain_image(segmenter, image, label=1, method=method)
    after = segmenter.predict(image, samples=1, rng=np.random.default_rng(0)).probabilities
    assert np.array_equal(before, after)


def test_a_label_the_network_does_not_find_is_explained_where_it_is_likeliest(segmenter) -> None:
    image, _ = patches.picture(106, patch=False)
    found = explain_image(segmenter, image, label=1, method="grad-cam")
    assert np.isfinite(found.map).all()


def test_a_large_image_is_explained_around_the_structure(segmenter) -> None:
    """Beyond one window, the map is zero."""
    array = np.zeros((1, 96, 96, 1), dtype=np.float32)
    array[:] = np.random.default_rng(0).normal(0, 1, array.shape)
    array[0, 70:80, 10:20] += 5
    found = explain_image(segmenter, Image(array, Grid.flat(96, 96)), label=1, method="grad-cam")
    assert found.map.shape == (96, 96, 1)
    assert found.start[0] <= 70 < 80 <= found.stop[0]
    outside = np.ones(found.map.shape, dtype=bool)
    outside[found.start[0] : found.stop[0], found.start[1] : found.stop[1]] = False
    assert outside.any()
    assert not found.map[outside].any()


def test_without_captum_the_remedy_is_named(classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(UnavailableError, match=r"medloop\[explain\]"):
        explain_image(classifier, patches.picture(1)[0], label=1)


def test_wrong_use_is_told(classifier) -> None:
    image, _ = patches.picture(1)
    with pytest.raises(SettingError, match="grad-cam"):
        explain_image(classifier, image, label=1, method="magic")
    with pytest.raises(LabelError, match="0 to 1"):
        explain_image(classifier, image, label=2)
    with pytest.raises(ShapeError):
        explain_image(classifier, Image(np.zeros((2, 8, 8, 1), np.float32), Grid.flat(8, 8)), label=1)
