"""Small data sets on disk, by layout; their image files hold names only, as opening never decodes one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def touch(folder: Path, *names: str) -> None:
    """Make files that hold their own name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def msd(
    folder: Path,
    names: Sequence[str] = ("a", "b"),
    *,
    training: Sequence[object] | None = None,
    suffix: str = ".nii.gz",
    **fields: Any,
) -> Path:
    """A Decathlon folder with a mask for every case."""
    touch(folder, *(f"{part}/{n}{suffix}" for n in names for part in ("imagesTr", "labelsTr")))
    entries = [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in names] if training is None else training
    labels: Mapping[str, Any] = {"0": "background", "1": "liver", "2": "tumour"}
    write_json(folder, {"labels": labels, "modality": {"0": "CT"}, "training": entries, **fields})
    return folder


def nnunet(folder: Path, names: Sequence[str] = ("a", "b"), *, channels: int = 1, ending: str = ".nii.gz") -> Path:
    """An nnU-Net raw folder, version 2."""
    touch(folder, *(f"imagesTr/{n}_{c:04d}{ending}" for n in names for c in range(channels)))
    touch(folder, *(f"labelsTr/{n}{ending}" for n in names))
    channel_names = {str(c): f"channel{c}" for c in range(channels)}
    write_json(folder, {"labels": {"background": 0, "liver": 1}, "channel_names": channel_names, "file_ending": ending, "numTraining": 2})
    return folder


def write_json(folder: Path, content: object) -> None:
    """Write dataset.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(content))
