"""The nnU-Net raw layout, version 1 and 2: `imagesTr/CASE_0000.nii.gz`, one file per channel, and `labelsTr/CASE.nii.gz`.

The folders rule; dataset.json gives labels, channels and the file ending. Images in imagesTs with a mask in labelsTs are
a test split that the source has fixed; those without are unlabelled.
"""

import re
from collections import defaultdict
from pathlib import Path

from medloop.core.errors import FormatError
from medloop.core.names import composed
from medloop.core.records import Json, Split
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.description import read_channels, read_description, read_labels
from medloop.datasets.files import SIDECAR, Root, image_files, split_suffix
from medloop.datasets.index import add_index
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule

CHANNEL = re.compile(r"^(.+)_(\d{4})$")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
"""One such file may hold all colour channels, whatever `channel_names` counts."""


def open_nnunet(folder: Path, *, patient_pattern: str | None = None) -> Dataset:
    """An nnU-Net raw folder.

    Args:
        folder: Holds dataset.json, imagesTr and labelsTr.
        patient_pattern: See `PATIENT_PATTERN`.

    Raises:
        FormatError: dataset.json is missing or damaged, or its `file_ending` is not one we read.
    """
    root = Root.of(folder)
    description = read_description(root.folder / "dataset.json")
    labels = read_labels(description)
    channels = read_channels(description)
    ending = _ending(description)
    cases = CaseList(patient_rule(patient_pattern), list(labels.refused))
    _add_part(root, cases, "Tr", None, len(channels), ending)
    _add_part(root, cases, "Ts", "test", len(channels), ending)
    notes = add_index(root, cases, SIDECAR)
    return Dataset(
        "nnunet",
        "segmentation",
        labels.names,
        channels,
        cases.sorted(),
        tuple(cases.refused),
        labels.values,
        ignore=labels.ignore,
        inside=labels.inside,
        notes=notes,
    )


def looks_like_nnunet(root: Root, description: Json) -> bool:
    """Whether a folder with a dataset.json is nnU-Net raw rather than Decathlon."""
    if "file_ending" in description or "channel_names" in description:
        return True
    images = image_files(root, "imagesTr")[0][:1]
    listed = {split_suffix(Path(str(e.get("image") if isinstance(e, dict) else e)).name)[0] for e in _training(description)}
    return any(CHANNEL.match(stem := split_suffix(p.name)[0]) and stem not in listed for p in images)


def _training(description: Json) -> list[object]:
    given = description.get("training")
    return given if isinstance(given, list) else []


def _ending(description: Json) -> str:
    ending = str(description.get("file_ending", "")).lower()
    if ending and not split_suffix("x" + ending)[1]:
        raise FormatError(f"dataset.json: file_ending must be an image type we read, got {ending!r:.40}", remedy="use .nii.gz or .png")
    return ending


def _add_part(root: Root, cases: CaseList, part: str, split: Split | None, channels: int, ending: str) -> None:
    images, refused = image_files(root, f"images{part}")
    answers, faults = image_files(root, f"labels{part}")
    cases.refused += refused + faults
    masks = _masks(root, cases, answers, ending)
    for name, by_channel in _channels(root, cases, images, ending).items():
        _add_case(root, cases, name, by_channel, masks.pop(name, None), split, channels)
    for path in masks.values():
        cases.refuse(root.label(path), "a mask needs an image of the same name", "none", "restore the image or drop the mask")


def _masks(root: Root, cases: CaseList, files: list[Path], ending: str) -> dict[str, Path]:
    """Case name → its mask; of two masks the one that ends as dataset.json says counts, and the other is named."""
    masks: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: split_suffix(path.name)[1].lower() != ending):
        name = composed(split_suffix(path.name)[0])
        if name in masks:
            cases.refuse(root.label(path), f"an image has one mask, {root.label(masks[name])} is read", "", "keep one of them")
        else:
            masks[name] = path
    return masks


def _channels(root: Root, cases: CaseList, images: list[Path], ending: str) -> dict[str, dict[int, Path]]:
    """Case name → its files by channel; a file that is none, or is there twice, is named."""
    files: dict[str, dict[int, Path]] = defaultdict(dict)
    for path in images:
        stem, suffix = split_suffix(composed(path.name))
        match = CHANNEL.match(stem)
        if ending and suffix.lower() != ending:
            cases.refuse(root.label(path), f"files end in {ending} as dataset.json says", suffix)
        elif not match:
            cases.refuse(root.label(path), "an image is named CASE_0000, CASE_0001, … by channel", path.name, "rename it")
        elif (number := int(match.group(2))) in files[match.group(1)]:
            other = root.label(files[match.group(1)][number])
            cases.refuse(root.label(path), f"a channel of a case has one file, {other} is read", "", "rename or remove one of them")
        else:
            files[match.group(1)][number] = path
    return files


def _add_case(
    root: Root, cases: CaseList, name: str, files: dict[int, Path], mask: Path | None, split: Split | None, channels: int
) -> None:
    first = root.label(next(iter(files.values())))
    colour = set(files) == {0} and split_suffix(first)[1].lower() in _PICTURES
    expected = {0} if colour else set(range(channels or len(files)))
    if set(files) != expected:
        have = ", ".join(f"{n:04d}" for n in sorted(files))
        cases.refuse(first, f"a case needs channels 0000 to {max(expected):04d}", have, "restore the missing file")
    elif mask is not None and not root.holds(mask):
        cases.refuse(root.label(mask), "a link must not lead out of the source's folder", "", "copy the file")
    elif mask is None and split is None:
        cases.refuse(first, f"a training image needs a mask labelsTr/{name}", "none", "move it to imagesTs to import it unlabelled")
    else:
        paths = tuple(files[n] for n in sorted(files))
        cases.add(CaseSource(name, "", paths, mask=mask, split=split if mask else None), first)
