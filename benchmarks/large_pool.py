"""What a page and a query cost in a project of very many cases.

Makes a synthetic project (rows only, no image), then measures the CPU time of progress, of choosing the next round, and of
the small questions a page asks all day: the list of cases, the counts, what comes next; and of progress right after a write.

    python benchmarks/large_pool.py --cases 100000
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from medloop.core.geometry import Grid
from medloop.core.records import Annotation, Case, Evaluation, Model, Prediction, ProjectSettings, Snapshot, Source, new_id, now
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.progress import progress
from medloop.loop.overview.status import status
from medloop.loop.querying.queries import make_query
from medloop.loop.querying.rounds import upcoming_case
from medloop.store.rows import to_row
from medloop.store.tables import annotations, case_states, cases, predictions

ANNOTATED = 0.02
EVALUATED = 60
ROWS_AT_ONCE = 5000


def fill(workspace: Workspace, count: int, *, predicted: float = 1.0, seed: int = 0) -> Model:
    """Cases, a model, its predictions of a share of them, and annotations, written as rows: the audit chain is left out."""
    rng = np.random.default_rng(seed)
    person = annotator_named(workspace, "Ann")
    snapshot = Snapshot(id=new_id("snapshot"), annotation_ids=(), digest="0" * 64, created_at=now())
    model = Model(id=new_id("model"), index=1, recipe={}, snapshot_id=snapshot.id, weights=(), metrics={}, created_at=now())
    with workspace.store.write("benchmark") as tx:
        tx.add(snapshot)
        tx.add(model)
    everything = [synthetic_case(n, EVALUATED) for n in range(count)]
    annotated = {c.id for n, c in enumerate(everything) if n < EVALUATED or rng.random() < ANNOTATED}
    with workspace.store.database.writing() as connection:
        for start in range(0, count, ROWS_AT_ONCE):
            part = everything[start : start + ROWS_AT_ONCE]
            connection.execute(insert(cases), [{**to_row(c), "event": start + n} for n, c in enumerate(part)])
            connection.execute(insert(case_states), [_state(c, annotated, rng) for c in part])
            seen = [c for c in part if rng.random() < predicted]
            connection.execute(
                insert(predictions), [{**to_row(_prediction(c, model, rng)), "event": start + n} for n, c in enumerate(seen)]
            )
            done = [c for c in part if c.id in annotated]
            connection.execute(
                insert(annotations), [{**to_row(_annotation(workspace, c, person.id, rng)), "event": start + n} for n, c in enumerate(done)]
            )
    with workspace.store.write("benchmark") as tx:
        tx.add(_evaluation(model, everything[:EVALUATED], rng))
    return model


def cpu_milliseconds(work: Callable[[], object], repeats: int = 5, *, before: Callable[[], object] = lambda: None) -> float:
    """The least CPU time of a few calls, the first one left out: other programs only ever add to it; `before` is not counted."""
    work()
    found = []
    for _ in range(repeats):
        before()
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return 1000 * min(found)


def measure(workspace: Workspace) -> dict[str, float]:
    """CPU milliseconds by question."""

    def listed() -> object:
        with workspace.store.read() as tx:
            return tx.worklist(limit=50), tx.worklist_total(), tx.case_counts()

    def annotate() -> None:
        opened = next_assignment(workspace, annotator_named(workspace, "Ann").id)
        assert opened is not None
        submit(workspace, opened.assignment.id, Submitted(tag=1, effort_seconds=10.0))

    found = {
        "progress": cpu_milliseconds(lambda: progress(workspace)),
        "progress after an annotation": cpu_milliseconds(lambda: progress(workspace), before=annotate),
        "annotating a case": cpu_milliseconds(annotate),
        "query": cpu_milliseconds(lambda: make_query(workspace, 2)),
        "status": cpu_milliseconds(lambda: status(workspace)),
        "worklist": cpu_milliseconds(listed),
        "upcoming": cpu_milliseconds(lambda: upcoming_case(workspace)),
    }
    return {name: round(value, 1) for name, value in found.items()}


def synthetic_case(number: int, evaluated: int) -> Case:
    """A case without an image."""
    return Case(
        id=new_id("case"),
        name=f"case{number:06d}",
        patient=f"patient{number:06d}",
        split="test" if number < evaluated else "train",
        grid=Grid.of_spacing((64, 64, 1), (1.0, 1.0, 1.0)),
        channels=1,
        dtype="uint8",
        voxels="0" * 64,
        window=(0.0, 255.0),
        value_range=(0.0, 255.0),
        source=Source(format="raster", names=(f"case{number:06d}.png",), sha256=f"{number:064d}"),
        added_at=now(),
    )


def _state(case: Case, annotated: set[str], rng: np.random.Generator) -> dict[str, object]:
    is_done = case.id in annotated
    return {
        "case_id": case.id,
        "name": case.name,
        "patient": case.patient,
        "split": case.split,
        "state": "answered" if is_done else "unanswered",
        "annotations": int(is_done),
        "open_assignments": 0,
        "quality": float(rng.random()),
        "uncertainty": float(rng.random()),
    }


def _prediction(case: Case, model: Model, rng: np.random.Generator) -> Prediction:
    values = rng.random(6)
    names = ("entropy", "margin", "least_confidence", "bald", "foreground", "agreement")
    samples = [[0.5, 0.5]] * 6
    return Prediction(
        id=new_id("prediction"),
        case_id=case.id,
        model_id=model.id,
        mask="1" * 64,
        uncertainty=None,
        probabilities=(0.5, 0.5),
        features=None,
        scores={**{name: float(value) for name, value in zip(names, values, strict=True)}, "samples": samples},
        created_at=now(),
    )


def _annotation(workspace: Workspace, case: Case, annotator_id: str, rng: np.random.Generator) -> Annotation:
    return Annotation(
        id=new_id("annotation"),
        case_id=case.id,
        task_id=workspace.task.id,
        annotator_id=annotator_id,
        kind="tag",
        tag=int(rng.integers(2)),
        effort_seconds=float(10 + rng.random()),
        created_at=now(),
    )


def _evaluation(model: Model, judged: list[Case], rng: np.random.Generator) -> Evaluation:
    per_case = {c.id: {"correct": float(rng.random() < 0.8)} for c in judged}
    return Evaluation(
        id=new_id("evaluation"),
        model_id=model.id,
        split="test",
        metric="accuracy",
        mean=0.8,
        low=0.7,
        high=0.9,
        labelled_cases=1000,
        effort_minutes=100.0,
        per_case=per_case,
        created_at=now(),
    )


def main() -> None:
    """Fill a project, measure, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--strategy", default="entropy")
    arguments = parser.parse_args()
    settings = ProjectSettings(strategy=arguments.strategy, audit_fraction=0.0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p"
        with Workspace.create(path, name="large", kind="classification", labels=["a", "b"], settings=settings) as workspace:
            fill(workspace, arguments.cases)
            print(json.dumps({"cases": arguments.cases, "strategy": arguments.strategy, "cpu_ms": measure(workspace)}))


if __name__ == "__main__":
    main()
