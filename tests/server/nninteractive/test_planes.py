"""A scribble lands on the voxels that were drawn: in each plane, in both orders of the axes, whatever the spacing."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nnInteractive.inference.remote import nnInteractiveRemoteInferenceSession

from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.prompts import Prompt

from ...interaction.nninteractive.flood import FloodEngine
from ...interaction.nninteractive.serving import Served, serving

ORDERS = {"kji": AxisOrder(), "ijk": AxisOrder(slowest_first=False)}


class Hearing(FloodEngine):
    """Does what prompts say of single voxels and nothing more; keeps what it was given."""

    def _region(self, picture: np.ndarray, prompts: Sequence[Prompt], label: int) -> np.ndarray:  # noqa: ARG002
        self.heard = list(prompts)
        return np.zeros(picture.shape, dtype=bool)

    def embed(self, image):  # type: ignore[no-untyped-def]
        self.image = image
        return super().embed(image)


@pytest.fixture(scope="module", params=ORDERS)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Served, AxisOrder]]:
    order = ORDERS[request.param]
    with serving(engine=Hearing(), order=order) as made:
        yield made, order


@st.composite
def strokes(draw: st.DrawFn) -> tuple[np.ndarray, tuple[float, float, float], int]:
    """A stroke on one slice as voxels (i, j, k) of an image, the image's spacing, and the plane's axis."""
    shape = draw(st.tuples(st.integers(2, 9), st.integers(2, 9), st.integers(2, 9)))
    spacing = draw(st.tuples(*[st.sampled_from([0.4, 0.9, 1.0, 2.5, 5.0])] * 3))
    axis = draw(st.integers(0, 2))
    drawn = np.zeros(shape, dtype=np.uint8)
    index = draw(st.integers(0, shape[axis] - 1))
    plane = np.moveaxis(drawn, axis, 0)[index]
    for u, v in draw(st.lists(st.tuples(st.integers(0, plane.shape[0] - 1), st.integers(0, plane.shape[1] - 1)), min_size=1, max_size=12)):
        plane[u, v] = 1
    return drawn, spacing, axis


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(strokes(), st.booleans())
def test_a_scribble_lands_where_it_was_drawn(
    served: tuple[Served, AxisOrder], stroke: tuple[np.ndarray, tuple[float, float, float], int], cropped: bool
) -> None:
    (server, order), (drawn, spacing, axis) = served, stroke
    sent = np.ascontiguousarray(order.array(drawn))
    with nnInteractiveRemoteInferenceSession(server.url) as client:
        image = np.arange(drawn.size, dtype=np.float32).reshape(drawn.shape)
        client.set_image(np.ascontiguousarray(order.array(image))[None], {"spacing": list(order.triple(spacing))})
        client.set_target_buffer(np.zeros(sent.shape, dtype=np.uint8))
        if cropped:
            spans = [(int(places.min()), int(places.max()) + 1) for places in np.nonzero(sent)]
            client.add_scribble_interaction(sent[tuple(slice(a, b) for a, b in spans)], True, interaction_bbox=spans)
        else:
            client.add_scribble_interaction(sent, True)
        assert np.array_equal(client.target_buffer, sent), f"across axis {axis}"
        assert client.undo()
        assert not client.target_buffer.any()
    assert np.array_equal(server.engine.image.array[0], image)
    assert np.allclose(server.engine.image.grid.spacing_mm, spacing)
    (heard,) = server.engine.heard
    assert np.array_equal(np.array(sorted(heard.voxels)), np.argwhere(drawn))
