"""What a team's pages and steps cost in a project of very many cases that several people read.

Makes a synthetic project (rows only, no image) of cases that three of five people have read, with their consensuses, reviews and
log of work, then measures through REST, in one process: CPU milliseconds, SQL statements and, on SQLite, thousands of steps of
the database. Measured are the second and later calls; each is made after somebody has submitted another reading.

    python benchmarks/large_team.py --cases 20000
    python benchmarks/large_team.py --cases 2000 --url postgresql://…
    python benchmarks/large_team.py --readers 300 --cases 200     # one case that so many people have read
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.large_pool import _case
from sqlalchemy import Connection, Engine, Table, event, insert

from medloop.core.records import (
    Annotation,
    Annotator,
    Assignment,
    Case,
    Choice,
    Consensus,
    Effort,
    ProjectSettings,
    Query,
    Review,
    Round,
    Snapshot,
    new_id,
    time_text,
)
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.server.app import create_app
from medloop.server.web.settings import ServerSettings
from medloop.store import tables
from medloop.store.rows import to_row

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette's wish for another HTTP library
    from starlette.testclient import TestClient

PEOPLE = ("Ann", "Ben", "Cyd", "Dan", "Eva")
READINGS = 3
READ = 0.6
DISPUTED = 0.05
APPROVED = 0.8
HALF_READ = 0.01
IN_ROUND = 200
ROWS_AT_ONCE = 20_000
SETTINGS = ProjectSettings(
    strategy="random", batch_size=IN_ROUND, readings=READINGS, consensus="majority", review="disagreement", minimum_agreement=0.8,
    train_after=2, audit_fraction=0.0,
)  # fmt: skip
QUIET = ServerSettings(worker=False, assistant=False)


@dataclass
class _Rows:
    """Rows to insert, each with the event that added it; the audit's digests are made up."""

    seq: int
    clock: datetime
    found: dict[Table, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: Table, record: Any, verb: str, *, actor: str = "system") -> None:
        """One record and its event."""
        self.seq += 1
        self.found.setdefault(table, []).append({**to_row(record), "event": self.seq})
        self.event(verb, table.name.rstrip("s"), record.id, actor)

    def change(self, noun: str, noun_id: str, verb: str, actor: str) -> None:
        """An event without a row of its own."""
        self.seq += 1
        self.event(verb, noun, noun_id, actor)

    def event(self, verb: str, noun: str, noun_id: str, actor: str) -> None:
        """The line of the audit."""
        digest, previous = f"{self.seq:064x}", f"{self.seq - 1:064x}"
        at = time_text(self.clock)
        row = {"seq": self.seq, "at": at, "actor": actor, "verb": verb, "noun": noun, "noun_id": noun_id, "body": {}}
        self.found.setdefault(tables.events, []).append({**row, "previous": previous, "digest": digest})

    def write(self, connection: Connection) -> None:
        """Insert everything, in the order of the tables."""
        for table in (t for t in tables.metadata.sorted_tables if t in self.found):
            for part in _parts(self.found[table]):
                connection.execute(insert(table), part)
        self.found.clear()


def _parts(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    return (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))


def fill(workspace: Workspace, count: int, *, readers: int = 0, seed: int = 0) -> str:
    """Cases, readings, consensuses, reviews and a round that is being annotated; with `readers` one more case that so many have read.

    Returns:
        Id of that case; "" without.
    """
    rng = np.random.default_rng(seed)
    people = [annotator_named(workspace, name) for name in PEOPLE]
    program = annotator_named(workspace, "consensus", kind="model", program=True)
    with workspace.store.read() as tx:
        seq = tx.events(limit=10**9)[-1].seq
    rows = _Rows(seq, datetime.now(UTC) - timedelta(days=60))
    everything = [_case(n, 0) for n in range(count)]
    done, half = int(count * READ), int(count * HALF_READ)
    choices = [Choice(case_id=c.id, score=0.0, reason="random") for c in everything[done : done + IN_ROUND]]
    for n, case in enumerate(everything):
        rows.clock += timedelta(days=55) / count
        rows.add(tables.cases, case, "add")
        state = {"state": "unanswered", "annotations": 0}
        if n < done:
            _read(rows, workspace, case, people, program, rng)
            state = {"state": "answered", "annotations": READINGS}
        elif n < done + half:
            _reading(rows, workspace, case, people[n % len(people)], 1)
            state = {"state": "answered", "annotations": 1}
        _listed(rows, case, **state)
    query = Query(id=new_id("query"), strategy="random", seed=0, model_id=None, choices=tuple(choices), created_at=time_text(rows.clock))
    rows.add(tables.queries, query, "choose")
    at = time_text(rows.clock)
    rows.add(tables.rounds, Round(id=new_id("round"), index=1, state="annotating", query_id=query.id, created_at=at, updated_at=at), "plan")
    rows.add(tables.snapshots, Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=at), "freeze")
    disputed = _much_read(rows, workspace, program, readers) if readers else ""
    with workspace.store.database.writing() as connection:
        rows.write(connection)
    return disputed


def _read(rows: _Rows, workspace: Workspace, case: Case, people: list[Annotator], program: Annotator, rng: np.random.Generator) -> None:
    """A case that has its readings and their consensus, and where they disagree mostly an approval."""
    who = rng.choice(len(people), READINGS, replace=False)
    disputed = rng.random() < DISPUTED
    tags = [1, 1, 0 if disputed else 1]
    given = [_reading(rows, workspace, case, people[n], tag) for n, tag in zip(who, tags, strict=True)]
    fused = _fused(rows, workspace, case, program, given, 2 / 3 if disputed else 1.0)
    if disputed and rng.random() < APPROVED:
        at = time_text(rows.clock)
        made = Review(
            id=new_id("review"), case_id=case.id, annotation_id=fused, annotator_id=people[0].id, verdict="approve", created_at=at
        )  # fmt: skip
        rows.add(tables.reviews, made, "approve")


def _reading(rows: _Rows, workspace: Workspace, case: Case, person: Annotator, tag: int) -> Annotation:
    """One reading with its assignment and its work."""
    began, ended = time_text(rows.clock), time_text(rows.clock + timedelta(seconds=30))
    opened = Assignment(
        id=new_id("assignment"), case_id=case.id, annotator_id=person.id, state="submitted", reason="random", opened_at=began,
        closed_at=ended, began_with="blank", blind=True,
    )  # fmt: skip
    rows.add(tables.assignments, opened, "open", actor=person.id)
    work = Effort(
        id=new_id("effort"), case_id=case.id, annotator_id=person.id, assignment_id=opened.id, session="tab", active_seconds=20.0,
        idle_seconds=5.0, strokes=3, began_at=began, ended_at=ended, created_at=ended,
    )  # fmt: skip
    rows.add(tables.efforts, work, "work", actor=person.id)
    made = Annotation(
        id=new_id("annotation"), case_id=case.id, task_id=workspace.task.id, annotator_id=person.id, kind="tag", tag=tag,
        assignment_id=opened.id, effort_seconds=20.0, created_at=ended, began_with="blank",
    )  # fmt: skip
    rows.add(tables.annotations, made, "submit", actor=person.id)
    rows.change("assignment", opened.id, "submit", person.id)
    rows.clock += timedelta(seconds=40)
    return made


def _fused(rows: _Rows, workspace: Workspace, case: Case, program: Annotator, given: list[Annotation], agreement: float) -> str:
    """Their consensus; the id of the annotation that it made."""
    at = time_text(rows.clock)
    fused = Annotation(
        id=new_id("annotation"), case_id=case.id, task_id=workspace.task.id, annotator_id=program.id, kind="tag", tag=1,
        origin="consensus", created_at=at, began_with="elsewhere",
    )  # fmt: skip
    rows.add(tables.annotations, fused, "fuse", actor=program.id)
    skill = {"value": 0.9, "low": 0.85, "high": 0.95, "annotations": 1000}
    made = Consensus(
        id=new_id("consensus"), case_id=case.id, method="majority", inputs=tuple(a.id for a in given), annotation_id=fused.id,
        skills={a.annotator_id: skill for a in given}, agreement=agreement, agreement_by_label={}, probabilities=(1 - agreement, agreement),
        created_at=at,
    )  # fmt: skip
    rows.add(tables.consensuses, made, "reconcile", actor=program.id)
    return fused.id


def _listed(rows: _Rows, case: Case, state: str, annotations: int) -> None:
    line = {"case_id": case.id, "name": case.name, "patient": case.patient, "split": case.split, "state": state, "annotations": annotations}
    more = {
        "open_assignments": 0,
        "quality": None,
        "uncertainty": None,
        "sort_key": case.name,
        "search_key": f"{case.name}\n{case.patient}",
    }
    rows.found.setdefault(tables.case_states, []).append({**line, **more})


def _much_read(rows: _Rows, workspace: Workspace, program: Annotator, readers: int) -> str:
    """A case that so many people have read."""
    at = time_text(rows.clock)
    people = [Annotator(id=new_id("annotator"), name=f"reader {n}", created_at=at) for n in range(readers)]
    for person in people:
        rows.add(tables.annotators, person, "join")
    case = _case(10**6, 0)
    rows.add(tables.cases, case, "add")
    given = [_reading(rows, workspace, case, person, int(n % 3 > 0)) for n, person in enumerate(people)]
    _fused(rows, workspace, case, program, given, 2 / 3)
    _listed(rows, case, "answered", readers)
    return case.id


@dataclass
class Cost:
    """What a step read: statements, and on SQLite thousands of steps of the database."""

    statements: int = 0
    steps: int = 0


@contextmanager
def counted(engine: Engine) -> Iterator[Cost]:
    """What is read of a database within the block."""
    found = Cost()

    def one_statement(*_: object) -> None:
        found.statements += 1

    def thousand_steps() -> int:
        found.steps += 1
        return 0

    def watched(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if hasattr(driver, "set_progress_handler"):
            driver.set_progress_handler(thousand_steps, 1000)

    event.listen(engine, "begin", watched)
    event.listen(engine, "before_cursor_execute", one_statement)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", one_statement)
        event.remove(engine, "begin", watched)


@dataclass(frozen=True)
class Team:
    """A served project and who works on it."""

    client: TestClient
    url: str
    much_read: str = ""

    def get(self, address: str) -> Any:
        """What a page asks."""
        answer = self.client.get(f"{self.url}{address}", headers={"X-Annotator": "Ann"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, address: str, body: dict[str, Any], who: str) -> Any:
        """What somebody does."""
        answer = self.client.post(f"{self.url}{address}", json=body, headers={"X-Annotator": who})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def open_next(self, who: str = "Ann") -> Any:
        """The next case of somebody, opened."""
        return self.post("/next", {}, who)["assignment"]

    def submit(self, assignment_id: str, who: str = "Ann") -> None:
        """Submit it."""
        effort = {"session": "tab", "active_seconds": 1.0, "strokes": 1}
        self.post(f"/assignments/{assignment_id}/submit", {"tag": 1, "effort": effort}, who)

    def read_one(self) -> None:
        """Another reading."""
        self.submit(self.open_next()["id"])

    @property
    def steps(self) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
        """Every step by name: what comes before it and is not measured, and the step."""
        waiting = self.get("/review")[0]["case_id"]
        pages = {
            "project": "", "worklist": "/cases?limit=50", "worklist of cases to review": "/cases?reading=in review&limit=50",
            "worklist of accepted cases": "/cases?reading=accepted&limit=50", "upcoming": "/upcoming", "progress": "/progress",
            "review queue": "/review", "readings of a case": f"/cases/{self.much_read or waiting}/readings",
            "history of a case": f"/cases/{self.much_read or waiting}/history", "annotators": "/annotators", "agreement": "/agreement",
            "suspects": "/suspects", "outlook": "/outlook", "effort by person": "/effort?by=person",
        }  # fmt: skip
        looks: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
            name: (self.read_one, lambda _, address=address: self.get(address)) for name, address in pages.items()
        }
        return {
            "next": (lambda: None, lambda _: self.open_next("Ben")),
            "submit": (self.open_next, lambda opened: self.submit(opened["id"])),
            **looks,
        }


@contextmanager
def served(folder: Path) -> Iterator[tuple[Team, Engine]]:
    """The project behind its routes, and the server's database."""
    app = create_app(folder, QUIET)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        project = client.get("/api/v1/projects").json()[0]["id"]
        engine = app.state.site.projects.get(project).store.database.engine
        yield Team(client, f"/api/v1/projects/{project}"), engine


def measure(team: Team, engine: Engine, repeats: int = 3) -> dict[str, dict[str, float]]:
    """CPU milliseconds, statements and thousands of steps by step; the least of a few calls, the first left out."""
    found: dict[str, dict[str, float]] = {}
    for name, (prepare, step) in team.steps.items():
        each = []
        for _ in range(1 + repeats):
            given = prepare()
            with counted(engine) as cost:
                begun = time.process_time()
                made = step(given)
                milliseconds = 1000 * (time.process_time() - begun)
            each.append((milliseconds, cost.statements, cost.steps))
            if name == "next":
                team.submit(made["id"], "Ben")
        best = min(each[1:])
        found[name] = {"cpu_ms": round(best[0], 1), "statements": best[1], "kilosteps": best[2], "first_ms": round(each[0][0], 1)}
        print(name, found[name], flush=True)
    return found


def main() -> None:
    """Fill a project, measure, print each step and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--readers", type=int, default=0)
    parser.add_argument("--routing", action="store_true")
    parser.add_argument("--url", default=None)
    given = parser.parse_args()
    settings = replace(SETTINGS, routing="value", readings=READINGS) if given.routing else SETTINGS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p"
        with Workspace.create(path, name="team", kind="classification", labels=["no", "yes"], settings=settings, url=given.url) as made:
            much_read = fill(made, given.cases, readers=given.readers)
        with served(path) as (team, engine):
            found = measure(replace(team, much_read=much_read), engine)
    print(json.dumps({"cases": given.cases, "readers": given.readers, "database": "postgresql" if given.url else "sqlite", "steps": found}))


if __name__ == "__main__":
    main()
