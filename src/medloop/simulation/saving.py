"""What pretraining saves: a study run from scratch and again with weights from the pool, on the same cases with the same seeds.

out/                  the study with pretraining, laid out as any other
out/scratch/          the same from scratch; the import and the full-data models, which begin from scratch in both, are shared
out/pretraining.json  labels to 95 % of the full-data score with and without, and the share saved
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from medloop.execution.placement import HERE, Placement
from medloop.metrics.intervals import Interval, interval_words, mean_over_runs
from medloop.report.markup import note
from medloop.report.page import section
from medloop.report.tables import table
from medloop.simulation.curves import labels_to_reach
from medloop.simulation.design import FULL, StudyDesign, Unit, units
from medloop.simulation.efficiency import Needed
from medloop.simulation.files import read_json, write_json, write_text
from medloop.simulation.report import study_html
from medloop.simulation.results import StudyResult
from medloop.simulation.runs import Report, StudyProgress, run_study
from medloop.simulation.suite_runs import take_import

SCRATCH = "scratch"
RESULT = "pretraining.json"
SHARE = 0.95
HEAD = ("strategy", "labels from scratch", "labels with pretraining", "saved", "seeds that reach it")


@dataclass(frozen=True)
class SavingLine:
    """One strategy.

    Attributes:
        without, pretrained: Labels to `SHARE` of the full-data score; None where the study has no full-data score yet.
        saved: Share of the labels that pretraining saves, of each seed whose curves both reach the score; None where none does.
        seeds: How many seeds do.
        of: Of how many.
    """

    strategy: str
    without: Needed | None
    pretrained: Needed | None
    saved: Interval | None
    seeds: int
    of: int


def run_with_and_without(
    design: StudyDesign, out: Path, *, placement: Placement = HERE, report: Report | None = None
) -> tuple[StudyResult, tuple[SavingLine, ...]]:
    """Run a study with pretraining and its twin from scratch, or what is left of them; see `run_study` for what it raises."""
    told, total = report or (lambda _: None), 2 * len(units(design))
    scratch = dataclasses.replace(design, pretraining="none")
    before = run_study(scratch, out / SCRATCH, placement=placement, report=lambda now: told(_moved(now, 0, total, "from scratch: ")))
    _share(scratch, out)
    after = run_study(design, out, placement=placement, report=lambda now: told(_moved(now, now.total, total, "pretrained: ")))
    lines = saving_lines(before, after)
    write_json(out / RESULT, {"share": SHARE, "strategies": [dataclasses.asdict(line) for line in lines]})
    write_text(out / "report.html", study_html(after, [saving_section(lines)]))
    return after, lines


def _moved(now: StudyProgress, by: int, total: int, words: str) -> StudyProgress:
    return StudyProgress(now.done + by, max(total, 2 * now.total), words + now.message)


def _share(scratch: StudyDesign, out: Path) -> None:
    """Take over what does not depend on pretraining: the import, and the full-data models."""
    take_import(out / SCRATCH, out)
    for unit in (Unit(seed, FULL, 1) for seed in scratch.seeds):
        source, target = unit.result_file(out / SCRATCH), unit.result_file(out)
        if source.exists() and not target.exists():
            write_json(target, {**read_json(source), "seconds": 0.0})


def saving_lines(before: StudyResult, after: StudyResult) -> tuple[SavingLine, ...]:
    """Every strategy that both studies have finished runs of."""
    full = {run.seed: run.score for run in before.full}
    names = dict.fromkeys(curve.strategy for curve in after.curves)
    return tuple(_line(name, before, after, full) for name in names if any(c.strategy == name for c in before.curves))


def _line(name: str, before: StudyResult, after: StudyResult, full: dict[int, float]) -> SavingLine:
    first, second = ({c.seed: c for c in study.curves if c.strategy == name} for study in (before, after))
    seeds = [seed for seed in first if seed in second and seed in full]
    shares = list[float]()
    for seed in seeds:
        without, pretrained = (labels_to_reach(c.labelled, c.scores, SHARE * full[seed]) for c in (first[seed], second[seed]))
        if without is not None and pretrained is not None:
            shares.append(1 - pretrained / without)
    saved = mean_over_runs(np.array(shares)) if shares else None
    return SavingLine(name, _needed(before, name), _needed(after, name), saved, len(shares), len(seeds))


def _needed(study: StudyResult, name: str) -> Needed | None:
    found = next((s for s in study.summary.strategies if s.strategy == name), None) if study.summary else None
    return found.labels_to.get(f"{SHARE:.0%}") if found else None


def needed_text(needed: Needed | None) -> str:
    """Labels with their interval, in words."""
    if needed is None:
        return "unknown"
    if needed.labels is None:
        return "not reached"
    if needed.note or needed.low is None:
        return f"{needed.labels:.1f} ({needed.note or 'no interval'})"
    return f"{needed.labels:.1f} ({needed.low:.1f} to {'not reached' if needed.high is None else f'{needed.high:.1f}'})"


def saving_rows(lines: Sequence[SavingLine]) -> list[tuple[str, ...]]:
    """The lines as a table under `HEAD`."""
    return [
        (
            line.strategy,
            needed_text(line.without),
            needed_text(line.pretrained),
            f"{line.saved.mean:.0%} ({interval_words(line.saved, '.0%')})" if line.saved else "unknown",
            f"{line.seeds} of {line.of}",
        )
        for line in lines
    ]


def saving_section(lines: Sequence[SavingLine]) -> Markup:
    """The part of the report."""
    words = (
        f"Annotated cases to {SHARE:.0%} of the full-data score, which is that of models begun from scratch in both. A seed counts towards "
        "what is saved where both its curves reach the score; one that reaches it in the first round already saves more than is seen. The "
        "study from scratch lies in the folder scratch."
    )
    return section("Labels that pretraining saves", note(words), table(HEAD, saving_rows(lines)))
