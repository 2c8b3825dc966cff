"""Seconds per case of a scripted expert on this page and on an earlier one.

The same expert draws the same truth in the same cases, with fixed sequences of what each page offers:

    phantoms         before: every third slice of each label by a line of the brush along the border and a click that fills it, those
                     between filled in; now: every fifth slice by a lasso, carried on to two on either side
    hippocampus      before: likewise; now: the same slices by a lasso (carrying on is quicker, but loses 0.08 of Dice here)
    hc18_ultrasound  before: the head by brush and fill; now: by lasso
    nuclei_dsb2018   before: each nucleus by brush and fill; now: one lasso round all of them, held to a range of values

Keys, clicks, strokes and looks are counted as the script really needed them and cost what the keystroke-level model says
(`page_klm.py`); what page and server took is measured by the clock. The Dice of what was submitted is printed beside. The difference is
paired by case: the mean of the logarithms' differences, with its 95 % bootstrap interval over cases.

    git worktree add /tmp/before COMMIT
    python benchmarks/page_expert.py --before /tmp/before --data ../shared/data --cases 20 --json expert.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Browser, Page
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

from medloop.core.arrays import BoolArray, MaskArray
from medloop.core.errors import MedloopError
from medloop.metrics.intervals import mean_over_cases
from page_browser import chromium, new_context, served, wait_until
from page_figures import PageError
from page_klm import Hand, Point
from page_sets import Cases, import_with, phantoms, real, score

EVERY = 3
"""Slices from one drawn slice to the next."""
SMALLEST = 9
"""Pixels; a smaller patch is one dab of the brush."""
THIN = 0.82
"""Radius of the brush that follows a border, in voxels: thin, and without gaps on a diagonal."""
CARRIED = 2
"""Slices that a drawn one is carried on to, both ways."""
SETS = ("phantoms", "hippocampus", "hc18_ultrasound", "nuclei_dsb2018")


@dataclass
class Desk:
    """A case on the screen."""

    hand: Hand
    header: dict
    truth: MaskArray
    image: np.ndarray
    plane: dict = field(init=False)

    def __post_init__(self) -> None:
        self.plane = next((p for p in self.header["planes"] if p["name"] == "axial"), self.header["planes"][0])
        page = self.hand.page
        self.pane = page.locator('[data-testid^="pane-"]').first if len(self.header["planes"]) == 1 else page.get_by_test_id("pane-axial")

    @property
    def axes(self) -> tuple[int, int, int]:
        """Which axes the slices are across, and run to the right and down."""
        return self.plane["slice_axis"], self.plane["x_axis"], self.plane["y_axis"]

    def point(self, number: int, x: float, y: float) -> Point:
        """Where a place of a slice is on the screen, in voxels along the slice's two axes."""
        across, along, down = self.axes
        voxel = [0.0, 0.0, 0.0]
        voxel[across], voxel[along], voxel[down] = number, x, y
        at = self.hand.page.evaluate(f"window.medloop.pointOf('{self.plane['name']}', {voxel[0]}, {voxel[1]}, {voxel[2]})")
        return at["x"], at["y"]

    def go_to(self, number: int) -> None:
        """Turn the wheel to a slice, and look at it."""
        across, page = self.axes[0], self.hand.page
        here = page.evaluate("window.medloop.crosshair")[across]
        if here != number:
            box = self.pane.bounding_box()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            down = -1 if self.header["affine"][2][across] > 0 else 1
            self.hand.turn((number - here) * down)
            self.hand.wait(f"window.medloop.crosshair[{across}] === {number}")
        self.hand.look()

    def slice_of(self, label: int, number: int) -> BoolArray:
        """The truth of a label in a slice, its two axes as x and y."""
        across, along, down = self.axes
        found = np.moveaxis(self.truth, (across, along, down), (0, 1, 2))[number]
        return np.asarray(found == label)

    def slices_of(self, label: int) -> list[int]:
        """The slices that a label is in."""
        others = tuple(axis for axis in range(3) if axis != self.axes[0])
        return np.flatnonzero((self.truth == label).any(axis=others)).tolist()

    def range_of(self, label: int) -> tuple[int, int]:
        """Between the label's mean value and the others', to the far end: what somebody reads off the histogram."""
        inside, outside = self.image[self.truth == label].mean(), self.image[self.truth != label].mean()
        between = round((inside + outside) / 2)
        return (between, 255) if inside > outside else (0, between)


def line_of(patch: BoolArray, level: float) -> np.ndarray:
    """The border of a patch as few straight pieces, shape (points, 2): at level 0.5 between the pixels, near 1 through the outermost."""
    rings = find_contours(np.pad(patch, 1).astype(float), level)
    longest = max(rings, key=len) - 1
    return approximate_polygon(longest, 0.5)


def patches_of(plane: BoolArray) -> list[BoolArray]:
    """The connected parts of a label in a slice."""
    parts, count = ndimage.label(plane)
    return [parts == n for n in range(1, count + 1)]


def outline_before(desk: Desk, number: int, patch: BoolArray) -> None:
    """The brush along the border, then a click into what it encloses."""
    hand = desk.hand
    if patch.sum() < SMALLEST:
        return dab(desk, number, patch)
    hand.draw([desk.point(number, *at) for at in line_of(patch, 0.99)])
    inner = ndimage.distance_transform_edt(np.pad(patch, 1))[1:-1, 1:-1]
    if inner.max() > 2:
        hand.press("f")
        hand.click(desk.point(number, *(float(n) for n in np.unravel_index(int(inner.argmax()), patch.shape))))
        hand.press("b")
    return None


def dab(desk: Desk, number: int, patch: BoolArray) -> None:
    """One click of the brush on a patch of few pixels."""
    desk.hand.click(desk.point(number, *(float(n) for n in np.argwhere(patch).mean(axis=0))))


def outline_now(desk: Desk, number: int, patch: BoolArray) -> None:
    """A lasso round the patch, looked at and accepted."""
    desk.hand.draw([desk.point(number, *at) for at in line_of(patch, 0.5)])
    desk.hand.wait("document.querySelector('[data-testid=accept]')")
    desk.hand.press("Enter")
    desk.hand.wait("!document.querySelector('[data-testid=accept]')")


Outline = Callable[[Desk, int, BoolArray], None]


def draw_slices(desk: Desk, outline: Outline) -> None:
    """Every third slice of each label; those between are filled in."""
    hand = desk.hand
    for label in (int(v) for v in np.unique(desk.truth) if v):
        hand.press(str(label))
        there = desk.slices_of(label)
        for number in sorted({*there[::EVERY], there[-1]}):
            desk.go_to(number)
            for patch in patches_of(desk.slice_of(label, number)):
                outline(desk, number, patch)
    if len(desk.header["planes"]) > 1:
        saved(desk)
        before = hand.page.evaluate("window.medloop.revision")
        hand.press("Shift+F")
        hand.wait(f"window.medloop.revision > {before}")
        hand.look()


def draw_patches(desk: Desk, outline: Outline) -> None:
    """Each patch of a picture."""
    desk.hand.look()
    for patch in patches_of(desk.slice_of(1, 0)):
        outline(desk, 0, patch)


def draw_carried(desk: Desk, outline: Outline) -> None:
    """Every fifth slice of each label, carried on to two on either side by how the image looks."""
    hand = desk.hand
    for label in (int(v) for v in np.unique(desk.truth) if v):
        hand.press(str(label))
        there = desk.slices_of(label)
        for number in there[min(CARRIED, len(there) - 1) :: 2 * CARRIED + 1]:
            desk.go_to(number)
            for patch in patches_of(desk.slice_of(label, number)):
                outline(desk, number, patch)
            hand.press("Shift+X")
            accepted(hand)


def accepted(hand: Hand) -> None:
    """A preview is awaited, looked at and accepted."""
    hand.wait("document.querySelector('[data-testid=accept]:not([disabled])')")
    hand.look()
    hand.press("Enter")
    hand.wait("!document.querySelector('[data-testid=accept]')")


def draw_range(desk: Desk, _: Outline) -> None:
    """Both ends of the values typed, as the histogram shows them, then a lasso round everything."""
    hand, (width, height) = desk.hand, desk.slice_of(1, 0).shape
    hand.look()
    if not hand.page.get_by_test_id("range-used").is_checked():
        hand.press("Shift+T")
    for end, value in zip(("low", "high"), desk.range_of(1), strict=True):
        hand.type(f"range-{end}", str(value))
    hand.draw([desk.point(0, x, y) for x, y in ((-0.5, -0.5), (width, -0.5), (width, height), (-0.5, height), (-0.5, -0.5))])
    accepted(hand)


def saved(desk: Desk) -> None:
    """Until everything drawn is saved."""
    desk.hand.wait("window.medloop.saved === 'saved' && window.medloop.pending === 0")


@dataclass(frozen=True)
class Way:
    """How one page is worked with: its outline, the keys that take the tool (and make it small), and how a picture is drawn."""

    outline: Outline
    tool: str
    plan: Callable[[Desk, Outline], None]


def way_of(name: str, *, now: bool) -> Way:
    """The fixed sequence of a set on a page."""
    if name == "nuclei_dsb2018" and now:
        plan = draw_range
    elif name in ("nuclei_dsb2018", "hc18_ultrasound"):
        plan = draw_patches
    else:
        plan = draw_carried if now and name == "phantoms" else draw_slices
    return Way(outline_now, "Shift+B", plan) if now else Way(outline_before, "b", plan)


def thin_brush(page: Page, desk: Desk) -> None:
    """The brush as thin as a line; kept for the whole set, so counted nowhere."""
    finest = min(desk.plane["x_spacing_mm"], desk.plane["y_spacing_mm"])
    for _ in range(80):
        if page.evaluate("window.medloop.brushRadiusMm") <= THIN * finest:
            return
        page.keyboard.press("[")


def measure_set(browser: Browser, cases: Cases, way: Way, source: Path | None) -> dict[str, dict[str, float]]:
    """Each case of a set, annotated from the page's `next` on until all are done."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary) / "project"
        import_with(cases, project, source)
        with served(project, "--no-worker", "--no-assistant", source=source) as server:
            with httpx.Client(base_url=f"{server.url}/api/v1", timeout=60, headers={"X-Annotator": "local"}) as client:
                ident = client.get("/projects").raise_for_status().json()[0]["id"]
                page = new_context(browser).new_page()
                page.add_init_script(
                    f"if (location.protocol.startsWith('http')) localStorage['medloop.operation.carry.slices'] = '{CARRIED}'"
                )
                page.goto(f"{server.url}/#/p/{ident}/next")
                wait_until(page, "window.medloop?.seen")
                for _ in cases.truths:
                    name, row = measure_case(page, client, ident, cases, way)
                    found[name] = row
            page.context.close()
    return found


def measure_case(page: Page, client: httpx.Client, project: str, cases: Cases, way: Way) -> tuple[str, dict[str, float]]:
    """The case on the screen, until the next one is there."""
    case = page.evaluate("window.medloop.caseId")
    header = client.get(f"/projects/{project}/cases/{case}").raise_for_status().json()
    truth = cases.truths[header["name"]]
    hand = Hand(page)
    desk = Desk(hand, header, truth, cases.images[header["name"]])
    if way.tool == "b":
        thin_brush(page, desk)
    hand.press(way.tool)
    way.plan(desk, way.outline)
    saved(desk)
    reply = client.get(f"/projects/{project}/assignments/{page.evaluate('window.medloop.assignmentId')}/draft").raise_for_status()
    drawn = np.frombuffer(reply.content, np.uint8).reshape(truth.shape, order="F")
    hand.press("Enter")
    hand.wait(f"(window.medloop.caseId !== '{case}' && window.medloop.seen) || document.querySelector('[data-testid=nothing-left]')")
    counts = {"keys": hand.keys, "clicks": hand.clicks, "strokes": hand.strokes, "views": hand.views}
    row = {"seconds": hand.acted + hand.waited, "acted": hand.acted, "waited": hand.waited, "dice": score(drawn, truth), **counts}
    return header["name"], row


def cases_of(name: str, data: Path, folder: Path, count: int, first: int) -> Cases:
    """The images of a set."""
    return phantoms(folder, count, first) if name == "phantoms" else real(data / name, folder, count, first)


def compare(before: dict[str, dict[str, float]], now: dict[str, dict[str, float]]) -> dict[str, object]:
    """How many percent fewer seconds a case takes, geometric mean over cases with its interval, and both pages' means."""
    names = sorted(before)
    change = mean_over_cases([np.log(now[name]["seconds"] / before[name]["seconds"]) for name in names])
    less = [None if end is None else 100 * (1 - float(np.exp(end))) for end in (change.mean, change.high, change.low)]
    means = {
        side: {key: float(np.mean([rows[name][key] for name in names])) for key in rows[names[0]]}
        for side, rows in (("before", before), ("now", now))
    }
    return {"cases": len(names), "percent less": less[0], "low": less[1], "high": less[2], **means}


def print_line(name: str, found: dict) -> None:
    """One set."""
    before, now = found["before"], found["now"]
    less = f"{found['percent less']:.0f} % less" + ("" if found["low"] is None else f" ({found['low']:.0f}–{found['high']:.0f})")
    print(f"{name:<18} {found['cases']:>3} cases {before['seconds']:>8.1f} s {now['seconds']:>8.1f} s   {less}")
    for key in ("acted", "waited", "keys", "clicks", "strokes", "views", "dice"):
        print(f"    {key:<22} {before[key]:>10.3g} {now[key]:>10.3g}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a checkout of the earlier version, with its built page")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the folder of the data sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="which")
    parser.add_argument("--cases", type=int, default=20, help="of each set")
    parser.add_argument("--first", type=int, default=0, help="number of the first case; others are for trying out")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    options = parser.parse_args(arguments)
    if options.before is None or not (options.before / "src" / "medloop").is_dir():
        print("error: --before must be a checkout of an earlier version; make one with git worktree add", file=sys.stderr)
        return 1
    results: dict[str, object] = {}
    try:
        with chromium() as browser, tempfile.TemporaryDirectory() as temporary:
            for name in options.sets:
                cases = cases_of(name, options.data, Path(temporary) / name, options.cases, options.first)
                before = measure_set(browser, cases, way_of(name, now=False), options.before)
                now = measure_set(browser, cases, way_of(name, now=True), None)
                found = compare(before, now)
                print_line(name, found)
                results[name] = found | {"each before": before, "each now": now}
    except (MedloopError, PageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps({"date": datetime.now(UTC).strftime("%Y-%m-%d"), "sets": results}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
