"""Which engine answers gestures in a project, and how it is made ready."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from medloop.core.errors import SettingError, UnavailableError
from medloop.interaction.engine import Engine
from medloop.loop.workspace import Workspace

AUTO = "auto"
"""The project's own network where its newest model takes gestures, else the classical engine."""

ENGINES = (AUTO, "classical", "network")


@dataclass(frozen=True)
class EngineChoice:
    """An engine that answers for a project now.

    Attributes:
        key: The same for the same engine with the same weights; what it worked out about an image is kept under it.
        load: Makes it ready; may import torch.
    """

    key: str
    load: Callable[[], Engine]


ChooseEngine: TypeAlias = Callable[[Workspace, str], EngineChoice]
"""From a project and one of `ENGINES` to the engine."""


def choose_engine(workspace: Workspace, name: str = AUTO) -> EngineChoice:  # noqa: ARG001
    """The engine of that name for a project.

    Raises:
        SettingError: An unknown name.
        UnavailableError: The network is asked for and the newest model takes no gestures.
    """
    if name not in ENGINES:
        raise SettingError(f"An engine is one of {', '.join(ENGINES)}, got {name!r}")
    raise UnavailableError("No engine answers gestures yet")
