"""The recording, played to medloop's server."""

import json
from typing import Any

import httpx

from medloop.interaction.nninteractive.sent_prompts import AxisOrder

from .recorded import FILE, bytes_of, recorded, unpacked
from .serving import serving

PARTS = json.loads(FILE.read_text(encoding="utf-8"))


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
