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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import ConflictError
from medloop.execution.executor import Task
from medloop.execution.placement import HERE, Placed, Placement
from medloop.simulation.design import StudyDesign, Unit, units
from medloop.simulation.files import only_one, read_json, write_json, write_text
from medloop.simulation.prepare import SETUP, Setup, prepare
from medloop.simulation.report import study_html
from medloop.simulation.results import StudyResult, collect
from medloop.simulation.unit import run_unit


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is: units done of all, and the one that has just ended."""

    done: int
    total: int
    message: str


Report = Callable[[StudyProgress], None]


def run_study(design: StudyDesign, out: Path, *, placement: Placement = HERE, report: Report | None = None) -> StudyResult:
    """Run a study, or what is left of it, and write `results.json` and `report.html`.

    Args:
        design: What to compare.
        out: The study's folder, made if missing; continued if it holds the same study.
        placement: Where units are worked on, each by one thread; on several machines they must all reach the folder.
        report: Told after every unit.

    Returns:
        All curves and the statistics over them.

    Raises:
        ConflictError: The folder holds another study, or is being worked on.
        InputError: The data set cannot be read, or has no answers.
        SettingError: It has too few cases for this design.
        MedloopError: A round failed; the message names it, and a second call tries it again.
    """
    told = report or (lambda _: None)
    with only_one(out / "study.lock", f"The study in {out}"):
        _require_same(design, out)
        told(StudyProgress(0, len(units(design)), "importing the data set"))
        setup = prepare(design, out)
        whole = design.completed(setup.kind)
        todo = [u for u in units(whole) if not u.result_file(out).exists()]
        total = len(units(whole))
        with Placed(placement) as executor:
            for n, done in enumerate(executor.run(_tasks(whole, setup, todo, out)), total - len(todo) + 1):
                told(StudyProgress(n, total, str(done.result)))
                if done.result.round == design.rounds:
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


def _tasks(design: StudyDesign, setup: Setup, todo: Sequence[Unit], out: Path) -> Iterator[Task[Unit] | None]:
    """Every unit as soon as what it needs is done, in order; None while the next ones wait for units at work."""
    waiting = list(todo)
    while waiting:
        ready = next((u for u in waiting if (needed := u.needs()) is None or needed.result_file(out).exists()), None)
        if ready is None:
            yield None
            continue
        waiting.remove(ready)
        yield Task(str(ready), run_unit, (design, setup, ready, out))
