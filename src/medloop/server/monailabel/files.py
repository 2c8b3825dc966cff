"""Files and answers as clients of MONAI Label want them: images, label maps, and the multipart answer with both.

The multipart answer is read from the raw socket by the clients, so that it has a length and is neither chunked nor compressed.
"""

import hashlib
import json
import mimetypes
import re
import secrets
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from starlette.responses import Response

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError
from medloop.core.image import Image, Mask
from medloop.core.labels import nested_regions
from medloop.core.records import Case, Label
from medloop.images.segments import Segment
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.removed_images import require_image
from medloop.loop.foundation.workspace import Workspace

MOST_FILES = 16
SENT_SECONDS = 120.0
"""Within so long a file that is wanted has been opened."""

DTYPES = ("uint8", "uint16", "int16", "int32", "float32")
ENDINGS = (".seg.nrrd", ".nii.gz", ".nrrd", ".nii", ".mha")
"""Of label maps; the first that fits counts."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class ImageFile:
    """A case's image as a file: its bytes' SHA-256, and a name that no other image has, in whatever project."""

    path: Path
    name: str
    sha256: str


class ImageFiles:
    """Images written for clients, the ones used last; each is written once."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="medloop-images-"))
        self._guard = Lock()
        self._known: OrderedDict[str, ImageFile] = OrderedDict()
        self._used: dict[str, float] = {}

    def of(self, workspace: Workspace, case: Case) -> ImageFile:
        """The file of a case's image: PNG for pictures, NIfTI for everything else."""
        with self._guard:
            if not case.voxels and case.id in self._known:  # the retention rule removed it meanwhile
                self._known.pop(case.id).path.unlink(missing_ok=True)
                del self._used[case.id]
            require_image(case)
            found = self._known.get(case.id)
            if found is None or not found.path.is_file():
                found = self._write(workspace, case)
            self._known[case.id] = found
            self._known.move_to_end(case.id)
            self._used[case.id] = time.monotonic()
            self._sweep()
        return found

    def _sweep(self) -> None:
        """Remove the files unused for longest, beyond `MOST_FILES`, but none that may still be on its way."""
        for case_id in list(self._known)[: max(0, len(self._known) - MOST_FILES)]:
            if self._used[case_id] + SENT_SECONDS < time.monotonic():
                self._known.pop(case_id).path.unlink(missing_ok=True)
                del self._used[case_id]

    def close(self) -> None:
        """Remove them all."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, workspace: Workspace, case: Case) -> ImageFile:
        name = image_name(case)
        path = self._folder / f"{case.id}{_ending(case)}"
        _write_image(path, load_image(workspace.store.blobs, case), case)
        return ImageFile(path, name, hashlib.sha256(path.read_bytes()).hexdigest())


def image_name(case: Case) -> str:
    """A file name for a case's image that says its content: clients keep files by name, and must never show another patient's."""
    return f"{safe_name(case.name)}.{case.voxels[:12]}{_ending(case)}"


def safe_name(name: str) -> str:
    """A name that is safe in a header and in a folder."""
    return _UNSAFE.sub("_", name).strip("._")[:100] or "image"


def _ending(case: Case) -> str:
    is_picture = case.source.format == "raster" and case.dtype == "uint8" and case.grid.shape[2] == 1 and case.channels in (1, 3)
    return ".png" if is_picture else ".nii.gz"


def _write_image(path: Path, image: Image, case: Case) -> None:
    if path.suffix == ".png":
        from PIL import Image as Picture

        rows = image.array[:, :, :, 0].transpose(2, 1, 0)
        Picture.fromarray(np.ascontiguousarray(rows[..., 0] if case.channels == 1 else rows)).save(path, format="PNG")
        return
    from medloop.images.nifti import write_image  # which a server that only serves does not load

    write_image(path, image, case.source)


@dataclass(frozen=True)
class Wanted:
    """How a client wants a label map: its ending, its numbers, and whether NRRD is packed."""

    ending: str = ".nii.gz"
    dtype: str = "uint8"
    packed: bool = True

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Wanted":
        """From `params`.

        Raises:
            InputError: A kind of file or number that medloop does not write.
        """
        ending = str(params.get("result_extension") or ".nii.gz").lower()
        dtype = str(params.get("result_dtype") or "uint8")
        if ending not in ENDINGS or dtype not in DTYPES:
            rule = f"A result is one of {', '.join(ENDINGS)} of {', '.join(DTYPES)}, got {ending[:20]} of {dtype[:20]}"
            raise InputError(rule, remedy="choose another result_extension or result_dtype")
        return cls(ending, dtype, params.get("result_compress", True) is not False)


def label_file(case: Case, mask: MaskArray, labels: Sequence[Label], wanted: Wanted, *, source: bool = True) -> bytes:
    """A label map, shape (I, J, K), as the bytes of a file on the case's grid.

    Args:
        case: Whose grid.
        mask: Values of the labels.
        labels: Named in a `.seg.nrrd`.
        wanted: Which kind of file.
        source: Whether the header of the image's own NIfTI file is taken over.
    """
    with tempfile.TemporaryDirectory(prefix="medloop-label-") as folder:
        path = Path(folder) / f"label{wanted.ending}"
        _write_label(path, case, mask, labels, wanted, case.source if source else None)
        return path.read_bytes()


def _write_label(path: Path, case: Case, mask: MaskArray, labels: Sequence[Label], wanted: Wanted, source: Any) -> None:
    if wanted.ending == ".seg.nrrd":
        from medloop.images.nrrd_write import write_seg_nrrd

        segments = [Segment(label.name, label.value, colour=_colour(label.colour)) for label in labels]
        write_seg_nrrd(path, Mask(np.asarray(mask, dtype=np.uint8), case.grid), segments, nested_regions(labels))
        return
    image = Image(mask.astype(wanted.dtype, copy=False)[None], case.grid)
    if wanted.ending == ".nrrd":
        from medloop.images.nrrd_write import write_nrrd

        write_nrrd(path, image, packed=wanted.packed)
    elif wanted.ending == ".mha":
        from medloop.images.metaimage import write_metaimage

        write_metaimage(path, image)
    else:
        from medloop.images.nifti import write_image

        write_image(path, image, source)


def _colour(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


def attachment(content: bytes, name: str) -> Response:
    """Bytes as a file to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=mime_of(name), headers=headers)


def multipart(params: Mapping[str, Any], content: bytes, name: str) -> Response:
    """Both parts of an inference: `params` as JSON and `image` as a file."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\nContent-Type: application/json\r\n\r\n'.encode(),
        json.dumps(params).encode(),
        f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'.encode(),
        f"Content-Type: {mime_of(name)}\r\n\r\n".encode(),
        content,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return Response(b"".join(parts), media_type=f"multipart/form-data; boundary={boundary}")


def mime_of(name: str) -> str:
    """The media type of a file by its name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
