"""Results of a study as one value: curves gathered from the finished units, and the statistics over them."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medloop.core.records import Json
from medloop.simulation.curves import Curve, Summary, summarise
from medloop.simulation.design import FULL, SHARED, StudyDesign, Unit, units
from medloop.simulation.files import read_json
from medloop.simulation.prepare import Setup

FORMAT = 1


@dataclass(frozen=True)
class FullRun:
    """The full-data model of one seed."""

    seed: int
    labelled: int
    score: float


@dataclass(frozen=True)
class StudyResult:
    """Everything a study found.

    Attributes:
        curves: Runs whose rounds are all done, in the order of the design.
        full: Upper bounds that are done.
        missing: Units that are not done, in words; empty for a finished study.
        seconds: Time of all finished units together; depends on the machine and is not part of `to_json`.
    """

    design: StudyDesign
    setup: Setup
    curves: tuple[Curve, ...]
    full: tuple[FullRun, ...]
    summary: Summary | None
    missing: tuple[str, ...]
    seconds: float

    def to_json(self) -> Json:
        """The result as plain values; equal designs on equal data give equal bytes."""
        return {
            "format": FORMAT,
            "design": self.design.to_json(),
            "setup": self.setup.to_json(),
            "metric": self.setup.metric,
            "curves": [_plain(curve) for curve in self.curves],
            "full": [_plain(run) for run in self.full],
            "summary": _plain(self.summary) if self.summary else None,
            "missing": list(self.missing),
        }


def collect(design: StudyDesign, setup: Setup, out: Path) -> StudyResult:
    """Gather what is done; an unfinished study gives the runs whose rounds are all there."""
    records = {unit: read_json(unit.result_file(out)) for unit in units(design) if unit.result_file(out).exists()}
    runs = [(name, seed, _rounds(design, seed, name)) for name in design.strategies for seed in design.seeds]
    curves = tuple(_curve(name, seed, [records[u] for u in run]) for name, seed, run in runs if all(u in records for u in run))
    full = tuple(FullRun(u.seed, int(r["labelled"]), float(r["score"])) for u, r in records.items() if u.strategy == FULL)
    return StudyResult(
        design=design,
        setup=setup,
        curves=curves,
        full=full,
        summary=summarise(curves, [run.score for run in full], setup.patients) if curves else None,
        missing=tuple(str(u) for u in units(design) if u not in records),
        seconds=sum(float(r["seconds"]) for r in records.values()),
    )


def _rounds(design: StudyDesign, seed: int, name: str) -> list[Unit]:
    return [Unit(seed, SHARED, 1), *(Unit(seed, name, r) for r in range(2, design.rounds + 1))]


def _curve(name: str, seed: int, records: list[dict[str, Any]]) -> Curve:
    return Curve(
        strategy=name,
        seed=seed,
        labelled=tuple(int(r["labelled"]) for r in records),
        scores=tuple(float(r["score"]) for r in records),
        per_case=tuple(r["per_case"] for r in records),
        picks=tuple(tuple(r["picks"]) for r in records),
    )


def _plain(value: Any) -> Json:
    return dataclasses.asdict(value)
