"""How quickly a gesture is answered, as the page feels it: from the request to the saved runs, through server and assistant.

Starts `medloop serve` on a project of phantoms (or imports `--data`), opens cases, and clicks where the mask is wrong: each click is the
middle of the largest error, as `POST …/prompts` takes it. The first click of a case (the first look at its image) is told apart
from the later ones. The classical engine answers; with `--guided STEPS` a guided network is trained first and answers.

On a machine that does other work too, the clock measures that as well.

    python benchmarks/gestures.py --seeds 2 --json gestures.json
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from scipy import ndimage

from medloop.core.image import Image, Mask
from medloop.core.records import Annotation, Case, ProjectSettings, Source
from medloop.images.phantoms import phantom_2d, phantom_3d
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain

SERVE = """
import sys
from pathlib import Path
from medloop.server.web.settings import ServerSettings
from medloop.server.processes.supervise import serve
serve(Path(sys.argv[1]), ServerSettings(port=0, worker=False), ready=lambda url: print(url, flush=True))
"""
TARGET_MS = {"picture 512²": 100.0, "volume 256³": 250.0}
CLICKS = 10


def main() -> None:
    """Measure and print one row per kind of image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a data set with answers instead of phantoms")
    parser.add_argument("--seeds", type=int, default=1, help="cases per kind")
    parser.add_argument("--clicks", type=int, default=CLICKS)
    parser.add_argument("--guided", type=int, default=0, metavar="STEPS", help="train a guided network for so many steps first")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    kinds = ["data"] if options.data else list(TARGET_MS)
    rows = [measure(kind, options) for kind in kinds]
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps({"command": sys.argv, "rows": rows}, indent=2) + "\n", encoding="utf-8")


def measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Click through the cases of one kind."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        settings = ProjectSettings(
            train_after=0,
            audit_fraction=0.0,
            validation_fraction=0.0,
            test_fraction=0.0,
            interactive_network=options.guided > 0,
            train_steps=options.guided,
        )
        labels = ["liver", "kidneys"] if options.data is None else ["structure"]
        with Workspace.create(folder, name="Gestures", kind="segmentation", labels=labels, settings=settings) as workspace:
            truths = fill(workspace, kind, options)
            if options.guided:
                start_training(workspace)
                drain(workspace)
            with served(folder) as url:
                return summary(kind, click_through(url, workspace, truths, options.clicks))


def fill(workspace: Workspace, kind: str, options: argparse.Namespace) -> dict[str, np.ndarray]:
    """Cases with a truth that nobody but this benchmark sees; a guided network learns from three more."""
    if options.data:
        import_dataset(workspace, options.data)
        with workspace.store.read() as tx:
            answers = tx.find(Annotation, limit=options.seeds)
            return {a.case_id: load_mask(workspace.store.blobs, a, tx.get(Case, a.case_id)).array for a in answers}
    teacher = annotator_named(workspace, "truth", kind="simulated")
    truths = {}
    for index in range(options.seeds + (3 if options.guided else 0)):
        image, mask = phantom(kind, index)
        digest = hashlib.sha256(image.array.tobytes()).hexdigest()
        source = Source(format="phantom", names=(f"{kind}{index}",), sha256=digest)
        answer = mask if index >= options.seeds else None
        made = add_case(
            workspace,
            image,
            NewCase(name=f"case{index}", patient=f"p{index}", split="train", source=source),
            Incoming(answer, teacher if answer else None) if answer is not None else None,
        )
        if answer is None:
            truths[made.id] = mask.array
    return truths


def phantom(kind: str, index: int) -> tuple[Image, Mask]:
    """An image of the kind and its truth."""
    made = phantom_2d(index, 1, (512, 512)) if kind.startswith("picture") else phantom_3d(index, 1, (256, 256, 256))
    return made.image, made.mask


def click_through(url: str, workspace: Workspace, truths: dict[str, np.ndarray], clicks: int) -> dict[str, list[float]]:
    """Milliseconds per answer, the first of each case apart, and the Dice after the last."""
    found: dict[str, list[float]] = defaultdict(list)
    api = f"{url}api/v1/projects/{workspace.project.id}"
    for case_id, truth in truths.items():
        opened = ask("POST", f"{api}/cases/{case_id}/open", {})
        address = f"{api}/assignments/{opened['assignment']['id']}/prompts"
        mask = read_mask(f"{api}/assignments/{opened['assignment']['id']}/draft", truth.shape)
        begun = time.perf_counter()
        found["engine"] = [ask("POST", f"{address}/ready", {})["engine"]]
        found["ready"].append(1000 * (time.perf_counter() - begun))
        for revision in range(clicks):
            prompt = next_click(mask, truth)
            if prompt is None:
                break
            begun = time.perf_counter()
            made = ask("POST", address, {"base_revision": revision, "prompt": prompt})
            found["first" if revision == 0 else "later"].append(1000 * (time.perf_counter() - begun))
            found["engine only"].append(1000 * made["seconds"])
            flat = mask.ravel(order="F")
            for start, length, value in made["runs"]:
                flat[start : start + length] = value
            mask = flat.reshape(truth.shape, order="F")
        found["dice"].append(2 * float(((mask == truth) & (truth > 0)).sum()) / float((mask > 0).sum() + (truth > 0).sum()))
    return found


def next_click(mask: np.ndarray, truth: np.ndarray) -> dict[str, Any] | None:
    """The middle of the largest error: its true label, or "not this" where the truth is background."""
    wrong = mask != truth
    parts, count = ndimage.label(wrong)
    if count == 0:
        return None
    largest = int(np.bincount(parts.ravel())[1:].argmax()) + 1
    box = ndimage.find_objects(parts)[largest - 1]
    depth = ndimage.distance_transform_edt(np.pad(parts[box] == largest, 1))[1:-1, 1:-1, 1:-1]
    voxel = [int(a) + s.start for a, s in zip(np.unravel_index(int(depth.argmax()), depth.shape), box, strict=True)]
    there, true = int(mask[tuple(voxel)]), int(truth[tuple(voxel)])
    return {"kind": "point", "voxel": voxel, "label": true or there, "positive": true > 0}


def summary(kind: str, found: dict[str, list[float]]) -> dict[str, Any]:
    """One row."""
    later = sorted(found["later"])
    row = {
        "image": kind,
        "engine": found["engine"][0],
        "answers": len(found["first"]) + len(later),
        "ready_ms": round(statistics.median(found["ready"])),
        "first_ms": round(statistics.median(found["first"])),
        "p50_ms": round(statistics.median(later)),
        "p95_ms": round(later[min(len(later) - 1, int(0.95 * len(later)))]),
        "assistant_p50_ms": round(statistics.median(found["engine only"])),
        "dice": round(statistics.mean(found["dice"]), 3),
    }
    return row | ({"target_p95_ms": TARGET_MS[kind]} if kind in TARGET_MS else {})


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server with its assistant; its address."""
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=30)


def ask(method: str, address: str, body: object) -> Any:
    """The JSON answer to a JSON request."""
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def read_mask(address: str, shape: tuple[int, ...]) -> np.ndarray:
    """The draft as it stands."""
    import gzip

    with urllib.request.urlopen(address, timeout=120) as answer:
        return np.frombuffer(gzip.decompress(answer.read()), np.uint8).reshape(shape, order="F").copy(order="F")


if __name__ == "__main__":
    main()
