"""Reading a dataset.json: its labels, channels and lists, whatever version wrote it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medloop.core.errors import FormatError
from medloop.core.names import natural_key
from medloop.core.records import Json
from medloop.datasets.dataset import Refusal
from medloop.datasets.files import read_list
from medloop.datasets.regions import without_regions

LABELS_FILE = "labels.json"
"""Names and values of labels beside `images/` and `labels/`, as our exports write it."""

IGNORE = "ignore"
"""What nnU-Net calls the label of voxels that say nothing."""


@dataclass(frozen=True)
class LabelList:
    """Labels of a dataset.json.

    Attributes:
        values: Name → mask value (1..255), in order of value.
        refused: Entries that no mask value stands for.
        ignore: Mask value of voxels that say nothing (nnU-Net's ignore label); None without such.
        inside: Name of a label → name of the label whose region (nnU-Net's word) it lies inside of.
    """

    values: Mapping[str, int]
    refused: tuple[Refusal, ...] = ()
    ignore: int | None = None
    inside: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order of value."""
        return tuple(self.values)


@dataclass(frozen=True)
class Entry:
    """One case of a list in dataset.json.

    Attributes:
        image: Path as written there.
        label: Path of the mask, None when it has none.
        patient: Written by our own export; "" elsewhere.
    """

    image: str
    label: str | None = None
    patient: str = ""


def read_description(path: Path) -> Json:
    """The object in a dataset.json.

    Raises:
        FormatError: Not JSON, or not an object.
    """
    try:
        content = json.loads(read_list(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        reason = str(error).splitlines()[0]
        raise FormatError(f"{path.name}: must be valid JSON ({reason})", remedy="repair it or write it again") from None
    if not isinstance(content, dict):
        raise FormatError(f"{path.name}: must hold a JSON object, got {type(content).__name__}")
    return content


def read_labels(description: Json, file: str = "dataset.json") -> LabelList:
    """Labels in either direction: `{"1": "liver"}` (Decathlon, nnU-Net v1) or `{"liver": 1}` (nnU-Net v2), whose regions are lists.

    Raises:
        FormatError: No labels, or two of one name or value; regions that neither lie inside each other nor apart.
    """
    given = description.get("labels")
    if not isinstance(given, dict):
        raise FormatError(f"{file}: `labels` must map values to names", remedy='write "labels": {"0": "background", "1": "liver"}')
    pairs: list[tuple[int, str]] = []
    refused: list[Refusal] = []
    ignore: int | None = None
    given, inside = without_regions(given, description.get("regions_class_order"))
    for key, value in given.items():
        pair = _pair(key, value, file)
        if isinstance(pair, Refusal):
            refused.append(pair)
        elif pair[1].lower() == IGNORE:
            ignore = pair[0]
        elif pair[0] != 0:
            pairs.append(pair)
    values = {name: value for value, name in sorted(pairs)}
    if not values or len(values) < len(pairs) or len(set(values.values())) < len(pairs):
        raise FormatError(f"{file}: `labels` must name at least one value and each once, got {dict(given)}"[:300])
    return LabelList(values, tuple(refused), ignore, inside)


def read_channels(description: Json) -> tuple[str, ...]:
    """Channel names by index from `channel_names` (v2) or `modality` (Decathlon, v1); empty when not given."""
    given = description.get("channel_names") or description.get("modality")
    if not isinstance(given, dict):
        return ()
    order = sorted(given, key=lambda key: (not _is_number(key), natural_key(key) if _is_number(key) else ""))
    return tuple(str(given[key])[:80] for key in order)


def _is_number(key: str) -> bool:
    """Whether a key is a whole number as people write it: neither "²" nor thousands of digits, which Python cannot read."""
    return key.isascii() and key.isdecimal() and len(key) < 10


def read_entries(description: Json, key: str) -> list[Entry]:
    """Every entry of a list such as `training` or `test`.

    Raises:
        FormatError: The list is no list, or an entry is neither a path nor an object with `image`.
    """
    given = description.get(key, [])
    if not isinstance(given, list):
        raise FormatError(f"dataset.json: `{key}` must be a list, got {type(given).__name__}")
    return [_entry(key, number, entry) for number, entry in enumerate(given)]


def _pair(key: str, value: Any, file: str) -> tuple[int, str] | Refusal:
    """(value, name) of one label."""
    if isinstance(value, str) and _is_number(key.strip()):
        number, name = int(key), value
    elif isinstance(value, int) and not isinstance(value, bool):
        number, name = value, key
    else:
        return Refusal(file, f"label {key!r:.80} must stand for one whole number", f"{value!r:.80}", "regions are not supported")
    if not 0 <= number <= 255 or not name.strip() or not name.isprintable():
        return Refusal(file, "a label has a name and a value of 1 to 255", f"{name!r:.80} = {number}")
    return number, name.strip()


def _entry(key: str, number: int, entry: Any) -> Entry:
    if isinstance(entry, str):
        return Entry(entry)
    if isinstance(entry, dict) and isinstance(entry.get("image"), str):
        label, patient = entry.get("label"), entry.get("patient")
        return Entry(entry["image"], label if isinstance(label, str) and label else None, patient if isinstance(patient, str) else "")
    raise FormatError(f"dataset.json: entry {number} of `{key}` must be a path or an object with `image`, got {entry!r:.80}")
