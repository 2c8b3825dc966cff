"""Exchanges of the protocol's own client with a server, kept as JSON that a person can read.

Made by `python -m tests.interaction.nninteractive.recorded` with nninteractive-client; made anew only when the protocol
changes. The image is that of `two_blobs`, sent slowest axis first. Part "prompts" is a session's work, part "others" the remaining calls.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.nninteractive.wire import unpack_array

from .serving import serving, two_blobs

FILE = Path(__file__).with_name("recording.json")


def body_of(content: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """A body as JSON, or as base64 beside what it holds."""
    if not content:
        return {}
    if headers.get("content-type") == "application/octet-stream":
        array = unpack_array(content, limit_bytes=1_000_000)
        return {"packed": base64.b64encode(content).decode(), "holds": f"{array.dtype}{list(array.shape)} sum {array.sum()}"}
    return {"json": json.loads(content)}


def unpacked(part: Mapping[str, Any]) -> Any:
    """The value of a body, whatever its compression."""
    if part.get("packed"):
        array = unpack_array(base64.b64decode(part["packed"]), limit_bytes=1_000_000)
        return (array.dtype.name, array.tolist())
    return part.get("json")


def bytes_of(part: Mapping[str, Any]) -> bytes:
    return base64.b64decode(part["packed"]) if "packed" in part else json.dumps(part["json"]).encode() if "json" in part else b""


def recorded(request: httpx.Request, response: httpx.Response) -> dict[str, Any]:
    asked = {"call": f"{request.method} {request.url.path}", **meta_of(request.headers), **body_of(request.read(), request.headers)}
    said = {"status": response.status_code, **meta_of(response.headers), **body_of(response.read(), response.headers)}
    return {"asked": asked, "answered": said}


def meta_of(headers: Mapping[str, str]) -> dict[str, Any]:
    return {"meta": json.loads(headers["x-meta"])} if "x-meta" in headers else {}


class Recorder(httpx.HTTPTransport):
    """Sends as usual and keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.exchanges: list[dict[str, Any]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        exchange = recorded(request, response)
        exchange["answered"].get("json", {}).pop("lease_token", None)
        self.exchanges.append(exchange)
        return response


def prompt_session(session: Any) -> None:
    """A click, a flat box, a stroke, a lasso, one step back, another start."""
    image = np.ascontiguousarray(two_blobs().transpose(0, 3, 2, 1))
    session.set_image(image, {"spacing": [2.0, 1.5, 1.0]})
    session.set_target_buffer(np.zeros(image.shape[1:], dtype=np.uint8))
    session.reset_interactions()
    session.add_point_interaction((2, 3, 3), True)
    session.add_bbox_interaction([[5, 6], [4, 9], [6, 11]], True)
    session.add_scribble_interaction(np.ones((1, 1, 2), dtype=np.uint8), False, interaction_bbox=[[3, 4], [5, 6], [3, 5]])
    session.add_lasso_interaction(np.ones((1, 6, 5), dtype=np.uint8), False, interaction_bbox=[[1, 2], [1, 7], [1, 6]])
    session.undo()
    session.reset_interactions()
    session.add_initial_seg_interaction((image[0] == 100).astype(np.uint8))
    session.add_point_interaction((5, 6, 8), False)


def other_calls(session: Any) -> None:
    session.add_point_interaction((2, 3, 3), True, run_prediction=False)
    session._predict()
    session._predict()
    session.set_do_autozoom(False)
    session.heartbeat()
    session.lease_status()
    session.ping()


def record() -> dict[str, Any]:
    import nnInteractive.inference.remote.remote_session as reference

    parts: dict[str, Any] = {}
    with serving(order=AxisOrder(), license_text="none") as served:
        recorder = Recorder()
        client = httpx.Client
        reference.httpx.Client = lambda **how: client(**how, transport=recorder)
        try:
            session = reference.nnInteractiveRemoteInferenceSession(served.url)
        finally:
            reference.httpx.Client = client
        with session:
            prompt_session(session)
            parts["prompts"] = recorder.exchanges[:]
            other_calls(session)
        parts["others"] = recorder.exchanges[len(parts["prompts"]) :]
    return parts


if __name__ == "__main__":
    lines = {name: [json.dumps(exchange) for exchange in exchanges] for name, exchanges in record().items()}
    text = ",\n\n".join(f'"{name}": [\n' + ",\n".join(part) + "\n]" for name, part in lines.items())
    FILE.write_text("{\n" + text + "\n}\n", encoding="utf-8")
