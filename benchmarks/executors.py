"""What several processes cost and gain: through the product's own paths, against the same work in one process.

waits         tasks of 50 ms that only wait: what handing over costs, whatever the number of cores
descriptions  a project's cases described in one process, and by workers of which one is killed in the middle: the same bits?
k-centre      greedy k-centre over a mapped table in one process and in shards: the same indices?

    python benchmarks/executors.py --cases 20000 --rows 1000000 --picks 20 --json executors.json
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from sqlalchemy import insert

from large_pool import synthetic_case
from medloop.core.errors import MedloopError
from medloop.core.records import Case, ProjectSettings
from medloop.execution.executor import IN_PROCESS, Executor, Task, ordered
from medloop.execution.placement import Placed, Placement
from medloop.execution.processes import local_processes
from medloop.images.encode import encode_voxels
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.on_demand import cold_features
from medloop.query.diversity.kcentre import k_centre
from medloop.query.diversity.sharded_kcentre import sharded_k_centre
from medloop.query.sharding import Sharding
from medloop.store.rows import to_row
from medloop.store.tables import cases

WAIT_SECONDS = 0.05


@dataclass(frozen=True)
class Line:
    """One measurement."""

    work: str
    workers: int
    seconds: float
    note: str = ""

    def __str__(self) -> str:
        where = f"{self.workers} workers" if self.workers else "one process"
        return f"{self.work:<14} {where:<12} {self.seconds:8.2f} s  {self.note}"


def wait(seconds: float) -> None:
    time.sleep(seconds)


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure_waits(workers: Sequence[int], tasks: int) -> list[Line]:
    todo = [Task(f"wait {n}", wait, (WAIT_SECONDS,)) for n in range(tasks)]
    plain = seconds_of(lambda: [wait(WAIT_SECONDS) for _ in range(tasks)])
    lines = [Line("waits", 0, plain, f"{tasks} tasks of {1000 * WAIT_SECONDS:g} ms")]
    for width in workers:
        with local_processes(width) as executor:
            ordered(executor, [Task(f"begin {n}", wait, (0.2,)) for n in range(2 * width)])  # the processes are there
            took = seconds_of(lambda executor=executor: ordered(executor, todo))
        lines.append(Line("waits", width, took, f"overhead {width * took / plain - 1:.1%}"))
    return lines


def make_project(folder: Path, count: int) -> None:
    """Cases written as rows, each with an image of its own; the audit chain is left out."""
    numbers = np.random.default_rng(0)
    settings = ProjectSettings(audit_fraction=0.0)
    with Workspace.create(folder, name="many", kind="segmentation", labels=["a"], settings=settings) as workspace:
        made = [_case(workspace, n, numbers) for n in range(count)]
        with workspace.store.database.writing() as connection:
            for start in range(0, count, 1000):
                part = made[start : start + 1000]
                connection.execute(insert(cases), [{**to_row(case), "event": start + n} for n, case in enumerate(part)])


def _case(workspace: Workspace, n: int, numbers: np.random.Generator) -> Case:
    pixels = numbers.integers(0, 255, (1, 64, 64, 1)).astype(np.uint8)
    return replace(synthetic_case(n, 0), voxels=workspace.store.blobs.put(encode_voxels(pixels)))


def measure_descriptions(folder: Path, workers: Sequence[int], count: int) -> list[Line]:
    make_project(folder / "plain", count)
    lines, expected = list[Line](), dict[str, bytes]()
    for width in (0, *(w for w in workers if w > 1)):
        shutil.copytree(folder / "plain", folder / f"by-{width}")
        with Workspace.open(folder / f"by-{width}") as opened, Placed(Placement(width)) as executor:
            ordered(executor, [Task(f"begin {n}", wait, (0.2,)) for n in range(2 * width)])
            found, took, killed = _describe(opened.placed(executor if width else IN_PROCESS), kill=bool(width))
        expected = expected or found
        note = f"{len(found)} cases" + (f", one process killed: {'identical' if found == expected else 'DIFFERENT'}" if killed else "")
        lines.append(Line("descriptions", width, took, note))
    return lines


def _describe(workspace: Workspace, *, kill: bool) -> tuple[dict[str, bytes], float, bool]:
    with workspace.store.read() as tx:
        every = tx.find(Case, order=("name",))
    killed = list[int]()

    def report(progress: float, _message: str) -> None:
        if kill and progress > 0.4 and not killed and (children := multiprocessing.active_children()):
            killed.append(children[0].pid or 0)
            children[0].kill()

    begun = time.perf_counter()
    found = cold_features(workspace, every, report=report)
    return {case_id: vector.tobytes() for case_id, vector in found.items()}, time.perf_counter() - begun, bool(killed)


def measure_k_centre(folder: Path, workers: Sequence[int], rows: int, picks: int) -> list[Line]:
    path, numbers = folder / "table.npy", np.random.default_rng(0)
    table = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, 256))
    for start in range(0, rows, 50_000):
        table[start : start + 50_000] = numbers.standard_normal((len(table[start : start + 50_000]), 256), dtype=np.float32)
    table.flush()
    mapped = np.load(path, mmap_mode="r")
    begun = time.perf_counter()
    expected = k_centre(mapped, None, picks, first=0)
    lines = [Line("k-centre", 0, time.perf_counter() - begun, f"{rows} × 256, {picks} picks")]
    for width in workers:
        if width == 1:
            continue
        with Placed(Placement(width)) as executor:
            lines.append(_sharded(mapped, picks, executor, width, expected))
    return lines


def _sharded(mapped: np.ndarray, picks: int, executor: Executor, width: int, expected: list[int]) -> Line:
    ordered(executor, [Task(f"begin {n}", wait, (0.2,)) for n in range(2 * width)])
    begun = time.perf_counter()
    found = sharded_k_centre(mapped, None, picks, first=0, sharding=Sharding(executor))
    return Line("k-centre", width, time.perf_counter() - begun, "identical" if found == expected else "DIFFERENT")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["waits", "descriptions", "k-centre"], choices=["waits", "descriptions", "k-centre"])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--picks", type=int, default=20)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    lines = list[Line]()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        measures: dict[str, Callable[[], list[Line]]] = {
            "waits": lambda: measure_waits(asked.workers, asked.tasks),
            "descriptions": lambda: measure_descriptions(folder, asked.workers, asked.cases),
            "k-centre": lambda: measure_k_centre(folder, asked.workers, asked.rows, asked.picks),
        }
        for name in asked.only:
            for line in measures[name]():
                print(line, flush=True)
                lines.append(line)
    if asked.json:
        from full_data import machine  # loads torch, which workers would load with this script

        asked.json.write_text(json.dumps({"machine": machine(), "lines": [vars(line) for line in lines]}, indent=1))


if __name__ == "__main__":
    try:
        main()
    except MedloopError as error:
        sys.exit(f"error: {error}")
