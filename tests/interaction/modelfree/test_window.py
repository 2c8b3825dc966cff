"""Windows seen thinned out: a part of one shows the same as the whole does there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.modelfree.window import Window
from medloop.interaction.prompts import Point


@given(st.data())
def test_a_part_of_a_window_widens_to_the_same_values_as_the_whole(data):
    stride = data.draw(st.tuples(*[st.integers(1, 4)] * 3))
    sizes = data.draw(st.tuples(*[st.integers(1, 14)] * 3))
    start = data.draw(st.tuples(*[st.integers(0, 5)] * 3))
    whole = Window((start, tuple(a + n for a, n in zip(start, sizes, strict=True))), stride)
    counts = [len(range(0, n, s)) for n, s in zip(sizes, stride, strict=True)]
    first = [data.draw(st.integers(0, n - 1)) for n in counts]
    last = [data.draw(st.integers(f, n - 1)) for f, n in zip(first, counts, strict=True)]
    part = whole.part(first, last)
    values = np.random.default_rng(0).random((2, *counts)).astype(np.float32)
    there = tuple(slice(a, z + 1) for a, z in zip(first, last, strict=True))
    at = tuple(slice(a - b, z - b) for a, z, b in zip(*part.box, start, strict=True))
    assert np.allclose(part.widened(values[(slice(None), *there)]), whole.widened(values)[(slice(None), *at)], atol=1e-6)
    assert all(n == len(range(0, length, s)) for n, length, s in zip(values[(0, *there)].shape, part.shape, stride, strict=True))


def test_a_click_in_a_large_volume_finds_a_cube_and_reports_all_that_it_changes():
    rng = np.random.default_rng(1)
    array = rng.normal(0, 0.05, size=(1, 200, 200, 200)).astype(np.float32)
    array[:, 40:150, 40:150, 40:150] += 1
    before = np.zeros((200, 200, 200), dtype=np.uint8)
    before[170:199:2, 170:199:2, 170:199:2] = 2
    engine = ClassicalEngine()
    image = Image(array, Grid((200, 200, 200), np.eye(4)))
    found = engine.refine(engine.embed(image), [Point((95, 95, 95), 1)], labels=(1, 2), previous=before)
    assert ((found.mask == 2) == (before == 2)).all()
    assert (found.mask[45:145, 45:145, 45:145] == 1).mean() > 0.99
    outside = np.ones(before.shape, dtype=bool)
    outside[tuple(slice(a, z) for a, z in zip(found.start, found.stop, strict=True))] = False
    assert not (found.mask != before)[outside].any()
