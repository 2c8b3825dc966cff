from pathlib import Path

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Source
from medloop.datasets.drawing import draw
from medloop.images.read import read_image


@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (1, np.uint16), (3, np.uint8)])
def test_a_picture_is_read_back_value_for_value(tmp_path: Path, channels: int, dtype: type):
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (channels, 7, 5), endpoint=True).astype(dtype)
    draw(tmp_path / "a.png", Image(array[..., None], Grid.flat(7, 5)), Source(format="raster", names=(), sha256=""))
    read = read_image(tmp_path / "a.png").image.array
    assert read.dtype == dtype
    assert np.array_equal(read[..., 0], array)
