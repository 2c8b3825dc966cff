"""Results of a study as one value: curves gathered from the finished units, and the statistics over them."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from medloop.core.records import Json
from medloop.simulation.curves import Curve
from medloop.simulation.design import FULL, SHARED, StudyDesign, Unit, units
from medloop.simulation.files import read_json
from medloop.simulation.prepare import Setup
from medloop.simulation.strategy_summary import Pool
from medloop.simulation.summary import Summary, summarise

FORMAT = 4
"""4: minutes of annotation after each round, their curve, and those needed.
3: intervals may be missing, with a note; seeds compared.
2: labels needed with intervals and as shares, final scores, penalties, foreground efficiency, recipes, baselines added."""


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
        design: As asked for.
        added: Baselines that ran without being asked for.
        curves: Runs whose rounds are all done, in the order of the design.
        full: Upper bounds that are done.
        recipes: The different training recipes, apart from seed and budget, each with the number of units that used it.
        missing: Units that are not done, in words; empty for a finished study.
        seconds: Time of all finished units together; depends on the machine and is not part of `to_json`.
    """

    design: StudyDesign
    setup: Setup
    added: tuple[str, ...]
    curves: tuple[Curve, ...]
    full: tuple[FullRun, ...]
    summary: Summary | None
    recipes: tuple[tuple[Json, int], ...]
    missing: tuple[str, ...]
    seconds: float

    def to_json(self) -> Json:
        """The result as plain values; equal designs on equal data give equal bytes."""
        return {
            "format": FORMAT,
            "design": self.design.to_json(),
            "setup": self.setup.to_json(),
            "metric": self.setup.metric,
            "added": list(self.added),
            "curves": [_plain(curve) for curve in self.curves],
            "full": [_plain(run) for run in self.full],
            "summary": _plain(self.summary) if self.summary else None,
            "recipes": [{"recipe": recipe, "units": count} for recipe, count in self.recipes],
            "missing": list(self.missing),
        }


def collect(design: StudyDesign, setup: Setup, out: Path) -> StudyResult:
    """Gather what is done; an unfinished study gives the runs whose rounds are all there."""
    every = units(design.completed(setup.kind))
    records = {unit: read_json(unit.result_file(out)) for unit in every if unit.result_file(out).exists()}
    runs = [(name, seed, _rounds(design, seed, name)) for name in design.completed(setup.kind).strategies for seed in design.seeds]
    finished = [(name, seed, [records[u] for u in run]) for name, seed, run in runs if all(u in records for u in run)]
    curves = tuple(_curve(name, seed, own, setup.foreground) for name, seed, own in finished)
    full = tuple(FullRun(u.seed, int(r["labelled"]), float(r["score"])) for u, r in records.items() if u.strategy == FULL)
    pool = Pool(setup.pool, sum(setup.foreground.values()))
    return StudyResult(
        design=design,
        setup=setup,
        added=design.missing_baselines(setup.kind),
        curves=curves,
        full=full,
        summary=summarise(curves, {run.seed: run.score for run in full}, setup.patients, pool) if curves else None,
        recipes=_recipes(list(records.values())),
        missing=tuple(str(u) for u in every if u not in records),
        seconds=sum(float(r["seconds"]) for r in records.values()),
    )


def _rounds(design: StudyDesign, seed: int, name: str) -> list[Unit]:
    return [Unit(seed, SHARED, 1), *(Unit(seed, name, r) for r in range(2, design.rounds + 1))]


def _recipes(records: Sequence[Mapping[str, Any]]) -> tuple[tuple[Json, int], ...]:
    """Distinct recipes, the most used first; units of an older format have none."""
    texts = Counter(json.dumps(r["recipe"], sort_keys=True) for r in records if "recipe" in r)
    return tuple((json.loads(text), count) for text, count in sorted(texts.items(), key=lambda item: (-item[1], item[0])))


def _curve(name: str, seed: int, records: list[dict[str, Any]], foreground: Mapping[str, int]) -> Curve:
    voxels = accumulate(sum(foreground[case] for case in r["picks"]) for r in records) if foreground else ()
    return Curve(
        strategy=name,
        seed=seed,
        labelled=tuple(int(r["labelled"]) for r in records),
        scores=tuple(float(r["score"]) for r in records),
        per_case=tuple(r["per_case"] for r in records),
        picks=tuple(tuple(r["picks"]) for r in records),
        foreground=tuple(voxels),
        minutes=tuple(float(r["minutes"]) for r in records if "minutes" in r),
    )


def _plain(value: Any) -> Json:
    return dataclasses.asdict(value)
