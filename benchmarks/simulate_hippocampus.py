"""Which cases to ask: strategies compared by simulated annotation, paired seeds, one shared first round, full-data bound.

Drives the product's own loop through `medloop.simulation`; `medloop simulate` with the same options gives the
same numbers. Interrupted, the same command goes on when `--out` names the same folder.

    python benchmarks/simulate_hippocampus.py --data ../shared/data/hippocampus --seeds 3 --out study --json study.json
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from medloop.core.errors import MedloopError
from medloop.execution.placement import Placement
from medloop.metrics.intervals import interval_words
from medloop.simulation.design import StudyDesign
from medloop.simulation.results import StudyResult
from medloop.simulation.runs import StudyProgress, run_study

STRATEGIES = "random,entropy,bald,coreset,suggestive"


def main() -> int:
    arguments = _arguments()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="medloop-study-"))
    design = StudyDesign(
        dataset=str(arguments.data.resolve()),
        strategies=tuple(arguments.strategies.split(",")),
        seeds=tuple(range(arguments.seeds)),
        start=arguments.start,
        batch=arguments.batch,
        rounds=arguments.rounds,
        steps=arguments.steps,
        full_steps=arguments.full_steps,
        samples=arguments.samples,
    )
    try:
        result = run_study(design, out, placement=Placement(arguments.processes), report=_tell)
    except MedloopError as error:
        print(f"simulate_hippocampus: {error}", file=sys.stderr)
        return 1
    _print_table(result)
    print(f"report: {out / 'report.html'}")
    if arguments.json:
        shutil.copyfile(out / "results.json", arguments.json)
    return 0


def _arguments() -> argparse.Namespace:
    data = Path(os.environ.get("MEDLOOP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "hippocampus"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data, help="a labelled data set in any known layout")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to copy results.json")
    parser.add_argument("--out", type=Path, help="the study's folder; a fresh temporary one without it")
    parser.add_argument("--strategies", default=STRATEGIES)
    for name, default in (("start", 8), ("batch", 8), ("rounds", 3), ("steps", 80), ("full-steps", 240), ("samples", 3), ("processes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def _tell(progress: StudyProgress) -> None:
    print(f"{progress.done}/{progress.total} {progress.message}", file=sys.stderr, flush=True)


def _print_table(result: StudyResult) -> None:
    if result.summary is None:
        print("No run is complete yet.")
        return
    labelled = [p.labelled for p in result.summary.strategies[0].points]
    print("| strategy | area under the curve | " + " | ".join(f"{n} cases" for n in labelled) + " | seeds |")
    print("| --- " * (3 + len(labelled)) + "|")
    for one in result.summary.strategies:
        scores = " | ".join(f"{p.mean:.3f}" for p in one.points)
        print(f"| {one.strategy} | {one.area.mean:.4f} ({interval_words(one.area, '.4f')}) | {scores} | {one.seeds} |")
    if full := result.summary.full:
        print(f"\nFull data: {full.mean:.3f} ({interval_words(full)}), {full.groups} seeds")
    print(result.summary.verdict)
    if result.missing:
        print(f"Unfinished: {len(result.missing)} rounds are missing.")


if __name__ == "__main__":
    raise SystemExit(main())
