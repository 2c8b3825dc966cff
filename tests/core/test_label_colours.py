"""The colours of labels: told apart by all eyes, and from the greys of an image."""

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from medloop.core.records import LABEL_COLOURS

DEUTERANOPIA = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])
"""Linear RGB as a deuteranope sees it (Machado, Oliveira and Fernandes 2009, severity 1.0)."""
SAME = np.eye(3)


def seen(colours: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """CIELAB of sRGB colours in 0..1 through an eye, shape (n, 3)."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    through = np.clip(linear @ eye.T, 0, 1)
    encoded = np.where(through <= 0.0031308, through * 12.92, 1.055 * through ** (1 / 2.4) - 0.055)
    return rgb2lab(encoded[None])[0]


def palette() -> np.ndarray:
    return np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in LABEL_COLOURS]) / 255


def test_twenty_labels_have_twenty_colours() -> None:
    assert len(set(LABEL_COLOURS)) == len(LABEL_COLOURS) >= 20


@pytest.mark.parametrize(("eye", "least"), [(SAME, 15.0), (DEUTERANOPIA, 10.0)], ids=["any eye", "deuteranope"])
def test_no_two_colours_look_alike(eye: np.ndarray, least: float) -> None:
    lab = seen(palette(), eye)
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    assert apart[~np.eye(len(lab), dtype=bool)].min() >= least


def test_no_two_colours_are_one_grey() -> None:
    lightness = np.sort(seen(palette(), SAME)[:, 0])
    assert np.diff(lightness).min() >= 3  # a step of 2.3 is just noticed


@pytest.mark.parametrize(("eye", "least"), [(SAME, 15.0), (DEUTERANOPIA, 5.0)], ids=["any eye", "deuteranope"])
def test_no_colour_is_taken_for_tissue(eye: np.ndarray, least: float) -> None:
    greys = seen(np.repeat(np.linspace(0, 1, 41)[:, None], 3, axis=1), SAME)
    assert deltaE_ciede2000(seen(palette(), eye)[:, None], greys[None]).min() >= least


def test_the_first_labels_are_the_farthest_apart() -> None:
    lab = seen(palette()[:5], DEUTERANOPIA)
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    assert apart[~np.eye(5, dtype=bool)].min() >= 20
