"""The cut goes on until it is the cheapest within one face, or says that it did not get there."""

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.engine import RefinedMask
from medloop.interaction.modelfree import tools
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.prompts import Box

SHAPE = (96, 96, 1)


def boxed() -> RefinedMask:
    """A box around a disc in a picture so noisy that a cut takes long."""
    disc = np.hypot(*(np.mgrid[:96, :96] - 48))[..., None] < 25
    array = 12.0 * disc + np.random.default_rng(0).normal(0, 20, SHAPE)
    engine = ClassicalEngine("cut")
    image = Image(array[None].astype(np.float32), Grid.of_spacing(SHAPE, (1.0, 1.0, 1.0)))
    return engine.refine(engine.embed(image), [Box((20, 20, 0), (77, 77, 1))], labels=(1,))


def test_a_cut_that_runs_out_of_iterations_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "ITERATIONS", 2)
    monkeypatch.setattr(tools, "TIMES", 1)
    assert boxed().note.startswith("The cut stopped after 2 iterations; it may cost ")


def test_a_cut_that_got_there_says_nothing() -> None:
    assert boxed().note == ""
