"""The protocol's own client against medloop's server, over sockets: every call it has."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from nnInteractive.inference.remote import nnInteractiveRemoteInferenceSession
from nnInteractive.inference.remote.remote_session import ServerAtCapacityError, SessionExpiredError

from medloop.interaction.nninteractive.sent_prompts import AxisOrder

from ...interaction.nninteractive.serving import Served, serving, two_blobs

IMAGE = two_blobs()
NEAR, FAR = (IMAGE[0] == 200), (IMAGE[0] == 100)


def refuse(url: str, key: str | None = None) -> None:
    """Connect as the client does, and close the connection that it leaves open when it is refused."""
    session = nnInteractiveRemoteInferenceSession.__new__(nnInteractiveRemoteInferenceSession)
    try:
        session.__init__(url, key)
    finally:
        session._http.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(license_text="the project's own", idle_seconds=600.0, liveness_seconds=60.0) as served:
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[Any]:
    with nnInteractiveRemoteInferenceSession(server.url) as session:
        session.set_image(IMAGE, {"spacing": np.array([1.0, 1.5, 2.0])})
        session.set_target_buffer(np.zeros(IMAGE.shape[1:], dtype=np.uint8))
        yield session


def test_the_client_learns_what_the_server_can(client: Any, server: Served):
    assert client.ping()
    assert client.supported_interactions == dict.fromkeys(("points", "bbox2d", "bbox3d", "scribble", "lasso"), True)
    assert client.supports_undo
    assert client.supports_initial_label
    assert client.license == "the project's own"
    assert (client.idle_timeout_seconds, client.liveness_timeout_seconds) == (600.0, 60.0)
    assert client.original_image_shape == IMAGE.shape
    assert client.channel_mapping["points"] == (3, 4)


def test_a_click_fills_its_block_and_only_its_box_travels(client: Any):
    box = client.add_point_interaction((3, 3, 2), include_interaction=True)
    assert box == [[2, 5], [2, 6], [1, 4]]
    assert np.array_equal(client.target_buffer != 0, NEAR)


def test_a_negative_click_clears_its_voxel(client: Any):
    client.add_point_interaction((3, 3, 2), include_interaction=True)
    assert client.add_point_interaction((4, 5, 3), include_interaction=False) == [[4, 5], [5, 6], [3, 4]]
    assert client.target_buffer.sum() == NEAR.sum() - 1


def test_a_click_on_the_same_voxel_may_change_its_mind(client: Any):
    client.add_point_interaction((3, 3, 2), include_interaction=True)
    client.add_point_interaction((3, 3, 2), include_interaction=False)
    assert client.target_buffer.sum() == 0


@pytest.mark.parametrize("box", [[[1, 6], [1, 7], [0, 5]], [[-3, 6], [1, 7], [0, 5]]])
def test_a_box_finds_what_is_bright_in_it(client: Any, box: list[list[int]]):
    client.add_bbox_interaction(box, include_interaction=True)
    assert np.array_equal(client.target_buffer != 0, NEAR)


def test_a_flat_box_may_be_negative(client: Any):
    client.add_point_interaction((3, 3, 1), include_interaction=True)
    assert client.add_bbox_interaction([[0, 12], [0, 10], [2, 3]], include_interaction=False) == [[2, 5], [2, 6], [2, 3]]
    assert client.target_buffer[:, :, 2].sum() == 0


def test_scribbles_come_as_a_crop_or_as_a_whole_mask(client: Any):
    client.add_scribble_interaction(np.ones((1, 2, 1), dtype=np.uint8), True, interaction_bbox=[[3, 4], [3, 5], [2, 3]])
    assert np.array_equal(client.target_buffer != 0, NEAR)
    whole = np.zeros(IMAGE.shape[1:], dtype=np.uint8)
    whole[8, 6, 5] = 1
    assert client.add_scribble_interaction(whole, True) == [[7, 10], [5, 8], [4, 7]]
    assert np.array_equal(client.target_buffer != 0, NEAR | FAR)


def test_a_lasso_is_filled(client: Any):
    ring = np.ones((5, 4, 1), dtype=np.uint8)
    ring[1:-1, 1:-1] = 0
    client.add_lasso_interaction(ring, False, run_prediction=False, interaction_bbox=[[1, 6], [2, 6], [2, 3]])
    client.add_point_interaction((3, 3, 1), include_interaction=True)
    assert client.target_buffer[:, :, 2].sum() == 0
    assert np.array_equal(client.target_buffer[:, :, 1] != 0, NEAR[:, :, 1])


def test_an_initial_mask_is_kept_and_corrected(client: Any):
    client.add_point_interaction((8, 6, 5), include_interaction=True)
    assert client.add_initial_seg_interaction(NEAR.astype(np.uint8)) is None
    assert np.array_equal(client.target_buffer != 0, NEAR)
    assert client.add_point_interaction((8, 6, 5), include_interaction=True) == [[7, 10], [5, 8], [4, 7]]
    assert np.array_equal(client.target_buffer != 0, NEAR | FAR)
    client.undo()
    client.undo()
    assert np.array_equal(client.target_buffer != 0, FAR)


def test_prompts_may_wait_for_one_prediction(client: Any):
    assert client.add_point_interaction((3, 3, 2), True, run_prediction=False) is None
    assert client.add_point_interaction((8, 6, 5), True, run_prediction=False) is None
    assert client.target_buffer.sum() == 0
    assert client._predict() == [[2, 10], [2, 8], [1, 7]]
    assert np.array_equal(client.target_buffer != 0, NEAR | FAR)
    assert client._predict() is None


def test_undo_goes_back_step_by_step_to_nothing(client: Any):
    client.add_point_interaction((3, 3, 2), include_interaction=True)
    first = client.target_buffer.copy()
    client.add_point_interaction((8, 6, 5), include_interaction=True)
    assert client.undo()
    assert np.array_equal(client.target_buffer, first)
    assert client.undo()
    assert client.target_buffer.sum() == 0
    assert not client.undo()


def test_reset_forgets_the_prompts(client: Any):
    client.add_point_interaction((3, 3, 2), include_interaction=True)
    client.reset_interactions()
    client.set_do_autozoom(False)
    client.add_point_interaction((8, 6, 5), include_interaction=True)
    assert np.array_equal(client.target_buffer != 0, FAR)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
def test_the_buffer_may_have_any_whole_dtype(client: Any, dtype: str):
    client.set_target_buffer(np.zeros(IMAGE.shape[1:], dtype=dtype))
    client.add_point_interaction((3, 3, 2), include_interaction=True)
    assert client.target_buffer.dtype == dtype
    assert np.array_equal(client.target_buffer != 0, NEAR)


@pytest.mark.parametrize("dtype", ["bool", "uint16", "float16", "float64"])
def test_images_come_in_any_dtype(client: Any, dtype: str):
    client.set_image(NEAR[None].astype(dtype))
    client.set_target_buffer(np.zeros(IMAGE.shape[1:], dtype=np.uint8))
    client.add_bbox_interaction([[1, 6], [1, 7], [0, 5]], include_interaction=True)
    assert np.array_equal(client.target_buffer != 0, NEAR)


def test_two_sessions_do_not_mix(client: Any, server: Served):
    with nnInteractiveRemoteInferenceSession(server.url) as other:
        other.set_image(IMAGE)
        other.set_target_buffer(np.zeros(IMAGE.shape[1:], dtype=np.uint8))
        client.add_point_interaction((3, 3, 2), include_interaction=True)
        other.add_point_interaction((8, 6, 5), include_interaction=True)
        assert np.array_equal(client.target_buffer != 0, NEAR)
        assert np.array_equal(other.target_buffer != 0, FAR)


def test_axes_may_come_slowest_first_and_another_label_may_be_drawn():
    with serving(order=AxisOrder(), labels=(1, 2), label=2) as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        session.set_image(np.ascontiguousarray(IMAGE.transpose(0, 3, 2, 1)), {"spacing": [3.0, 2.0, 1.0]})
        session.set_target_buffer(np.zeros(IMAGE.shape[:0:-1], dtype=np.uint8))
        assert session.add_point_interaction((2, 3, 3), include_interaction=True) == [[1, 4], [2, 6], [2, 5]]
        assert np.array_equal(session.target_buffer.T != 0, NEAR)


def test_a_full_server_says_so_and_a_released_seat_is_free_again(server: Served):
    with serving(most=1) as small:
        with nnInteractiveRemoteInferenceSession(small.url), pytest.raises(ServerAtCapacityError, match=r"at capacity \(1 sessions\)"):
            refuse(small.url)
        nnInteractiveRemoteInferenceSession(small.url).close()


def test_a_key_is_asked_for():
    with serving(key="secret") as served:
        for key in ("wrong", "secret2", ""):
            with pytest.raises(httpx.HTTPStatusError, match="401"):
                refuse(served.url, key)
        with nnInteractiveRemoteInferenceSession(served.url, api_key="secret") as session:
            assert session.ping()


def test_heartbeats_keep_a_seat_alive_but_not_an_idle_person():
    with serving(idle_seconds=600.0, liveness_seconds=60.0) as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        for moment in range(1, 10):
            served.clock.now = 1000.0 + 60.0 * moment
            assert session.heartbeat() == 600.0 - 60.0 * moment
        assert session.lease_status() == {"remaining_seconds": 60.0, "idle_timeout_seconds": 600.0}
        served.clock.now = 1601.0
        with pytest.raises(SessionExpiredError, match="unknown or has expired"):
            session.heartbeat()


def test_a_silent_program_loses_its_seat():
    with serving(liveness_seconds=60.0) as served, nnInteractiveRemoteInferenceSession(served.url) as session:
        served.clock.now += 59.0
        session.lease_status()  # a look is no sign of life
        served.clock.now += 2.0
        with pytest.raises(SessionExpiredError):
            session.set_image(IMAGE)
