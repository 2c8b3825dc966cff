"""The parent's side of a child process that answers on a pipe: exact reads with a deadline, and its end."""

import os
import re
import select
import subprocess
import time
from collections.abc import Mapping

_PIECE_BYTES = 1 << 20
_SECRET = re.compile(r"TOKEN|SECRET|PASS(?!IVE)|PWD|CREDENTIAL|KEY|AUTH", re.IGNORECASE)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that a program of somebody else may see: none that by its name holds a password, a token or a key."""
    return {name: value for name, value in environment.items() if name in ("PWD", "OLDPWD") or not _SECRET.search(name)}


def receive(process: subprocess.Popen[bytes], count: int, *, most: int, deadline: float) -> bytearray:
    """Exactly `count` bytes of what a child writes.

    Args:
        process: The child, with a pipe as its output.
        count: How many.
        most: A child that announces more is taken for dead.
        deadline: By `time.monotonic`.

    Raises:
        EOFError: The child died, or announced too much.
        TimeoutError: The deadline passed.
    """
    if process.stdout is None or count > most:
        raise EOFError
    pipe, data, filled = process.stdout.fileno(), bytearray(count), 0
    view = memoryview(data)
    while filled < count:
        if not select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
            raise TimeoutError
        got = os.readv(pipe, [view[filled : filled + _PIECE_BYTES]])
        if got == 0:
            raise EOFError
        filled += got
    return data


def close_pipes(process: subprocess.Popen[bytes]) -> None:
    """Close this side's ends, whatever the child has left unread."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # it died with a request unread


def exit_status(process: subprocess.Popen[bytes]) -> int:
    """How a child ended whose pipe has closed; 0 where it still runs."""
    try:
        return process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return 0
