"""Cases of the scripted expert: images on disk, to be imported by any version of medloop, and what should be drawn in them."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from os import environ
from pathlib import Path

import nibabel as nib
import numpy as np

from full_data import question_of, read_case
from medloop.core.arrays import MaskArray
from medloop.core.image import Mask
from medloop.datasets.discover import open_dataset
from medloop.images.phantoms import phantom_3d
from page_figures import PageError


@dataclass(frozen=True)
class Cases:
    """A set: the folder of its images, its labels, and of each case by its name the truth and the image, mean over channels."""

    folder: Path
    labels: Sequence[str]
    truths: dict[str, MaskArray]
    images: dict[str, np.ndarray]


def phantoms(folder: Path, count: int, first: int) -> Cases:
    """Abdomens with liver and kidneys."""
    folder.mkdir(parents=True)
    truths, images = {}, {}
    for n in range(first, first + count):
        made = phantom_3d(n, 17)
        nib.save(nib.Nifti1Image(made.image.array[0], made.image.grid.affine), folder / f"{made.name}.nii.gz")
        truths[made.name], images[made.name] = made.mask.array, made.image.array.mean(axis=0)
    return Cases(folder, ("liver", "kidneys"), truths, images)


def real(data: Path, folder: Path, count: int, first: int) -> Cases:
    """Cases of a data set, evenly spread over it."""
    folder.mkdir(parents=True)
    dataset = open_dataset(data, masks="foreground" if (data / "labels").is_dir() else "labels")
    question = question_of(dataset)
    truths, images = {}, {}
    cases = dataset.cases[first :: max(1, len(dataset.cases) // count)][:count]
    for case in cases:
        shutil.copy(case.images[0], folder)
        image, mask = read_case(case, question)
        assert isinstance(mask, Mask)
        truths[case.name], images[case.name] = mask.array, image.array.mean(axis=0)
    return Cases(folder, tuple(dataset.labels) or ("foreground",), truths, images)


def import_with(cases: Cases, project: Path, source: Path | None) -> None:
    """Make a project of them, by the installed medloop or by that of another checkout."""
    environment = dict(environ) | ({"PYTHONPATH": str(source / "src")} if source else {})
    labels = [word for name in cases.labels for word in ("--label", name)]
    quiet = ["--train-after", "0", "--audit", "0", "--test", "0", "--validation", "0", "--batch", "1000", "--strategy", "random"]
    for command in (["init", str(project), "--kind", "segmentation", *labels, *quiet], ["import", str(project), str(cases.folder)]):
        code = "from medloop.cli.main import run; run()"
        done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise PageError(f"medloop {command[0]} failed: {(done.stdout + done.stderr)[-400:]}")


def score(drawn: MaskArray, truth: MaskArray) -> float:
    """Mean Dice of the labels that the truth has."""
    labels = [int(value) for value in np.unique(truth) if value]
    return float(np.mean([2 * ((drawn == v) & (truth == v)).sum() / ((drawn == v).sum() + (truth == v).sum()) for v in labels]))
