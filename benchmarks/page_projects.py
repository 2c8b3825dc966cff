"""Projects for the page's figures: large volumes with a body and organs, made here."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from medloop.core.geometry import Grid, Shape3
from medloop.core.image import Image
from medloop.core.records import Case, ProjectSettings, Source
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.workspace import Workspace

MEDIUM: Shape3 = (256, 256, 150)
LARGE: Shape3 = (512, 512, 400)
SETTINGS = ProjectSettings(train_after=0, audit_fraction=0.0, batch_size=200, strategy="random")
ORGAN_HU, BODY_HU, AIR_HU, NOISE_HU = 160, 40, -1000, 25


@dataclass(frozen=True)
class Made:
    """A project on disk: its folder, its id and its cases' ids in order of name."""

    folder: Path
    project: str
    cases: tuple[str, ...]


def body(shape: Shape3, seed: int) -> Image:
    """A body of soft tissue in air with an ellipsoid organ that a range of values finds, int16."""
    rng = np.random.default_rng(seed)
    i, j, k = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    voxels = np.where((i**2 / 0.8 + j**2 / 0.5 + 0 * k) < 1, BODY_HU, AIR_HU).astype(np.int16)
    voxels[organ(shape)] = ORGAN_HU
    voxels += rng.integers(-NOISE_HU, NOISE_HU, shape, dtype=np.int16)
    return Image(voxels[None], Grid.of_spacing(shape, (0.8, 0.8, 1.5)))


def organ(shape: Shape3) -> np.ndarray:
    """Where the organ lies: an ellipsoid of about a fifth of each axis, bool, shape (I, J, K)."""
    i, j, k = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    return ((i / 0.25) ** 2 + (j / 0.22) ** 2 + (k / 0.3) ** 2) < 1


def make_project(folder: Path, shape: Shape3, count: int) -> Made:
    """A segmentation of so many bodies."""
    return add_images(folder, ((f"body-{n:03d}", body(shape, n)) for n in range(count)), SETTINGS)


def add_images(folder: Path, images: Iterable[tuple[str, Image]], settings: ProjectSettings) -> Made:
    """A segmentation of named images."""
    with Workspace.create(folder, name="Page", kind="segmentation", labels=["organ", "other"], settings=settings) as workspace:
        for name, image in images:
            source = Source(format="phantom", names=(name,), sha256=hashlib.sha256(name.encode()).hexdigest())
            add_case(workspace, image, NewCase(name=name, patient=name, split="train", source=source))
        with workspace.store.read() as tx:
            return Made(folder, workspace.project.id, tuple(case.id for case in tx.find(Case, order=("name",))))


def runs_of(mask: np.ndarray, label: int) -> list[tuple[int, int, int]]:
    """Runs of a bool mask, flat in file order (first axis fastest)."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return [(int(start), int(stop - start), label) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def draw_organ(url: str, project: str, case: str, shape: Shape3) -> None:
    """Put the organ into the draft of a case, as another window of the same person would: two holes and an island besides."""
    mask = organ(shape)
    middle = [n // 2 for n in shape]
    mask[middle[0] - 4 : middle[0] + 4, middle[1] - 4 : middle[1] + 4, middle[2] - 2 : middle[2] + 2] = False
    mask[10:20, 10:20, 10:20] = True
    with httpx.Client(base_url=f"{url}/api/v1/projects/{project}", headers={"X-Annotator": "local"}, timeout=60) as client:
        opened = client.post(f"/cases/{case}/open", json={}).raise_for_status().json()["assignment"]
        revision = int(client.get(f"/assignments/{opened['id']}/draft").raise_for_status().headers["X-Revision"])
        body_sent = {"base_revision": revision, "runs": runs_of(mask, 1)}
        client.patch(f"/assignments/{opened['id']}/draft", json=body_sent).raise_for_status()
