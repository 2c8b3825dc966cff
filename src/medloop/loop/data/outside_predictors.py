"""What predicts for a project from elsewhere, opened: a network's file, the folder of an nnU-Net, a model on a server.

All of them give one array for each image, in the values of their own labels: samples of probabilities, or a mask alone.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.errors import NotFoundError, SettingError
from medloop.core.image import Image
from medloop.core.records import Json
from medloop.loop.data.model_statistics import read_statistics
from medloop.loop.data.monai_client import MonaiLabelModel
from medloop.loop.data.nnunet_models import NnunetPredictor, is_nnunet, read_nnunet
from medloop.loop.foundation.model_servers import model_server
from medloop.quality.calibrate import calibrator_from_json

if TYPE_CHECKING:
    from medloop.models.exchange.child import Limits
    from medloop.models.exchange.described import DescribedPredictor
    from medloop.models.exchange.opening import Stated

Found: TypeAlias = npt.NDArray[Any]
"""Samples (samples, classes, I, J, K), float32, or a mask (I, J, K), uint8; in the values of the model's own labels."""


@dataclass(frozen=True)
class HowToRun:
    """How a model from elsewhere is run.

    Attributes:
        stated: What its file does not say; see `medloop.models.exchange.opening`.
        mapping: Its label → the project's, or `background`; labels of one name need no entry.
        limits: Of the process of a network; None takes the usual ones.
        command: Of nnU-Net; None looks for it on the path.
        device: Where nnU-Net runs.
        server: Of a model on a server: which of `model-servers.toml`.
        once: Only the cases that there are now; else those that come later, too, while no model of the project is in use.
    """

    stated: "Stated | None" = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    limits: "Limits | None" = None
    command: str | None = None
    device: str = "cpu"
    server: str | None = None
    once: bool = False

    def to_json(self) -> Json:
        """As plain values, to run it again."""
        stated = self.stated
        facts = {key: _plain(value) for key, value in stated.facts.items()} if stated else {}
        told = {"labels": list(stated.labels), "facts": facts, "background": stated.background} if stated else None
        limits = asdict(self.limits) if self.limits else None
        rest = {"command": self.command, "device": self.device, "server": self.server}
        return {"stated": told, "mapping": dict(self.mapping), "limits": limits, **rest}

    @classmethod
    def from_json(cls, record: Json) -> "HowToRun":
        """Inverse of `to_json`."""
        from medloop.models.exchange.child import Limits
        from medloop.models.exchange.description import read_fact
        from medloop.models.exchange.opening import Stated

        told, limits = record["stated"], record["limits"]
        facts = {key: read_fact(key, value) for key, value in told["facts"].items()} if told else {}
        return cls(
            stated=Stated(tuple(told["labels"]), facts, told["background"]) if told else None,
            mapping=record["mapping"],
            limits=Limits(**limits) if limits else None,
            command=record["command"],
            device=record["device"],
            server=record["server"],
        )


class Predicts(Protocol):
    """What predicts.

    Attributes:
        batch: Images that are best given together.
    """

    batch: int

    def predict_many(self, images: Sequence[Image], *, samples: int, rng: np.random.Generator) -> list[Found]:
        """What it says of each image."""
        ...


@dataclass(frozen=True)
class Opened:
    """A model from elsewhere, ready.

    Attributes:
        predictor: Predicts.
        labels: Name → value, as the model has them.
        file: What it is called where it lies.
        facts: What identifies it, kept with the model.
        version: What may change of it under its name, kept with each run.
    """

    predictor: Predicts
    labels: Mapping[str, int]
    file: str
    facts: Json
    version: str = ""


STATISTICS = "statistics"
"""Among the facts of a model from elsewhere: of what it learned from."""


@contextmanager
def opened(folder: Path, place: str | Path, how: HowToRun) -> Iterator[Opened]:
    """Open a model.

    Args:
        folder: Of the project, for its list of servers.
        place: A file or folder; on a server the model's name, or "".
        how: What its files do not say.

    Raises:
        SettingError: It gives classes, or says too little; a server that is not allowed.
        NotFoundError: No such file, folder, server or model.
        FormatError: It is no model, is damaged, or holds code.
        UnavailableError: What runs it is not installed, or the server does not answer.
    """
    path = Path(place)
    if how.server is not None:
        model = MonaiLabelModel(server := model_server(folder, how.server, "monailabel"), str(place))
        named = f"{model.name} on {server.name}"
        facts: Json = {"file": named, "sha256": hashlib.sha256(f"{server.url} {model.name}".encode()).hexdigest(), "made_by": "monailabel"}
        yield Opened(_Remote(model), model.labels, named, facts, model.checksum)
    elif is_nnunet(path):
        found = read_nnunet(path)
        yield Opened(
            _Nnunet(NnunetPredictor(found, command=how.command, device=how.device)), found.labels, path.name, _facts(path, "nnunet")
        )
    else:
        from medloop.models.exchange.opening import open_network

        with open_network(path, how.stated, calibrator=calibrator_from_json, limits=how.limits) as network:
            if network.description.kind != "segmentation":
                raise SettingError(f"{path.name}: a proposer gives masks, this network gives classes", remedy="take a segmentation network")
            told = read_statistics(path)
            facts = {**_facts(path, "network"), **({STATISTICS: told} if told else {})}
            yield Opened(_Network(network), network.description.labels, path.name, facts)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or over the files of a folder and their names.

    Raises:
        NotFoundError: It is gone.
    """
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    found = hashlib.sha256()
    for one in files:
        found.update(str(one.relative_to(path)).encode() if path.is_dir() else b"")
        try:
            with one.open("rb") as stream:
                while part := stream.read(1 << 20):
                    found.update(part)
        except FileNotFoundError:
            raise NotFoundError(f"There is no file or folder {path}", remedy="check the path") from None
    return found.hexdigest()


@dataclass
class _Network:
    network: "DescribedPredictor"
    batch: int = 1

    def predict_many(self, images: Sequence[Image], *, samples: int, rng: np.random.Generator) -> list[Found]:
        return [self.network.predict(image, samples=samples, rng=rng).samples for image in images]


class _Nnunet:
    def __init__(self, predictor: NnunetPredictor) -> None:
        self._predictor, self.batch = predictor, predictor.batch

    def predict_many(self, images: Sequence[Image], *, samples: int, rng: np.random.Generator) -> list[Found]:  # noqa: ARG002  # of others
        return [output.samples for output in self._predictor.predict_many(images)]


@dataclass
class _Remote:
    model: MonaiLabelModel
    batch: int = 1

    def predict_many(self, images: Sequence[Image], *, samples: int, rng: np.random.Generator) -> list[Found]:  # noqa: ARG002  # of others
        return [self.model.predict(image) for image in images]


def _facts(path: Path, kind: str) -> Json:
    return {"file": path.resolve().name, "sha256": digest_of(path), "made_by": kind}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
