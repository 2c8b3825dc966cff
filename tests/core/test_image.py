import numpy as np
import pytest

from medloop.core.errors import LabelError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask, label_values

GRID = Grid.of_spacing((2, 3, 4), (1, 1, 1))


def test_an_image_counts_its_channels() -> None:
    assert Image(np.zeros((5, 2, 3, 4), np.int16), GRID).channels == 5


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 2, 3, 5), (0, 2, 3, 4)])
def test_an_image_must_fit_its_grid(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        Image(np.zeros(shape), GRID)


@pytest.mark.parametrize("array", [np.zeros((2, 3, 4), np.int16), np.zeros((2, 3, 5), np.uint8)])
def test_a_mask_is_uint8_and_fits_its_grid(array: np.ndarray) -> None:
    with pytest.raises(ShapeError):
        Mask(array, GRID)


def test_a_mask_names_the_labels_its_task_does_not_have() -> None:
    array = np.zeros((2, 3, 4), np.uint8)
    array[0, 0, :3] = (1, 7, 9)
    mask = Mask(array, GRID)
    assert mask.values() == (0, 1, 7, 9)
    mask.require_labels((1, 7, 9))
    with pytest.raises(LabelError, match=r"\[7, 9\]"):
        mask.require_labels((1, 2))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("values", [[0], [3], [0, 255], [1, 7]])
def test_the_values_of_a_mask_are_named_once_each_in_either_order_in_memory(order: str, values: list[int]) -> None:
    array = np.array(np.resize(values, (3, 4, 5)), dtype=np.uint8, order=order)
    assert label_values(array) == tuple(values)
    assert label_values(array[:, ::2]) == tuple(np.unique(array[:, ::2]).tolist())
