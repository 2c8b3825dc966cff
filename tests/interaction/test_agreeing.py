"""An engine that would redraw what nobody asked about is held to what mask and image support; one that agrees is believed."""

from dataclasses import dataclass

import numpy as np

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.agreeing import agreement
from medloop.interaction.engine import ImageEmbedding
from medloop.interaction.guard import NARROWED, Claim, Guard, held
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.prompts import Point

from .engines import answered

SHAPE = (64, 64, 1)
EVERY = np.hypot(*(np.mgrid[:64, :64] - 32))[..., None]
TRUTH = EVERY < 20
BITE = TRUTH & (np.hypot(*(np.mgrid[:64, :64] - np.array([50, 32]).reshape(2, 1, 1)))[..., None] < 8)
TORN = (TRUTH & ~BITE).astype(np.uint8)
CLICK = Point((47, 32, 0))
IMAGE = Image((100.0 * TRUTH + np.random.default_rng(0).normal(0, 5, SHAPE)).astype(np.float32)[None], Grid.of_spacing(SHAPE, (1, 1, 1)))


@dataclass
class Fixed:
    """Answers the same mask whatever is said."""

    mask: np.ndarray
    name: str = "fixed"

    def embed(self, image):
        return ImageEmbedding(image, self.name)

    def refine(self, embedding, prompts, *, labels, previous=None, locked=(), wanted=lambda: True):  # noqa: ARG002 - fixed
        return answered(self.mask.astype(np.uint8), previous, labels)


def asked(mask):
    engine = Fixed(mask)
    return refine_guarded(engine, engine.embed(IMAGE), TORN, [], [CLICK], Guard((1,)))


def test_an_engine_that_leaves_the_rest_as_it_is_is_believed_beyond_what_the_image_supports():
    near = np.hypot(*(np.mgrid[:64, :64] - np.array([47, 32]).reshape(2, 1, 1)))[..., None] < 7
    more = TRUTH | ((EVERY < 23) & near)
    made = asked(more)
    assert made.note == ""
    assert np.array_equal(made.mask == 1, more)


def test_an_engine_that_would_redraw_the_rest_adds_what_mask_and_image_support_only():
    made = asked(EVERY < 26)
    assert made.note == NARROWED
    found = made.mask == 1
    assert (found & BITE).sum() > 0.9 * BITE.sum()
    assert (found & ~TRUTH).sum() < 0.2 * BITE.sum()
    believed = held(TORN, answered((EVERY < 26).astype(np.uint8), TORN, (1,)), [CLICK], grid=IMAGE.grid).mask == 1
    assert (believed & ~TRUTH).sum() > 2 * (found & ~TRUTH).sum()


def test_agreement_is_dice_away_from_what_was_asked_about():
    old, wish = np.zeros((20, 1, 1), np.uint8), np.zeros((20, 1, 1), np.uint8)
    old[0:6], wish[2:8] = 1, 1
    wish[15] = 1
    far = np.arange(20)[:, None, None] == 15
    claim = Claim(old, old, wish, ((0, 0, 0), (20, 1, 1)), far)
    assert agreement(claim, 1) == 2 * 4 / 12
    assert agreement(Claim(old, old, old, claim.box, far), 1) == 1.0
