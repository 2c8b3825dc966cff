"""How many labels each strategy needs: the share of the pool at which it reaches 98 % of the full-data score.

Runs `medloop.simulation` as `medloop simulate STUDY.toml` does: an oracle answers, seeds are paired, every data set has
one shared first round and one full-data model per seed, one training budget, and random and foreground-aware random always run.
Prints data set × strategy with 95 % intervals over seeds, the verdict of every study, and the ranking over all of
them. Interrupted, the same command goes on when `--out` names the same folder.

    python benchmarks/label_efficiency.py --data ../shared/data --datasets hippocampus,hc18_ultrasound --out runs/labels --json labels.json

`--data` is one data set, or a folder of several. Of a folder of several, those with defaults below are run, or those that
`--datasets` names. Defaults by name of the folder (cases drawn by patient, a quarter of them held out; first round, batch,
rounds; steps of every model); any other data set takes those of "other".

How long it takes, for 4 strategies (random, foreground and two more), 3 seeds, the budget "medium", and two CPU cores
in float32 (`--processes 2`). Models per data set: 3 seeds × (1 shared + 4 strategies × 3 later rounds + 1 full) = 42.
Seconds of one core per model, at 0.4 s per step in 3D and 0.3 s in 2D, and 0.4 or 0.3 s per case predicted with 3 samples;
three of four strategies look at the pool, of which about 50 and 75 cases are left on average:

                     training         held-out cases   the pool         the rest   a model   42 models, two cores
    hippocampus      150 × 0.4 = 60   22 × 0.4 = 9     0.75 × 20 = 15   4          88        31 minutes
    hc18_ultrasound  100 × 0.3 = 30   30 × 0.3 = 9     0.75 × 22 = 17   4          60        21 minutes

Together 52 minutes, and some for the imports. `--budgets small,medium,large` runs three budgets: three times as long, less the
full-data models, which budgets share. Steps this few leave models below their best; a comparison of labels needs `--steps` at
which more steps no longer help the full-data model.
"""

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from medloop.core.errors import MedloopError, SettingError
from medloop.datasets.discover import open_dataset
from medloop.execution.placement import Placement
from medloop.metrics.intervals import interval_words
from medloop.simulation.runs import StudyProgress
from medloop.simulation.suite import Suite, suite_of
from medloop.simulation.suite_results import OVERVIEW, SuiteResult, overview
from medloop.simulation.suite_runs import run_suite

STRATEGIES = "entropy,suggestive"
"""Beside random and foreground-aware random, which every study adds."""


@dataclass(frozen=True)
class Defaults:
    """Sizes that fit a data set: cases used (0: all), steps per model, and the medium budget's first round and batch."""

    cases: int
    steps: int
    batch: int
    rounds: int = 4

    def budget(self, name: str) -> Mapping[str, Any]:
        """Small, medium and large: half, once and twice the batch."""
        size = max(2, {"small": self.batch // 2, "medium": self.batch, "large": 2 * self.batch}[name])
        return {"name": name, "start": size, "batch": size, "rounds": self.rounds}


DEFAULTS = MappingProxyType(
    {
        "hippocampus": Defaults(cases=88, steps=150, batch=8),
        "acdc_cardiac": Defaults(cases=0, steps=150, batch=5),
        "hc18_ultrasound": Defaults(cases=120, steps=100, batch=8),
        "chest_xray": Defaults(cases=600, steps=150, batch=24),
        "other": Defaults(cases=0, steps=150, batch=8),
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    out = options.out or Path(tempfile.mkdtemp(prefix="medloop-labels-"))
    try:
        suite = asked(options)
        result = run_suite(suite, out, placement=Placement(options.processes), report=_tell)
    except MedloopError as error:
        print(f"label_efficiency: {error}", file=sys.stderr)
        return 1
    print_result(result)
    print(f"\nreport: {out / 'report.html'}")
    if options.json:
        write_json(options.json, result, arguments)
    return 0


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    data = Path(os.environ.get("MEDLOOP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data, help="one labelled data set, or a folder of several")
    parser.add_argument("--datasets", help="of a folder of several: names, separated by commas")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--strategies", default=STRATEGIES, help="names, separated by commas; random and foreground are added")
    parser.add_argument("--budgets", default="medium", help="of small, medium, large; separated by commas")
    parser.add_argument("--steps", type=int, help="training steps of every model, instead of the data set's default")
    parser.add_argument("--full-steps", type=int, default=0, help="steps of the full-data model; 0 takes as many as the others")
    parser.add_argument("--cases", type=int, help="cases used of every data set, instead of its default; 0 uses all")
    parser.add_argument("--batch", type=int, help="cases of a round of the medium budget, instead of the data set's default")
    parser.add_argument("--rounds", type=int, help="rounds, the first included, instead of the data set's default")
    parser.add_argument("--warm-start", default="scratch", help="what later rounds begin with: scratch, all, new, replay, misclassified")
    parser.add_argument("--minutes", type=float, default=6.0, help="budget that the network is shaped for; steps are counted all the same")
    parser.add_argument("--samples", type=int, default=3, help="answers drawn per case for uncertainty")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--out", type=Path, help="the study's folder; a fresh temporary one without it")
    return parser.parse_args(arguments)


def asked(options: argparse.Namespace) -> Suite:
    """The suite, as a study file would say it."""
    record = {
        "strategies": [name.strip() for name in options.strategies.split(",") if name.strip()],
        "seeds": list(range(options.seeds)),
        "samples": options.samples,
        "full_steps": options.full_steps,
        "warm_start": options.warm_start,
        "minutes": options.minutes,
        "datasets": [_dataset(folder, options) for folder in found_datasets(options.data, options.datasets)],
    }
    return suite_of(record, Path.cwd())


def found_datasets(data: Path, names: str | None) -> list[Path]:
    """The data sets of a folder.

    Raises:
        SettingError: A name that is not there, or nothing with answers.
    """
    inside = [folder for folder in sorted(data.iterdir()) if folder.is_dir() and _has_answers(folder)] if data.is_dir() else []
    if not inside:
        return [data]
    if names is None:
        return [folder for folder in inside if folder.name in DEFAULTS] or inside
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    by_name = {folder.name: folder for folder in inside}
    if unknown := [name for name in wanted if name not in by_name]:
        raise SettingError(f"{data} holds no labelled data set {unknown[0]!r}", remedy=f"it holds {', '.join(by_name)}")
    return [by_name[name] for name in wanted]


def _has_answers(folder: Path) -> bool:
    try:
        return open_dataset(folder).kind is not None
    except MedloopError:
        return False


def _dataset(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    default = DEFAULTS.get(folder.name, DEFAULTS["other"])
    given = {name: getattr(options, name) for name in ("cases", "steps", "batch", "rounds") if getattr(options, name) is not None}
    chosen = dataclasses.replace(default, **given)
    names = [name.strip() for name in options.budgets.split(",") if name.strip()]
    if unknown := [name for name in names if name not in ("small", "medium", "large")]:
        raise SettingError(f"A budget is small, medium or large, got {unknown[0]!r}")
    budgets = [dict(chosen.budget(name)) for name in names]
    return {"path": str(folder.resolve()), "cases": chosen.cases, "steps": chosen.steps, "budgets": budgets}


def _tell(progress: StudyProgress) -> None:
    print(f"{progress.done}/{progress.total} {progress.message}", file=sys.stderr, flush=True)


def print_result(result: SuiteResult) -> None:
    """The table, then what may be said."""
    print(f"| {' | '.join(OVERVIEW)} |\n{'| --- ' * len(OVERVIEW)}|")
    for row in overview(result.studies):
        print(f"| {' | '.join(row)} |")
    print()
    for part, study in result.studies:
        if study.summary is not None:
            full = f" Full data: {study.summary.full.mean:.4f}." if study.summary.full else ""
            print(f"{part.name}: {study.summary.verdict}{full}")
    for rank in result.ranks:
        print(f"mean rank of {rank.strategy}: {rank.rank.mean:.2f} ({interval_words(rank.rank, '.2f')}), best in {rank.best:.0%}")
    print(f"Over all: {result.verdict}")


def write_json(path: Path, result: SuiteResult, arguments: Sequence[str] | None) -> None:
    body = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": " ".join([Path(sys.argv[0]).name, *(sys.argv[1:] if arguments is None else arguments)]),
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "minutes_of_one_process": {part.name: round(study.seconds / 60, 1) for part, study in result.studies},
        "overview": [dict(zip(OVERVIEW, row, strict=True)) for row in overview(result.studies)],
        "results": result.to_json(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
