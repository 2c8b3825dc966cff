"""Time and memory that a proposal takes, of two models one after the other on the same image and machine."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from medloop.core.errors import MedloopError
from medloop.core.records import Case, Model
from medloop.core.seeds import generator
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import load_predictor
from medloop.metrics.release import Cost

ROUNDS = 3
"""How often each model predicts; the fastest counts, since whatever else the machine does only slows down."""

AGAIN = 6
"""How often both are measured again, in turn, where the newer one seems too slow: a machine that was busy meanwhile holds nobody back."""

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def measured_costs(workspace: Workspace, newer: Model, older: Model, case_ids: Sequence[str], most: float) -> tuple[Cost, ...]:
    """What the newer model's proposal takes against the older one's, on the case of median size; nothing where a model cannot be loaded.

    Args:
        workspace: The project.
        newer: The candidate.
        older: The model in use.
        case_ids: Cases that both were scored on.
        most: How many times as much the newer one may take.
    """
    if not (newer.weights and older.weights):
        return ()
    with workspace.store.read() as tx:
        cases = sorted((tx.get(Case, case_id) for case_id in case_ids), key=lambda case: (case.grid.voxels, case.name))
    case = cases[len(cases) // 2]
    try:
        (seconds, peak), (seconds_before, peak_before) = fastest(
            lambda: _least(workspace, newer, case), lambda: _least(workspace, older, case), most
        )
    except MedloopError:  # damaged weights or voxels: the evaluation has said so
        return ()
    found = (Cost(f"time of a proposal in s, {case.name}", seconds, seconds_before, most),)
    memory = Cost("memory at its peak in MB", peak / 2**20, peak_before / 2**20, most)
    return (*found, memory) if min(peak, peak_before) > 0 else found


def fastest(
    newer: Callable[[], tuple[float, int]], older: Callable[[], tuple[float, int]], most: float
) -> tuple[tuple[float, int], tuple[float, int]]:
    """Least seconds and bytes of two models, measured in turn until the newer one is within `most` times the older one, or often enough.

    Args:
        newer: Measures the candidate once: seconds and bytes.
        older: The same of the model in use.
        most: How many times as many seconds the newer one may take.
    """
    first, second = newer(), older()
    for _ in range(AGAIN):
        if first[0] <= most * second[0]:
            break
        first, second = _least_of(first, newer()), _least_of(second, older())
    return first, second


def _least_of(one: tuple[float, int], other: tuple[float, int]) -> tuple[float, int]:
    return min(one[0], other[0]), min(one[1], other[1])


def _least(workspace: Workspace, model: Model, case: Case) -> tuple[float, int]:
    """Seconds and bytes of a model's proposal at best; loaded once, and gone afterwards."""
    predictor, image = load_predictor(workspace.store.blobs, model), load_image(workspace.store.blobs, case)
    samples = int(model.metrics.get("samples", workspace.settings.samples))
    rng = generator(workspace.settings.seed, "cost", model.index, case.name)
    seconds, peaks = zip(*(_taken(lambda: predictor.predict(image, samples=samples, rng=rng)) for _ in range(ROUNDS)), strict=True)
    return min(seconds), min(peaks)


def _taken(work: Callable[[], object]) -> tuple[float, int]:
    """Seconds, and the peak of this process's memory in bytes; 0 where the system does not say it anew."""
    fresh = False
    with suppress(OSError):
        _CLEAR.write_text("5")  # Linux: the peak begins again (proc(5))
        fresh = True
    began = time.perf_counter()
    work()
    return time.perf_counter() - began, _peak() if fresh else 0


def _peak() -> int:
    with suppress(OSError, StopIteration, ValueError):
        line = next(one for one in _STATUS.read_text().splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return 0
