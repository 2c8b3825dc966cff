"""An nnInteractive server of medloop on a real loopback socket, in a thread, with a clock that tests move."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn

from medloop.interaction.nninteractive.leases import Terms
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.nninteractive.session import Keep, Service
from medloop.server.nninteractive.app import create_app
from medloop.server.nninteractive.gate import Limits

from .flood import FloodEngine

LIMITS = Limits(array_bytes=4_000_000, sent_bytes=2_000_000)
AS_SENT = AxisOrder(slowest_first=False)


@dataclass
class MovedClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Served:
    url: str
    engine: FloodEngine
    app: Any
    clock: MovedClock = field(default_factory=MovedClock)


@contextmanager
def serving(
    *,
    engine: Any = None,
    order: AxisOrder = AS_SENT,
    labels: tuple[int, ...] = (1,),
    label: int = 1,
    keep: Keep = lambda _image: None,
    neighbours: bool = False,
    **how: Any,
) -> Iterator[Served]:
    engine, clock = engine or FloodEngine(), MovedClock()
    terms = {name: how.pop(name) for name in ("most", "idle_seconds", "liveness_seconds") if name in how}
    service = Service(engine, labels=labels, label=label, order=order, keep=keep, neighbours=neighbours)
    app = create_app(service, limits=LIMITS, terms=Terms(clock=clock, **terms), **how)
    with running(app) as url:
        yield Served(url, engine, app, clock)


@contextmanager
def running(app: Any) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", http="h11", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"  # the socket listens already; connections wait in its queue
    finally:
        server.should_exit = True
        thread.join(20)


def two_blobs(shape: tuple[int, int, int] = (12, 10, 8)) -> np.ndarray:
    """Background 0, one bright block of 200 near the origin and one of 100 at the far end."""
    image = np.zeros((1, *shape), dtype=np.int16)
    image[0, 2:5, 2:6, 1:4] = 200
    image[0, 7:10, 5:8, 4:7] = 100
    return image
