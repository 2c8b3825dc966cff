"""How quickly the classical tools answer a prompt, and what memory they take.

Two situations: a 512×512 picture, and a 64³ window in a 256³ volume. Images are made in other processes; each tool runs in a process of
its own, whose peak memory holds all images of the situation, and answers
`--prompts` clicks and one box per image: the first click at the middle of an organ, the rest alternately beside the organ
and on it, within 24 voxels (more where the organ is larger). Timed are `ClassicalEngine.refine` after `embed`, and the
same prompt under guard (`refine_guarded`); a click on a small picture pays for imports beforehand. CPU time is what the process
used, so it means something on a busy machine too; the clock's time includes waiting for other programs.

    python benchmarks/refinement_speed.py --seeds 3 --json refinement_speed.json
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.image import Image
from medloop.images.phantoms import phantom_2d, phantom_3d
from medloop.images.read import read_image, read_mask
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.prompts import Box, Point, Prompt

TOOLS = ("auto", "watershed", "geodesic", "walker", "cut")
SITUATIONS = {"512² picture": (512, 512, 1), "256³ volume": (256, 256, 256)}
TARGET_MS = {"512² picture": 20.0, "256³ volume": 250.0}
TARGET_MB = 1500.0

Scene: TypeAlias = tuple[Image, list[Point], Box]


def main() -> None:
    options = _options()
    rows = []
    for name in SITUATIONS:
        scenes = [_apart(_scene, name, seed, options.prompts, options.data) for seed in range(options.seeds)]
        rows += [row for tool in TOOLS for row in _apart(measure, name, tool, scenes)]
    print(f"{'situation':14} {'tool':10} {'through':8} {'median ms':>9} {'p95 ms':>8} {'p95 CPU ms':>10} {'peak MB':>8}  target")
    for r in rows:
        met = "met" if r["p95_ms"] <= TARGET_MS[r["situation"]] and r["peak_mb"] <= TARGET_MB else "missed"
        numbers = f"{r['median_ms']:9.1f} {r['p95_ms']:8.1f} {r['p95_cpu_ms']:10.1f} {r['peak_mb']:8.0f}"
        print(f"{r['situation']:14} {r['tool']:10} {r['through']:8} {numbers}  {TARGET_MS[r['situation']]:.0f} ms {met}")
    if options.json:
        about = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
        options.json.write_text(json.dumps({**about, "seeds": options.seeds, "prompts": options.prompts, "rows": rows}, indent=1))


def measure(situation: str, tool: str, scenes: Sequence[Scene]) -> list[dict[str, Any]]:
    """Rows of one tool in one situation, in a fresh process that is handed the images."""
    timed: dict[str, list[tuple[float, float]]] = {"refine": [], "guarded": []}
    _warm_up(tool)
    for image, prompts, box in scenes:
        for through in timed:
            timed[through] += _answer(image, prompts, tool, through)
            timed[through] += _answer(image, [box], tool, through)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [_row(situation, tool, through, np.array(times) * 1000, peak) for through, times in timed.items()]


def _scene(situation: str, seed: int, count: int, data: Path | None) -> Scene:
    """An image, clicks on it and a box."""
    image, truth = _case(situation, seed, data)
    prompts = _prompts(truth, count, np.random.default_rng(seed))
    return image, prompts, _box(truth, prompts[0])


def _row(situation: str, tool: str, through: str, times: Any, peak: float) -> dict[str, Any]:
    clock, cpu = times.T
    return {
        "situation": situation,
        "tool": tool,
        "through": through,
        "answers": len(clock),
        "median_ms": float(np.median(clock)),
        "p95_ms": float(np.percentile(clock, 95)),
        "median_cpu_ms": float(np.median(cpu)),
        "p95_cpu_ms": float(np.percentile(cpu, 95)),
        "peak_mb": peak,
    }


def _answer(image: Image, prompts: Sequence[Prompt], tool: str, through: str) -> list[tuple[float, float]]:
    engine, times = ClassicalEngine(tool), []
    embedding, mask = engine.embed(image), np.zeros(image.grid.shape, dtype=np.uint8, order="F")
    for n, prompt in enumerate(prompts):
        clock, cpu = time.perf_counter(), time.process_time()
        if through == "refine":
            mask = engine.refine(embedding, prompts[: n + 1], labels=(1,), previous=mask).mask
        else:
            mask = refine_guarded(engine, embedding, mask, prompts[:n], [prompt], Guard((1,))).mask
        times.append((time.perf_counter() - clock, time.process_time() - cpu))
    return times


def _case(situation: str, seed: int, data: Path | None) -> tuple[Image, Any]:
    """A phantom, or the `seed`-th case of a folder with imagesTr and labelsTr, repeated up to the situation's size."""
    shape = SITUATIONS[situation]
    if data is None:
        made = phantom_2d(seed, shape=shape[:2]) if shape[2] == 1 else phantom_3d(seed, shape=shape)
        return made.image, made.mask.array == 1
    path = sorted((data / "imagesTr").glob("*.nii.gz"))[seed]
    image, mask = read_image([path]).image, read_mask(data / "labelsTr" / path.name)
    times = [-(-n // m) for n, m in zip(shape, mask.array.shape, strict=True)]
    cropped = tuple(slice(n) for n in shape)
    array = np.tile(image.array, (1, *times))[(slice(None), *cropped)]
    grid = type(image.grid)(shape, image.grid.affine)
    return Image(array, grid), np.tile(mask.array > 0, times)[cropped]


def _prompts(truth: Any, count: int, rng: np.random.Generator) -> list[Point]:
    """A click in the organ's middle, then beside it and on it in turn, within 24 voxels or a little more."""
    inside = np.argwhere(truth)
    middle = inside[np.abs(inside - inside.mean(axis=0)).sum(axis=1).argmin()]
    reach = 24
    while truth[tuple(slice(max(v - reach, 0), v + reach + 1) for v in middle)].all():
        reach += 8
    box = tuple(slice(max(v - reach, 0), v + reach + 1) for v in middle)
    corner = np.array([s.start for s in box])
    places = {True: np.argwhere(truth[box]) + corner, False: np.argwhere(~truth[box]) + corner}
    clicks = [Point(tuple(middle.tolist()))]
    for n in range(1, count):
        choices = places[n % 2 == 0]
        clicks.append(Point(tuple(choices[rng.integers(len(choices))].tolist()), positive=n % 2 == 0))
    return list({c.voxel: c for c in clicks}.values())


def _box(truth: Any, around: Prompt) -> Box:
    """The organ's box, at most 48 voxels wide about the first click."""
    assert isinstance(around, Point)
    inside = np.argwhere(truth)
    low = np.maximum(inside.min(axis=0), np.array(around.voxel) - 24)
    high = np.minimum(inside.max(axis=0) + 1, np.array(around.voxel) + 24)
    return Box(tuple(low.tolist()), tuple(high.tolist()))


def _warm_up(tool: str) -> None:
    made = phantom_2d(0, shape=(64, 64))
    engine = ClassicalEngine(tool)
    engine.refine(engine.embed(made.image), [Point((30, 30, 0)), Point((3, 3, 0), positive=False)], labels=(1,))
    engine.refine(engine.embed(made.image), [Box((20, 20, 0), (40, 40, 1))], labels=(1,))


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with imagesTr and labelsTr; phantoms if absent")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=6)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
