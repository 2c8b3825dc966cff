"""What the server refuses, with which status, and that a refusal changes nothing."""

import json
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medloop.core.arrays import MaskArray
from medloop.interaction.engine import ImageEmbedding, RefinedMask, StillWanted
from medloop.interaction.nninteractive.protocol import Difference, read_bounds
from medloop.interaction.nninteractive.wire import pack_array, unpack_array
from medloop.interaction.prompts import Prompt
from medloop.server.nninteractive.calls import ACTIONS

from ...interaction.nninteractive.flood import FloodEngine
from ...interaction.nninteractive.serving import Served, serving, two_blobs

IMAGE = pack_array(two_blobs())
SHAPE = (12, 10, 8)
POINT = {"coordinates": [3, 3, 2], "include_interaction": True}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(most=50) as served:
        yield served


class Front:
    """A front end that says anything."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url)
        self.http.headers["X-Lease-Token"] = self.http.post("/claim").json()["lease_token"]

    def json(self, path: str, record: Any) -> httpx.Response:
        return self.http.post(path, content=json.dumps(record))

    def raw(self, path: str, body: bytes, meta: Any = None) -> httpx.Response:
        return self.http.post(path, content=body, headers={} if meta is None else {"X-Meta": json.dumps(meta)})

    def begin(self) -> "Front":
        assert self.raw("/set_image", IMAGE).json() == {"original_image_shape": [1, 12, 10, 8]}
        assert self.json("/set_target_buffer", {"shape": SHAPE, "dtype": "uint8"}).json() == {}
        return self


@pytest.fixture
def front(server: Served) -> Iterator[Front]:
    made = Front(server.url).begin()
    with closing(made.http):
        yield made
        made.http.post("/release")


def detail(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["detail"])


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ({**POINT, "coordinates": [3, 3, 99]}, "within the image's"),
        ({**POINT, "coordinates": [3, 3, -1]}, "within the image's"),
        ({**POINT, "coordinates": [3, 3]}, "3 numbers"),
        ({**POINT, "coordinates": [3, 3, "2"]}, "3 numbers"),
        ({**POINT, "coordinates": [3, 3, 1e300]}, "3 numbers"),
        ({**POINT, "coordinates": [3, 3, True]}, "3 numbers"),
        ({**POINT, "coordinates": "321"}, "3 numbers"),
        ({"coordinates": [3, 3, 2]}, "include_interaction must be true or false"),
        ({**POINT, "run_prediction": "yes"}, "run_prediction must be true or false"),
        ([POINT], "must be a JSON object"),
    ],
)
def test_points_that_cannot_be_obeyed(front: Front, record: Any, rule: str):
    assert rule in detail(front.json("/add_point_interaction", record), 400)
    assert not read(front.http.post("/undo")).ran


def read(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    said = json.loads(response.headers["X-Meta"])
    values = unpack_array(response.content, limit_bytes=1_000_000) if response.content else None
    return Difference(said["ran_prediction"], read_bounds(said["bbox"]) if said["bbox"] else None, values)


@pytest.mark.parametrize(
    ("box", "rule"),
    [
        ([[5, 5], [0, 1], [0, 1]], "at least one voxel"),
        ([[5, 2], [0, 1], [0, 1]], "at least one voxel"),
        ([[20, 30], [0, 1], [0, 1]], "must touch"),
        ([[0, 1], [0, 1]], "pair of bounds"),
        (None, "pair of bounds"),
    ],
)
def test_boxes_that_cannot_be_obeyed(front: Front, box: Any, rule: str):
    assert rule in detail(front.json("/add_bbox_interaction", {"bbox_coords": box, "include_interaction": True}), 400)


@pytest.mark.parametrize("path", ["/add_scribble_interaction", "/add_lasso_interaction"])
@pytest.mark.parametrize(
    ("mask", "place", "rule"),
    [
        (np.zeros((2, 2, 1), dtype=np.uint8), [[0, 2], [0, 2], [0, 1]], "empty mask"),
        (np.ones((2, 2, 2), dtype=np.uint8), [[0, 2], [0, 2], [0, 1]], "must fill its interaction_bbox"),
        (np.ones((2, 2, 1), dtype=np.uint8), [[11, 13], [0, 2], [0, 1]], "within the image's"),
        (np.ones((2, 2, 1), dtype=np.uint8), None, "must fill its interaction_bbox"),
        (np.ones((99, 99, 1), dtype=np.uint8), None, "must fit the image's"),
    ],
)
def test_drawn_masks_that_cannot_be_obeyed(front: Front, path: str, mask: np.ndarray, place: Any, rule: str):
    meta = {"include_interaction": True, "interaction_bbox": place}
    assert rule in detail(front.raw(path, pack_array(mask), meta), 400)


def test_images_that_cannot_be_taken(front: Front):
    assert "axes (C, X, Y, Z)" in detail(front.raw("/set_image", pack_array(np.zeros((3, 3, 3)))), 400)
    assert "finite" in detail(front.raw("/set_image", pack_array(np.full((1, 2, 2, 2), np.nan))), 400)
    assert "1 to 32767 voxels" in detail(front.raw("/set_image", pack_array(np.zeros((1, 0, 2, 2)))), 400)
    assert "spacing" in detail(front.raw("/set_image", IMAGE, {"image_properties": {"spacing": [1, 0, 1]}}), 400)
    assert "bytes here" in detail(front.raw("/set_image", pack_array(np.zeros((1, 200, 200, 200), dtype=np.uint8))), 413)
    assert "0 MB" not in detail(front.http.post("/set_image", content=b"x" * 2_000_001), 413)
    assert "2 MB" in detail(front.http.post("/set_image", content=(b"x" * 500_000 for _ in range(5))), 413)


@pytest.mark.parametrize(
    ("record", "status"),
    [
        ({"shape": SHAPE}, 400),
        ({"shape": SHAPE, "dtype": "float32"}, 400),
        ({"shape": SHAPE, "dtype": "object"}, 400),
        ({"shape": SHAPE, "dtype": "(2,)u1"}, 400),
        ({"shape": [12, 10], "dtype": "uint8"}, 400),
        ({"shape": [12, 10, True], "dtype": "uint8"}, 400),
        ({"shape": [12, 10, 9], "dtype": "uint8"}, 400),
        ({"shape": [1 << 40, 1 << 40, 1 << 40], "dtype": "int64"}, 413),
    ],
)
def test_target_buffers_that_cannot_be(front: Front, record: Any, status: int):
    detail(front.json("/set_target_buffer", record), status)


def test_prompts_need_an_image_and_a_target(server: Served):
    front = Front(server.url)
    with closing(front.http):
        assert "no image yet" in detail(front.json("/add_point_interaction", POINT), 400)
        assert "no image yet" in detail(front.raw("/add_lasso_interaction", pack_array(np.ones((1, 1, 1)))), 400)
        front.raw("/set_image", IMAGE)
        assert "no target buffer yet" in detail(front.json("/add_point_interaction", POINT), 400)
        assert "no target buffer yet" in detail(front.http.post("/undo"), 400)
        assert front.http.post("/reset_interactions").json() == {}


@pytest.mark.parametrize("path", [*ACTIONS, "/heartbeat"])
def test_every_call_needs_its_lease(server: Served, path: str):
    for token in ({}, {"X-Lease-Token": "0" * 32}):
        assert "claim a new session" in detail(httpx.post(server.url + path, content=b"{}", headers=token), 410)


def test_a_full_server_says_when_to_come_again():
    with serving(most=0) as served:
        response = httpx.post(served.url + "/claim")
        assert (response.status_code, response.headers["retry-after"]) == (503, "10")


@pytest.mark.parametrize("path", [*ACTIONS, "/claim", "/release", "/heartbeat"])
def test_every_call_needs_the_key(path: str, keyed: str):
    assert "bearer key" in detail(httpx.post(keyed + path), 401)
    assert "bearer key" in detail(httpx.post(keyed + path, headers={"Authorization": "Basic secret"}), 401)


@pytest.fixture(scope="module")
def keyed() -> Iterator[str]:
    with serving(key="secret") as served:
        assert httpx.get(served.url + "/healthz").json() == {"ok": True}
        for path in ("/capabilities", "/lease_status"):
            assert httpx.get(served.url + path).status_code == 401
        yield served.url


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://127.0.0.1:1527"}, {"Sec-Fetch-Site": "cross-site"}])
def test_web_pages_get_nothing(server: Served, headers: dict[str, str]):
    for response in (httpx.post(server.url + "/claim", headers=headers), httpx.get(server.url + "/capabilities", headers=headers)):
        detail(response, 403)


def test_release_is_repeatable(server: Served):
    front = Front(server.url)
    with closing(front.http):
        for _ in range(2):
            assert front.http.post("/release").json() == {"released": True}
        detail(front.json("/add_point_interaction", POINT), 410)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(sorted(ACTIONS)),
    body=st.one_of(
        st.binary(max_size=80), st.binary(max_size=40).map(lambda b: b"NNIA\x01\x01\x03\x05uint8" + struct.pack("<3q", 12, 10, 8) + b)
    ),
    meta=st.one_of(
        st.none(), st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.strip), st.just("[" * 20_000)
    ),
)
def test_noise_never_breaks_the_server(front: Front, path: str, body: bytes, meta: str | None):
    response = front.http.post(path, content=body, headers={} if meta is None else {"X-Meta": meta})
    assert response.status_code in (200, 400)


def test_the_server_is_light_until_it_is_asked():
    heavy = ("torch", "monai", "scipy", "skimage", "sklearn", "blosc2", "httpx", "sqlalchemy")
    program = f"import sys, medloop.server.nninteractive.app; print(sorted(set(sys.modules) & set({heavy})))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


class Waiting(FloodEngine):
    """Answers when it is told to, and tells when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer, self.at_once = threading.Semaphore(0), threading.Event(), 0

    def refine(
        self,
        embedding: ImageEmbedding,
        prompts: Sequence[Prompt],
        *,
        labels: Sequence[int],
        previous: MaskArray | None = None,
        locked: Sequence[int] = (),
        wanted: StillWanted = lambda: True,
    ) -> RefinedMask:
        self.at_once += 1
        assert self.at_once == 1
        self.asked.release()
        assert self.may_answer.wait(30)
        self.at_once -= 1
        return super().refine(embedding, prompts, labels=labels, previous=previous, locked=locked, wanted=wanted)


def test_predictions_take_turns_while_heartbeats_are_answered():
    engine = Waiting()
    with serving(engine=engine) as served:
        fronts = [Front(served.url).begin() for _ in range(3)]
        answers: list[Any] = []
        threads = [threading.Thread(target=lambda f=f: answers.append(read(f.json("/add_point_interaction", POINT)))) for f in fronts]
        for thread in threads:
            thread.start()
        assert engine.asked.acquire(timeout=30)
        assert httpx.post(served.url + "/heartbeat", headers=fronts[0].http.headers).status_code == 200
        served.clock.now += 10_000.0  # a long prediction is no idleness
        engine.may_answer.set()
        for thread in threads:
            thread.join(30)
        assert [a.bounds for a in answers] == [((2, 5), (2, 6), (1, 4))] * 3
        for front in fronts:
            front.http.close()


def test_a_prediction_for_a_released_session_is_given_up():
    engine = Waiting()
    with serving(engine=engine) as served:
        front = Front(served.url).begin()
        answers: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: answers.append(front.json("/add_point_interaction", POINT)))
        thread.start()
        assert engine.asked.acquire(timeout=30)
        httpx.post(served.url + "/release", headers=front.http.headers)
        engine.may_answer.set()
        thread.join(30)
        front.http.close()
        detail(answers[0], 410)
        assert engine.predictions == []
