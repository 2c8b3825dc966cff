"""Predict images with an exported model, without a project: the same mask as the project proposes for the same image of the same name."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.errors import FormatError, IntegrityError, MedloopError, NotFoundError, SettingError
from medloop.core.image import Image, Mask
from medloop.core.records import Json, TaskKind
from medloop.core.seeds import generator
from medloop.datasets.dataset import Refusal
from medloop.datasets.drawing import draw, natural_suffix
from medloop.datasets.files import read_list, split_suffix
from medloop.datasets.staging import FileNames, staged_folder, write_rows
from medloop.images.files import read_bounded
from medloop.images.read import read_image
from medloop.images.result import require_intensities
from medloop.loop.data.cases import storable
from medloop.loop.foundation.label_versions import NOT_LEARNED
from medloop.loop.judging.predictions import likeliest, predictor_of
from medloop.models.foundation.nnunet_recipe import AnyRecipe, read_recipe
from medloop.quality.calibrate import calibrator_from_json

if TYPE_CHECKING:
    from medloop.models.exchange.opening import Stated
    from medloop.models.inference.predict import AnyPredictor

MODEL_FILE = "model.json"
MOST_WEIGHTS = 8 << 30
_FAULTS = (MedloopError, OSError, MemoryError, EOFError, ValueError, ArithmeticError)
_EXPORT = "export it again with: medloop export DIR OUT --format model"


@dataclass(frozen=True)
class ExportedModel:
    """An exported model.

    Attributes:
        card: Its `model.json`.
        recipe: What it was trained with.
        weights: Safetensors of each member.
    """

    card: Json
    recipe: AnyRecipe
    weights: tuple[bytes, ...]

    @property
    def labels(self) -> dict[int, str]:
        """Value → name of each label or class."""
        return {int(value): str(name) for name, value in self.card["task"]["labels"].items()}


@dataclass(frozen=True)
class PredictedAlone:
    """What was predicted: the folder, names of its files, and a line for each image that was left out."""

    folder: Path
    files: tuple[str, ...]
    refused: tuple[Refusal, ...]


def read_exported(place: str | Path) -> ExportedModel:
    """Read an exported model, and check that its weights are those that were exported.

    Args:
        place: The folder that `medloop export --format model` wrote, or its `model.json`.

    Raises:
        NotFoundError: No such file, or weights that are missing.
        FormatError: It is no exported model.
        IntegrityError: Weights that were changed or cut off since.
    """
    path = Path(place)
    path = path / MODEL_FILE if path.is_dir() else path
    if not path.is_file():
        raise NotFoundError(f"{place} is no exported model: there is no {path.name}", remedy=_EXPORT)
    try:
        card = json.loads(read_list(path))
        if card["medloop_model"] != 1:
            raise FormatError(f"{path.name}: the version of an exported model must be 1, got {card['medloop_model']!r:.20}", remedy=_EXPORT)
        recipe, digests = read_recipe(card["recipe"]), [str(one) for one in card["weights_sha256"]]
        found = ExportedModel(card, recipe, tuple(_weights(path.parent, n, digests[n]) for n in range(recipe.members)))
        _ = found.labels, str(card["task"]["kind"]), dict(card["metrics"])
    except SettingError as error:
        raise FormatError(f"{path.name}: {error.message}", remedy=_EXPORT) from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, MedloopError):
            raise
        raise FormatError(f"{path.name}: it is no exported model ({type(error).__name__}: {str(error)[:80]})", remedy=_EXPORT) from None
    return found


def predict_alone(
    model: ExportedModel, images: Sequence[str | Path], out: str | Path, *, report: Callable[[int, int, str], None] | None = None
) -> PredictedAlone:
    """Write a mask for each image, on the image's own geometry, or a table of classes with their probabilities.

    Args:
        model: See `read_exported`.
        images: Files, or folders of one DICOM series each.
        out: A new or empty folder.
        report: Called before each image with (done, total, name).

    Raises:
        ConflictError: The folder is not empty.
        StorageError: The disk refuses.
        FormatError: None of the images can be predicted; the message is that of the first one.
    """
    card, metrics = model.card, model.card["metrics"]
    fitted = metrics.get("calibration", {}).get("calibrator", {})
    calibrated = calibrator_from_json(fitted) if fitted else None
    source = metrics.get("uncertainty_source", "all")
    predictor = predictor_of(model.recipe, model.weights, source, calibrated, unlearned=metrics.get(NOT_LEARNED, ()))
    facts = _Facts(
        card["task"]["kind"],
        model.labels,
        tuple(metrics.get(NOT_LEARNED, ())),
        int(card.get("samples", 1)),
        lambda name: generator(int(card.get("seed", 0)), "predict", int(card["index"]), name),
    )
    return _predict_all(predictor, facts, images, Path(out), report)


def predict_with_file(
    place: str | Path,
    images: Sequence[str | Path],
    out: str | Path,
    *,
    stated: "Stated | None" = None,
    report: Callable[[int, int, str], None] | None = None,
) -> PredictedAlone:
    """Predict with whatever model lies at a place: an export of any format, TorchScript, ONNX, or a MONAI bundle.

    Args:
        place: A file or a folder.
        images: Files, or folders of one DICOM series each.
        out: A new or empty folder.
        stated: What the file does not say of itself, see `medloop.models.exchange.opening`.
        report: Called before each image with (done, total, name).

    Raises:
        NotFoundError: No model lies there.
        MedloopError: As `predict_alone` and `open_network`.
    """
    from medloop.models.exchange.opening import is_network, open_network

    if not is_network(Path(place)):
        return predict_alone(read_exported(place), images, out, report=report)
    with open_network(Path(place), stated, calibrator=calibrator_from_json) as predictor:
        d = predictor.description
        values = {value: name for name, value in d.labels.items()}
        facts = _Facts(d.kind, values, d.not_learned, 1, lambda name: generator(0, "predict", name))
        return _predict_all(predictor, facts, images, Path(out), report)


@dataclass(frozen=True)
class _Facts:
    """What is known of a model: labels by value, values it never proposes, samples per image, randomness by an image's name."""

    kind: TaskKind
    labels: dict[int, str]
    not_learned: tuple[int, ...]
    samples: int
    rng: Callable[[str], np.random.Generator]


def _predict_all(
    predictor: "AnyPredictor",
    facts: _Facts,
    images: Sequence[str | Path],
    out: Path,
    report: Callable[[int, int, str], None] | None,
) -> PredictedAlone:
    names = FileNames()
    files: list[str] = []
    rows: list[list[str]] = []
    refused: list[Refusal] = []
    with staged_folder(out) as staging:
        for done, given in enumerate(images):
            path = Path(given)
            if report is not None:
                report(done, len(images), path.name)
            try:
                files.append(_predict(predictor, facts, path, (staging, names), rows))
            except _FAULTS as error:
                message = error.message.removeprefix(f"{path.name}: ") if isinstance(error, MedloopError) else f"it cannot be read: {error}"
                refused.append(Refusal(path.name, message, "", error.remedy if isinstance(error, MedloopError) else "copy it again"))
        if not files:
            raise FormatError(f"Nothing was predicted: {refused[0] if refused else 'no image was named'}", remedy="name other images")
        if rows:
            write_rows(staging / "predictions.csv", ("filename", "label", *facts.labels.values()), rows)
    return PredictedAlone(out, tuple(files), tuple(refused))


def _predict(predictor: "AnyPredictor", facts: _Facts, path: Path, place: tuple[Path, FileNames], rows: list[list[str]]) -> str:
    """Predict one image and write its mask, or add its row; what it is called there."""
    read = read_image(path)
    require_intensities(path.name, read)
    image = Image(storable(read.image), read.image.grid)
    name = split_suffix(path.name)[0]
    found = predictor.predict(image, samples=facts.samples, rng=facts.rng(name)).probabilities
    if facts.kind != "segmentation":
        rows.append([path.name, facts.labels[int(found.argmax())], *(f"{float(found[value]):.6g}" for value in facts.labels)])
        return path.name
    mask = Mask(likeliest(found, facts.not_learned), image.grid)
    folder, names = place
    file = names.of(name) + natural_suffix(image, read.source)
    draw(folder / file, mask, read.source)
    return file


def _weights(folder: Path, number: int, digest: str) -> bytes:
    path = folder / f"member-{number}.safetensors"
    if not path.is_file():
        raise NotFoundError(f"{path.name} is missing beside {MODEL_FILE}", remedy=_EXPORT)
    data = read_bounded(path, MOST_WEIGHTS)
    if hashlib.sha256(data).hexdigest() != digest:
        raise IntegrityError(
            f"{path.name}: the weights must be those that {MODEL_FILE} names by their SHA-256, they are not", remedy=_EXPORT
        )
    return data
