"""How quickly medloop answers: imports, start, memory, and the page's requests while a real training runs.

Each run makes a project of phantoms (or imports `--data`), trains a first model so that proposals and a query
exist, starts `medloop serve` as a user would, and goes through cases as fast as the server lets it: no thinking
time between requests, which is harsher than any annotator. The second half happens while the worker trains.
Everything is measured from outside, by processes and HTTP; the table shows medians over the runs.

On a machine that does other work too, the clock measures that as well; the CPU figures do not.

    python benchmarks/responsiveness.py --seeds 3 --json responsiveness.json
"""

import argparse
import dataclasses
import hashlib
import http.client
import json
import os
import re
import signal
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
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from medloop.core.errors import MedloopError
from medloop.core.records import Project, ProjectSettings, Source
from medloop.datasets.discover import open_dataset
from medloop.images.phantoms import phantom_3d
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain

MEDLOOP = str(Path(sys.executable).with_name("medloop"))
STARTERS = 6
SHAPE = (48, 48, 32)
FIRST_MODEL = ProjectSettings(train_after=0, audit_fraction=0.0, train_steps=4, samples=2, batch_size=8)
LONG_TRAINING = dataclasses.replace(FIRST_MODEL, train_steps=0, train_minutes=60.0)
PATCHES = 3
"""Brush strokes saved per case."""

TARGETS = {
    "import medloop (s)": 0.3,
    "medloop --help (s)": 0.5,
    "server start to first answer (s)": 2.5,
    "server RSS idle (MB)": 150.0,
    "server RSS after 200 requests (MB)": 150.0,
    "POST next p95, training (ms)": 100.0,
}


def make_project(folder: Path, data: Path | None, cases: int, seed: int) -> None:
    """A project with a first model, its proposals, and many cases still open."""
    if data is None:
        workspace = Workspace.create(folder, name="Responsiveness", kind="segmentation", labels=["large", "small"], settings=FIRST_MODEL)
        add_phantoms(workspace, cases, seed)
    else:
        workspace = imported_project(folder, data)
    start_training(workspace)
    drain(workspace)
    with workspace.store.write("benchmark") as tx:
        tx.change(Project, workspace.project.id, verb="set", fields={"settings": LONG_TRAINING})
    workspace.close()


def add_phantoms(workspace: Workspace, cases: int, seed: int) -> None:
    """Phantoms, the first few with their truth."""
    teacher = annotator_named(workspace, "truth", kind="simulated")
    for index in range(cases):
        phantom = phantom_3d(index, seed, shape=SHAPE)
        digest = hashlib.sha256(phantom.image.array.tobytes()).hexdigest()
        add_case(
            workspace,
            phantom.image,
            NewCase(
                name=phantom.name,
                patient=phantom.patient,
                split="train",
                source=Source(format="phantom", names=(phantom.name,), sha256=digest),
            ),
            Incoming(phantom.mask, teacher) if index < STARTERS else None,
        )


def imported_project(folder: Path, data: Path) -> Workspace:
    """The images of a data set without its answers; the first cases get a box, for a model to learn."""
    dataset = open_dataset(data)
    if dataset.kind != "segmentation":
        raise SystemExit("error: this benchmark draws, so --data must be a segmentation")
    labels = dataset.labels or ["foreground"]
    workspace = Workspace.create(folder, name="Responsiveness", kind="segmentation", labels=labels, settings=FIRST_MODEL)
    import_dataset(workspace, data, annotations="none")
    person = annotator_named(workspace, "truth", kind="simulated")
    for _ in range(STARTERS):
        opened = next_assignment(workspace, person.id)
        if opened is None:
            raise SystemExit(f"error: {data} has fewer than {STARTERS} cases")
        mask = np.zeros(opened.case.grid.shape, dtype=np.uint8)
        mask[tuple(slice(n // 4, n // 2 + 1) for n in mask.shape)] = 1
        submit(workspace, opened.assignment.id, Submitted(mask=mask))
    return workspace


def seconds_of(command: Sequence[str], repeats: int = 5) -> float:
    """Median wall-clock seconds of a command; the first run warms the disk and is not counted."""
    return statistics.median([_timed(command) for _ in range(repeats + 1)][1:])


def _timed(command: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


class Client:
    """One page: a kept connection, and how long each request took."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def ask(self, name: str, method: str, address: str, body: object = None) -> Any:
        """The decoded answer; bytes stay bytes."""
        sent = json.dumps(body).encode() if body is not None else None
        begun = time.perf_counter()
        self._connection.request(method, f"/api/v1{address}", sent, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        data = answer.read()
        self.seconds[name].append(time.perf_counter() - begun)
        if answer.status != 200:
            raise SystemExit(f"error: {method} {address} answered {answer.status}: {data[:300]!r}")
        return data if answer.headers["Content-Type"] == "application/octet-stream" else json.loads(data)


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, int, float]]:
    """A running `medloop serve`: its process id, its port, and the seconds to its first answer."""
    begun = time.perf_counter()
    command = [MEDLOOP, "serve", str(folder), "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        match = next((m for line in process.stdout if (m := re.search(r"http://127\.0\.0\.1:(\d+)", line))), None)
        if match is None:
            raise SystemExit("error: medloop serve ended without an address")
        port = int(match.group(1))
        Client(port).ask("first", "GET", "/projects")
        yield process.pid, port, time.perf_counter() - begun
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def resident_mb(pid: int) -> float:
    """Resident memory of one process, as the system counts it."""
    line = next(x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """CPU time one process has used; unlike the clock it does not count what other programs on the machine do."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def annotate(client: Client, project: str, cases: int, suffix: str) -> None:
    """Go through cases as the page does: next, fetch, draw, submit."""
    url = f"/projects/{project}"
    for _ in range(cases):
        opened = client.ask(f"next{suffix}", "POST", f"{url}/next", {})
        if opened["assignment"] is None:
            return
        assignment = f"{url}/assignments/{opened['assignment']['id']}"
        client.ask(f"voxels{suffix}", "GET", f"{url}/cases/{opened['case']['id']}/voxels")
        client.ask(f"draft{suffix}", "GET", f"{assignment}/draft")
        for revision in range(PATCHES):
            runs = [[1000 * revision + 50 * n, 12, 1] for n in range(20)]
            client.ask(f"patch{suffix}", "PATCH", f"{assignment}/draft", {"base_revision": revision, "runs": runs})
        client.ask(f"submit{suffix}", "POST", f"{assignment}/submit", {"revision": PATCHES, "effort_seconds": 20})


def wait_for_training(client: Client, project: str, job: str) -> None:
    """Until the worker takes steps."""
    pause = 0.2
    for _ in range(600):
        state = next(j for j in client.ask("jobs", "GET", f"/projects/{project}/jobs") if j["id"] == job)
        if state["state"] == "running" and state["progress"] > 0:
            return
        if state["state"] in ("failed", "cancelled", "done"):
            break
        time.sleep(pause)
    raise SystemExit(f"error: the training did not run: {state}")


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank)."""
    return sorted(values)[max(0, -(-int(len(values) * share * 1000) // 1000) - 1)]


def measure_server(folder: Path, cases: int) -> dict[str, float]:
    """Start, memory and requests of one server."""
    with served(folder) as (pid, port, start_seconds):
        client, start_cpu = Client(port), cpu_seconds(pid)
        project = client.ask("projects", "GET", "/projects")[0]["id"]
        idle = resident_mb(pid)
        for _ in range(200):
            client.ask("health", "GET", f"/projects/{project}")
        busy = resident_mb(pid)
        cases = min(cases, client.ask("cases", "GET", f"/projects/{project}/cases?state=unlabelled&limit=1")["total"] // 2)
        before = cpu_seconds(pid)
        annotate(client, project, cases, "")
        case_cpu = (cpu_seconds(pid) - before) / cases
        job = client.ask("train", "POST", f"/projects/{project}/train", {})["job_id"]
        wait_for_training(client, project, job)
        annotate(client, project, cases, " training")
        state = next(j for j in client.ask("jobs", "GET", f"/projects/{project}/jobs") if j["id"] == job)
        if state["state"] != "running":
            raise SystemExit(f"error: the training was over before the requests were: {state}")
        end = resident_mb(pid)
        client.ask("cancel", "POST", f"/projects/{project}/jobs/{job}/cancel", {})
    figures = {
        "server start to first answer (s)": start_seconds,
        "server start, CPU (s)": start_cpu,
        "server CPU per annotated case (ms)": 1000 * case_cpu,
        "server RSS idle (MB)": idle,
        "server RSS after 200 requests (MB)": busy,
        "server RSS at the end (MB)": end,
    }
    for name, title in (("next", "POST next"), ("voxels", "GET voxels"), ("patch", "PATCH draft"), ("submit", "POST submit")):
        for suffix, state_name in (("", "quiet"), (" training", "training")):
            taken = client.seconds[name + suffix]
            figures[f"{title} p50, {state_name} (ms)"] = 1000 * statistics.median(taken)
            figures[f"{title} p95, {state_name} (ms)"] = 1000 * percentile(taken, 0.95)
    return figures


def measure(options: argparse.Namespace, seed: int) -> dict[str, float]:
    """One run: commands, then a server."""
    python = sys.executable
    base = seconds_of([python, "-c", "pass"])
    figures = {
        "import medloop (s)": seconds_of([python, "-c", "import medloop"]) - base,
        "medloop --help (s)": seconds_of([MEDLOOP, "--help"]),
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        make_project(folder, options.data, STARTERS + 2 * options.cases, seed)
        return figures | measure_server(folder, options.cases)


def print_table(figures: dict[str, float], runs: Sequence[dict[str, float]]) -> None:
    """Median, spread over the runs, and what was asked for."""
    print(f"{'figure':<40} {'median':>9} {'least':>9} {'most':>9} {'wanted':>9}")
    for name, value in figures.items():
        wanted = f"< {TARGETS[name]:g}" if name in TARGETS else ""
        spread = [run[name] for run in runs]
        print(f"{name:<40} {value:>9.3g} {min(spread):>9.3g} {max(spread):>9.3g} {wanted:>9}")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a segmentation data set to import instead of phantoms")
    parser.add_argument("--seeds", type=int, default=3, help="number of runs; the table shows their medians")
    parser.add_argument("--cases", type=int, default=60, help="cases annotated without, and again with, a training running")
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table, write the JSON."""
    options = parse(arguments)
    try:
        runs = [measure(options, seed) for seed in range(options.seeds)]
    except MedloopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    figures = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    print_table(figures, runs)
    if options.json:
        body = {
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "command": " ".join([Path(sys.argv[0]).name, *(arguments or sys.argv[1:])]),
            "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": sys.version.split()[0]},
            "figures": figures,
            "runs": runs,
        }
        options.json.write_text(json.dumps(body, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
