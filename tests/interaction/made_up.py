"""Small images and hypothesis strategies of prompts on them."""

import numpy as np
from hypothesis import strategies as st

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Scribble

LABELS = (1, 2, 3)


@st.composite
def images(draw, low=2, high=9):
    """A noisy image on any axis-aligned grid: anisotropic, flipped, permuted, flat along any axis."""
    shape = draw(st.tuples(*[st.integers(low, high)] * 3).flatmap(lambda s: st.sampled_from([s, (*s[:2], 1), (1, *s[1:])])))
    spacing = draw(st.tuples(*[st.sampled_from([0.4, 1.0, 3.0])] * 3))
    order = draw(st.permutations(range(3)))
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[list(order)] @ np.diag(spacing) @ np.diag(draw(st.tuples(*[st.sampled_from([-1, 1])] * 3)))
    affine[:3, 3] = draw(st.tuples(*[st.sampled_from([-100.0, 0.0, 40.0])] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    return Image(rng.normal(100, 20, (1, *shape)).astype(np.float32), Grid(shape, affine))


def voxels(shape):
    return st.tuples(*[st.integers(0, n - 1) for n in shape])


def prompts(shape, labels=LABELS):
    """Any prompt within an image of a shape."""
    label, sign, at = st.sampled_from(labels), st.booleans(), voxels(shape)
    return st.one_of(
        st.builds(Point, voxel=at, label=label, positive=sign),
        st.builds(Scribble, voxels=st.lists(at, min_size=1, max_size=4).map(tuple), label=label, positive=sign),
        st.tuples(at, at, label).map(_box),
        st.builds(ExtremePoints, voxels=st.lists(at, min_size=2, max_size=4).map(tuple), label=label),
        st.integers(0, 2).flatmap(lambda axis: _lassos(shape, axis, label, sign)),
    )


def _box(drawn):
    a, b, label = drawn
    return Box(tuple(map(min, a, b)), tuple(max(x, y) + 1 for x, y in zip(a, b, strict=True)), label=label)


def _lassos(shape, axis, label, sign):
    first, second = [n for a, n in enumerate(shape) if a != axis]
    corner = st.tuples(st.floats(-0.5, first - 0.5), st.floats(-0.5, second - 0.5))
    corners = st.lists(corner, min_size=3, max_size=5).map(tuple)
    return st.builds(Lasso, axis=st.just(axis), index=st.integers(0, shape[axis] - 1), corners=corners, label=label, positive=sign)
