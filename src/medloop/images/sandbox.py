"""Files are decoded in a process of their own, with a bound on memory and time.

Decoders meet hostile bytes: a small file may ask for gigabytes, loop for ever, or crash the process. So
one child process reads for this one. It is started once and used for many files, because its imports
take half a second; when it dies, runs out of memory or overruns its time, that file is refused and the
next file gets a fresh child. Answers are JSON and raw voxels on a pipe, never pickle.

Lock rule: one file at a time per process; `_LOCK` guards the child and its pipes.
"""

import atexit
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from medloop.core.errors import FormatError, GeometryError, MedloopError, NotFoundError, ShapeError, StorageError, UnavailableError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import source_from_json
from medloop.images.pipes import close_pipes, exit_status, receive, without_secrets
from medloop.images.result import Purpose, ReadImage
from medloop.images.segments import Segment

MEMORY_BYTES = 4 << 30
"""Address space a child may take beyond what it has after its imports."""

CPU_SECONDS = 60
"""Processor time for one file or series at most; a 1,000-slice compressed CT takes about 20."""

CPU_START_SECONDS, CPU_SECONDS_PER_MIB = 8, 1
"""Processor time that any file may take, and what each stored MiB adds: a small file that loops is ended within seconds."""

WALL_SECONDS = 180
"""Waiting time for one file, disks and a busy machine included."""

_ALWAYS_LONG = (".nii", ".gz", ".hdr", ".img", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Files whose readers have no loop but over declared voxels."""

_REMEDY = "leave this file out, or convert it with a tool you trust"
_ERRORS: dict[str, type[MedloopError]] = {
    e.code: e for e in (FormatError, GeometryError, ShapeError, NotFoundError, StorageError, UnavailableError)
}
_EXITS = {
    -signal.SIGXCPU: "it took more processor time than allowed",
    -signal.SIGKILL: "the system ended the decoder, most likely for memory",
}
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
_LOCK = threading.Lock()
_SIZE = struct.Struct("<QQ")


@dataclass(frozen=True)
class Limits:
    """Bounds of one child."""

    memory_bytes: int = MEMORY_BYTES
    cpu_seconds: int = CPU_SECONDS
    wall_seconds: float = WALL_SECONDS


def cpu_seconds_for(paths: list[Path]) -> int:
    """Processor time for some files: by what is stored, and never less for readers without a loop but over declared voxels."""
    if any(path.suffix.lower() in _ALWAYS_LONG for path in paths):
        return CPU_SECONDS
    try:
        files = [file for path in paths for file in (path.iterdir() if path.is_dir() else [path]) if file.is_file()]
        stored = sum(file.stat().st_size for file in files)
    except OSError:  # the child says which file cannot be read
        stored = 0
    return min(CPU_SECONDS, CPU_START_SECONDS + CPU_SECONDS_PER_MIB * (stored >> 20))


class Child:
    """One reading process; not shared between threads without a lock."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.owner = os.getpid()
        command = [sys.executable, "-m", "medloop.images.sandbox_child", str(limits.memory_bytes), str(limits.cpu_seconds)]
        environment = {**without_secrets(os.environ), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        # A session of its own: an interrupt typed at the terminal is for this process to handle.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def usable(self) -> bool:
        """Whether it runs and belongs to this process (not to the parent of a fork)."""
        return self.owner == os.getpid() and self._process.poll() is None

    def call(self, paths: list[Path], wanted: str, options: Mapping[str, Any] = NO_OPTIONS) -> tuple[dict[str, Any], bytearray]:
        """Send one request and wait for its answer: a JSON record and raw voxels.

        Raises:
            EOFError: The child died.
            TimeoutError: It overran its waiting time.
        """
        deadline = time.monotonic() + self.limits.wall_seconds
        seconds = min(self.limits.cpu_seconds, cpu_seconds_for(paths))
        asked = {"paths": [str(path.absolute()) for path in paths], "wanted": wanted, "cpu": seconds, "options": dict(options)}
        request = json.dumps(asked).encode() + b"\n"
        stdin = self._process.stdin
        try:
            if stdin is not None:
                stdin.write(request)
                stdin.flush()
        except BrokenPipeError as error:
            raise EOFError from error
        record_size, voxel_size = _SIZE.unpack(self._receive(_SIZE.size, deadline))
        record: dict[str, Any] = json.loads(self._receive(record_size, deadline))
        return record, self._receive(voxel_size, deadline)

    def _receive(self, count: int, deadline: float) -> bytearray:
        """Exactly `count` bytes from the child."""
        return receive(self._process, count, most=self.limits.memory_bytes, deadline=deadline)

    def close(self) -> None:
        """End it, at once."""
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()
        close_pipes(self._process)

    def exit_words(self) -> str:
        """How it ended, in words; call after its pipe has closed."""
        code = exit_status(self._process)
        self.close()
        return _EXITS.get(code, f"the decoder crashed (exit status {code})")


_children: list[Child] = []


def read_isolated(paths: Path | list[Path], purpose: Purpose, *, limits: Limits | None = None) -> ReadImage:
    """Read one file, or the files of one series, in the child process.

    Args:
        paths: A file, the folder of one series, or the files of one series.
        purpose: Intensities or label values.
        limits: Other bounds than the usual ones, in a child used for this call only.

    Raises:
        FormatError: Refused by its reader, or beyond the bounds of memory and time, or the decoder crashed.
        GeometryError: Its geometry is not usable.
        NotFoundError: No such file.
    """
    return _result(*_call_child([paths] if isinstance(paths, Path) else paths, purpose, limits))


def facts_isolated(files: list[Path]) -> dict[str, Any]:
    """Ask the child for the facts of DICOM files, and why some are no images; see `medloop.images.dicom_facts`.

    Raises:
        FormatError: Reading them went beyond the bounds.
    """
    return _call_child(files, "facts", None)[0]


def annotation_isolated(path: Path) -> tuple[dict[str, Any], bytearray]:
    """Ask the child for what an annotation object says, and its planes; see `medloop.images.dicom_segments`.

    Raises:
        FormatError: It cannot be read, or reading it went beyond the bounds.
    """
    return _call_child([path], "annotation", None)


def cleaned_isolated(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the child to write a DICOM file without what names anybody; see `medloop.images.deidentified_files`.

    Raises:
        FormatError: It cannot be cleaned, or cleaning it went beyond the bounds.
    """
    return _call_child([path], "cleaned", None, options)[0]


def listed_isolated(path: Path) -> list[str]:
    """Ask the child for the files that a DICOMDIR names, as it spells them.

    Raises:
        FormatError: It cannot be read.
    """
    return [str(name) for name in _call_child([path], "directory", None)[0]["files"]]


def _call_child(
    files: list[Path], wanted: str, limits: Limits | None, options: Mapping[str, Any] = NO_OPTIONS
) -> tuple[dict[str, Any], bytearray]:
    if limits is None:
        with _LOCK:
            record, voxels = _call_shared(files, wanted, options)
    else:
        child = Child(limits)
        try:
            record, voxels = _call(child, files, wanted)
        finally:
            child.close()
    if "error" in record:
        kind = _ERRORS.get(record["error"]["code"], FormatError)
        raise kind(record["error"]["message"], remedy=record["error"]["remedy"])
    return record, voxels


def _call_shared(files: list[Path], wanted: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], bytearray]:
    child = _shared_child()
    try:
        return _call(child, files, wanted, options)
    except BaseException:  # an interrupt leaves half an answer in the pipe: such a child must never be asked again
        _drop(child)
        raise


def _call(child: Child, files: list[Path], wanted: str, options: Mapping[str, Any] = NO_OPTIONS) -> tuple[dict[str, Any], bytearray]:
    name = files[0].name
    try:
        record, voxels = child.call(files, wanted, options)
    except TimeoutError as error:
        child.close()
        limit = child.limits.wall_seconds
        raise FormatError(f"{name}: a file must be read within {limit:g} s, it was not", remedy=_REMEDY) from error
    except EOFError as error:
        words = child.exit_words()
        raise FormatError(f"{name}: it could not be decoded: {words}", remedy=_REMEDY) from error
    return record, voxels


def _result(record: dict[str, Any], voxels: bytearray) -> ReadImage:
    grid = Grid.from_json(record["grid"])
    channels, (i, j, k) = int(record["channels"]), grid.shape
    array = np.frombuffer(voxels, dtype=record["dtype"]).reshape(channels, k, j, i).transpose(0, 3, 2, 1)
    segments = tuple(Segment(**{**one, "colour": tuple(one["colour"])}) for one in record["segments"])
    return ReadImage(Image(array, grid), source_from_json(record["source"]), tuple(record["notes"]), segments)


def _shared_child() -> Child:
    if _children and not _children[0].usable():
        _drop(_children[0])
    if not _children:
        _children.append(Child(Limits()))
    return _children[0]


def _drop(child: Child) -> None:
    child.close()
    _children.remove(child)


@atexit.register
def _close_all() -> None:
    for child in list(_children):
        _drop(child)
