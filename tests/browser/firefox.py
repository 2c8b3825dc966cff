"""A Firefox driven by WebDriver BiDi, the W3C's protocol, which it speaks without a driver beside it."""

import base64
import itertools
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

SIZE = {"width": 1400, "height": 900}
LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Control": "\ue009"}
"""Code points of WebDriver for keys that write nothing."""

Point = tuple[float, float]


@dataclass
class Firefox:
    """One window: what is sent to it, and the errors its pages logged."""

    line: ClientConnection
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    errors: list[str] = field(default_factory=list)
    window: str = ""

    def __post_init__(self) -> None:
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded"])
        self.window = self.send("browsingContext.getTree")["contexts"][0]["context"]
        self.send("browsingContext.setViewport", context=self.window, viewport=SIZE)

    def send(self, method: str, **params: Any) -> Any:
        """A command and its result; what is logged meanwhile is kept."""
        number = next(self.numbers)
        self.line.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            reply = json.loads(self.line.recv(timeout=60))
            if reply.get("method") == "log.entryAdded" and reply["params"]["level"] == "error":
                self.errors.append(str(reply["params"]["text"]))
            if reply.get("id") == number:
                assert reply["type"] == "success", reply
                return reply["result"]

    def before_each_page(self, script: str) -> None:
        self.send("script.addPreloadScript", functionDeclaration=f"() => {{ {script} }}")

    def open(self, url: str) -> None:
        self.send("browsingContext.navigate", context=self.window, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """A JavaScript expression's value, by way of JSON."""
        asked = {"expression": f"JSON.stringify({expression})", "target": {"context": self.window}, "awaitPromise": True}
        result = self.send("script.evaluate", **asked)
        assert result["type"] == "success", result
        return json.loads(result["result"]["value"]) if "value" in result["result"] else None

    def wait_for(self, condition: str, *, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                pytest.fail(f"not true within {seconds:g} s: {condition}")

    def press(self, key: str) -> None:
        value = KEYS.get(key, key)
        self._act("key", "keys", [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}])

    def drag(self, *line: Point) -> None:
        """Press at the first point, move over the others, let go; a click where there is one only."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in line]
        self._act("pointer", "mouse", [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}])

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("browsingContext.captureScreenshot", context=self.window)["data"]))

    def _act(self, kind: str, name: str, actions: list[dict[str, Any]]) -> None:
        self.send("input.performActions", context=self.window, actions=[{"type": kind, "id": name, "actions": actions}])


@contextmanager
def running(program: str, profile: Path) -> Iterator[Firefox]:
    """A Firefox without a window on the screen and with a profile of its own."""
    profile.mkdir()  # else Firefox waits with a question
    command = [program, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = next((match for line in process.stderr if (match := LISTENING.search(line))), None)
        assert found, "Firefox ended before it listened"
        with connect(f"{found[1]}/session", max_size=None) as line:
            yield Firefox(line)
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()
