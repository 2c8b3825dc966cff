"""How quickly `/info/` of the MONAI Label surface answers, alone and while inferences run.

A project of phantoms is trained for a few steps; then more phantoms come that no model has seen, so that every `/infer/segmentation` runs
the network in the assistant. Clients on threads infer on them without a pause, while one client reads `/info/` fifty times a second, each
time over a connection of its own, as MONAI Label's client does.

    python benchmarks/monai_info.py --cases 16 --clients 3
"""

import argparse
import hashlib
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent))

import responsiveness as base
from medloop.core.records import Source
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.workspace import Workspace

SHAPE = (96, 96, 64)
PAUSE_SECONDS = 0.02
FORM = b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n{"result_extension": ".nrrd"}\r\n--x--\r\n'
KIND = "multipart/form-data; boundary=x"
ALONE = 300
"""Readings before the first inference."""


def prepare(folder: Path, cases: int) -> tuple[str, list[str]]:
    """A project with a model and cases that it has not seen: its id and their names."""
    base.make_project(folder, None, base.STARTERS + 2, 0)
    with Workspace.open(folder) as workspace:
        return workspace.project.id, [add_unseen(workspace, index) for index in range(cases + 1)]


def add_unseen(workspace: Workspace, index: int) -> str:
    """One more phantom; its name."""
    phantom = phantom_3d(1000 + index, 1, shape=SHAPE)
    source = Source(format="phantom", names=(phantom.name,), sha256=hashlib.sha256(phantom.image.array.tobytes()).hexdigest())
    made = add_case(workspace, phantom.image, NewCase(name=f"unseen{index}", patient=f"p{index}", split="train", source=source))
    return made.name


def timed(port: int, method: str, path: str, body: bytes | None = None, kind: str = "") -> float:
    """Milliseconds of one request over a new connection."""
    begun = time.perf_counter()
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    line.request(method, path, body, {"Content-Type": kind} if kind else {})
    answer = line.getresponse()
    answer.read()
    line.close()
    if answer.status != 200:
        raise SystemExit(f"error: {method} {path} gave {answer.status}")
    return 1000 * (time.perf_counter() - begun)


def infer(port: int, address: str, names: list[str], clients: int) -> list[float]:
    """Milliseconds of every inference; the clients share the names."""
    left, found, guard = list(names), [], threading.Lock()

    def work() -> None:
        while True:
            with guard:
                if not left:
                    return
                name = left.pop()
            path = f"{address}/infer/segmentation?image={quote(name)}"
            found.append(timed(port, "POST", path, FORM, KIND))

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def figures(found: list[float]) -> dict[str, float]:
    """Readings, median, 95 % and largest, in ms."""
    ordered = sorted(found)
    return {
        "n": len(ordered),
        "p50": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "max": round(ordered[-1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=16, help="cases to infer on")
    parser.add_argument("--clients", type=int, default=3, help="clients that infer at the same time")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="medloop-info-") as place:
        project, names = prepare(Path(place) / "project", asked.cases)
        with base.served(Path(place) / "project") as (pid, port, _):
            address = f"/monai/{project}"
            timed(port, "POST", f"{address}/infer/segmentation?image={quote(names.pop())}", FORM, KIND)  # the assistant loads torch
            begun = base.cpu_seconds(pid)
            alone = [timed(port, "GET", f"{address}/info/") for _ in range(ALONE)]
            cost = 1000 * (base.cpu_seconds(pid) - begun) / ALONE
            inferred: list[float] = []
            busy = threading.Thread(target=lambda: inferred.extend(infer(port, address, names, asked.clients)))
            busy.start()
            during = []
            while busy.is_alive():
                during.append(timed(port, "GET", f"{address}/info/"))
                time.sleep(PAUSE_SECONDS)
            busy.join()
    print(
        json.dumps(
            {
                "load": os.getloadavg()[0],
                "CPU of one info (ms)": round(cost, 2),
                "info alone": figures(alone),
                "info": figures(during),
                "infer": figures(inferred),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
