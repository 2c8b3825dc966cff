"""What workers of the tests do to a case: at the top of a module, so that they find it."""

import os
import signal
from pathlib import Path

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.records import Case
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace


def mean_of(workspace: Workspace, case: Case) -> FloatArray:
    return np.array([load_image(workspace.store.blobs, case).array.mean()], dtype=np.float32)


def mean_unless_killed(mark: str, at: str, workspace: Workspace, case: Case) -> FloatArray:
    """As `mean_of`; the first worker that comes to the case of that name is killed there."""
    if case.name == at and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return mean_of(workspace, case)
