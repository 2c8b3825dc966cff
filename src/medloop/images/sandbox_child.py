"""The child's side of `sandbox`: read what the pipe names, answer with JSON and raw voxels.

Started as `python -m medloop.images.sandbox_child MEMORY_BYTES CPU_SECONDS`; ends when its input does.
"""

import dataclasses
import json
import os
import resource
import struct
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from medloop.core.errors import MedloopError
from medloop.images.deidentified_files import clean_file
from medloop.images.dicom_directory import files_listed
from medloop.images.dicom_facts import facts_among
from medloop.images.dicom_segments import object_record
from medloop.images.notes import without_values
from medloop.images.read import read_here, readers
from medloop.images.result import ReadImage

_SIZE = struct.Struct("<QQ")


def main(memory_bytes: int, cpu_seconds: int, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests, one JSON object a line, until the input ends."""
    readers()  # every decoder is imported now, so that the memory limit is about files alone
    limit_memory(memory_bytes)
    for line in requests:
        request = json.loads(line)
        allow_cpu(min(cpu_seconds, request["cpu"]))
        record, send = answer([Path(path) for path in request["paths"]], request["wanted"], request["options"])
        body = json.dumps(record).encode()
        answers.write(_SIZE.pack(len(body), record.get("bytes", 0)) + body)
        send(answers)
        answers.flush()


def limit_memory(extra_bytes: int) -> None:
    """Let this process take `extra_bytes` of address space more than it has now, where the system can."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return
    base = int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (base + extra_bytes, base + extra_bytes))


def allow_cpu(seconds: int) -> None:
    """Let this process use `seconds` of processor time more than it has used; then the system ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds + 1, resource.RLIM_INFINITY))


def answer(
    paths: list[Path], wanted: str, options: Mapping[str, Any] = MappingProxyType({})
) -> tuple[dict[str, Any], Callable[[BinaryIO], None]]:
    """The record of one request, and what writes its voxels."""
    name = paths[0].name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if wanted in _RECORDS:
                return _RECORDS[wanted](paths, options), _nothing
            if wanted == "annotation":
                record, planes = object_record(paths[0])
                return record, lambda answers: _send(answers, planes)
            return _record(read_here(paths, "mask" if wanted == "mask" else "image"))
    except MedloopError as error:
        return _refusal(error.code, error.message, error.remedy), _nothing
    except MemoryError:
        return _refusal("bad_file", f"{name}: reading it takes more memory than allowed", "crop or downsample it"), _nothing
    except RecursionError:
        return _refusal("bad_file", f"{name}: it is nested too deeply", "convert it with a tool you trust"), _nothing
    except Exception as error:
        # The boundary to third-party decoders: whatever they raise on hostile bytes is that file's fault.
        words = without_values(f"{type(error).__name__}: {error}".splitlines()[0])[:200]
        return _refusal("bad_file", f"{name}: it could not be decoded ({words})", "copy it again or convert it"), _nothing


def _facts(paths: list[Path], _options: Mapping[str, Any]) -> dict[str, Any]:
    looked = facts_among(paths)
    why = [(str(one.path), one.rule, one.remedy) for one in looked.refused]
    return {"facts": [one.to_json() for one in looked.images], "objects": [one.to_json() for one in looked.objects], "refused": why}


_RECORDS: Mapping[str, Callable[[list[Path], Mapping[str, Any]], dict[str, Any]]] = {
    "facts": _facts,
    "cleaned": lambda paths, options: clean_file(paths[0], options),
    "directory": lambda paths, _options: {"files": files_listed(paths[0])},
}
"""What is answered by a record alone."""


def _send(answers: BinaryIO, planes: bytes) -> None:
    answers.write(planes)


def _record(read: ReadImage) -> tuple[dict[str, Any], Callable[[BinaryIO], None]]:
    # (C, K, J, I) in C order is file order: I fastest.
    voxels = read.image.array.transpose(0, 3, 2, 1)
    record = {
        "grid": read.image.grid.to_json(),
        "channels": read.image.channels,
        "dtype": read.image.array.dtype.name,
        "source": dataclasses.asdict(read.source),
        "notes": list(read.notes),
        "segments": [dataclasses.asdict(one) for one in read.segments],
        "bytes": voxels.nbytes,
    }

    def send(answers: BinaryIO) -> None:
        """Write slice by slice, so that no second copy of a volume is held."""
        for channel in voxels:
            for piece in channel:
                answers.write(piece.tobytes(order="C"))

    return record, send


def _refusal(code: str, message: str, remedy: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "remedy": remedy}}


def _nothing(_answers: BinaryIO) -> None:
    """A refusal has no voxels."""


if __name__ == "__main__":
    # Readers may print; only this copy of the pipe carries answers.
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    main(int(sys.argv[1]), int(sys.argv[2]), sys.stdin.buffer, pipe)
