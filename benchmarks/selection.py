"""How fast cases are selected from large pools, side by side with other libraries.

Every side of every task runs in a process of its own, on one thread, and gets the same inputs. Inputs are made and the
library is imported before the clock starts. The table shows the median CPU seconds over all repeats of all seeds, and how
far memory rose above the inputs. A library that is not installed is marked so; `pip install 'medloop[peers]'` brings them.

    python benchmarks/selection.py --seeds 3 --json selection.json
    python benchmarks/selection.py --scale 0.01 --only entropy      # a smoke test
"""

import argparse
import importlib
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from selection_pool import FOLDER
from selection_tasks import Task

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {"OMP_WAIT_POLICY": "PASSIVE"}
MODULES = ("selection_scores", "selection_coverage")
WARM_UP_CASES = 120
REPEATS = 5
ENOUGH_S = 20.0
"""Repeats of one side stop once they took so long."""


@dataclass
class Measured:
    """One side of one task."""

    task: str
    side: str
    cases: int
    cpu_s: list[float] = field(default_factory=list)
    extra_mib: list[float] = field(default_factory=list)
    picks: list[list[int]] = field(default_factory=list)
    failure: str = ""


def tasks(only: str) -> list[Task]:
    """The tasks whose name holds these words, of the modules that are there."""
    found = [importlib.import_module(name) for name in MODULES if Path(__file__).with_name(f"{name}.py").exists()]
    return [task for module in found for task in module.TASKS if only in task.name]


def measure(task: Task, side: str, cases: int, seed: int) -> dict[str, object]:
    """Run one side in this process."""
    warnings.simplefilter("ignore")
    select = task.sides[side]
    try:
        select(task.make(min(cases, WARM_UP_CASES), seed))
    except ModuleNotFoundError as error:
        return {"failure": "not installed" if not str(error).startswith("No module named 'medloop") else str(error)}
    inputs, seconds, picks = task.make(cases, seed), [], []
    before = _reset_peak_mib()
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH_S:
        start = time.process_time()
        picks = select(inputs)
        seconds.append(time.process_time() - start)
    return {"cpu_s": seconds, "extra_mib": max(_peak_mib() - before, 0.0), "picks": [int(n) for n in picks]}


def run_side(task: Task, side: str, cases: int, options: argparse.Namespace) -> Measured:
    """One process per seed."""
    found = Measured(task.name, side, cases)
    for seed in range(options.seeds):
        command = [sys.executable, __file__, "--run", task.name, side, str(cases), str(seed)]
        environment = {**os.environ, **ONE_THREAD, **({FOLDER: str(options.data)} if options.data else {})}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=options.limit_s, env=environment, check=False)
        except subprocess.TimeoutExpired:
            found.failure = f"over {options.limit_s:.0f} s"
            return found
        lines = done.stdout.splitlines()
        answer = json.loads(lines[-1]) if done.returncode == 0 and lines else {"failure": (done.stderr.splitlines() or ["died"])[-1][:60]}
        if "failure" in answer:
            found.failure = str(answer["failure"])
            return found
        found.cpu_s += answer["cpu_s"]
        found.extra_mib.append(answer["extra_mib"])
        found.picks.append(answer["picks"])
    return found


def table(task: Task, sides: Sequence[Measured]) -> list[str]:
    """Lines of Markdown: one row per side, with its time as a multiple of medloop's and the picks it shares with it."""
    own = next(s for s in sides if s.side == "medloop")
    peers = [statistics.median(s.cpu_s) for s in sides if s.cpu_s and s.side != "medloop"]
    ratio = (
        f"{min(peers) / statistics.median(own.cpu_s):.1f} × faster than the best other side"
        if peers and own.cpu_s
        else "no other side to compare"
    )
    lines = [f"\n{task.name} ({own.cases:,} cases; wanted {task.wanted}): {ratio}\n", "| Side | CPU s | Extra MiB | Same picks |"]
    lines.append("| --- | --- | --- | --- |")
    for side in sides:
        if side.failure:
            lines.append(f"| {side.side} | {side.failure} | | |")
            continue
        lines.append(f"| {side.side} | {statistics.median(side.cpu_s):.3f} | {max(side.extra_mib):.0f} | {shared(own, side)} |")
    return lines


def shared(own: Measured, other: Measured) -> str:
    """How many picks of all seeds are the same, and whether in the same order."""
    same = sum(len(set(a) & set(b)) for a, b in zip(own.picks, other.picks, strict=False))
    return f"{same}/{sum(map(len, own.picks))}{', same order' if own.picks == other.picks else ''}"


def main() -> int:
    """Run the comparison; 1 if sides of an exact task disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of *.npy tables of embeddings; synthetic mixtures without it")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where to write everything that was measured")
    parser.add_argument("--only", default="", help="tasks whose name holds these words")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the pools as a share of the full ones")
    parser.add_argument("--limit-s", type=float, default=900.0, help="seconds after which a process is given up")
    parser.add_argument("--run", nargs=4, metavar=("TASK", "SIDE", "CASES", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        name, side, cases, seed = options.run
        print(json.dumps(measure(next(t for t in tasks(name) if t.name == name), side, int(cases), int(seed))))
        return 0
    if not (found := tasks(options.only)):
        parser.error(f"no task is called {options.only!r}")
    return compare(found, options)


def compare(found: Sequence[Task], options: argparse.Namespace) -> int:
    """Measure, print and write."""
    measured: list[Measured] = []
    disagree = []
    for task in found:
        cases = max(200, math.ceil(task.cases * options.scale))
        sides = [run_side(task, side, cases, options) for side in task.sides]
        print("\n".join(table(task, sides)), flush=True)
        own = next(s for s in sides if s.side == "medloop")
        disagree += [f"{task.name}: {s.side}" for s in sides if task.exact and not s.failure and s.picks != own.picks]
        measured += sides
    if options.json:
        machine = {"processor": platform.processor() or platform.machine(), "python": platform.python_version(), "numpy": np.__version__}
        options.json.write_text(json.dumps({"machine": machine, "command": sys.argv, "measured": [asdict(m) for m in measured]}, indent=1))
    for line in disagree:
        print(f"\nDIFFERENT PICKS in an exact task: {line}")
    return 1 if disagree else 0


def _reset_peak_mib() -> float:
    """Forget the highest memory so far (Linux), and the memory held now."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")
    return _status_mib("VmRSS") if reset.exists() else _peak_mib()


def _peak_mib() -> float:
    if Path("/proc/self/status").exists():
        return _status_mib("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1024)


def _status_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
