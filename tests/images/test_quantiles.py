"""Percentiles by counting are those of numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medloop.images.quantiles import percentiles

PERCENTS = (0, 0.5, 5, 37.3, 50, 95, 99.5, 100)
COUNTED = st.sampled_from(["uint8", "int8", "uint16", "int16"])
SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 5), st.integers(1, 3))


@given(COUNTED.flatmap(lambda kind: arrays(kind, SHAPES)))
def test_they_are_those_of_numpy_for_whole_numbers(values) -> None:
    assert percentiles(values, PERCENTS) == np.percentile(values.astype(np.float64), PERCENTS).tolist()


@pytest.mark.parametrize("kind", ["float32", "int32", "uint32"])
def test_others_are_left_to_numpy(kind: str) -> None:
    values = np.arange(1000).astype(kind)[::-1]
    assert percentiles(values, PERCENTS) == np.percentile(values, PERCENTS).tolist()


def test_more_voxels_than_are_counted_at_once_in_any_order_of_axes() -> None:
    values = np.random.default_rng(0).integers(-1024, 3000, (3, 700, 800), np.int16).transpose(2, 0, 1)
    assert percentiles(values, PERCENTS) == np.percentile(values.astype(np.float64), PERCENTS).tolist()
