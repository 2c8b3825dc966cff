"""What comes after a model is predicted, ranked and evaluated at once."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.core.image import Image
from medloop.core.records import Case, Evaluation, EvaluationTruth, Query, Round, Source, Split, now
from medloop.core.states import JobState
from medloop.datasets.export import ExportCase, export_msd
from medloop.images.phantoms import phantom_3d
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.follow_up import follow_up
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.triage import triage_pool
from medloop.loop.overview.progress import progress
from medloop.loop.worker import drain

from .conftest import SMALL, MakeWorkspace
from .made_up import add_answer, add_evaluation, add_model, add_prediction, case_named, every_case


def late(workspace: Workspace, index: int, split: Split = "train", *, labelled: bool = False) -> Case:
    phantom = phantom_3d(index, 1, SMALL)
    digest = hashlib.sha256(phantom.image.array.tobytes()).hexdigest()
    source = Source(format="phantom", names=(phantom.name,), sha256=digest)
    return add_case(
        workspace,
        phantom.image,
        NewCase(name=f"late{index}", patient=f"late{index}", split=split, source=source),
        Incoming(phantom.mask, annotator_named(workspace, "import", program=True)) if labelled else None,
    )


def waiting(workspace: Workspace) -> list[str]:
    return sorted(j.kind for j in workspace.store.jobs.list(state=JobState.QUEUED))


@pytest.fixture
def trained(make_workspace: MakeWorkspace) -> Workspace:
    """Two learned cases, two test cases with annotations, one without, two to ask."""
    workspace = make_workspace(["train", "train", "test", "test", "train", "train", "test"], labelled=4)
    start_training(workspace)
    drain(workspace)
    return workspace


def test_a_case_added_after_a_training_is_predicted_ranked_and_queued_without_being_asked(trained: Workspace) -> None:
    added = late(trained, 50)
    assert waiting(trained) == ["predict"]
    assert progress(trained).pool_note == "1 case waits for the prediction of model 1."
    drain(trained)
    with trained.store.read() as tx:
        model = tx.live_model()
        assert model is not None
        assert added.id in {p.case_id for p in tx.latest_predictions(model.id)}
        (row,) = tx.worklist(search="late50")
        (prepared,) = tx.find(Round)
        assert prepared.query_id is not None
        (query,) = tx.find(Query, where={"id": prepared.query_id})
        pool = {c.id for c in tx.unlabelled_cases(["train"])}
    assert row.uncertainty is not None
    assert progress(trained).unpredicted == 0
    assert added.id in pool
    assert query.model_id == model.id
    assert query.created_at > added.added_at


def test_cases_added_while_the_pool_is_being_predicted_are_not_forgotten(trained: Workspace) -> None:
    late(trained, 50)
    running = trained.store.jobs.claim("tester", lease_seconds=600)
    assert running is not None
    late(trained, 51)
    late(trained, 52)
    assert waiting(trained) == ["predict"]  # one more behind the one at work, not one per case
    trained.store.jobs.finish(running, {})
    drain(trained)
    assert progress(trained).unpredicted == 0


def test_an_import_asks_once_for_all_its_cases(trained: Workspace, tmp_path: Path) -> None:
    before = len(trained.store.jobs.list(limit=1000))
    phantoms = [phantom_3d(n, 1, SMALL) for n in range(60, 64)]
    nowhere = Source(format="phantom", names=("x",), sha256="")
    cases = [ExportCase(p.name, p.patient, "train", p.image, None, None, nowhere) for p in phantoms]
    export_msd(cases, tmp_path / "more", ["large", "small"])
    report = import_dataset(trained, tmp_path / "more")
    assert len(report.added) == 4
    assert waiting(trained) == ["predict"]
    assert len(trained.store.jobs.list(limit=1000)) == before + 1
    drain(trained)
    assert progress(trained).unpredicted == 0


def test_before_there_is_a_model_nothing_is_asked_for(pool: Workspace) -> None:
    late(pool, 50)
    assert waiting(pool) == []
    assert progress(pool).pool_note == "No model yet: the first one predicts the pool."


def test_a_newly_annotated_evaluation_case_is_evaluated_at_once_and_the_point_moves(trained: Workspace) -> None:
    (before,) = progress(trained).curve
    opened = open_case(trained, case_named(trained, "case06").id, annotator_named(trained, "Ann").id)
    submit(trained, opened.assignment.id, Submitted(mask=np.ones(SMALL, np.uint8)))
    assert "evaluate" in waiting(trained)
    drain(trained)
    with trained.store.read() as tx:
        (now,) = tx.current_evaluations()
        assert tx.count(Evaluation) == 2  # the older one is superseded, not changed
    (after,) = progress(trained).curve
    assert len(now.per_case) == 3
    assert after.mean == now.mean != before.mean


def test_a_changed_annotation_of_an_evaluation_case_supersedes_its_evaluation(trained: Workspace) -> None:
    add_answer(trained, annotator_named(trained, "Ann"), case_named(trained, "case02"))
    follow_up(trained)
    drain(trained)
    with trained.store.read() as tx:
        assert tx.count(Evaluation) == 2
        assert len(tx.current_evaluations()) == 1


def test_an_imported_evaluation_case_with_its_label_is_evaluated(trained: Workspace) -> None:
    late(trained, 50, "test", labelled=True)
    drain(trained)
    with trained.store.read() as tx:
        assert [len(e.per_case) for e in tx.current_evaluations()] == [3]


def test_an_evaluation_whose_annotations_are_gone_no_longer_counts(trained: Workspace) -> None:
    with trained.store.read() as tx:
        (old,) = tx.current_evaluations()
    gone = EvaluationTruth(id="truth-1", model_id=old.model_id, split=old.split, evaluation_id=None, digest="", created_at=now())
    with trained.store.write("worker") as tx:
        tx.add(gone, verb="hold")
        assert tx.current_evaluations() == []
        assert tx.current_evaluations(split=old.split) == []
        assert tx.current_evaluations(model_id=old.model_id) == []
        assert tx.count(Evaluation) == 1
    assert progress(trained).curve == ()


def test_answers_to_training_cases_evaluate_nothing_anew(trained: Workspace) -> None:
    opened = open_case(trained, case_named(trained, "case04").id, annotator_named(trained, "Ann").id)
    submit(trained, opened.assignment.id, Submitted())
    assert "evaluate" not in waiting(trained)


def test_a_predicted_pool_without_a_known_quality_says_so(trained: Workspace) -> None:
    made = progress(trained)
    assert made.pool_quality is None
    assert made.pool_note.startswith("Model 1 has predicted the pool; how good its predictions are is unknown")


def test_triage_names_every_count_of_evaluated_patients(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace([*["test"] * 5, *["validation"] * 4, "train"])
    model = add_model(workspace, 1)
    for case in every_case(workspace):
        add_prediction(workspace, model, case, agreement=0.5)
    add_evaluation(workspace, model, "test", 1, {f"case{n:02d}": 0.9 for n in range(5)})
    add_evaluation(workspace, model, "validation", 1, {f"case{n:02d}": 0.9 for n in range(5, 9)})
    with pytest.raises(InputError, match=r"at least 9 evaluated patients, got 5 \(5 test, 4 validation, which chose the weights"):
        triage_pool(workspace, risk=0.1)
    found = triage_pool(workspace, risk=0.3)
    assert found.evaluated == {"test": 5, "validation": 4}
    assert (found.accept.patients, found.splits) == (5, ("test",))


def test_a_case_that_comes_back_to_the_pool_is_predicted(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    opened = open_case(workspace, case_named(workspace, "case00").id, annotator_named(workspace, "Ann").id)
    submit(workspace, opened.assignment.id, Submitted(effort_seconds=1.0))
    add_model(workspace, 1)
    undo_submit(workspace, opened.assignment.id)
    assert "predict" in waiting(workspace)


def test_cases_of_other_channels_are_left_out_of_predictions_in_one_line_and_the_rest_goes_on(trained: Workspace) -> None:
    phantom = phantom_3d(70, 1, SMALL)
    twice = Image(np.concatenate([phantom.image.array, phantom.image.array]), phantom.image.grid)
    for number in range(3):  # another scanner's
        source = Source(format="phantom", names=(f"two{number}",), sha256=f"{900 + number:064d}")
        add_case(trained, twice, NewCase(name=f"aa-two{number}", patient=f"two{number}", split="train", source=source))
    added = late(trained, 50)
    drain(trained)
    (job,) = [job for job in trained.store.jobs.list(limit=1000) if job.kind == "predict" and job.result.get("new") == 1]
    said = [line.text for line in trained.store.jobs.logs(job.id) if "left out" in line.text]
    assert said == ["3 cases left out of the predictions, the rest goes on: 3 with 2 channels, where the network reads 1"]
    with trained.store.read() as tx:
        model = tx.live_model()
        assert model is not None
        assert {p.case_id for p in tx.latest_predictions(model.id)} >= {added.id}
    assert not [job for job in trained.store.jobs.list(limit=1000) if job.state == JobState.FAILED]
