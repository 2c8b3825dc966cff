"""Which engine answers gestures in a project, and how it is made ready."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from medloop.core.errors import SettingError, UnavailableError
from medloop.core.records import Model
from medloop.core.settings import ImageAdaptation
from medloop.interaction.engine import Engine
from medloop.loop.foundation.label_versions import knows_every_label
from medloop.loop.foundation.model_servers import ModelServer, model_server
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import ANY_LABEL, weights_of
from medloop.store.blobs import Blobs

AUTO = "auto"
"""The engine of the setting `prompt_engine`, else the model's interactive network where it has one that knows every label, else its network
for any label, else the classical engine."""

NNINTERACTIVE = "nninteractive"
"""A server that speaks nnInteractive, one of `model-servers.toml`."""

ENGINES = (AUTO, "classical", "network", "any-label", NNINTERACTIVE)


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
        UnavailableError: A network is asked for that the model in use does not have.
        NotFoundError: No nnInteractive server is listed, or several are.
    """
    if name not in ENGINES:
        raise SettingError(f"An engine is one of {', '.join(ENGINES)}, got {name!r}")
    if name == NNINTERACTIVE or (name == AUTO and workspace.settings.prompt_engine == NNINTERACTIVE):
        server = model_server(workspace.folder, "", "nninteractive")
        return EngineChoice(f"{NNINTERACTIVE} {server.url}", partial(_served, server))
    with workspace.store.read() as tx:
        model = tx.live_model()
    guided = model is not None and bool(model.recipe.get("guided", False))
    if name != "classical" and model is not None and guided and knows_every_label(model, workspace.task):
        return _choice("network", workspace, model)
    if name in (AUTO, "any-label") and model is not None and ANY_LABEL in model.metrics:
        return _choice("any-label", workspace, model)
    if name == "any-label":
        remedy = "turn on the project's setting any_label and train, or use the classical engine"
        raise UnavailableError("The model in use has no network for any label", remedy=remedy)
    if name == "network" and guided:
        raise UnavailableError("The newest model does not know every label of the task", remedy="train again, or use the classical engine")
    if name == "network":
        remedy = "turn on the project's setting interactive_network and train, or use the classical engine"
        raise UnavailableError("The newest model takes no prompts", remedy=remedy)
    return EngineChoice("classical", _classical)


def _choice(kind: str, workspace: Workspace, model: Model) -> EngineChoice:
    adaptation = workspace.settings.adaptation
    key = f"{kind} {model.id}" + ("" if adaptation == "none" else f" adapted to {adaptation}")
    return EngineChoice(key, partial(_network, workspace.store.blobs, model, adaptation, any_label=kind == "any-label"))


def _network(blobs: Blobs, model: Model, adaptation: ImageAdaptation, *, any_label: bool) -> Engine:
    from medloop.interaction.interactive_network.adaptation import Adaptation
    from medloop.interaction.interactive_network.network import NetworkEngine, Refinement
    from medloop.models.foundation.recipes import Recipe

    recipe = Recipe.from_json(model.metrics[ANY_LABEL] if any_label else model.recipe)
    weights = weights_of(blobs, model, any_label=any_label)
    bend = None if adaptation == "none" else Adaptation(unsupervised=adaptation == "image")
    return NetworkEngine.load(recipe, weights, refinement=Refinement(adaptation=bend), any_label=any_label)


def _served(server: ModelServer) -> Engine:
    """A server's engine.

    Raises:
        SettingError: Something that the protocol's client does not follow: it would go another way than the list of servers says.
    """
    from medloop.interaction.external.nninteractive import NNInteractiveEngine

    if server.ca_file:
        rule = f"The client of nnInteractive does not read ca_file of the server {server.name}"
        raise SettingError(rule, remedy=f"leave it out, and export SSL_CERT_FILE={server.ca_file}")
    parts, proxies = urlsplit(server.url), getproxies()
    if (parts.scheme in proxies or "all" in proxies) and not proxy_bypass(server.host):
        rule = f"Images for the server {server.name} would go by a proxy of the environment, which is not listed"
        raise SettingError(rule, remedy=f"export NO_PROXY={server.host}")
    key = server.secrets.token() or server.secrets.password()
    return NNInteractiveEngine(server.url, key=key, timeout_seconds=server.timeout_seconds)  # "" takes no key of the environment


def _classical() -> Engine:
    from medloop.interaction.modelfree.classical import ClassicalEngine

    return ClassicalEngine()
