"""Are spoilt images found, good ones left alone, the reason right, and the measure worse where an image is called bad?

A real project is made of half of the patients' pictures, annotated, and a quarter as test cases; it trains the product's own network for a
few minutes. The last quarter is never imported: its pictures are judged as they are and spoilt by known amounts, each
through `AcquisitionChecker`, which is what the command, the page and REST call. The truth of the head circumference is that of the whole
picture's mask. Runs go on where they stopped when `--work` names the same folder.

    python benchmarks/acquisition.py --data ../shared/data/hc18_ultrasound --seeds 1 --work /tmp/acquisition --json acquisition.json
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from degrading import DEGRADATIONS, degrade
from full_data import Question, choose_cases, machine, question_of, read_case
from medloop.core.errors import MedloopError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import ProjectSettings, Source
from medloop.core.seeds import derive_seed, generator
from medloop.datasets.dataset import CaseSource, Dataset
from medloop.datasets.discover import open_dataset
from medloop.datasets.splits import SplitCase, assign_splits
from medloop.images.read import ReadImage
from medloop.loop.overview.acquisition import AcquisitionCheck, Demand
from medloop.loop.overview.acquisition_checks import AcquisitionChecker
from medloop.loop.project import Project
from medloop.metrics.intervals import bootstrap_mean
from medloop.metrics.measures import circumference_mm

DEGREES = (0.25, 0.5, 1.0)
REASONS = {"saturation": "contrast"}
"""Where the right reason is called otherwise than the degradation."""


def parts_of(cases: Sequence[CaseSource], seed: int) -> dict[str, list[CaseSource]]:
    """Cases to train on, to evaluate on and to spoil, by patient."""
    splits = assign_splits([SplitCase(c.name, c.patient) for c in cases], validation=0.25, test=0.25, audit=0.0, seed=seed)
    return {name: [c for c in cases if splits[c.name] == name] for name in ("train", "validation", "test")}


def build(folder: Path, dataset: Dataset, parts: Mapping[str, Sequence[CaseSource]], seed: int, options: argparse.Namespace) -> Project:
    """The project with its model; made once."""
    if (folder / "trained").exists():
        return Project.open(folder / "project")
    if not (folder / "project").exists():
        settings = ProjectSettings(
            train_after=0,
            train_minutes=options.minutes,
            samples=4,
            audit_fraction=0.0,
            validation_fraction=0.0,
            test_fraction=0.0,
            seed=seed,
        )
        Project.create(folder / "project", kind="segmentation", labels=["head"], settings=settings).close()
    project = Project.open(folder / "project")
    wanted = [dataclasses.replace(c, split=split) for part, split in (("train", "train"), ("validation", "test")) for c in parts[part]]
    report = project.add(dataclasses.replace(dataset, cases=tuple(wanted)), annotations="none" if options.image_only else "all")
    print(f"{len(report.added)} pictures imported, {len(report.refused)} refused", file=sys.stderr, flush=True)
    if not options.image_only:
        project.train()
    (folder / "trained").touch()
    return project


def spoilt(plane: np.ndarray, seed: int, name: str) -> Iterator[tuple[str, float, np.ndarray]]:
    """The picture as it is, and by every degradation and degree; values stay those of 8 bits."""
    yield "none", 0.0, plane
    for kind in DEGRADATIONS:
        for degree in DEGREES:
            rng = np.random.default_rng(derive_seed(seed, "spoil", name, kind, str(degree)))
            yield kind, degree, degrade(plane, kind, degree, rng)


def as_read(plane: np.ndarray, pixel_mm: float) -> ReadImage:
    """A plane as a picture that was read."""
    array = np.rint(np.clip(plane, 0, 255)).astype(np.uint8)[None, :, :, None]
    return ReadImage(
        Image(array, Grid.flat(array.shape[1], array.shape[2], pixel_mm)), Source(format="raster", names=("image.png",), sha256="")
    )


def row_of(check: AcquisitionCheck, kind: str, degree: float, spent: tuple[float, float], truth_mm: float) -> dict[str, Any]:
    """What is kept of one judgement."""
    found = next((m for m in check.measures if m.name == "circumference"), None)
    return {
        "kind": kind,
        "degree": degree,
        "verdict": check.verdict,
        "reasons": [reason.reason for reason in check.reasons],
        "seconds": spent[0],
        "cpu_seconds": spent[1],
        "truth_mm": truth_mm,
        "estimate_mm": found.value if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "expected": check.expected,
        "alarm": check.alarm,
        "notes": list(check.notes),
    }


def judge_all(
    project: Project, cases: Sequence[CaseSource], question: Question, seed: int, options: argparse.Namespace, path: Path
) -> None:
    """Judge every picture that is not in the file yet, until the seconds of this go are over; one line a picture."""
    done = {json.loads(line)["name"] for line in path.read_text().splitlines()} if path.exists() else set()
    begun = time.monotonic()
    models = {"image": AcquisitionChecker(project.workspace, Demand(options.alarm), use_model=False)}
    if not options.image_only:
        models["both"] = AcquisitionChecker(project.workspace, Demand(options.alarm))
    for case in cases:
        if case.name in done:
            continue
        if time.monotonic() - begun > options.seconds:
            print("stopped at the seconds of this go; run it again", file=sys.stderr)
            return
        image, truth = read_case(case, question)
        assert isinstance(truth, Mask)
        mm, pixel = circumference_mm(truth.array == 1, image.grid), image.grid.spacing_mm[0]
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in models}
        for kind, degree, plane in spoilt(image.array[0, :, :, 0].astype(np.float64), seed, case.name):
            for name, checker in models.items():
                before, cpu = time.perf_counter(), time.process_time()
                check = checker.check_image(as_read(plane, pixel)).check
                spent = time.perf_counter() - before, time.process_time() - cpu
                rows[name].append(row_of(check, kind, degree, spent, mm))
        with path.open("a") as file:
            file.write(json.dumps({"name": case.name, "patient": case.patient, **rows}) + "\n")


def summary(lines: Sequence[Mapping[str, Any]], which: str, seed: int) -> list[dict[str, Any]]:
    """Per degradation and degree: how often it is called bad, with the right reason first or among them, with intervals over patients."""
    found = []
    for kind, degree in [("none", 0.0), *((kind, degree) for kind in DEGRADATIONS for degree in DEGREES)]:
        rows = [(line["patient"], row) for line in lines for row in line[which] if (row["kind"], row["degree"]) == (kind, degree)]
        patients = [patient for patient, _ in rows]
        right = REASONS.get(kind, kind)
        bad = [float(row["verdict"] == "acquire again") for _, row in rows]
        among = [float(right in row["reasons"]) for _, row in rows if row["verdict"] == "acquire again"]
        first = [float(row["reasons"][0] == right) for _, row in rows if row["verdict"] == "acquire again"]
        flagged = {"bad": bad, "first": first, "among": among}
        found.append(
            {
                "kind": kind,
                "degree": degree,
                "pictures": len(rows),
                **{
                    name: mean_of(values, patients, seed) if name == "bad" else float(np.mean(values)) if values else None
                    for name, values in flagged.items()
                },
                "seconds": float(np.median([row["seconds"] for _, row in rows])),
                "cpu_seconds": float(np.median([row.get("cpu_seconds", np.nan) for _, row in rows])),
            }
        )
    return found


def mean_of(values: Sequence[float], patients: Sequence[str], seed: int) -> list[float | None]:
    """Mean with its 95 % interval over patients."""
    interval = bootstrap_mean(values, list(patients), generator(seed, "bootstrap"))
    return [float(np.mean(values)), interval.low, interval.high]


def errors(lines: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """Relative error of the circumference of pictures called bad and of the others, and of accepted bounds."""
    rows = [(line["patient"], row) for line in lines for row in line.get("both", ()) if row["estimate_mm"]]
    found: dict[str, Any] = {}
    for name, wanted in (("bad", "acquire again"), ("good", "accept")):
        chosen = [
            (patient, abs(row["estimate_mm"] - row["truth_mm"]) / row["truth_mm"]) for patient, row in rows if row["verdict"] == wanted
        ]
        values = [error for _, error in chosen]
        if values:
            found[name] = {
                "pictures": len(values),
                "mean": mean_of(values, [p for p, _ in chosen], seed),
                "median": float(np.median(values)),
            }
    missed = [line_row for line in lines for line_row in line.get("both", ()) if not line_row["estimate_mm"]]
    found["nothing_measured"] = {"pictures": len(missed), "bad": sum(row["verdict"] == "acquire again" for row in missed)}
    return found


def run_seed(seed: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Build, judge, sum up."""
    dataset = open_dataset(options.data)
    question = question_of(dataset)
    parts = parts_of(choose_cases([c for c in dataset.cases if c.labelled], options.cases), seed)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "judged.jsonl"
    with build(folder, dataset, parts, seed, options) as project:
        if not options.build_only:
            judge_all(project, parts["test"][: options.pictures], question, seed, options, path)
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if not lines:
        return {"seed": seed, "pictures": 0}
    kinds = [which for which in ("image", "both") if which in lines[0]]
    notes = sorted({note for line in lines for row in line[kinds[-1]] for note in row["notes"]})
    return (
        {"seed": seed, "pictures": len(lines), "notes": notes, "alarm": lines[0][kinds[-1]][0]["alarm"]}
        | {which: summary(lines, which, seed) for which in kinds}
        | {"errors": errors(lines, seed)}
    )


def print_table(result: Mapping[str, Any]) -> None:
    """One line per degradation and degree."""
    for which in ("image", "both"):
        for row in result.get(which, ()):
            mean, low, high = row["bad"]
            interval = f"{mean:.2f} ({low:.2f}–{high:.2f})" if low is not None else f"{mean:.2f}"
            shares = " ".join(f"{name} {row[name]:.2f}" if row[name] is not None else f"{name} -" for name in ("first", "among"))
            timed = f"{1000 * row['seconds']:.0f} ms ({1000 * row['cpu_seconds']:.0f} ms CPU) of {row['pictures']}"
            print(f"{which:<6} {row['kind']:<14} {row['degree']:<5} called bad {interval:<18} {shares} {timed}")
    print(json.dumps(result.get("errors")))
    print(result.get("notes"))


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="images/, masks/ and index.csv with pixel sizes")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: each has its own split and weights")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--minutes", type=float, default=1.5, help="CPU minutes of the training")
    parser.add_argument("--cases", type=int, default=None, help="use only N pictures, drawn at random once")
    parser.add_argument("--pictures", type=int, default=None, help="spoil only the first N")
    parser.add_argument("--alarm", type=float, default=0.05, help="rate of false alarms")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop judging after so many; the next go continues")
    parser.add_argument("--image-only", action="store_true", help="without the model")
    parser.add_argument("--build-only", action="store_true", help="only make and train the project")
    parser.add_argument("--work", type=Path, help="folder for projects; naming it again resumes")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all seeds, print the tables, write the JSON."""
    options = parse(arguments)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            results = [run_seed(seed, options, (options.work or Path(temporary)) / f"seed-{seed}") for seed in range(options.seeds)]
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for result in results:
        print_table(result)
    if options.json:
        command = " ".join([Path(sys.argv[0]).name, *(arguments or sys.argv[1:])])
        facts = {"data": str(options.data), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "command": command, "machine": machine()}
        options.json.write_text(json.dumps({**facts, "results": results}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
