"""What a page asks of a server for millions of small cases: seconds by route, and the memory of the server's process.

Makes a synthetic project (rows only, no image, copied within the database; SQLite), serves it from a process of its own, and sends the
requests of a page over HTTP, one after the other. Measured is the time of each request as the page sees it.

    python benchmarks/large_pool_routes.py --cases 200000
    python benchmarks/large_pool_routes.py --cases 2000000 --keep /dev/shm/pool     # fill once, measure again with the same folder
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np

from large_pool import synthetic_case
from medloop.core.names import natural_key
from medloop.core.records import Model, Prediction, ProjectSettings, Snapshot, new_id, now
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.store.rows import to_row
from medloop.store.states import search_key
from medloop.store.tables import case_states, cases, predictions

PORT = 8377
ANNOTATED_EVERY = 50
SCORES = {"entropy": 0.5, "margin": 0.5, "least_confidence": 0.5, "bald": 0.5, "foreground": 0.1, "agreement": 0.9}
SETTINGS = ProjectSettings(strategy="entropy", audit_fraction=0.0)


def fill(workspace: Workspace, count: int) -> None:
    """So many cases and predictions, one of each written and copied by the database; one case in fifty is annotated."""
    annotator_named(workspace, "Ann")
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now())
    model = Model(id=new_id("model"), index=1, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    with workspace.store.write("benchmark") as tx:
        tx.add(snapshot)
        tx.add(model)
    case, prediction = synthetic_case(0, 0), _prediction(model.id)
    with workspace.store.database.writing() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.create_function("natural_key", 1, natural_key, deterministic=True)
        driver.create_function("search_key", 2, search_key, deterministic=True)
        numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count})"
        mixed = "printf('%012x', (n * 2654435761) % 281474976710656)"
        share = "(abs(random()) % 1000000) / 1e6"
        named = {"id": f"'case-' || {mixed}", "name": "printf('case%07d', n)", "patient": "printf('patient%07d', n)", "event": "n + 10"}
        _copy(connection, numbers, cases, {**to_row(case), "event": 0}, named)
        state = f"CASE WHEN n % {ANNOTATED_EVERY} = 0 THEN 'answered' ELSE 'unanswered' END"
        line = {
            "case_id": named["id"], "name": named["name"], "patient": named["patient"], "split": "'train'", "state": state,
            "annotations": f"n % {ANNOTATED_EVERY} = 0", "open_assignments": "0", "quality": share, "uncertainty": share,
            "sort_key": f"natural_key({named['name']})", "search_key": f"search_key({named['name']}, {named['patient']})",
        }  # fmt: skip
        _copy(connection, numbers, case_states, dict.fromkeys(line), line)
        scores = ", ".join(f"'{name}', {share}" for name in SCORES)
        seen = {"id": f"'prediction-' || {mixed}", "case_id": named["id"], "event": f"n + {count + 10}", "scores": f"json_object({scores})"}
        _copy(connection, numbers, predictions, {**to_row(prediction), "event": 0}, seen)


def _copy(connection: object, numbers: str, table: object, row: dict[str, object], changed: dict[str, str]) -> None:
    """Insert rows that are alike but for some columns, which SQL makes of `n`."""
    values = {name: value if not isinstance(value, (dict, list, tuple)) else json.dumps(value) for name, value in row.items()}
    columns = ", ".join(f'"{name}"' for name in values)
    made = ", ".join(changed.get(name, f":{name}") for name in values)
    given = {name: value for name, value in values.items() if name not in changed}
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) {numbers} SELECT {made} FROM numbers", given)  # type: ignore[attr-defined]


def _prediction(model_id: str) -> Prediction:
    return Prediction(
        id="prediction", case_id="case", model_id=model_id, mask=None, uncertainty=None, probabilities=(0.5, 0.5), features=None,
        scores=SCORES, created_at=now(),
    )  # fmt: skip


def _serve(folder: str) -> None:
    import uvicorn

    from medloop.server.app import create_app
    from medloop.server.web.settings import ServerSettings

    os.environ["MEDLOOP_QUIET"] = "1"
    app = create_app(Path(folder), ServerSettings(worker=False, assistant=False))
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="error")


def requests_of(project: str, count: int) -> dict[str, list[tuple[str, str, object]]]:
    """By name, what a page sends: method, address and body; several of a kind, with other words each."""
    rng = np.random.default_rng(0)
    here = f"/api/v1/projects/{project}"
    listed = f"{here}/cases?limit=100"

    def some(address: Callable[[int], str], times: int = 6) -> list[tuple[str, str, object]]:
        return [("GET", address(int(rng.integers(count))), None) for _ in range(times)]

    sorts = ("patient", "split", "state", "annotations", "quality", "uncertainty", "assignee", "updated", "round")
    return {
        "project": some(lambda _: here),
        "list": some(lambda _: listed),
        "list, annotated": some(lambda _: f"{listed}&state=annotated"),
        "list, unlabelled": some(lambda _: f"{listed}&state=unlabelled"),
        **{f"list by {name}": some(lambda _, name=name: f"{listed}&sort={name}&descending=true", 3) for name in sorts},
        "unlabelled by uncertainty": some(lambda _: f"{listed}&state=unlabelled&sort=uncertainty&descending=true", 3),
        "list by round": some(lambda _: f"{listed}&by_round=true", 3),
        "deep page by offset": some(lambda n: f"{listed}&offset={n}", 4),
        "search, one case": some(lambda n: f"{listed}&search=case{n:07d}", 4),
        "search, many cases": some(lambda n: f"{listed}&search=case{n % 10}", 4),
        "search, none": some(lambda _: f"{listed}&search=nowhere", 4),
        "next": [("POST", f"{here}/next", {})] * 4,
        "upcoming": some(lambda _: f"{here}/upcoming"),
        "progress": some(lambda _: f"{here}/progress"),
        "jobs": some(lambda _: f"{here}/jobs"),
        "map": some(lambda _: f"{here}/map", 3),
    }


def _send(method: str, address: str, body: object) -> tuple[float, bytes]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{PORT}"}
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{address}", data=data, method=method, headers=headers)
    begun = time.perf_counter()
    with urllib.request.urlopen(request, timeout=600) as reply:
        content = reply.read()
    return time.perf_counter() - begun, content


def memory_mb(process: int) -> dict[str, float]:
    """Resident memory of a process now, and what of it is its own (not files mapped into it)."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines() if ":" in line)
    return {
        name: round(int(lines[key].split()[0]) / 1024, 1) for name, key in (("resident", "VmRSS"), ("own", "RssAnon"), ("peak", "VmHWM"))
    }


def cpu_seconds(process: int) -> float:
    """What a process has computed so far: other programs do not add to it."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, count: int, only: str = "") -> dict[str, object]:
    """Milliseconds of each kind of request (the first, the median and the 95th percentile of the others, CPU in the mean), and memory."""
    with Workspace.open(folder) as workspace:
        project = workspace.project.id
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(str(folder),), daemon=True)
    server.start()
    for _ in range(300):
        try:
            _send("GET", "/api/v1/health", None)
            break
        except OSError:
            time.sleep(0.2)
    assert server.pid is not None
    made: dict[str, object] = {"memory at start": memory_mb(server.pid)}
    try:
        for name, sent in requests_of(project, count).items():
            if only and only not in name:
                continue
            before = cpu_seconds(server.pid)
            times = [1000 * _send(*one)[0] for one in sent]
            later = sorted(times[1:])
            made[name] = {
                "first": round(times[0], 1), "p50": round(statistics.median(later), 1), "p95": round(later[-1], 1),
                "cpu": round(1000 * (cpu_seconds(server.pid) - before) / len(sent)),
                "own_mb": memory_mb(server.pid)["own"],
            }  # fmt: skip
            print(name, made[name], flush=True)
        made["memory at end"] = memory_mb(server.pid)
    finally:
        server.terminate()
        server.join()
    return made


def main() -> None:
    """Fill a project unless it is kept from before, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--keep", type=Path, help="a folder for the project, used again if it is there")
    parser.add_argument("--fill-only", action="store_true")
    parser.add_argument("--only", default="", help="only requests with this in their name")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = (arguments.keep or Path(folder)) / "p"
        if not path.exists():
            begun = time.perf_counter()
            with Workspace.create(path, name="large", kind="classification", labels=["a", "b"], settings=SETTINGS) as workspace:
                fill(workspace, arguments.cases)
            print(f"filled in {time.perf_counter() - begun:.0f} s", flush=True)
        if arguments.fill_only:
            return
        made = {"cases": arguments.cases, **measure(path, arguments.cases, arguments.only)}
    print(json.dumps(made))
    if arguments.json:
        arguments.json.write_text(json.dumps(made, indent=1))


if __name__ == "__main__":
    main()
