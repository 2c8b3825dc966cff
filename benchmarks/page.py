"""How quickly the page draws: first image after opening a case, whole volume, and brush move to pixels.

A real Chromium (software rendering, no GPU) on a real `medloop serve` process. The page itself notes the time from
opening a case to its first drawn slice, and from a mouse event's own time stamp to the end of the frame that drew
it; this script opens cases and draws, and reads those marks. Cases: a 2D picture, a phantom, and a 512×512×200
volume made here (`--data` adds the cases of a data set).

    python benchmarks/page.py --seeds 3 --json page.json
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Case, ProjectSettings, Source
from medloop.images.phantoms import phantom_2d, phantom_3d
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.workspace import Workspace

MEDLOOP = str(Path(sys.executable).with_name("medloop"))
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]
LARGE = (512, 512, 200)
MOVES = 60
IMPORTED = 5
TARGETS = {"first image (ms)": 1000.0, "brush move to pixels p50 (ms)": 40.0, "brush move to pixels p95 (ms)": 40.0}


def large_volume(seed: int) -> Image:
    """A body-like ellipsoid with noise, int16, 100 MB."""
    rng = np.random.default_rng(seed)
    i, j, k = np.ogrid[-1 : 1 : LARGE[0] * 1j, -1 : 1 : LARGE[1] * 1j, -1 : 1 : LARGE[2] * 1j]
    body = (i**2 / 0.8 + j**2 / 0.5 + 0 * k) < 1
    voxels = np.where(body, 40, -1000).astype(np.int16) + rng.integers(-30, 30, LARGE, dtype=np.int16)
    return Image(voxels[None], Grid.of_spacing(LARGE, (0.8, 0.8, 2.0)))


def make_project(folder: Path, data: Path | None, seed: int) -> None:
    """One case of each kind, and some of a data set."""
    settings = ProjectSettings(train_after=0, audit_fraction=0.0, batch_size=1)
    if data is not None:
        from medloop.datasets.discover import open_dataset

        labels = open_dataset(data).labels or ("foreground",)
        with Workspace.create(folder, name="Page", kind="segmentation", labels=labels, settings=settings) as workspace:
            import_dataset(workspace, data, annotations="none")
        return
    with Workspace.create(folder, name="Page", kind="segmentation", labels=["one", "two"], settings=settings) as workspace:
        images = {"picture 128×128": phantom_2d(0, seed).image, "phantom 64×64×48": phantom_3d(0, seed).image}
        images["volume 512×512×200"] = large_volume(seed)
        for name, image in images.items():
            source = Source(format="phantom", names=(name,), sha256=hashlib.sha256(name.encode()).hexdigest())
            add_case(workspace, image, NewCase(name=name, patient=name, split="train", source=source))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a running `medloop serve`."""
    command = [MEDLOOP, "serve", str(folder), "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        words = (word for line in process.stdout for word in line.split())
        yield next(word for word in words if word.startswith("http://")).rstrip("/.")
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def wait_ready(page: Page) -> None:
    """Until the whole case is there."""
    end = time.monotonic() + 120
    while not page.evaluate("Boolean(window.medloop?.ready)"):
        if time.monotonic() > end:
            raise SystemExit("error: a case was not ready within two minutes")
        page.wait_for_timeout(20)


def measure_case(browser: Browser, address: str) -> dict[str, list[float]]:
    """Open one case in a fresh page and draw a stroke across it."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(address)
    wait_ready(page)
    marks = {
        "first image (ms)": [float(page.evaluate("window.medloop.firstImageMs"))],
        "whole case (ms)": [float(page.evaluate("window.medloop.completeMs"))],
    }
    page.keyboard.press("b")
    box = page.locator('[data-testid^="pane-"]').first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.4
    page.mouse.move(x, y)
    page.mouse.down()
    moves = []
    for n in range(MOVES):
        page.mouse.move(x + 2 * n, y + 30 * np.sin(n / 6))
        moves.append(float(page.evaluate("new Promise(done => requestAnimationFrame(() => done(window.medloop.lastPaintMs)))")))
    page.mouse.up()
    context.close()
    return marks | {"brush move to pixels (ms)": [m for m in moves if m > 0]}


def measure(browser: Browser, data: Path | None, seed: int) -> dict[str, dict[str, list[float]]]:
    """All cases of one fresh project: case name → mark → values."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        make_project(folder, data, seed)
        with Workspace.open(folder) as workspace, workspace.store.read() as tx:
            cases, project = tx.find(Case, order=("name",), limit=IMPORTED), workspace.project.id
        with served(folder) as url:
            return {case.name: measure_case(browser, f"{url}/#/p/{project}/case/{case.id}") for case in cases}


def summarise(runs: Sequence[dict[str, dict[str, list[float]]]]) -> dict[str, dict[str, float]]:
    """Case → figure → median over the runs (percentiles over all moves of all runs)."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for case, marks in run.items():
            for mark, found in marks.items():
                values[case][mark] += found
    return {case: _figures(marks) for case, marks in values.items()}


def _figures(marks: dict[str, list[float]]) -> dict[str, float]:
    moves = np.array(marks["brush move to pixels (ms)"])
    return {
        "first image (ms)": statistics.median(marks["first image (ms)"]),
        "whole case (ms)": statistics.median(marks["whole case (ms)"]),
        "brush move to pixels p50 (ms)": float(np.percentile(moves, 50)),
        "brush move to pixels p95 (ms)": float(np.percentile(moves, 95)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a segmentation data set to use instead of the made cases")
    parser.add_argument("--seeds", type=int, default=3, help="number of runs; the table shows their medians")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    options = parser.parse_args(arguments)
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        print("error: no chromium; install the package 'chromium'", file=sys.stderr)
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        runs = [measure(browser, options.data, seed) for seed in range(options.seeds)]
        browser.close()
    figures = summarise(runs)
    print(f"{'case':<24} {'figure':<32} {'median':>9} {'wanted':>9}")
    for case, by_name in figures.items():
        for name, value in by_name.items():
            wanted = f"< {TARGETS[name]:g}" if name in TARGETS else ""
            print(f"{case:<24} {name:<32} {value:>9.1f} {wanted:>9}")
    if options.json:
        machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "rendering": "software"}
        body = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine, "figures": figures, "runs": runs}
        options.json.write_text(json.dumps(body, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
