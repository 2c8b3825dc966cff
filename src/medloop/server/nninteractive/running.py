"""`medloop nninteractive`: a project's engine for napari and Slicer, in a process of its own that may load torch."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from starlette.applications import Starlette

from medloop.core.errors import SettingError
from medloop.interaction.engine import Engine
from medloop.interaction.nninteractive.leases import Terms
from medloop.interaction.nninteractive.protocol import DEFAULT_PORT
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.nninteractive.session import Keep, Service
from medloop.interaction.nninteractive.wire import require_blosc2
from medloop.loop.annotating.elsewhere import Drawing, keep_drafts
from medloop.loop.annotating.engines import choose_engine
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.server.nninteractive.app import create_app
from medloop.server.nninteractive.gate import Limits
from medloop.server.processes.supervise import AnsweringServer, open_listener
from medloop.server.web.settings import is_loopback

MEMORY_SHARE = 0.25
"""Of the machine's memory, for one image or target buffer; the protocol's own server takes as much."""

FALLBACK_MEMORY = 32 << 30
SHORTEST_KEY = 16

Ready: TypeAlias = Callable[[str], None]
MakeEngine: TypeAlias = Callable[[Workspace], Engine]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """How a project is offered.

    Attributes:
        host: Address to listen on; beyond loopback with a key only.
        port: To listen on; 0 takes any free one.
        key: Bearer key that front ends must give; None asks for none.
        max_sessions: Front ends at once.
        label: Name of the task's label that they draw; None takes the first.
        slowest_first: Whether they send axes as (k, j, i).
        annotator: Whose drafts hold what is drawn on images of the project's cases; None keeps nothing.
        locked: Names of the labels that keep their voxels in these drafts; None for all others.
        neighbours: Whether finished objects are in the way of the next; None where drafts hold them.

    Raises:
        SettingError: A host beyond loopback without a key, or a number out of range.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    key: str | None = None
    max_sessions: int = 3
    label: str | None = None
    slowest_first: bool = True
    annotator: str | None = None
    locked: tuple[str, ...] | None = None
    neighbours: bool | None = None

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and len(self.key or "") < SHORTEST_KEY:
            rule = f"Beyond loopback front ends give a key of {SHORTEST_KEY} characters at least, got host {self.host!r}"
            raise SettingError(rule, remedy="set MEDLOOP_NNINTERACTIVE_KEY, or use --host 127.0.0.1 through an SSH tunnel")
        if not 0 <= self.port <= 65535:
            raise SettingError(f"A port lies between 0 and 65535, got {self.port}")
        if not 1 <= self.max_sessions <= 64:
            raise SettingError(f"Between 1 and 64 sessions can be held, got {self.max_sessions}")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable() and self.key == self.key.strip() and self.key):
            raise SettingError("A key must be printable ASCII without spaces around it, this one is not", remedy="choose another")


def serve_project(folder: Path, offer: Offer, *, make_engine: MakeEngine, ready: Ready = lambda _url: None) -> None:
    """Serve a project's engine until told to stop (SIGTERM, SIGINT).

    Raises:
        NotFoundError: No project in the folder.
        SettingError: The port is taken, or the task has no such label.
        UnavailableError: Blosc2 or the engine is missing.
    """
    require_blosc2()
    with Workspace.open(folder) as workspace:
        app = _application(workspace, offer, make_engine)
        listener = open_listener(offer.host, offer.port)
        AnsweringServer(app, lambda url: ready(url.rstrip("/")), drain_seconds=5).serve_on(listener)


def project_engine(name: str) -> MakeEngine:
    """The engine that a project's page uses: "auto", "classical" or "network"."""

    def make(workspace: Workspace) -> Engine:
        engine: Engine = choose_engine(workspace, name).load()
        return engine

    return make


def weights_engine(path: Path) -> MakeEngine:
    """A promptable network from a file."""

    def make(_workspace: Workspace) -> Engine:
        from medloop.interaction.external.adapters import PromptableEngine
        from medloop.models.foundation.compute import choose_device

        return PromptableEngine.load(path, device=choose_device())

    return make


def _application(workspace: Workspace, offer: Offer, make_engine: MakeEngine) -> Starlette:
    labels = {label.name: label.value for label in workspace.task.labels}
    if workspace.task.kind != "segmentation":
        raise SettingError(f"Front ends draw masks, this project's task is {workspace.task.kind}", remedy="open a segmentation project")
    name = next(iter(labels)) if offer.label is None else offer.label
    if name not in labels:
        raise SettingError(f"--label must be one of the task's labels {', '.join(labels)}, got {name!r}")
    keep: Keep = lambda _image: None  # noqa: E731 - a value like the other one
    if offer.annotator is not None:
        drawing = Drawing(annotator_named(workspace, offer.annotator), labels[name], _locked(offer, labels, name))
        keep = keep_drafts(workspace, drawing)
    elif offer.locked:
        raise SettingError(
            "Labels are locked in somebody's drafts, and nothing is kept", remedy="give --annotator too, or leave --lock out"
        )
    engine, order = make_engine(workspace), AxisOrder(offer.slowest_first)
    around = offer.annotator is not None if offer.neighbours is None else offer.neighbours
    service = Service(engine, labels=tuple(labels.values()), label=labels[name], order=order, keep=keep, neighbours=around)
    about = f"medloop ({engine.name}), drawing {name}; the weights' own licence applies"
    most = int(_memory_bytes() * MEMORY_SHARE)
    limits = Limits(array_bytes=most, sent_bytes=most)
    return create_app(service, limits=limits, key=offer.key, host=offer.host, license_text=about, terms=Terms(most=offer.max_sessions))


def _locked(offer: Offer, labels: Mapping[str, int], drawn: str) -> frozenset[int] | None:
    """Values of the labels that are locked; None for all others."""
    if offer.locked is None:
        return None
    for one in offer.locked:
        if one not in labels or one == drawn:
            others = ", ".join(label for label in labels if label != drawn) or "none"
            raise SettingError(f"--lock must be a label other than the one that is drawn ({others}), got {one!r}")
    return frozenset(labels[one] for one in offer.locked)


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return FALLBACK_MEMORY
