"""The figures of the workbench, through the product's own path: a real Chromium on a real `medloop serve`.

Software rendering, no GPU. Volumes of 256×256×150 and 512×512×400 are made here. The table gives the median, the 95th percentile and
the mean with a 95 % bootstrap interval (`medloop.metrics.intervals`) of each figure; a goal is met where the median is below it. The
script ends with an error where one is not. `page_expert.py` measures a scripted expert on this page and on an earlier one.

    python benchmarks/page.py --repetitions 20 --json page.json
    python benchmarks/page.py --repetitions 3 --strokes 200 --only looking drawing
"""

import argparse
import gzip
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Browser

from medloop.core.errors import MedloopError
from page_browser import chromium, open_case, served, wait_until
from page_drawing import measure_lasso, measure_operations, measure_prompts, measure_strokes
from page_figures import as_json, figure_of, print_table
from page_looking import measure_first_images, measure_next_cases, measure_slices, opened_large
from page_people import measure_autosave
from page_projects import LARGE, MEDIUM, make_project
from page_strokes import measure_memory

Found = dict[str, list[float]]


def script_size() -> Found:
    """Kilobytes of the scripts that the page's first view loads, compressed as a server would."""
    static = Path(str(files("medloop.server") / "static"))
    html = (static / "index.html").read_text(encoding="utf-8")
    scripts = sorted(set(re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', html)))
    return {"own script, gzip (kB)": [sum(len(gzip.compress((static / one).read_bytes(), 9)) for one in scripts) / 1000]}


def measure_looking(browser: Browser, folder: Path, repetitions: int, _: int) -> Found:
    """First image and next case."""
    made = make_project(folder, MEDIUM, repetitions + 4)
    with served(folder, "--no-worker", "--no-assistant") as server:
        found = measure_next_cases(browser, server.url, made, repetitions)  # first: what is left open comes before what is fetched ahead
        return found | measure_first_images(browser, server.url, made, repetitions)


def measure_drawing(browser: Browser, folder: Path, repetitions: int, _: int) -> Found:
    """Slices, brush, outlines, operations and surface on the large volume."""
    made = make_project(folder, LARGE, 1)
    with served(folder, "--no-worker", "--no-assistant") as server:
        page, found = opened_large(browser, server.url, made)
        found |= measure_slices(page, repetitions)
        found |= measure_strokes(page, 10 * repetitions)
        found |= measure_lasso(page, repetitions)
        found |= measure_operations(page, server.url, made, LARGE, repetitions)
        page.context.close()
        return found


def measure_prompting(browser: Browser, folder: Path, repetitions: int, _: int) -> Found:
    """Previews of prompts, by the engine that the product brings."""
    made = make_project(folder, MEDIUM, 1)
    with served(folder, "--no-worker") as server:
        page = open_case(browser, server.url, made.project, made.cases[0])
        wait_until(page, "window.medloop.seen")
        found = measure_prompts(page, repetitions)
        page.context.close()
        return found


def measure_saving(_: Browser, folder: Path, repetitions: int, __: int) -> Found:
    """Autosave of a team."""
    return measure_autosave(folder, repetitions)


def measure_strokes_kept(browser: Browser, folder: Path, _: int, strokes: int) -> Found:
    """Memory after very many strokes."""
    made = make_project(folder, MEDIUM, 1)
    with served(folder, "--no-worker", "--no-assistant") as server:
        return measure_memory(browser, server, made, strokes)


PARTS: dict[str, Callable[[Browser, Path, int, int], Found]] = {
    "looking": measure_looking,
    "drawing": measure_drawing,
    "prompting": measure_prompting,
    "saving": measure_saving,
    "memory": measure_strokes_kept,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=20, help="of each figure; strokes and moves are ten times as many")
    parser.add_argument("--strokes", type=int, default=10_000, help="drawn for the memory they leave")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, "size"], default=[*PARTS, "size"], help="which parts")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    options = parser.parse_args(arguments)
    values = script_size() if "size" in options.only else {}
    load = os.getloadavg()[0]
    try:
        with chromium() as browser:
            for name, measure in PARTS.items():
                if name not in options.only:
                    continue
                with tempfile.TemporaryDirectory() as temporary:
                    values |= measure(browser, Path(temporary) / "project", options.repetitions, options.strokes)
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    figures = [figure_of(name, each) for name, each in values.items()]
    print_table(figures)
    if options.json:
        machine = {"cores": os.cpu_count(), "load before and after": [load, os.getloadavg()[0]], "rendering": "software"}
        body = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine, "figures": as_json(figures, values)}
        options.json.write_text(json.dumps(body, indent=1))
    return 2 if any(one.verdict == "NO" for one in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
