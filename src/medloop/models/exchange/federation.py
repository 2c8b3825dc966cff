"""The terms of a federation: what every site must agree to, and the folder in which its coordinator keeps them."""

import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from medloop import __version__
from medloop.core.errors import ConflictError, FormatError, NotFoundError, SettingError
from medloop.core.records import Json
from medloop.images.files import write_atomic
from medloop.models.foundation.recipes import Recipe

Strategy = Literal["fedavg", "fedprox"]
PLAN = "medloop_federation"
TERMS, FIRST, LOCK = "terms.json", "round-0000.safetensors", "serve.lock"


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """How a federation learns.

    Attributes:
        rounds: How many there are.
        steps: Steps of training at each site in each.
        sites: How many sites the first round waits for; 0 for as many as `min_sites`.
        min_sites: Sites whose updates a round needs to count.
        strategy: fedavg, or fedprox, which holds every site near the common weights.
        proximal: How strongly it does.
        local_norm: Whether the scale and shift of normalisation layers stay each site's own.
        norm_bound: Longest update that counts; 0 goes by the median of the round.
        wait_minutes: How long a round waits for a site.
        meet_minutes: How long it waits for one that is to say what it offers.
        seed: Of the first weights.
    """

    rounds: int = 10
    steps: int = 100
    sites: int = 0
    min_sites: int = 2
    strategy: Strategy = "fedavg"
    proximal: float = 0.01
    local_norm: bool = False
    norm_bound: float = 0.0
    wait_minutes: float = 60.0
    meet_minutes: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("rounds", 1), ("steps", 1), ("sites", 0), ("min_sites", 1), ("proximal", 0), ("norm_bound", 0)):
            if not low <= getattr(self, name) < float("inf"):
                raise SettingError(f"{name} is a number from {low}, got {getattr(self, name)}")
        if self.strategy not in get_args(Strategy):
            raise SettingError(f"strategy is one of {', '.join(get_args(Strategy))}, got {self.strategy!r}")
        for name in ("wait_minutes", "meet_minutes"):
            if not 0 < getattr(self, name) < float("inf"):
                raise SettingError(f"{name} is above 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class Plan:
    """What a site says of its task, for a coordinator that has no images.

    Attributes:
        kind: Of the task.
        labels: Name → value.
        recipe: Of the network that everybody trains.
    """

    kind: str
    labels: Mapping[str, int]
    recipe: Recipe

    def to_json(self) -> Json:
        """As `medloop federate plan` writes it."""
        return {PLAN: 1, "version": __version__, "kind": self.kind, "labels": dict(self.labels), "recipe": self.recipe.to_json()}


def read_plan(file: Path) -> Plan:
    """A plan that was written by `medloop federate plan`.

    Raises:
        NotFoundError: No such file.
        FormatError: It is none, or another version's.
    """
    remedy = "make one with: medloop federate plan DIR FILE"
    if not file.is_file():
        raise NotFoundError(f"There is no plan {file}", remedy=remedy)
    try:
        found = json.loads(file.read_text())
        if found[PLAN] != 1:
            raise ValueError(f"format {found[PLAN]}")
        labels = {str(name): int(value) for name, value in found["labels"].items()}
        recipe = Recipe.from_json(found["recipe"])
    except (ValueError, KeyError, TypeError, AttributeError, SettingError, RecursionError) as error:
        raise FormatError(f"{file.name} is no plan of a federation ({error})", remedy=remedy) from error
    if found["version"] != __version__:
        raise FormatError(f"{file.name} is a plan of medloop {found['version']}, this is {__version__}", remedy=remedy)
    return Plan(str(found["kind"]), labels, recipe)


def recipe_digest(recipe: Recipe) -> str:
    """SHA-256 over what decides which network is trained, and how."""
    return hashlib.sha256(json.dumps(recipe.identity, sort_keys=True).encode()).hexdigest()


def terms_of(plan: Plan, how: Rounds) -> Json:
    """What is sent to every site."""
    from medloop.models.foundation.federated_weights import shared_names

    return {
        "id": secrets.token_hex(6),
        "version": __version__,
        "kind": plan.kind,
        "labels": dict(plan.labels),
        "channels": plan.recipe.channels,
        "recipe": plan.recipe.to_json(),
        "recipe_sha256": recipe_digest(plan.recipe),
        "shared": list(shared_names(plan.recipe, local_norm=how.local_norm)),
        **asdict(how),
        "sites": how.sites or how.min_sites,
        "wait_seconds": how.wait_minutes * 60,
        "meet_seconds": min(how.meet_minutes, how.wait_minutes) * 60,
    }


MAY_CHANGE = ("rounds", "sites", "min_sites", "wait_minutes", "wait_seconds", "meet_minutes", "meet_seconds", "norm_bound", "id")
"""Terms that a federation which goes on may have others of."""


def prepare(folder: Path, plan: Plan, how: Rounds) -> Json:
    """The folder of a federation: new, or one that goes on where it was; its terms.

    Killed at any moment it can be repeated: the terms are written last, and what lies there without them is made again.

    Raises:
        ConflictError: The folder holds another federation, or something else, or is being served.
    """
    from medloop.models.foundation.federated_weights import first_weights

    terms, file = terms_of(plan, how), folder / TERMS
    if not file.exists() and folder.exists() and any(not _is_begun(one.name) for one in folder.iterdir()):
        raise ConflictError(f"{folder} is not empty and holds no federation", remedy="name a new folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with held(folder):
        if file.exists():
            before = json.loads(file.read_text())
            differs = [name for name in terms if name not in MAY_CHANGE and before.get(name) != json.loads(json.dumps(terms[name]))]
            if differs:
                rule = f"{folder} holds a federation with another {differs[0]}"
                raise ConflictError(rule, remedy="go on with the same options and plan, or name a new folder")
            terms = {**terms, "id": before["id"]}
        else:
            write_atomic(folder / FIRST, first_weights(plan.recipe, how.seed, terms["shared"]))
        write_atomic(file, json.dumps(terms, indent=1).encode())
    return terms


def _is_begun(name: str) -> bool:
    """Whether a file may lie in a folder whose making was interrupted."""
    return name in (FIRST, LOCK) or (name.startswith((f".{FIRST}.", f".{TERMS}.")) and name.endswith(".tmp"))


@contextmanager
def held(folder: Path, where: str = "") -> Iterator[None]:
    """Hold the folder of a federation for this process; a killed one lets go of it.

    Args:
        folder: Exists.
        where: Its address, for whoever is refused.

    Raises:
        ConflictError: Another process holds it.
    """
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            rule = f"{folder} is held by another medloop federate serve{file.read(200)}"
            raise ConflictError(rule, remedy="end that one, or name another folder") from None
        file.truncate(0)
        file.write(f" (process {os.getpid()}{f', at {where}' if where else ''})")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
