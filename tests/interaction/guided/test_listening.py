"""Noticing that a network ignores what it is told, and letting another engine answer then."""

import numpy as np
import pytest
import torch

from medloop.images.phantoms import phantom_2d
from medloop.interaction.guided.listening import ignored_hints, is_deaf
from medloop.interaction.guided.network import NetworkEngine
from medloop.interaction.guided.windows import Span
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.prompts import Box, Point, Scribble
from medloop.metrics.overlap import dice
from medloop.models.checkpoint import decode_weights, encode_weights

from ..conftest import PICTURE

SPAN = Span((10, 0, 0), (4, 4, 1))


def certain(values: list[list[int]]) -> np.ndarray:
    """Probabilities of two labels whose likeliest values these are."""
    return np.stack([np.array(values)[..., None] == n for n in range(3)]).astype(np.float32)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (Point((10, 0, 0), 5), (0, 1)),
        (Point((10, 0, 0), 7), (1, 1)),
        (Point((10, 0, 0), 5, positive=False), (1, 1)),
        (Point((13, 3, 0), 5, positive=False), (0, 1)),
        (Point((9, 0, 0), 5), (0, 0)),
        (Point((10, 0, 0), 3), (0, 0)),
        (Box((10, 0, 0), (11, 1, 1), 7), (0, 0)),
        (Scribble(((10, 0, 0), (10, 1, 0), (13, 3, 0)), 5), (0, 1)),
        (Scribble(((10, 0, 0), (13, 2, 0), (13, 3, 0)), 5), (1, 1)),
    ],
)
def test_a_hint_is_ignored_when_most_of_its_voxels_are(prompt, expected):
    probabilities = certain([[1, 1, 1, 1], [1, 1, 1, 1], [2, 2, 2, 2], [0, 0, 0, 0]])
    assert ignored_hints(probabilities, SPAN, (5, 7), [prompt]) == expected


@pytest.mark.parametrize(
    ("ignored", "seen", "deaf"), [(0, 0, False), (1, 1, False), (2, 2, True), (2, 3, True), (2, 4, False), (3, 5, True)]
)
def test_one_slip_is_not_deafness(ignored, seen, deaf):
    assert is_deaf(ignored, seen) is deaf


def test_the_fallback_answers_where_the_network_says_background_whatever_it_is_told(recipe, weights):
    stubborn = {name: torch.zeros_like(tensor) if name.startswith("head") else tensor for name, tensor in decode_weights(weights).items()}
    bias = next(name for name in stubborn if name.startswith("head") and name.endswith("bias"))
    stubborn[bias] = torch.tensor([9.0, -9.0, -9.0])
    case = phantom_2d(7, shape=PICTURE[:2])
    image, truth = case.image, case.mask.array
    places = [tuple(int(n) for n in row) for row in np.argwhere(truth == 1)]
    clicks = [Point(places[len(places) // 3], 1), Point(places[2 * len(places) // 3], 1)]
    empty = np.zeros(PICTURE, dtype=np.uint8)

    def found(given, fallback):
        engine = NetworkEngine.load(recipe, [encode_weights(stubborn)], fallback=fallback)
        return engine.refine(engine.embed(image), given, labels=(1, 2), previous=empty).mask

    assert dice(found(clicks, None), truth, [1])[1] < 0.2
    assert dice(found(clicks, ClassicalEngine()), truth, [1])[1] > 0.6
    assert np.count_nonzero(found(clicks[:1], ClassicalEngine())) == 1, "one ignored click may be a slip"
