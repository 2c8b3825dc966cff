"""The terms of a federation and its coordinator: what every site must agree to, and Flower's processes that hold the rounds."""

import hashlib
import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import httpx

from medloop import __version__
from medloop.core.errors import ConflictError, FormatError, InputError, NotFoundError, SettingError
from medloop.core.records import Json
from medloop.images.files import write_atomic
from medloop.models.exchange.flower import FlowerProcess, Secured, flower_environment, submit_app
from medloop.models.exchange.flower_side.updates import decode_arrays
from medloop.models.foundation.recipes import Recipe

Strategy = Literal["fedavg", "fedprox"]
PLAN = "medloop_federation"
ROUNDS, TERMS, EVENTS, ENDED = "rounds.json", "terms.json", "events.log", "ended.json"
POLL_SECONDS = 0.2
MOST_START_SECONDS = 90.0

Say = Callable[[str], None]


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
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("rounds", 1), ("steps", 1), ("sites", 0), ("min_sites", 1), ("proximal", 0), ("norm_bound", 0)):
            if not low <= getattr(self, name) < float("inf"):
                raise SettingError(f"{name} is a number from {low}, got {getattr(self, name)}")
        if self.strategy not in get_args(Strategy):
            raise SettingError(f"strategy is one of {', '.join(get_args(Strategy))}, got {self.strategy!r}")
        if not 0 < self.wait_minutes < float("inf"):
            raise SettingError(f"wait_minutes is above 0, got {self.wait_minutes}")


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
    }


MAY_CHANGE = ("rounds", "sites", "min_sites", "wait_minutes", "wait_seconds", "norm_bound", "id")
"""Terms that a federation which goes on may have others of."""


def prepare(folder: Path, plan: Plan, how: Rounds) -> Json:
    """The folder of a federation: new, or one that goes on where it was; its terms.

    Raises:
        ConflictError: The folder holds another federation, or something else.
    """
    from medloop.models.foundation.federated_weights import first_weights

    terms, file = terms_of(plan, how), folder / TERMS
    if file.exists():
        before = json.loads(file.read_text())
        differs = [name for name in terms if name not in MAY_CHANGE and before.get(name) != json.loads(json.dumps(terms[name]))]
        if differs:
            rule = f"{folder} holds a federation with another {differs[0]}"
            raise ConflictError(rule, remedy="go on with the same options and plan, or name a new folder")
        terms = {**terms, "id": before["id"]}
    elif folder.exists() and any(folder.iterdir()):
        raise ConflictError(f"{folder} is not empty and holds no federation", remedy="name a new folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists():
        write_atomic(folder / "round-0000.safetensors", first_weights(plan.recipe, how.seed, terms["shared"]))
    write_atomic(file, json.dumps(terms, indent=1).encode())
    (folder / ENDED).unlink(missing_ok=True)
    return terms


@dataclass(frozen=True)
class Finished:
    """What became of a federation.

    Attributes:
        rounds: Of each: its number, sites, and who was left out.
        words: How it ended.
    """

    rounds: tuple[Json, ...]
    words: str
    complete: bool = field(default=True)


def serve(folder: Path, address: tuple[str, int], secured: Secured, say: Say) -> Finished:
    """Hold the rounds of a prepared federation until they are over.

    Args:
        folder: Of `prepare`.
        address: Host and port to listen at; port 0 takes a free one.
        secured: Certificates; without them the host must be a loopback address.
        say: Takes every line.

    Raises:
        SettingError: Other machines could reach it in the clear.
        InputError: Flower did not start, or failed.
        UnavailableError: There is no Flower.
    """
    host, port = address[0], address[1] or _free_port(address[0])
    if not secured.own_certificate and host not in ("127.0.0.1", "localhost", "::1"):
        raise SettingError(
            f"In the clear a federation is served at 127.0.0.1 alone, got {host}", remedy="give --tls-cert, --tls-key, --tls-ca"
        )
    environment = flower_environment(folder, {"MEDLOOP_FEDERATION": str(folder.absolute())})
    tls = [
        *("--ssl-certfile", secured.own_certificate, "--ssl-keyfile", secured.key, "--ssl-ca-certfile", secured.certificate),
        "--enable-supernode-auth",
    ]
    arguments = ["--host", host, "--port", str(port), *(tls if secured.own_certificate else ["--insecure"])]
    events = (folder / EVENTS).stat().st_size if (folder / EVENTS).exists() else 0
    link = FlowerProcess("flower-superlink", arguments, environment, folder / "flower.log")
    try:
        _await(link, host, port, secured)
        say(f"serves at {host}:{port}")
        submit_app(folder, environment, f"{host}:{port}", secured)
        for line in _events(link, folder, events):
            say(line)
    finally:
        link.end()
    rounds = json.loads((folder / ROUNDS).read_text()) if (folder / ROUNDS).exists() else []
    ended = json.loads((folder / ENDED).read_text())
    terms = json.loads((folder / TERMS).read_text())
    return Finished(tuple(rounds), str(ended["words"]), len(rounds) >= terms["rounds"])


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as door:
        door.bind((host, 0))
        return int(door.getsockname()[1])


def _await(link: FlowerProcess, host: str, port: int, secured: Secured) -> None:
    verify: Any = secured.certificate or True
    deadline = time.monotonic() + MOST_START_SECONDS
    while time.monotonic() < deadline:
        link.require_alive()
        try:
            if httpx.get(f"{'https' if secured.own_certificate else 'http'}://{host}:{port}/health", verify=verify).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(POLL_SECONDS)
    raise InputError(f"Flower's SuperLink does not respond at {host}:{port}", remedy=f"see {link.log}")


def _events(link: FlowerProcess, folder: Path, position: int) -> Iterator[str]:
    """Lines of the coordinator's app as they come, until it ended."""
    while True:
        over = (folder / ENDED).exists()
        if (folder / EVENTS).exists():
            with (folder / EVENTS).open("rb") as log:
                log.seek(position)
                data = log.read()
            whole = data[: data.rfind(b"\n") + 1]
            position += len(whole)
            yield from whole.decode(errors="replace").splitlines()
        if over:
            return
        link.require_alive()
        time.sleep(POLL_SECONDS)


def last_weights(folder: Path) -> tuple[int, dict[str, Any]]:
    """Number of the last finished round and its weights as arrays.

    Raises:
        NotFoundError: The folder holds no federation.
    """
    found = sorted(folder.glob("round-*.safetensors"))
    if not found:
        raise NotFoundError(f"{folder} holds no federation", remedy="name the folder that was given to medloop federate serve")
    return int(found[-1].stem.removeprefix("round-")), dict(decode_arrays(found[-1].read_bytes()))
