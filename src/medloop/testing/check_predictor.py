"""The contract of a predictor, as a test that any package can run on its own.

    from medloop.testing.check_predictor import check_predictor

    def test_my_predictor_keeps_the_contract():
        check_predictor(my_predictor, kind="segmentation", dimension=3, channels=1, classes=3)

A predictor takes an image as it is stored, on whatever grid, and gives probabilities on that grid. It does its own normalising and
resampling, answers the same twice, changes nothing it is given, and refuses an image that it cannot read. What
`medloop import-model` takes is held to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medloop.core.errors import InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import TaskKind
from medloop.models.inference.predict import AnyPredictor, ModelOutput

_SEED = 20_240_301
CLOSE = 1e-4
"""How far probabilities may lie apart that should be equal."""


@dataclass(frozen=True)
class Checked:
    """A predictor, and what it says that it is."""

    predictor: AnyPredictor
    kind: TaskKind
    dimension: int
    channels: int
    classes: int

    def answer(self, image: Image, samples: int = 2) -> ModelOutput:
        """What it says."""
        return self.predictor.predict(image, samples=samples, rng=np.random.default_rng(_SEED))


def check_predictor(predictor: AnyPredictor, *, kind: TaskKind, dimension: int, channels: int, classes: int) -> None:
    """Run every check of the contract on one predictor.

    Args:
        predictor: It.
        kind: What it answers.
        dimension: 2 for single slices, else 3.
        channels: Of its images.
        classes: Of its answers: the highest value of a mask and all below it, background included; or the classes.

    Raises:
        AssertionError: Naming the rule that is broken and what was seen.
    """
    checked = Checked(predictor, kind, dimension, channels, classes)
    for check in CHECKS:
        check(checked)


def example_image(checked: Checked, shape: tuple[int, int, int] = (21, 18, 13)) -> Image:
    """An image of whole numbers on a turned grid, with odd sizes."""
    shape = shape if checked.dimension == 3 else (shape[0] + 20, shape[1] + 20, 1)
    rng = np.random.default_rng(_SEED)
    voxels = rng.integers(0, 900, (checked.channels, *shape)).astype(np.int16)
    affine = np.array([[0, 0, 1.3, -7], [-0.9, 0, 0, 3], [0, 1.1, 0, 9], [0, 0, 0, 1.0]])
    return Image(voxels, Grid(shape, affine))


def answers_on_the_grid_of_the_image(checked: Checked) -> None:
    """Shape (samples, classes, I, J, K), or (samples, classes), at least one sample; float32."""
    image = example_image(checked)
    found = checked.answer(image).samples
    wanted = (checked.classes, *(image.grid.shape if checked.kind == "segmentation" else ()))
    _require(found.shape[1:] == wanted and len(found) >= 1, f"samples must have the shape (1 or more, *{wanted}), got {found.shape}")
    _require(found.dtype == np.float32, f"samples must be float32, got {found.dtype}")


def gives_probabilities(checked: Checked) -> None:
    """Finite, within 0..1, and a sum of 1 over the classes; also of a constant image, and of one with NaN."""
    image = example_image(checked)
    gaps = image.array.astype(np.float32)
    gaps[:, :2] = np.nan
    for what, array in (("an image", image.array), ("a constant image", np.ones_like(image.array)), ("an image with NaN", gaps)):
        found = checked.answer(Image(array, image.grid)).samples
        _require(bool(np.isfinite(found).all()), f"probabilities of {what} must be finite, {int((~np.isfinite(found)).sum())} are not")
        within = float(found.min()) >= -CLOSE and float(found.max()) <= 1 + CLOSE
        _require(within, f"probabilities of {what} must lie within 0..1, got {found.min():.4g} to {found.max():.4g}")
        gap = float(np.abs(found.sum(axis=1) - 1).max())
        _require(gap <= 10 * CLOSE, f"probabilities of {what} must add up to 1 over the classes, they are off by {gap:.4g}")


def repeats_itself(checked: Checked) -> None:
    """Equal images and seeds give equal answers, and numpy's global generator is not used."""
    state = repr(np.random.get_state())
    first, second = (checked.answer(example_image(checked)).samples for _ in range(2))
    _require(
        first.shape == second.shape and bool(np.allclose(first, second, atol=CLOSE)), "equal images and seeds must give equal probabilities"
    )
    _require(repr(np.random.get_state()) == state, "randomness must come from the given generator, not from numpy's global one")


def leaves_the_image_alone(checked: Checked) -> None:
    """The array that is given is not changed."""
    image, untouched = example_image(checked), example_image(checked)
    checked.answer(image)
    _require(np.array_equal(image.array, untouched.array), "the image's array must not be changed")


def ignores_memory_and_place(checked: Checked) -> None:
    """The same voxels in another memory order, type or place in space give the same answer."""
    image = example_image(checked)
    wanted = checked.answer(image).probabilities
    moved = image.grid.affine.copy()
    moved[:3, 3] += 40.0
    others = {
        "another memory order": Image(np.asfortranarray(image.array), image.grid),
        "another type of number": Image(image.array.astype(np.float64), image.grid),
        "another place in space": Image(image.array, Grid(image.grid.shape, moved)),
    }
    for what, other in others.items():
        gap = float(np.abs(checked.answer(other).probabilities - wanted).max())
        _require(gap <= 10 * CLOSE, f"{what} must not change the probabilities, they change by {gap:.4g}")


def refuses_other_channels(checked: Checked) -> None:
    """An image with more channels than it reads raises InputError, rather than being read in part."""
    image = example_image(checked)
    doubled = Image(np.repeat(image.array, 2 * checked.channels + 3, axis=0), image.grid)
    try:
        checked.answer(doubled)
    except InputError:
        return
    raise AssertionError(f"predictor: an image of {doubled.channels} channels must raise InputError, but it was predicted")


CHECKS: tuple[Callable[[Checked], None], ...] = (
    answers_on_the_grid_of_the_image,
    gives_probabilities,
    repeats_itself,
    leaves_the_image_alone,
    ignores_memory_and_place,
    refuses_other_channels,
)


def _require(kept: bool, rule: str) -> None:
    if not kept:
        raise AssertionError(f"predictor: {rule}")
