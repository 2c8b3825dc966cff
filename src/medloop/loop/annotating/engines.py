"""Which engine answers gestures in a project, and how it is made ready."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from medloop.core.errors import SettingError, UnavailableError
from medloop.core.records import Model
from medloop.interaction.engine import Engine
from medloop.loop.foundation.label_versions import knows_every_label
from medloop.loop.foundation.workspace import Workspace
from medloop.store.blobs import Blobs

AUTO = "auto"
"""The project's own network where its newest model takes gestures and knows every label, else the classical engine."""

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


def choose_engine(workspace: Workspace, name: str = AUTO) -> EngineChoice:
    """The engine of that name for a project.

    Raises:
        SettingError: An unknown name.
        UnavailableError: The network is asked for and the newest model takes no gestures.
    """
    if name not in ENGINES:
        raise SettingError(f"An engine is one of {', '.join(ENGINES)}, got {name!r}")
    with workspace.store.read() as tx:
        model = tx.live_model()
    guided = model is not None and bool(model.recipe.get("guided", False))
    if name != "classical" and model is not None and guided and knows_every_label(model, workspace.task):
        return EngineChoice(f"network {model.id}", partial(_network, workspace.store.blobs, model))
    if name == "network" and guided:
        raise UnavailableError("The newest model does not know every label of the task", remedy="train again, or use the classical engine")
    if name == "network":
        remedy = "turn on the project's setting guided and train, or use the classical engine"
        raise UnavailableError("The newest model takes no gestures", remedy=remedy)
    return EngineChoice("classical", _classical)


def _network(blobs: Blobs, model: Model) -> Engine:
    from medloop.interaction.interactive_network.network import NetworkEngine
    from medloop.models.foundation.recipes import Recipe

    return NetworkEngine.load(Recipe.from_json(model.recipe), [blobs.get(name) for name in model.weights])


def _classical() -> Engine:
    from medloop.interaction.modelfree.classical import ClassicalEngine

    return ClassicalEngine()
