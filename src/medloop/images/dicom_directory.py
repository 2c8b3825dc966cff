"""DICOMDIR: which files a medium says that it holds.

Source: DICOM PS3.3 F.3.2.2 (directory records), PS3.10 8 (file ids: at most eight components).
"""

from pathlib import Path
from typing import Any

import pydicom

from medloop.core.errors import FormatError, MedloopError
from medloop.images.dicom_series import require_bounded

NAME = "DICOMDIR"
MAX_RECORDS = 1_000_000
_COMPONENTS = 8


def files_listed(path: Path) -> list[str]:
    """The files that a DICOMDIR refers to, with / between components, each once; in this process and without limits.

    Raises:
        FormatError: It is damaged, or is no directory of files.
    """
    try:
        with path.open("rb") as file:
            require_bounded(path, file)
            file.seek(0)
            records = pydicom.dcmread(file, specific_tags=["DirectoryRecordSequence"]).get("DirectoryRecordSequence", None) or []
            if len(records) > MAX_RECORDS:
                raise FormatError(f"{path.name}: a DICOMDIR has at most {MAX_RECORDS} records, this has {len(records)}")
            names = [name for record in records if (name := _name(record.get("ReferencedFileID", None)))]
    except (RecursionError, MemoryError, MedloopError):
        raise
    except Exception as error:
        # pydicom raises a dozen kinds on damaged headers; all mean the same here.
        raise FormatError(f"{path.name}: the DICOMDIR is damaged ({type(error).__name__})", remedy="copy it again, or remove it") from error
    if not records:
        raise FormatError(f"{path.name}: a DICOMDIR lists files, this lists none", remedy="copy it again, or remove it")
    return list(dict.fromkeys(names))


def _name(value: Any) -> str:
    parts = [value] if isinstance(value, str) else [str(one) for one in value or []]
    return "/".join(part.strip() for part in parts[:_COMPONENTS])
