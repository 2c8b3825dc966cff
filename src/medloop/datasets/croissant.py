"""A Croissant card (croissant.json) of an exported folder: what lies in it, where, and what its table's columns mean.

Source: the Croissant format specification, version 1.0 (docs.mlcommons.org/croissant/docs/croissant-spec.html). What only a person can
say, the licence, how to cite, when it is published, is left out and named, not made up.
"""

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medloop.core.records import Json

CARD = "croissant.json"
FOR_THE_LEAD = (
    f"{CARD} names no license, creator, citation, version or date: write license, creator, citeAs, version and datePublished into it"
)

_CR = "citeAs|column|data|dataType|examples|extract|field|fileProperty|fileObject|fileSet|format|includes|isLiveDataset|jsonPath|key"
_MORE = (
    "md5|parentField|path|recordSet|references|regex|repeated|replace|samplingRate|separator|source|subField|transform|equivalentProperty"
)
_ENCODINGS = {".nii.gz": "application/gzip", ".png": "image/png"}
_NUMBERS = ("pixel_size_mm", "effort_seconds", "untouched_proposal")
_MEANINGS = {
    "filename": "The image, from images/; its mask, where it has one, is called alike in labels/",
    "label": "Name of the class; empty where none is annotated",
    "patient_id": "Pseudonym of the patient; all images of a patient are of one split",
    "split": "train, validation, test or audit, fixed when the patient was first seen; empty where nothing is annotated",
    "stratum": "What the splits are balanced over",
    "pixel_size_mm": "Side of a pixel of a picture, in mm; empty for volumes, whose files say it",
    "annotator": "Whose annotation it is",
    "annotated_at": "When it was made, UTC",
    "effort_seconds": "How long it took",
    "untouched_proposal": "Share of a model's proposal that stands in it untouched, 0 to 1; empty for one made without a model",
    "annotated": "Labels that the mask annotates; empty for all",
}


def write_card(folder: Path, name: str, description: str, labels: Sequence[str]) -> None:
    """Write the card of a folder that holds `images/`, perhaps `labels/`, and index.csv or labels.csv.

    Args:
        folder: Complete but for the card.
        name: Of the data set.
        description: In a sentence.
        labels: Names of the mask values 1, 2, … or of the classes.
    """
    table = next(file for file in ("index.csv", "labels.csv") if (folder / file).is_file())
    files = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != CARD)
    sets = [(place, suffix) for place in ("images", "labels") for suffix in _ENCODINGS if any((folder / place).glob(f"*{suffix}"))]
    card: Json = {
        "@context": _context(),
        "@type": "sc:Dataset",
        "name": name,
        "description": description,
        "keywords": ["medical images", *labels],
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "distribution": [*(_file(folder, file) for file in files), *(_file_set(place, suffix) for place, suffix in sets)],
        "recordSet": [_records(folder / table)],
    }
    (folder / CARD).write_text(f"{json.dumps(card, indent=1, ensure_ascii=False)}\n", encoding="utf-8")


def _context() -> Json:
    """What the specification requires (its appendix 1)."""
    own = {word: f"cr:{word}" for word in f"{_CR}|{_MORE}".split("|") if word not in ("data", "dataType", "examples")}
    spaces = {"cr": "http://mlcommons.org/croissant/", "dct": "http://purl.org/dc/terms/", "sc": "https://schema.org/"}
    typed = {"dataType": {"@id": "cr:dataType", "@type": "@vocab"}} | {
        word: {"@id": f"cr:{word}", "@type": "@json"} for word in ("data", "examples")
    }
    return {"@language": "en", "@vocab": "https://schema.org/", "conformsTo": "dct:conformsTo", **spaces, **own, **typed}


def _file(folder: Path, name: str) -> dict[str, Any]:
    content = (folder / name).read_bytes()
    encoding = {".csv": "text/csv", ".json": "application/json"}.get(Path(name).suffix, "application/octet-stream")
    digest = hashlib.sha256(content).hexdigest()
    described = {"contentUrl": name, "contentSize": f"{len(content)} B", "encodingFormat": encoding, "sha256": digest}
    return {"@type": "cr:FileObject", "@id": name, "name": name, **described}


def _file_set(place: str, suffix: str) -> dict[str, Any]:
    called = f"{place}-{suffix.strip('.').replace('.', '-')}"
    described = {"encodingFormat": _ENCODINGS[suffix], "includes": f"{place}/*{suffix}"}
    return {"@type": "cr:FileSet", "@id": called, "name": called, **described}


def _records(table: Path) -> dict[str, Any]:
    with table.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"cases/{column}",
            "name": column,
            "description": _MEANINGS.get(column, column),
            "dataType": "sc:Float" if column in _NUMBERS else "sc:Text",
            "source": {"fileObject": {"@id": table.name}, "extract": {"column": column}},
        }
        for column in header
    ]
    return {"@type": "cr:RecordSet", "@id": "cases", "name": "cases", "description": "One record for each image", "field": fields}
