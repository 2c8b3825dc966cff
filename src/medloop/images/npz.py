"""Class probabilities as nnU-Net and others keep them: one array in a `.npz`, read without pickle and never larger than its case.

Source: NumPy, "The .npy file format" (numpy.lib.format); nnU-Net v2, `--save_probabilities`: axes (class, k, j, i).
"""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import FormatError
from medloop.core.geometry import Shape3
from medloop.images.result import MAX_VOXEL_BYTES

NAMES = ("probabilities", "softmax", "arr_0")
_REMEDY = "save the probabilities as one array called probabilities, axes (class, k, j, i), as nnU-Net does"
_VERSIONS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path, shape: Shape3) -> FloatArray:
    """Probabilities of a case.

    Args:
        path: A `.npz`, compressed or not.
        shape: (I, J, K) of the case.

    Returns:
        Shape (classes, I, J, K).

    Raises:
        FormatError: Not such a file, cut off, of another shape or of what is no number.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = next((f"{name}.npy" for name in NAMES if f"{name}.npy" in archive.namelist()), None)
            if member is None:
                rule = f"a .npz of probabilities holds one of {', '.join(NAMES)}"
                raise FormatError(f"{path.name}: {rule}, got {', '.join(archive.namelist()[:4])[:80]!r}", remedy=_REMEDY)
            with archive.open(member) as file:
                return _array(path.name, file, shape)
    except FormatError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise FormatError(f"{path.name}: a .npz must be intact, got: {reason}", remedy="copy or save it again") from error


def _array(name: str, file: IO[bytes], shape: Shape3) -> FloatArray:
    version = np.lib.format.read_magic(file)
    if version not in _VERSIONS:
        raise FormatError(f"{name}: an array has version 1.0 or 2.0, got {version}", remedy=_REMEDY)
    stated, column_first, dtype = _VERSIONS[version](file)
    if dtype.kind != "f":
        raise FormatError(f"{name}: probabilities are floats, got {dtype}", remedy=_REMEDY)
    i, j, k = shape
    if len(stated) != 4 or stated[1:] != (k, j, i) or not 1 <= stated[0] <= 256:
        found = "×".join(map(str, stated))
        raise FormatError(f"{name}: the axes must be classes and the case's {k}×{j}×{i} (k, j, i), got {found}", remedy=_REMEDY)
    size = math.prod(stated) * dtype.itemsize
    if size > MAX_VOXEL_BYTES:
        raise FormatError(
            f"{name}: a file holds at most {MAX_VOXEL_BYTES >> 20} MiB, got {size >> 20} MiB", remedy="save them as 16-bit floats"
        )
    data = file.read(size)
    if len(data) < size:
        raise FormatError(f"{name}: its header declares {size} bytes, the file holds {len(data)}", remedy="copy or save it again")
    stored = np.frombuffer(data, dtype).reshape(stated, order="F" if column_first else "C")
    return stored.astype(np.float32).transpose(0, 3, 2, 1)
