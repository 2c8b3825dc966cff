"""The embeddings of a very large pool as one file that a selection maps: what it reads comes from the disk, and memory stays bounded."""

import os
import tempfile
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from medloop.core.arrays import FloatArray, IntArray
from medloop.core.errors import StorageError
from medloop.core.records import Prediction
from medloop.loop.foundation.arrays import load_features
from medloop.loop.foundation.vector_rows import VectorsOf, vector_rows
from medloop.loop.foundation.workspace import Workspace

ABANDONED_S = 86_400.0
"""Files as old as that were left by a process that was killed."""

_PIECE = 32_768


def mapped_features(workspace: Workspace, predictions: Sequence[Prediction]) -> FloatArray:
    """Embeddings of one model's predictions, each of which has one, shape (predictions, dimensions); the file goes with the array.

    Raises:
        BlobError: One is damaged or gone.
        StorageError: The disk is full.
    """
    path = _new_file(workspace.work_folder / "selection")
    try:
        rows = vector_rows(workspace, VectorsOf(predictions[0].model_id))
        found, places = rows.find([p.case_id for p in predictions])
        shape = (len(predictions), rows.dimensions or len(_of(workspace, predictions[0])))
        _write(path, _rows(workspace, predictions, shape[1]) if not found.all() else map(rows.take, _pieces(places)))
        table: np.memmap = np.memmap(path, dtype=np.float32, mode="r", shape=shape)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    weakref.finalize(table, path.unlink, missing_ok=True)
    return table


def _pieces(places: IntArray) -> Iterator[IntArray]:
    return (places[start : start + _PIECE] for start in range(0, len(places), _PIECE))


def _rows(workspace: Workspace, predictions: Sequence[Prediction], dimensions: int) -> Iterator[FloatArray]:
    """One by one, so that whichever is damaged is named."""
    row = np.empty(dimensions, dtype=np.float32)
    for prediction in predictions:
        row[:] = _of(workspace, prediction)
        yield row


def _write(path: Path, pieces: Iterable[FloatArray]) -> None:
    """Written, not mapped: a disk that is full refuses a write, and kills a process that writes to what it has mapped."""
    try:
        with path.open("wb") as file:
            for piece in pieces:
                file.write(piece.tobytes())
    except OSError as error:
        why = f"The embeddings of the pool cannot be written below {path.parent}: {error.strerror or error}"
        raise StorageError(why, remedy="free space there, then query again: nothing was chosen") from error


def _of(workspace: Workspace, prediction: Prediction) -> FloatArray:
    return load_features(workspace.store.blobs, str(prediction.features))


def _new_file(folder: Path) -> Path:
    """A new file, after those that nobody uses any more are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("features-*.raw"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > ABANDONED_S:
                old.unlink()
    handle, name = tempfile.mkstemp(prefix="features-", suffix=".raw", dir=folder)
    os.close(handle)
    return Path(name)
