"""A model as a MONAI bundle: configs, the whole model as TorchScript, and a page for people.

The program takes images as they are stored with their affine (`Whole`), so the configuration has no step that could be done otherwise:
load, predict, save. It runs with MONAI alone: `python -m monai.bundle run --config_file configs/inference.json`.

Source: MONAI bundle specification 0.1, docs.monai.io.
"""

import json
from dataclasses import replace
from importlib.metadata import version

from medloop.core.records import Json
from medloop.models.exchange.bundle_in import INFERENCE, METADATA, OWN_RUN, SCRIPT
from medloop.models.exchange.description import Description


def bundle_files(description: Description, script: bytes) -> dict[str, bytes]:
    """The files of a bundle by path.

    Args:
        description: Of the whole model, which takes images.
        script: It, as TorchScript.
    """
    return {
        METADATA: _text(_metadata(description)),
        INFERENCE: _text(_inference(description)),
        SCRIPT: script,
        "docs/README.md": readme(description, "a MONAI bundle", BUNDLE_USE).encode(),
    }


BUNDLE_USE = """Masks of the NIfTI files in a folder, with MONAI alone:

    python -m monai.bundle run --config_file configs/inference.json --bundle_root . --dataset_dir IMAGES --output_dir MASKS
"""


def readme(description: Description, what: str, use: str) -> str:
    """A page for people: what goes in, what comes out, and how it is used."""
    d = description
    labels = "\n".join(f"- {value}: {name}" for name, value in d.labels.items())
    spacing = " × ".join(f"{mm:g}" for mm in d.spacing_mm) + " mm" if d.spacing_mm else "that of each image"
    window = " × ".join(map(str, d.window.size)) if d.kind == "segmentation" else "the whole image"
    size = f"\n- Every image is resized to {' × '.join(map(str, d.size))} voxels" if d.size else ""
    if d.fitted:
        size = f"\n- Every image is made as large as fits into {' × '.join(map(str, d.fitted[:2]))} pixels, its proportions kept"
    steps = ", ".join(step.step for step in d.intensities)
    fitted = d.calibration.get("kind", "none")
    flips = ", ".join(str(list(run.flips)) for run in d.runs)
    shared = "".join(f"\n- {name}: all voxels of the values {list(values)}" for name, values in d.regions.items())
    unlearned = f"\n\nNo case annotated {list(d.not_learned)}: their probability says nothing, pass over it.\n" if d.not_learned else ""
    return (
        f"# {d.kind.capitalize()} as {what}\n\nWritten by medloop {version('medloop')}. Trained for research; no medical device.\n\n{use}\n"
        f"## Input\n\n- {d.dimension}D images of {d.channels} channel(s), axes (channel, I, J, K) in the order of the file, as stored\n"
        f"- Intensities: {steps} (robust-zscore: clipped at percentiles 0.5 and 99.5 of the image, mean 0, deviation 1, per channel), "
        f"before the resampling\n- Working spacing: {spacing}, linear, corners not aligned, averages where it shrinks{size}\n"
        f"- Window: {window}, overlap {d.window.overlap:g}, Gaussian blend; images up to {d.window.whole:g} windows long are seen whole\n"
        f"- Mirrored axes, one answer each: {flips}; their mean counts\n\n"
        f"## Output\n\nProbabilities (softmax); the likeliest value is the answer. Calibration: {fitted}. "
        f"Values:\n\n{labels}{shared}\n{unlearned}"
    )


def _metadata(d: Description) -> Json:
    names = {"0": "background"} | {str(value): name for name, value in d.labels.items()}
    return {
        "version": "0.1.0",
        "changelog": {"0.1.0": f"model {d.origin.get('index', '')} of a medloop project"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch"),
        "numpy_version": version("numpy"),
        "required_packages_version": {"nibabel": version("nibabel")},
        "name": f"medloop model {d.origin.get('index', '')}".strip(),
        "task": f"{d.kind} of {', '.join(d.labels)}",
        "description": "Takes images as they are stored, with their affine; everything before and after the network is in the program.",
        "authors": "",
        "copyright": "",
        "intended_use": "research only",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "n/a",
                    "num_channels": d.channels,
                    "spatial_shape": ["*"] * 3,
                    "dtype": "float32",
                    "value_range": [],
                    "is_patch_data": False,
                    "channel_def": {str(n): f"channel {n}" for n in range(d.channels)},
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": d.kind,
                    "num_channels": d.classes,
                    "spatial_shape": ["*"] * 3 if d.kind == "segmentation" else [],
                    "dtype": "float32",
                    "value_range": [0, 1],
                    "is_patch_data": False,
                    "channel_def": {str(value): names.get(str(value), f"value {value}") for value in range(d.classes)},
                }
            },
        },
        "medloop": replace(d, takes="image", gives="probabilities").to_json(),
    }


def _inference(d: Description) -> Json:
    save = [
        {
            "_target_": "SaveImaged",
            "keys": "pred",
            "meta_keys": "image_meta_dict",
            "output_dir": "@output_dir",
            "output_ext": ".nii.gz",
            "output_dtype": "uint8",
            "output_postfix": "seg",
            "separate_folder": False,
            "resample": False,
            "squeeze_end_dims": False,  # MONAI 1.6 cannot place a mask that lost an axis of size 1
            "print_log": False,
        },
    ]
    return {
        "imports": ["$import glob", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "@bundle_root",
        "output_dir": "masks",
        "datalist": "$list(sorted(glob.glob(@dataset_dir + '/*.nii.gz')))",
        "device": "cpu",
        "network": {"_target_": "torch.jit.load", "f": "$@bundle_root + '/models/model.ts'", "map_location": "@device"},
        "inferer": {"_target_": "SimpleInferer"},
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image", "dtype": None},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "FromMetaTensord", "keys": "image"},
                {"_target_": "FlattenSubKeysd", "keys": "image_meta_dict", "sub_keys": ["affine"], "prefix": "image", "delete_keys": False},
            ],
        },
        "dataset": {"_target_": "Dataset", "data": "$[{'image': i} for i in @datalist]", "transform": "@preprocessing"},
        "postprocessing": {"_target_": "Compose", "transforms": save if d.kind == "segmentation" else []},
        "run": [OWN_RUN],
    }


def _text(document: Json) -> bytes:
    return f"{json.dumps(document, indent=2)}\n".encode()
