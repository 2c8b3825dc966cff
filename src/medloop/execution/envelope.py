"""What goes to a worker and comes back: bytes. A worker reads them only from whoever started it, or from a cluster that wants a token."""

import pickle
from collections.abc import Callable
from typing import Any

from medloop.execution.executor import Task
from medloop.execution.failures import Failure, failure_of, unsendable
from medloop.execution.software import require_same


def packed(task: Task[Any], software: str) -> bytes | Failure:
    """A task for the way; a failure where it cannot be sent."""
    try:
        return pickle.dumps((software, pickle.dumps((task.call, task.arguments), pickle.HIGHEST_PROTOCOL)))
    except Exception as error:
        return unsendable("arguments", error)


def done_for(sent: bytes) -> bytes:
    """Do the task that was sent, and pack its result or its failure. Only a dying process does not answer.

    The version is compared before anything of the task is read.
    """
    try:
        software, work = pickle.loads(sent)  # noqa: S301 - from the process that started this one, or a cluster with a token
        require_same(software)
        call: Callable[..., Any]
        call, arguments = pickle.loads(work)  # noqa: S301 - likewise
        result = call(*arguments)
    except Exception as error:
        return pickle.dumps(failure_of(error))
    try:
        return pickle.dumps((result,), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(unsendable("result", error))


def unpacked(received: bytes) -> tuple[Any] | Failure:
    """The result in a tuple, or the failure, of what a worker sent back."""
    found: tuple[Any] | Failure = pickle.loads(received)  # noqa: S301 - from a worker that this process started
    return found
