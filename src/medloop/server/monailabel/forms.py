"""What clients send in forms: JSON in a text field, and files."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeAlias

from fastapi import File, Form, UploadFile
from fastapi.exceptions import RequestValidationError

from medloop.loop.annotating.sent_labels import NamedValue
from medloop.server.monailabel.files import safe_name

_PLAIN = re.compile(r"\.[a-z0-9]{1,8}")

Params: TypeAlias = Annotated[str, Form()]
"""A JSON object as text."""

Upload: TypeAlias = Annotated[UploadFile | None, File()]


def object_of(text: str, field: str = "params") -> dict[str, Any]:
    """The object that a form field holds.

    Raises:
        RequestValidationError: It is none.
    """
    try:
        found = json.loads(text or "{}", parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()  # half a character, or a number beyond all others, is no answer
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RequestValidationError(
            [{"loc": ("body", field), "msg": "a JSON object as text", "type": "value_error.json", "input": text[:80]}]
        )
    return found


def plain_text(given: object) -> str:
    """What a client says as text that every answer can hold."""
    return str(given or "").encode(errors="replace").decode()


def _no_number(word: str) -> None:
    raise ValueError(word)


def label_info_of(params: dict[str, Any]) -> Sequence[NamedValue] | None:
    """What `label_info` names; None where a client does not say.

    Raises:
        RequestValidationError: Entries without a name and a number.
    """
    entries = params.get("label_info")
    if entries is None:
        return None
    try:
        named = [NamedValue(str(one["name"]), int(one["idx"])) for one in entries]
    except (TypeError, KeyError, ValueError, OverflowError):
        fault = {"loc": ("body", "params", "label_info"), "msg": "a list of objects with name and idx", "type": "value_error"}
        raise RequestValidationError([fault]) from None
    return named


def base_name(upload: UploadFile) -> str:
    """The last part of a file's name, whatever path a client sends, safe to write."""
    name = PurePosixPath((upload.filename or "image.nii.gz").replace("\\", "/")).name
    ending = endings_of(name)
    return safe_name(name[: len(name) - len(ending)]) + ending


def endings_of(name: str) -> str:
    """Every ending of a file's name, as `.nii.gz`; names of cases may have dots, so only known pairs count as one."""
    lower = name.lower()
    pair = next((two for two in (".nii.gz", ".seg.nrrd") if lower.endswith(two)), "")
    last = PurePosixPath(lower).suffix
    return pair or (last if _PLAIN.fullmatch(last) else "")


def saved(upload: UploadFile, folder: Path) -> Path:
    """A sent file, written into a folder."""
    path = folder / base_name(upload)
    with path.open("xb") as out:
        shutil.copyfileobj(upload.file, out)
    return path


@contextmanager
def sent_file(upload: UploadFile) -> Iterator[Path]:
    """A sent file for as long as it is looked at."""
    with tempfile.TemporaryDirectory(prefix="medloop-sent-") as folder:
        yield saved(upload, Path(folder))
