"""Tasks for the tests: at the top of a module, so that workers find them."""

import os
import signal
import threading
import time
from pathlib import Path

from medloop.core.errors import BlobError

_KEPT: list[int] = []


def square(number: int) -> int:
    return number * number


def own_process(_number: int = 0) -> int:
    return os.getpid()


def count_here(number: int) -> tuple[int, int]:
    """The process, and how many numbers it has kept."""
    _KEPT.append(number)
    return os.getpid(), len(_KEPT)


def die_once(number: int, mark: str) -> int:
    """Kill the worker the first time, as the kernel would when memory is gone."""
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(_number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(number: int) -> None:
    raise BlobError(f"number {number} is damaged", remedy="restore it", blob="ab" * 32)


def blunder(number: int) -> float:
    return number / 0


def unsendable(_number: int) -> object:
    return threading.Lock()


def forever(mark: str) -> None:
    Path(mark).touch()
    while True:
        time.sleep(0.05)
