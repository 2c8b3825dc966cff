"""The Medical Segmentation Decathlon layout: dataset.json, imagesTr, labelsTr, imagesTs.

The list in dataset.json rules. Entries may carry `./`, name another suffix than the file has, or be paths
alone; several channels are one 4D NIfTI.
"""

from collections.abc import Container
from pathlib import Path

from medloop.core.names import composed
from medloop.core.records import Split
from medloop.datasets.dataset import CaseSource, Dataset, Refusal
from medloop.datasets.description import Entry, read_channels, read_description, read_entries, read_labels
from medloop.datasets.files import IMAGE_SUFFIXES, SIDECAR, Root, image_files, split_suffix
from medloop.datasets.index import add_index
from medloop.datasets.pairing import CaseList
from medloop.datasets.patients import patient_rule

_LISTS: tuple[tuple[str, Split | None], ...] = (("training", None), ("validation", "validation"), ("test", "test"), ("audit", "audit"))
"""List in dataset.json → split of its labelled entries; only our own export writes the last."""


def open_msd(folder: Path, *, patient_pattern: str | None = None) -> Dataset:
    """A Decathlon folder.

    Args:
        folder: Holds dataset.json.
        patient_pattern: See `PATIENT_PATTERN`.

    Raises:
        FormatError: dataset.json is damaged, or names neither labels nor cases.
    """
    root = Root.of(folder)
    description = read_description(root.folder / "dataset.json")
    labels = read_labels(description)
    cases = CaseList(patient_rule(patient_pattern), list(labels.refused))
    entries = [(entry, split) for key, split in _LISTS for entry in read_entries(description, key)] or _scanned(root)
    met: set[Path] = set()
    for entry, split in entries:
        met |= _add_entry(root, cases, entry, split, met)
    _refuse_unlisted(root, cases, met)
    notes = add_index(root, cases, SIDECAR)
    channels = read_channels(description)
    return Dataset(
        "msd",
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


def present(root: Root, entry: str) -> Path | Refusal:
    """The file a list names; one of the same name with another image suffix will do."""
    path = root.entry(entry)
    if isinstance(path, Refusal):
        return path
    stem = split_suffix(path.name)[0]
    for name in (path.name, *(stem + suffix for suffix in IMAGE_SUFFIXES)):
        if found := root.find(path.with_name(name)):
            return found
    return Refusal(root.label(path), "a file named in dataset.json must exist", "nothing there", "restore it or drop the entry")


def _add_entry(root: Root, cases: CaseList, entry: Entry, split: Split | None, met: Container[Path]) -> set[Path]:
    """Add what an entry names; the files of it that are there."""
    found = present(root, entry.image)
    answer = present(root, entry.label) if entry.label is not None else None
    if isinstance(found, Refusal):
        cases.refused.append(found)
    elif isinstance(answer, Refusal):
        cases.refused.append(answer)
    elif found in met:
        cases.refuse(root.label(found), "an image is listed once in dataset.json, its first entry is read", "", "keep the right one")
    else:
        name, kept = split_suffix(found.name)[0], split if answer is not None else None
        cases.add(CaseSource(name, entry.patient[:200], (found,), mask=answer, split=kept), root.label(found))
    return {one for one in (found, answer) if isinstance(one, Path)}


def _scanned(root: Root) -> list[tuple[Entry, Split | None]]:
    """Entries made from the folders when dataset.json lists none."""
    masks = {composed(split_suffix(p.name)[0]): root.label(p) for p in image_files(root, "labelsTr")[0]}
    training = [Entry(root.label(p), masks.get(composed(split_suffix(p.name)[0]))) for p in image_files(root, "imagesTr")[0]]
    return [(entry, None) for entry in (*training, *(Entry(root.label(p)) for p in image_files(root, "imagesTs")[0]))]


def _refuse_unlisted(root: Root, cases: CaseList, met: set[Path]) -> None:
    """Name the images, and the masks, that no list names: they are not read."""
    rules = {
        "images": ("an image must be listed in dataset.json", "add it to `training` or `test`"),
        "labels": ("a mask must be listed in dataset.json with its image", "add it to the entry of its image as `label`"),
    }
    for folder in ("imagesTr", "imagesTs", "labelsTr", "labelsTs"):
        files, refused = image_files(root, folder)
        cases.refused += refused
        for path in files:
            if path not in met:
                rule, remedy = rules[folder[:-2]]
                cases.refuse(root.label(path), rule, "", remedy)
