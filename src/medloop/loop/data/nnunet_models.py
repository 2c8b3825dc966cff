"""A trained nnU-Net v2 folder as a predictor: it is checked here, and run by the user's own `nnUNetv2_predict_from_modelfolder`.

nnU-Net unpickles its checkpoints when it loads them. So each one is read here first by PyTorch's reader of plain weights; a checkpoint that
holds anything else is refused, and nnU-Net never sees it. Every fold answers by itself: how far they differ is the uncertainty.

Source: nnU-Net v2, documentation/how_to_use_nnunet.md and nnunetv2/inference/predict_from_raw_data.py (options, file names).
"""

import os
import pickle
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from medloop.core.errors import FormatError, NotFoundError, ShapeError, UnavailableError
from medloop.core.image import Image
from medloop.datasets.description import read_channels, read_description, read_labels
from medloop.images.npz import read_npz
from medloop.images.pipes import without_secrets
from medloop.images.read import read_mask
from medloop.models.inference.predict import ModelOutput

COMMAND = "nnUNetv2_predict_from_modelfolder"
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
ENDINGS = (".nii.gz", ".nii")
SECONDS_PER_IMAGE = 3600.0
_DAMAGED = (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, ImportError, MemoryError)


@dataclass(frozen=True)
class NnunetFolder:
    """A trained model.

    Attributes:
        folder: With `plans.json`, `dataset.json` and `fold_N`.
        labels: Name → value.
        channels: Of its images.
        folds: Those that are trained.
        checkpoint: Name of the file in each.
        ending: Of its images' names.
        regions: Whether its outputs are regions; then only its masks are used.
    """

    folder: Path
    labels: Mapping[str, int]
    channels: int
    folds: tuple[str, ...]
    checkpoint: str
    ending: str
    regions: bool


def is_nnunet(place: Path) -> bool:
    """Whether a folder looks like a trained nnU-Net."""
    return place.is_dir() and (place / "plans.json").is_file() and (place / "dataset.json").is_file()


def read_nnunet(place: Path) -> NnunetFolder:
    """Check a folder, and that its checkpoints hold nothing but weights and plain values.

    Raises:
        NotFoundError: No fold is trained.
        FormatError: A file is damaged, holds code, or its images are of a kind that is not written here.
    """
    described = read_description(place / "dataset.json")
    labels = read_labels(described)
    ending = str(described.get("file_ending", ".nii.gz"))
    if ending not in ENDINGS:
        rule = f"{place.name}: its images must end with {' or '.join(ENDINGS)}, got {ending!r:.20}"
        raise FormatError(rule, remedy="predict with nnU-Net, and bring the folder in with medloop import --proposals")
    for name in CHECKPOINTS:
        files = sorted(place.glob(f"fold_*/{name}"))
        if files:
            break
    else:
        raise NotFoundError(f"{place.name}: no fold has {CHECKPOINTS[0]}", remedy="train it, or name the folder that holds fold_0")
    for file in files:
        _require_weights(file)
    folds = tuple(file.parent.name.removeprefix("fold_") for file in files)
    regions = bool(labels.inside) or any(isinstance(value, list) for value in described.get("labels", {}).values())
    return NnunetFolder(place, labels.values, max(1, len(read_channels(described))), folds, name, ending, regions)


def _require_weights(file: Path) -> None:
    import torch
    from numpy.dtypes import Float32DType, Float64DType, Int64DType

    scalar = np.float64(0).__reduce__()[0]
    try:
        with torch.serialization.safe_globals([scalar, np.dtype, np.ndarray, Float64DType, Float32DType, Int64DType]):  # type: ignore[list-item]
            torch.load(file, map_location="meta", weights_only=True)
    except pickle.UnpicklingError:
        rule = f"{file.parent.name}/{file.name}: a checkpoint must hold weights and plain values alone, nothing of it was run"
        raise FormatError(rule, remedy="take a checkpoint that nnU-Net wrote") from None
    except _DAMAGED as error:
        words = (str(error).splitlines() or [""])[0][:120]
        raise FormatError(f"{file.parent.name}/{file.name}: it is no checkpoint ({words})", remedy="copy it again") from None


class NnunetPredictor:
    """Predicts with a folder, fold by fold; see `medloop.models.inference.predict.Predictor`.

    Args:
        found: The folder.
        command: The executable; None looks for `COMMAND` on the path.
        device: Where nnU-Net runs: cpu, cuda or mps.

    Raises:
        UnavailableError: nnU-Net is not installed.
    """

    batch = 16
    """Images per call: nnU-Net loads its weights for each call anew."""

    def __init__(self, found: NnunetFolder, *, command: str | None = None, device: str = "cpu") -> None:
        executable = shutil.which(command or COMMAND)
        if executable is None:
            rule = f"An nnU-Net folder is run by {command or COMMAND}, which is not on the path"
            raise UnavailableError(rule, remedy="pip install nnunetv2, or bring its predictions in with medloop import --proposals")
        self.found, self.executable, self.device, self.name = found, executable, device, found.folder.name
        self.kind, self.dimension, self.channels, self.classes = "segmentation", 3, found.channels, max(found.labels.values()) + 1

    def predict(self, image: Image, *, samples: int, rng: np.random.Generator) -> ModelOutput:  # noqa: ARG002 - as every predictor
        """One image; each fold is a sample.

        Raises:
            ShapeError: Other channels.
            FormatError: nnU-Net failed, or wrote something else than it should.
        """
        return self.predict_many([image])[0]

    def predict_many(self, images: Sequence[Image]) -> list[ModelOutput]:
        """Several images in one call per fold; raises as `predict`."""
        with tempfile.TemporaryDirectory(prefix="medloop-nnunet-") as place:
            given = Path(place) / "in"
            given.mkdir()
            for n, image in enumerate(images):
                self._write(given, f"case{n:04d}", image)
            answers = [self._fold(given, Path(place) / f"out{fold}", fold, images) for fold in self.found.folds]
        features: npt.NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        return [ModelOutput(np.stack([of_fold[n] for of_fold in answers]), features) for n in range(len(images))]

    def _write(self, folder: Path, name: str, image: Image) -> None:
        if image.channels != self.channels:
            raise ShapeError(f"{self.name}: it reads {self.channels} channels, got {image.channels}", remedy="take another model")
        for channel, voxels in enumerate(image.array):
            written = nib.Nifti1Image(np.nan_to_num(voxels.astype(np.float32), posinf=0.0, neginf=0.0), image.grid.affine)  # type: ignore[no-untyped-call]
            nib.save(written, folder / f"{name}_{channel:04d}{self.found.ending}")

    def _fold(self, given: Path, out: Path, fold: str, images: Sequence[Image]) -> list[npt.NDArray[np.float32]]:
        """Probabilities of every image by one fold, each (classes, I, J, K)."""
        checkpoint = ("-chk", self.found.checkpoint)
        options = ("-i", given, "-o", out, "-m", self.found.folder.absolute(), "-f", fold, *checkpoint, "-device", self.device)
        command = [self.executable, *map(str, options), "--save_probabilities", "--disable_progress_bar"]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                timeout=SECONDS_PER_IMAGE * len(images),
                check=False,
                start_new_session=True,
                env=without_secrets(os.environ),
            )
        except subprocess.TimeoutExpired:
            rule = f"{self.name}: nnU-Net must end within {SECONDS_PER_IMAGE:g} s an image, it did not"
            raise FormatError(rule, remedy="run it on a GPU, and bring its predictions in with medloop import --proposals") from None
        if done.returncode:
            words = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1][:200]
            raise FormatError(f"{self.name}: nnU-Net failed on fold {fold} ({words})", remedy="run the same command by hand")
        return [self._answer(out, f"case{n:04d}", image) for n, image in enumerate(images)]

    def _answer(self, out: Path, name: str, image: Image) -> npt.NDArray[np.float32]:
        probabilities, mask = out / f"{name}.npz", out / f"{name}{self.found.ending}"
        if self.found.regions or not probabilities.is_file():
            return self._of_mask(mask, image)
        stated = np.asarray(read_npz(probabilities, image.grid.shape), dtype=np.float32)
        values = (0, *self.found.labels.values())
        if len(stated) != len(values):
            raise FormatError(
                f"{self.name}: nnU-Net gave {len(stated)} classes, {len(values)} are expected", remedy="check its dataset.json"
            )
        if not np.isfinite(stated).all():
            raise FormatError(f"{self.name}: nnU-Net's probabilities must be finite, they are not", remedy="check its weights")
        placed = np.zeros((self.classes, *image.grid.shape), dtype=np.float32)
        for value, layer in zip(values, stated, strict=True):
            placed[value] += layer
        placed /= placed.sum(axis=0, keepdims=True).clip(1e-9)
        return placed

    def _of_mask(self, file: Path, image: Image) -> npt.NDArray[np.float32]:
        if not file.is_file():
            raise FormatError(f"{self.name}: nnU-Net wrote no {file.name}", remedy="run the same command by hand")
        mask = read_mask(file, image.grid).array
        values = np.arange(self.classes)
        found: npt.NDArray[np.float32] = (mask[None] == values[:, None, None, None]).astype(np.float32)
        return found
