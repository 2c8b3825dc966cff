"""Open a network that others, or an export of medloop, wrote: TorchScript, ONNX, a MONAI bundle."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medloop.core.errors import FormatError, MedloopError, NotFoundError, SettingError
from medloop.core.records import Json
from medloop.models.exchange.bundle_in import is_bundle, read_bundle
from medloop.models.exchange.child import Kind, Limits, NetworkChild
from medloop.models.exchange.described import DescribedPredictor
from medloop.models.exchange.description import Description, read_description
from medloop.models.inference.predict import Calibrated

SCRIPTS, GRAPHS = (".ts", ".pt", ".pth", ".torchscript"), (".onnx",)
IN_A_FOLDER = ("model.ts", "model.onnx")
MOST_TEXT = 4 << 20


@dataclass(frozen=True)
class Stated:
    """What is said of a network in place of its own description, or beside it.

    Attributes:
        labels: Names in the order of its outputs, without the background.
        facts: Fields of a `Description` that stand in place of those in the file.
        background: Whether its first output is the background.
    """

    labels: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    background: bool = True


def is_network(place: Path) -> bool:
    """Whether a path looks like a network that can be opened here."""
    if place.is_dir():
        return is_bundle(place) or any((place / name).is_file() for name in IN_A_FOLDER)
    return place.suffix.lower() in (*SCRIPTS, *GRAPHS)


@contextmanager
def open_network(
    place: Path, stated: Stated | None = None, *, calibrator: Callable[[Json], Calibrated], limits: Limits | None = None
) -> Iterator[DescribedPredictor]:
    """The network, running in its own process until the end of the block.

    Args:
        place: A file, the folder of an export, or that of a MONAI bundle.
        stated: What the file does not say.
        calibrator: Makes what `Description.calibration` says, such as `medloop.quality.calibrate.calibrator_from_json`.
        limits: Of its process.

    Raises:
        NotFoundError: No such file.
        FormatError: It is no network, holds code, or says too little.
        SettingError: What is stated does not fit together.
    """
    stated = stated or Stated()
    bundle = read_bundle(place) if place.is_dir() and is_bundle(place) else None
    path = bundle.path if bundle else _file_in(place)
    kind: Kind = bundle.kind if bundle else "onnx" if path.suffix.lower() in GRAPHS else "torchscript"
    with NetworkChild(path, kind, limits=limits, network=bundle.network if bundle else None) as child:
        told = bundle.description if bundle else read_description(child.told, path.name) if child.told else _beside(path)
        description = _described(path.name, told, stated)
        calibrated = calibrator(description.calibration) if description.calibration and description.takes == "windows" else None
        yield DescribedPredictor(description, child, path.name, calibrated=calibrated)


def _file_in(place: Path) -> Path:
    if place.is_dir():
        found = [place / name for name in IN_A_FOLDER if (place / name).is_file()]
        if len(found) != 1:
            rule = f"{place.name}: a folder must hold one of {', '.join(IN_A_FOLDER)}, it holds {len(found)}"
            raise NotFoundError(rule, remedy="name the file")
        return found[0]
    if not place.is_file():
        raise NotFoundError(f"There is no file or folder {place}", remedy="check the path")
    if place.suffix.lower() not in (*SCRIPTS, *GRAPHS):
        known = ", ".join((*SCRIPTS, *GRAPHS))
        raise FormatError(f"{place.name}: a network's file must end with one of {known}", remedy="name it so, or export it again")
    return place


def _beside(path: Path) -> Description | None:
    """The description beside a file, `FILE.json`; None without one."""
    beside = path.with_name(f"{path.name}.json")
    if not beside.is_file():
        return None
    if beside.stat().st_size > MOST_TEXT:
        raise FormatError(f"{beside.name}: a description has at most {MOST_TEXT >> 20} MiB, it has more", remedy="write it again")
    return read_description(beside.read_bytes(), beside.name)


def _described(name: str, told: Description | None, stated: Stated) -> Description:
    facts = dict(stated.facts)
    if stated.labels:
        values = {label: value for value, label in enumerate(stated.labels, start=1)}
        outputs = (0, *values.values()) if stated.background and facts.get("gives") != "sigmoid" else tuple(values.values())
        facts |= {"labels": values, "outputs": outputs}
    if told is None and "labels" not in facts:
        rule = f"{name}: it does not say which labels its outputs are"
        raise SettingError(rule, remedy="name them in their order: --labels liver,tumour")
    try:
        if told is not None:
            return replace(told, **facts)
        usual = {"kind": "segmentation", "dimension": 3, "channels": 1, "normalise_first": False}
        return Description(**{**usual, **facts})
    except MedloopError as error:
        raise SettingError(f"{name}: {error.message}", remedy="correct the options") from None
