"""A model that was exported in any format gives the masks that the project proposes: TorchScript, ONNX and a MONAI bundle, 2D and 3D."""

import dataclasses
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from medloop.core.records import Model, ProjectSettings, Snapshot, new_id, now
from medloop.loop.data.alone import predict_with_file
from medloop.loop.data.exporting import export_project
from medloop.loop.data.model_exports import MODEL_FORMATS, SHARED
from medloop.loop.foundation.workspace import Workspace
from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Fingerprint, Recipe, choose_recipe

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)  # of PyTorch and MONAI
FORMATS = tuple(fmt for fmt in MODEL_FORMATS if fmt != SHARED)
"""A shared model is the TorchScript one, beside statistics that these models without a training have none of."""

SHAPES = {3: (26, 23, 15), 2: (61, 50, 1)}


def small_recipe(dimension: int, channels: int, kind: str = "segmentation", **changes: object) -> Recipe:
    shape = (40, 36, 24) if dimension == 3 else (48, 48, 1)
    found = Fingerprint(9, channels, shape, (1.0, 1.0, 1.0), uniform=False)
    recipe = choose_recipe(found, kind=kind, classes=3, minutes=0.1, threads=1, seed=0)  # type: ignore[arg-type]
    features = tuple(4 * 2**n for n in range(len(recipe.features)))
    return dataclasses.replace(recipe, features=features, precision="float32", flips=(0, 1), **changes)  # type: ignore[arg-type]


def project_with(folder: Path, recipe: Recipe, labels: list[str], *, samples: int, metrics: dict[str, object] | None = None) -> Workspace:
    kind = recipe.kind
    made = Workspace.create(folder, name="p", kind=kind, labels=labels, settings=ProjectSettings(samples=samples))
    blobs = tuple(made.store.blobs.put(encode_weights(build_network(recipe, seed=n).state_dict())) for n in range(recipe.members))
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="1" * 64, created_at=now())
    model = Model(
        id=new_id("model"),
        index=1,
        recipe=recipe.to_json(),
        snapshot_id=snapshot.id,
        weights=blobs,
        metrics=metrics or {},
        created_at=now(),
    )
    with made.store.write("worker") as tx:
        tx.add(snapshot)
        tx.add(model)
    return made


def image_file(folder: Path, recipe: Recipe) -> Path:
    shape = SHAPES[recipe.dimension]
    noise = np.random.default_rng(4).normal(400, 90, (recipe.channels, *shape))
    bump = np.add.outer(np.add.outer(np.sin(np.arange(shape[0]) / 4), np.cos(np.arange(shape[1]) / 5)), np.arange(shape[2]) / 9)
    voxels = (noise + 300 * bump).astype(np.int16).transpose(1, 2, 3, 0)
    affine = np.array([[0, 0, 2.5, -7], [-0.8, 0, 0, 3], [0, 1.1, 0, 9], [0, 0, 0, 1.0]])
    path = folder / "c1.nii.gz"
    nib.save(nib.Nifti1Image(voxels[..., 0] if recipe.channels == 1 else voxels, affine), path)
    return path


def masks(tmp_path: Path, workspace: Workspace, image: Path) -> dict[str, np.ndarray]:
    """What `predict --model` says with each format."""
    found = {}
    for fmt in FORMATS:
        export_project(workspace, tmp_path / fmt, fmt)
        done = predict_with_file(tmp_path / fmt, [image], tmp_path / f"{fmt}-out")
        found[fmt] = np.asarray(nib.load(tmp_path / f"{fmt}-out" / done.files[0]).dataobj)
    return found


@pytest.mark.parametrize(
    ("recipe", "samples"),
    [
        (small_recipe(3, 2, members=2), 4),
        (small_recipe(2, 1, heads=2, fitted=True, spacing_mm=None), 4),
    ],
    ids=["3D, two channels, two members, resampled", "2D, two heads, made to fit"],
)
def test_every_format_gives_the_mask_of_medloop_predict(tmp_path: Path, recipe: Recipe, samples: int) -> None:
    temperature = {"calibration": {"calibrator": {"kind": "temperature", "temperature": 1.7}}}
    with project_with(tmp_path / "project", recipe, ["organ", "tumour"], samples=samples, metrics=temperature) as workspace:
        image = image_file(tmp_path, recipe)
        found = masks(tmp_path, workspace, image)
        assert len(np.unique(found["model"])) > 1
        for fmt, mask in found.items():
            assert np.array_equal(mask, found["model"]), f"{fmt}: {np.mean(mask != found['model']):.5f} of the voxels differ"
    program = torch.jit.load(tmp_path / "torchscript/model.ts")  # without medloop
    read = nib.load(image)
    voxels = np.asarray(read.dataobj).reshape(*SHAPES[recipe.dimension], recipe.channels).transpose(3, 0, 1, 2)
    answer = program.mask(torch.from_numpy(voxels.copy())[None], torch.from_numpy(read.affine))[0].numpy()
    assert np.array_equal(answer, found["model"].reshape(answer.shape))
    assert np.array_equal(answer, run_bundle(tmp_path, image, answer.shape))


def run_bundle(tmp_path: Path, image: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The mask that `python -m monai.bundle run` writes."""
    from monai.bundle import run

    (tmp_path / "images").mkdir()
    image.rename(tmp_path / "images/c1.nii.gz")
    run(
        config_file=str(tmp_path / "monai-bundle/configs/inference.json"),
        bundle_root=str(tmp_path / "monai-bundle"),
        dataset_dir=str(tmp_path / "images"),
        output_dir=str(tmp_path / "bundle-masks"),
    )
    (written,) = (tmp_path / "bundle-masks").rglob("*.nii.gz")
    found = nib.load(written)
    assert (written.name, np.allclose(found.affine, nib.load(tmp_path / "images/c1.nii.gz").affine)) == ("c1_seg.nii.gz", True)
    return np.asarray(found.dataobj).reshape(shape)


def test_tags_have_the_probabilities_of_medloop_predict(tmp_path: Path) -> None:
    recipe = small_recipe(2, 3, "classification")
    with project_with(tmp_path / "project", recipe, ["a", "b", "c"], samples=4) as workspace:
        image = image_file(tmp_path, recipe)
        tables = []
        for fmt in FORMATS:
            export_project(workspace, tmp_path / fmt, fmt)
            predict_with_file(tmp_path / fmt, [image], tmp_path / f"{fmt}-out")
            tables.append((tmp_path / f"{fmt}-out/predictions.csv").read_text().splitlines())
    names, numbers = zip(*((table[1].split(",")[:2], [float(one) for one in table[1].split(",")[2:]]) for table in tables), strict=True)
    assert [table[0] for table in tables] == ["filename,label,a,b,c"] * 4
    assert len({tuple(one) for one in names}) == 1
    assert np.allclose(numbers, numbers[0], atol=1e-5)


def test_what_a_program_leaves_out_is_said_and_regions_are_described(tmp_path: Path) -> None:
    recipe = small_recipe(3, 1, regions=((1, 2), (2,)))
    with project_with(tmp_path / "project", recipe, ["organ", "tumour"], samples=6) as workspace:
        done = export_project(workspace, tmp_path / "out", "torchscript")
    assert "2 of 6 answers of this model drop channels at random" in done.notes[0]
