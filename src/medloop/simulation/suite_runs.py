"""Run a suite: one study after the other, each in its own folder, then the ranking over all.

    out/suite.json        what is compared; a second run must ask for the same
    out/studies/NAME/     one study per data set and budget, laid out as in `medloop.simulation.runs`
    out/results.json      all of them, and the ranking
    out/report.html       the same to look at

Killed at any moment, the same call goes on. Budgets of one data set share their import, and the full-data models,
which do not depend on the budget.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from medloop.core.errors import ConflictError, MedloopError
from medloop.core.records import Json
from medloop.execution.placement import HERE, Placement
from medloop.simulation.design import FULL, StudyDesign, Unit, units
from medloop.simulation.files import copy_workspace, only_one, read_json, write_json, write_text
from medloop.simulation.prepare import PROJECT, SETUP, TRUTH
from medloop.simulation.runs import Report, StudyProgress, run_study
from medloop.simulation.suite import BUDGET, EQUAL_FOR_ALL, Part, Suite
from medloop.simulation.suite_report import suite_html
from medloop.simulation.suite_results import SuiteResult, collect_suite

IMPORT = ("dataset", "format", "split_seed", "test_fraction", "validation_fraction", "cases")
"""Settings that decide what a project holds before its first answer."""

NOT_OF_FULL = (*BUDGET, *EQUAL_FOR_ALL, "warm_start", "unlabelled", "pretraining")
"""Settings that the full-data model does not depend on."""


def run_suite(suite: Suite, out: Path, *, placement: Placement = HERE, report: Report | None = None) -> SuiteResult:
    """Run a suite, or what is left of it, and write `results.json` and `report.html`.

    Args:
        suite: What to compare.
        out: The suite's folder, made if missing; continued if it holds the same suite.
        placement: Where units are worked on, each by one thread.
        report: Told after every unit.

    Raises:
        ConflictError: The folder holds something else, or is being worked on.
        MedloopError: A study failed; the message names it, and a second call tries it again.
    """
    with only_one(out / "suite.lock", f"The study in {out}"):
        _require_same(suite, out)
        for n, part in enumerate(suite.parts):
            _share(part, suite.parts[:n], out)
            _run_part(part, suite, out, placement, report)
            write_suite_results(suite, out)
        return write_suite_results(suite, out)


def write_suite_results(suite: Suite, out: Path) -> SuiteResult:
    """Write `results.json` and `report.html` from what is done; works on an unfinished suite too."""
    result = collect_suite(suite, out)
    write_json(out / "results.json", result.to_json())
    write_text(out / "report.html", suite_html(result))
    return result


def _require_same(suite: Suite, out: Path) -> None:
    note = out / "suite.json"
    if (out / "design.json").exists():
        raise ConflictError(f"{out} holds a study of one data set", remedy="choose another folder")
    if not note.exists():
        write_json(note, suite.to_json())
    elif Suite.from_json(read_json(note)) != suite:
        raise ConflictError(f"{out} holds another study", remedy="choose another folder, or the study file it was made with")


def _run_part(part: Part, suite: Suite, out: Path, placement: Placement, report: Report | None) -> None:
    sizes = {other.name: len(units(other.design.completed("segmentation"))) for other in suite.parts}
    before = sum(sizes[other.name] for other in suite.parts[: suite.parts.index(part)])

    def told(now: StudyProgress) -> None:
        if report is not None:
            done = before + now.done * sizes[part.name] // max(1, now.total)
            report(StudyProgress(done, sum(sizes.values()), f"{part.name}: {now.message}"))

    try:
        run_study(part.design, part.folder(out), placement=placement, report=told)
    except MedloopError as error:
        raise type(error)(f"{part.name}: {error.message}", remedy=error.remedy) from error


def _share(part: Part, earlier: Sequence[Part], out: Path) -> None:
    """Take what an earlier, finished part of the same data set has made already."""
    for other in earlier:
        if all(getattr(part.design, name) == getattr(other.design, name) for name in IMPORT):
            take_import(other.folder(out), part.folder(out))
        if _without(part.design, NOT_OF_FULL) == _without(other.design, NOT_OF_FULL):
            _take_full_runs(part, other, out)


def take_import(source: Path, target: Path) -> None:
    """Copy what another study's folder has imported, unless the target has its own already."""
    if (target / SETUP).exists():
        return
    for name in (TRUTH, PROJECT):
        shutil.rmtree(target / name, ignore_errors=True)
        copy_workspace(source / name, target / name)
    write_json(target / SETUP, read_json(source / SETUP))


def _take_full_runs(part: Part, other: Part, out: Path) -> None:
    """The same bits as running it again; only the time it took is set to nothing."""
    for unit in (Unit(seed, FULL, 1) for seed in part.design.seeds):
        source, target = unit.result_file(other.folder(out)), unit.result_file(part.folder(out))
        if source.exists() and not target.exists():
            write_json(target, {**read_json(source), "seconds": 0.0})


def _without(design: StudyDesign, names: Sequence[str]) -> Json:
    return {name: value for name, value in design.to_json().items() if name not in names}
