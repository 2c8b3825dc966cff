"""The recording, played to medloop's server and to medloop's client."""

import json
from typing import Any

import httpx
import numpy as np

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.nninteractive.client import NNInteractiveEngine
from medloop.interaction.nninteractive.gestures import AxisOrder
from medloop.interaction.prompts import Box, Lasso, Point, Scribble

from .recorded import FILE, TOKEN, bytes_of, recorded, unpacked
from .serving import serving, two_blobs

PARTS = json.loads(FILE.read_text(encoding="utf-8"))
OUTLINE = ((0.5, 0.5), (5.5, 0.5), (5.5, 6.5), (0.5, 6.5))


def said(part: dict[str, Any]) -> tuple[Any, ...]:
    """What a message means, however it was compressed."""
    return part.get("call"), part.get("status"), part.get("meta"), unpacked(part)


def headers_of(part: dict[str, Any]) -> dict[str, str]:
    kind = {"Content-Type": "application/octet-stream"} if "packed" in part else {"Content-Type": "application/json"}
    return {**kind, **({"X-Meta": json.dumps(part["meta"])} if "meta" in part else {})}


def test_the_server_answers_every_recorded_call_as_recorded():
    with serving(order=AxisOrder(), license_text="none") as served, httpx.Client(base_url=served.url) as http:
        for exchange in PARTS["prompts"] + PARTS["others"]:
            asked = exchange["asked"]
            method, path = asked["call"].split()
            response = http.request(method, path, content=bytes_of(asked), headers=headers_of(asked))
            answered = recorded(response.request, response)["answered"]
            token = answered.get("json", {}).pop("lease_token", None)
            if token:
                http.headers["X-Lease-Token"] = token
            assert said(answered) == said(exchange["answered"]), asked["call"]


class Player:
    """Plays the recorded server: each request must be the recorded one, and gets its answer."""

    def __init__(self) -> None:
        self.left = PARTS["prompts"] + [e for e in PARTS["others"] if e["asked"]["call"] == "POST /release"]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        exchange = self.left.pop(0)
        heard = recorded(request, httpx.Response(200))["asked"]
        expected = exchange["asked"]
        assert said({**heard, "json": heard.get("json") or {}}) == said({**expected, "json": expected.get("json") or {}})
        assert request.headers.get("x-lease-token") == (None if heard["call"] == "POST /claim" else TOKEN)
        answer = exchange["answered"]
        if heard["call"] == "POST /claim":
            answer = {**answer, "json": {**answer["json"], "lease_token": TOKEN}}
        return httpx.Response(answer["status"], content=bytes_of(answer), headers=headers_of(answer))


def test_the_client_says_what_the_recorded_client_said():
    array = two_blobs()
    near, far = (array[0] == 200), (array[0] == 100)
    player = Player()
    with NNInteractiveEngine("http://recorded", transport=httpx.MockTransport(player)) as engine:
        embedding = engine.embed(Image(array, Grid.of_spacing(array.shape[1:], (1.0, 1.5, 2.0))))
        prompts = [Point((3, 3, 2)), Box((6, 4, 5), (11, 9, 6)), Scribble(((3, 5, 3), (4, 5, 3)), positive=False)]
        for count in (1, 2, 3):
            answer = engine.refine(embedding, prompts[:count], labels=[1])
        expected = near | (far & (np.arange(8) == 5))
        expected[3:5, 5, 3] = False
        assert np.array_equal(answer.mask != 0, expected)
        engine.refine(embedding, [*prompts, Lasso(2, 1, OUTLINE, positive=False)], labels=[1])
        assert np.array_equal(engine.refine(embedding, prompts, labels=[1]).mask != 0, expected)
        started = engine.refine(embedding, [Point((8, 6, 5), positive=False)], labels=[1], previous=far.astype(np.uint8))
        assert started.mask.sum() == far.sum() - 1
    assert player.left == []
