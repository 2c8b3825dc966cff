"""Run a study: every unit whose predecessor is done, in one or several processes, until none is left.

    out/design.json       what is compared; a second run must ask for the same
    out/truth, project    the imported data set; answers known, answers hidden
    out/runs/             one workspace per seed and strategy, an ordinary project that `medloop status` can read
    out/rounds/           one small result per unit; its existence means done
    out/results.json      all of them, and the statistics over them
    out/report.html       the same to look at

Killed at any moment, the same call goes on: finished units are kept, the one in progress continues from its
workspace and its training checkpoint. Numbers depend on the design only, not on the number of processes.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import ConflictError, SettingError
from medloop.simulation.design import StudyDesign, Unit, units
from medloop.simulation.files import only_one, read_json, write_json, write_text
from medloop.simulation.prepare import SETUP, Setup, prepare
from medloop.simulation.report import study_html
from medloop.simulation.results import StudyResult, collect
from medloop.simulation.unit import run_unit

ORPHAN_SECONDS = 1.0
"""How often a child process looks whether its study is still alive."""


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is: units done of all, and the one that has just ended."""

    done: int
    total: int
    message: str


Report = Callable[[StudyProgress], None]


def run_study(design: StudyDesign, out: Path, *, processes: int = 1, report: Report | None = None) -> StudyResult:
    """Run a study, or what is left of it, and write `results.json` and `report.html`.

    Args:
        design: What to compare.
        out: The study's folder, made if missing; continued if it holds the same study.
        processes: How many processes work at once, each with one thread.
        report: Told after every unit.

    Returns:
        All curves and the statistics over them.

    Raises:
        ConflictError: The folder holds another study, or is being worked on.
        InputError: The data set cannot be read, or has no answers.
        SettingError: It has too few cases for this design, or `processes` is not positive.
        MedloopError: A round failed; the message names it, and a second call tries it again.
    """
    if processes < 1:
        raise SettingError(f"A study needs at least 1 process, got {processes}")
    told = report or (lambda _: None)
    with only_one(out / "study.lock", f"The study in {out}"):
        _require_same(design, out)
        told(StudyProgress(0, len(units(design)), "importing the data set"))
        setup = prepare(design, out)
        whole = design.completed(setup.kind)
        todo = [u for u in units(whole) if not u.result_file(out).exists()]
        total = len(units(whole))
        here = (run_unit(whole, setup, unit, out) for unit in todo)
        work = here if processes == 1 else _in_processes(whole, setup, todo, out, processes)
        for n, unit in enumerate(work, total - len(todo) + 1):
            told(StudyProgress(n, total, str(unit)))
            if unit.round == design.rounds:
                write_results(design, out)
        return write_results(design, out)


def write_results(design: StudyDesign, out: Path) -> StudyResult:
    """Write `results.json` and `report.html` from the units that are done; works on an unfinished study too."""
    result = collect(design, Setup.from_json(read_json(out / "setup.json")), out)
    write_json(out / "results.json", result.to_json())
    write_text(out / "report.html", study_html(result))
    return result


def open_study(out: Path) -> StudyDesign:
    """The design a folder was made with.

    Raises:
        ConflictError: The folder holds no study.
    """
    if not (out / "design.json").exists():
        raise ConflictError(f"{out} holds no study", remedy="start one with: medloop simulate")
    return StudyDesign.from_json(read_json(out / "design.json"))


def _require_same(design: StudyDesign, out: Path) -> None:
    if not ((out / "design.json").exists() and (out / SETUP).exists()):  # one whose data set was refused has not begun
        write_json(out / "design.json", design.to_json())
    elif (before := open_study(out)) != design:
        changed = [name for name, value in design.to_json().items() if before.to_json()[name] != value]
        raise ConflictError(f"{out} holds a study with other {', '.join(changed)}", remedy="choose another folder, or repeat its settings")


def _in_processes(design: StudyDesign, setup: Setup, todo: Sequence[Unit], out: Path, processes: int) -> Iterator[Unit]:
    """Hand units to processes as soon as what they need is done; a failure lets the running ones end."""
    waiting, running = list(todo), dict[Future[Unit], Unit]()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_begin_child, initargs=(os.getpid(),)) as pool:
        try:
            while waiting or running:
                ready = [u for u in waiting if (needed := u.needs()) is None or needed.result_file(out).exists()]
                for unit in ready[: processes - len(running)]:
                    waiting.remove(unit)
                    running[pool.submit(run_unit, design, setup, unit, out)] = unit
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    del running[future]
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin_child(parent: int) -> None:
    """One thread for numerics, and an end when the study's own process is gone."""
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(ORPHAN_SECONDS)
    os._exit(1)
