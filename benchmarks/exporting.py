"""How long an export takes beside copying the same files: `python benchmarks/exporting.py --cases 1000`.

A project of made-up volumes with an annotation each is written by `Project.export`, and the folder that this makes is copied by `cp -r`;
both are timed to the moment when the disk has everything (`os.sync`), in turn, `--repeats` times. Printed is the median of the ratios, with
their range. Images have noise that compresses as CT does (to about a half), since what is packed decides the time.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Source, now
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.project import Project

SHAPE = (96, 96, 48)


def volume(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A ball in tissue with noise of some 20 units, int16 of shape (1, I, J, K), and its mask."""
    axes = np.meshgrid(*(np.arange(n) - n * rng.uniform(0.4, 0.6) for n in SHAPE), indexing="ij")
    ball = sum(axis**2 for axis in axes) < rng.uniform(10, 20) ** 2
    image = np.where(ball, 120, 40) + rng.normal(0, 20, SHAPE)
    return image.astype(np.int16)[None], ball.astype(np.uint8)


def filled(folder: Path, cases: int) -> Project:
    project, rng = Project.create(folder, kind="segmentation", labels=["ball"]), np.random.default_rng(0)
    workspace, grid = project.workspace, Grid.of_spacing(SHAPE, (1.0, 1.0, 2.0))
    by = annotator_named(workspace, "Ann")
    for number in range(cases):
        image, mask = volume(rng)
        source = Source(format="made up", names=(f"{number}",), sha256=f"{number:064x}")
        new = NewCase(name=f"case{number:05}", patient=f"p{number}", split="train", source=source)
        add_case(workspace, Image(image, grid), new, Incoming(Mask(mask, grid), by, now(), 0.0), follow=False)
    return project


def timed(work: object) -> float:
    """Seconds of a call, until everything is on the disk."""
    os.sync()
    start = time.perf_counter()
    work()  # type: ignore[operator]
    os.sync()
    return time.perf_counter() - start


def figures(rows: list[tuple[float, float]]) -> dict[str, object]:
    """Seconds of exports and copies, and the median of their ratios with its range."""
    ratios = [exported / copied for exported, copied in rows]
    return {
        "export s": [round(a, 2) for a, _ in rows],
        "cp s": [round(b, 2) for _, b in rows],
        "ratio": round(statistics.median(ratios), 2),
        "range": [round(min(ratios), 2), round(max(ratios), 2)],
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cases", type=int, default=1000)
    asked.add_argument("--formats", default="nifti,nnunet")
    asked.add_argument("--repeats", type=int, default=3)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, found = Path(place), {}
        with filled(folder / "project", given.cases) as project:
            for fmt in given.formats.split(","):
                rows = []
                for n in range(given.repeats):
                    out, copy = folder / f"{fmt}{n}", folder / f"{fmt}{n}-copy"
                    exported = timed(lambda out=out, fmt=fmt: project.export(out, fmt))
                    copied = timed(lambda out=out, copy=copy: subprocess.run(["cp", "-r", str(out), str(copy)], check=True))
                    rows.append((exported, copied))
                    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
                    shutil.rmtree(out), shutil.rmtree(copy)
                found[fmt] = {"cases": given.cases, "MB": round(size / 1e6, 1), **figures(rows)}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
