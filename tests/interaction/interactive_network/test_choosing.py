import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.interactive_network import choosing
from medloop.interaction.interactive_network.choosing import choose_labels
from medloop.interaction.interactive_network.guidance import Window
from medloop.interaction.prompts import Point
from medloop.metrics.overlap import dice
from medloop.models.foundation.fitting import FittedImage
from medloop.models.foundation.resample import resample

SHAPE, COARSE = (64, 64, 48), (32, 32, 24)
GRID = Grid.of_spacing(SHAPE, (1.0, 1.0, 1.0))


def ball(shape, scale):
    """A ball of radius 18 mm in the middle of the image, on a grid of voxels `scale` mm wide."""
    places = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) * scale for n in shape], indexing="ij"))
    return ((places - np.array([32, 32, 24]).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) <= 18**2


def chosen(prompts, *, most, smoothness=2.0):
    """The choice in a window of the coarse grid that is surer inside the ball."""
    truth = ball(COARSE, 2)[4:28, 4:28, 2:22]
    found = np.stack([np.where(truth, 0.2, 0.9), np.where(truth, 0.8, 0.1)]).astype(np.float32)
    image = ball(SHAPE, 1)[None].astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "MOST_CUT", most)
        return choose_labels(
            found,
            Window((4, 4, 2), (28, 28, 22), (2.0, 2.0, 2.0)),
            FittedImage(Image(image, GRID), image, resample(image, COARSE), COARSE, (2.0, 2.0, 2.0)),
            prompts,
            [1],
            smoothness=smoothness,
            wanted=lambda: True,
        )


@pytest.mark.parametrize("most", [0, 10**6], ids=["coarse", "fine"])
def test_boundaries_follow_the_image_on_either_grid(most):
    inside, probabilities, mask = chosen([Point((32, 32, 24))], most=most)
    assert (inside.start, inside.shape) == ((8, 8, 4), (48, 48, 40))
    assert probabilities.shape == (2, 48, 48, 40)
    assert dice(mask, ball(SHAPE, 1)[inside.inside(SHAPE)].astype(np.uint8), [1])[1] > 0.96


@pytest.mark.parametrize("most", [0, 10**6], ids=["coarse", "fine"])
def test_hints_are_obeyed_to_the_voxel_on_either_grid(most):
    inside, _, mask = chosen([Point((9, 9, 5)), Point((32, 32, 24), positive=False), Point((32, 32, 25))], most=most)
    at = {v: mask[tuple(np.array(v) - inside.start)] for v in [(9, 9, 5), (32, 32, 24), (32, 32, 25)]}
    assert at == {(9, 9, 5): 1, (32, 32, 24): 0, (32, 32, 25): 1}


def test_without_a_cut_the_likeliest_label_is_taken():
    _, probabilities, mask = chosen([], most=0, smoothness=None)
    assert (mask == (probabilities[1] > probabilities[0])).all()
