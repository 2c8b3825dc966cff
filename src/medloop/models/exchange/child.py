"""A network of somebody else runs in a process of its own, with bounds on memory, processor time and waiting time.

A TorchScript archive and an ONNX graph are programs: they may loop for ever, ask for gigabytes, or crash. The child runs one network;
numbers go in and come out through pipes, never pickle. When it dies or overruns its time, that prediction is refused in one line.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.errors import FormatError, UnavailableError
from medloop.core.records import Json
from medloop.images.pipes import close_pipes, exit_status, receive, without_secrets
from medloop.models.exchange.child_main import HEAD

Kind: TypeAlias = Literal["torchscript", "onnx", "monai", "nnunet"]
_EXITS = {
    -signal.SIGXCPU: "it took more processor time than allowed",
    -signal.SIGXFSZ: "it tried to write a file",
    -signal.SIGKILL: "the system ended it, most likely for memory",
}

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Limits:
    """Bounds of one network.

    Attributes:
        memory_bytes: Address space beyond what PyTorch takes.
        cpu_seconds: Processor time of one window, or of one image where the network takes images.
        wall_seconds: Waiting time of the same, a busy machine included.
        threads: Of the network.
    """

    memory_bytes: int = 8 << 30
    cpu_seconds: int = 600
    wall_seconds: float = 1200.0
    threads: int = 1


class NetworkChild:
    """The process of one network.

    Args:
        path: The file.
        kind: Of file.
        limits: Bounds.
        network: Of MONAI: name and arguments; of nnU-Net: its folds.
        command: What is started in place of this Python, which keeps the same manners on its pipes.
        environment: Further variables of it.

    Attributes:
        told: The description that the file holds; "" without one.
        features: What the last answer says of the image as a whole; empty where networks say nothing.

    Raises:
        FormatError: The file cannot be loaded.
        UnavailableError: onnxruntime is not installed.
    """

    def __init__(
        self,
        path: Path,
        kind: Kind,
        *,
        limits: Limits | None = None,
        network: Json | None = None,
        command: Sequence[str] = (),
        environment: Mapping[str, str] = NO_ENVIRONMENT,
    ) -> None:
        self.limits, self.name, self.told, self.features = limits or Limits(), path.name, "", list[float]()
        bounds = (self.limits.memory_bytes, self.limits.cpu_seconds, self.limits.threads)
        command = command or [sys.executable, "-m", "medloop.models.exchange.child_main", *map(str, bounds)]
        threads = str(self.limits.threads)
        counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        variables = {**without_secrets(os.environ), **counts, **environment}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=variables, start_new_session=True
        )
        try:
            self._ask({"path": str(path.absolute()), "kind": kind, "network": network or {}}, ())
        except BaseException:
            self.close()
            raise

    def __call__(self, arrays: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[np.float32]:
        """The network's first output for these inputs.

        Raises:
            FormatError: It failed, overran its bounds, or died.
        """
        plain = [np.ascontiguousarray(one) for one in arrays]
        heads = [{"dtype": one.dtype.str, "shape": list(one.shape), "bytes": one.nbytes} for one in plain]
        return self._ask({"arrays": heads}, plain)

    def _ask(self, request: Json, arrays: Sequence[npt.NDArray[np.generic]]) -> npt.NDArray[np.float32]:
        deadline = time.monotonic() + self.limits.wall_seconds
        try:
            self._send(json.dumps(request).encode() + b"\n", arrays)
            (size,) = HEAD.unpack(self._receive(HEAD.size, deadline))
            record: dict[str, Any] = json.loads(self._receive(size, deadline))
            data = self._receive(int(record["bytes"]), deadline)
        except TimeoutError:
            self.close()
            rule = f"{self.name}: a network must answer within {self.limits.wall_seconds:g} s, it did not"
            raise FormatError(rule, remedy="allow more with --minutes, or take a smaller network") from None
        except (EOFError, BrokenPipeError):
            raise FormatError(f"{self.name}: the network could not be run: {self._exit_words()}", remedy="take another file") from None
        self.told, self.features = str(record.get("told", "")) or self.told, record.get("features", [])
        if "error" in record:
            message, remedy = record["error"]
            kind = UnavailableError if record.get("code") == UnavailableError.code else FormatError
            raise kind(f"{self.name}: {message}", remedy=remedy)
        return np.frombuffer(data, dtype=np.float32).reshape(record["shape"])

    def _send(self, head: bytes, arrays: Sequence[npt.NDArray[np.generic]]) -> None:
        if self._process.stdin is None:
            raise EOFError
        self._process.stdin.write(head)
        for one in arrays:
            self._process.stdin.write(one.tobytes())
        self._process.stdin.flush()

    def _receive(self, count: int, deadline: float) -> bytearray:
        return receive(self._process, count, most=self.limits.memory_bytes, deadline=deadline)

    def _exit_words(self) -> str:
        code = exit_status(self._process)
        self.close()
        return _EXITS.get(code, f"it crashed (exit status {code})")

    def close(self) -> None:
        """End it, at once."""
        self._process.kill()
        self._process.wait()
        close_pipes(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
