"""nnU-Net as the learner, with a stand-in that follows its files and hooks; and with the real one where an environment has it."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import InputError, MedloopError, SettingError, StorageError, UnavailableError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Case, Evaluation, Job, JobState, Json, Model, Prediction
from medloop.loop.data.exporting import export_project
from medloop.loop.data.outside_models import HowToRun, import_model
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import load_predictor, predict_case
from medloop.loop.learning import nnunet
from medloop.loop.overview.model_history import list_models
from medloop.loop.querying.queries import make_query
from medloop.loop.worker import drain, run_job
from medloop.models.exchange.nnunet_child import PYTHON, failure, run_step
from medloop.testing.check_predictor import check_predictor

from ..conftest import NO_NNUNET
from .conftest import FAST, MakeWorkspace
from .nnunet_standin import standin

SETTINGS = dataclasses.replace(FAST, learner="nnunet", train_steps=6)


@pytest.fixture
def nnunet_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in is installed in the environment that is named."""
    monkeypatch.setenv(PYTHON, sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(standin(tmp_path / "standin")))


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    return make_workspace(["train", "train", "validation", "test", "train"], labelled=4, settings=SETTINGS)


def train(workspace: Workspace) -> Model:
    start_training(workspace, actor="test")
    drain(workspace)
    with workspace.store.read() as tx:
        model = tx.live_model()
    assert model is not None
    return model


def raw_of(workspace: Workspace) -> Path:
    (found,) = workspace.work_folder.glob(f"*/nnunet/raw/{nnunet.DATASET}")
    return found


def test_a_model_of_nnunet_is_a_model_of_the_project(workspace: Workspace, nnunet_here: None, tmp_path: Path) -> None:
    model = train(workspace)
    with workspace.store.read() as tx:
        cases = {case.id: case for case in tx.find(Case)}
        seen = {cases[p.case_id].name: p for p in tx.find(Prediction)}
        judged = {e.split: e for e in tx.find(Evaluation)}
    assert {"case03", "case04"} <= set(seen)
    assert set(judged) == {"test", "validation"}
    assert judged["test"].labelled_cases == 2
    assert seen["case04"].uncertainty is not None
    assert seen["case04"].features is not None
    assert seen["case04"].scores["bald"] > 0  # mirror images differ
    query = make_query(workspace, 1)
    assert query is not None
    assert query.model_id == model.id
    (line,) = list_models(workspace)
    assert (line.steps, line.cases, line.live) == (6, 2, True)
    assert "nnU-Net 0.0" in line.note
    assert not workspace.work_folder.exists() or not list(workspace.work_folder.glob("job*"))
    predictor = load_predictor(workspace.store.blobs, model)
    check_predictor(predictor, kind="segmentation", dimension=3, channels=1, classes=3)
    dark = np.zeros((1, 9, 8, 7), dtype=np.float32)
    dark[0, 6:8, 2, 1] = 1.0
    answer = predictor.predict(Image(dark, Grid((9, 8, 7), np.diag([5.0, 6.0, 7.0, 1.0]))), samples=4, rng=np.random.default_rng(0))
    apart = np.abs(answer.probabilities - np.median(answer.probabilities, axis=(1, 2, 3), keepdims=True)).sum(axis=0)
    assert np.argwhere(apart > 0.5).tolist() == [[6, 2, 1], [7, 2, 1]]
    assert len(answer.samples) == 4
    configure(workspace, task=TaskChange(added=("vessel",)))
    later = predict_case(workspace.reload(), model, predictor, next(one for one in cases.values() if one.name == "case00"))
    assert len(later.probabilities) == 3  # a label that came after the training is not proposed
    with pytest.raises(UnavailableError, match="Only networks that medloop trained can be written as a program"):
        export_project(workspace, tmp_path / "ts", "torchscript")
    export_project(workspace, tmp_path / "trained", "model")
    assert {one.name for one in (tmp_path / "trained").iterdir()} >= {"plans.json", "dataset.json", "fold_0", "model.json"}


def test_what_is_written_leaves_evaluation_patients_out_and_names_nobody(
    make_workspace: MakeWorkspace, nnunet_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN", "full")
    workspace = make_workspace(["train", "train", "validation", "test", "audit"], labelled=5, settings=SETTINGS)
    with pytest.raises(MedloopError, match="nnU-Net needs more space than the disk has; make room"):
        train(workspace)
    raw = raw_of(workspace)
    splits = json.loads((raw / "splits_final.json").read_bytes())
    assert splits == [{"train": ["case00000", "case00001"], "val": ["case00002"]}]
    assert sorted(one.name for one in (raw / "labelsTr").iterdir()) == [f"case{n:05d}.nii.gz" for n in range(3)]
    assert not any(b"patient0" in one.read_bytes() for one in raw.rglob("*") if one.is_file())


def test_folds_leave_patients_out_and_labels_that_share_voxels_become_regions(
    make_workspace: MakeWorkspace, nnunet_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(SETTINGS, members=2)
    workspace = make_workspace(["train"] * 4, labelled=4, settings=settings, patients=2)
    configure(workspace, task=TaskChange(inside={"small": "large"}))
    monkeypatch.setenv("STANDIN", "refuses")
    with pytest.raises(MedloopError, match=r"nnU-Net refuses the exported cases \(AssertionError: labels differ\)"):
        train(workspace.reload())
    raw = raw_of(workspace)
    described = json.loads((raw / "dataset.json").read_bytes())
    assert described["labels"] == {"background": 0, "large": [1, 2], "small": 2}
    splits = json.loads((raw / "splits_final.json").read_bytes())
    assert [set(one["train"]) | set(one["val"]) for one in splits] == [{f"case{n:05d}" for n in range(4)}] * 2
    assert splits[0]["val"] == splits[1]["train"] == ["case00000", "case00002"]


def claimed(workspace: Workspace) -> Job:
    job = workspace.store.jobs.claim("worker")
    assert job is not None
    return job


def paused(workspace: Workspace) -> list[Path]:
    return list(workspace.work_folder.glob("*/nnunet/results/*/*/fold_0/paused_*"))


def gone(place: Path) -> bool:
    return not Path("/proc", place.name.removeprefix("paused_")).exists()


def test_a_training_that_is_stopped_goes_on_from_its_checkpoint_and_a_cancelled_one_ends(
    workspace: Workspace, nnunet_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nnunet, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setenv("STANDIN", "pauses")
    job = start_training(workspace, actor="test")
    run_job(workspace, claimed(workspace), stop=lambda: bool(paused(workspace)))
    (first,) = paused(workspace)
    assert gone(first)
    assert workspace.store.jobs.get(job.id).state == JobState.QUEUED
    assert (first.parent / "checkpoint_latest.pth").is_file()
    monkeypatch.setenv("STANDIN", "")
    run_job(workspace, claimed(workspace))
    lines = [line.text for line in workspace.store.jobs.logs(job.id)]
    assert "fold 1 goes on from its checkpoint" in lines
    for waiting in workspace.store.jobs.list(JobState.QUEUED):
        workspace.store.jobs.cancel(waiting.id)
    configure(workspace, settings={"train_steps": 7})
    monkeypatch.setenv("STANDIN", "pauses")
    again = start_training(workspace, actor="test")

    def cancel() -> bool:
        if paused(workspace):
            workspace.store.jobs.cancel(again.id)
        return False

    run_job(workspace.reload(), claimed(workspace), stop=cancel)
    assert workspace.store.jobs.get(again.id).state == JobState.CANCELLED
    assert all(gone(one) for one in paused(workspace))


def test_nnunet_ends_with_whoever_started_it(tmp_path: Path, nnunet_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "told")
    monkeypatch.setenv("STANDIN", f"waits {tmp_path / 'told'}")
    request = {"environment": {}, "dataset": "", "configuration": "2d", "threads": 1}
    code = f"from medloop.models.exchange.nnunet_child import *; run_step('plan', {request}, Path({str(tmp_path)!r}), lambda _: None)"
    with subprocess.Popen([sys.executable, "-c", code]) as parent, (tmp_path / "told").open() as told:
        assert told.readline() == "begun\n"
        parent.kill()
        assert told.read() == ""  # the end of the one process that could write


def test_without_nnunet_or_with_settings_it_cannot_follow_there_is_one_line(
    workspace: Workspace, make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(PYTHON, str(tmp_path / "none/bin/python"))
    with pytest.raises(MedloopError, match=f"{PYTHON} must name the Python of an environment with nnU-Net, got .*; correct the path"):
        train(workspace)
    with pytest.raises(SettingError, match="nnU-Net has no dropout"):
        configure(workspace, settings={"uncertainty_source": "dropout"})
    few = make_workspace(["train", "train"], labelled=2, name="few", settings=dataclasses.replace(SETTINGS, members=3))
    with pytest.raises(MedloopError, match="Each of 3 folds leaves a patient out, and 2 patients have annotations"):
        train(few)
    with pytest.raises(SettingError, match="nnU-Net learns masks, this is a classification"):
        Workspace.create(tmp_path / "tags", name="tags", kind="classification", labels=["a", "b"], settings=SETTINGS)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("/bin/echo", f"{PYTHON} must name a Python that prints nothing by itself, got the line '.*runner.py plan'"),
        ("/bin/true", "nnU-Net must plan 3d_fullres for these cases, it did not"),
    ],
)
def test_a_program_that_is_no_python_is_refused_in_one_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setenv(PYTHON, program)
    with pytest.raises(MedloopError, match=words):
        train(workspace)


def test_nnunet_is_told_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("WARD_TOKEN", "PACS_PASSWORD", "MEDLOOP_OIDC_SECRET", "api_key", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY")
    for name in secrets:
        monkeypatch.setenv(name, "s3cret")
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\nimport os, sys\nsys.stderr.write(' '.join([*os.environ, *os.environ.values()]))\n")
    program.chmod(0o700)
    monkeypatch.setenv(PYTHON, str(program))
    run_step("plan", {}, tmp_path, lambda _: None)
    told = (tmp_path / "nnunet.log").read_text().split()
    assert "s3cret" not in told
    assert {"PATH", "HOME"} <= set(told)


def test_settings_without_effect_are_named(make_workspace: MakeWorkspace) -> None:
    assert nnunet.unused_words(SETTINGS) == ""
    changed = dataclasses.replace(SETTINGS, unlabelled="mean-teacher", warm_start="all")
    assert nnunet.unused_words(changed).endswith("without effect are unlabelled, warm_start")
    assert nnunet.usable_settings(changed) == SETTINGS


@pytest.mark.parametrize(
    ("code", "said", "kind", "words"),
    [
        (1, "ModuleNotFoundError: No module named 'nnunetv2'", UnavailableError, "pip install nnunetv2 there"),
        (1, "Traceback\nOSError: [Errno 28] No space left on device", StorageError, "make room"),
        (-9, "", InputError, "more memory to train than there is"),
        (1, "RuntimeError: [enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate", InputError, "more memory"),
        (1, 'File "x.py"\n  ^^^^\nValueError: odd\n', InputError, r"failed to train \(ValueError: odd\); see nnunet\.log"),
    ],
)
def test_how_it_failed_is_one_line(code: int, said: str, kind: type[MedloopError], words: str) -> None:
    error = failure("train", code, said)
    assert isinstance(error, kind)
    assert pytest.raises(kind, match=words)
    assert "\n" not in str(error)


def real_python() -> str:
    """The Python of an environment with the real nnU-Net; "" where there is none."""
    return os.environ.get(PYTHON, "") or (sys.executable if importlib.util.find_spec("nnunetv2") else "")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_real_nnunet_trains_predicts_and_comes_back_as_a_folder(make_workspace: MakeWorkspace, tmp_path: Path) -> None:
    if not real_python():
        pytest.skip(f"{NO_NNUNET}: {PYTHON} names no environment")
    workspace = make_workspace(["train", "train", "test", "train"], labelled=3, settings=dataclasses.replace(SETTINGS, train_steps=4))
    model = train(workspace)
    facts: Json = model.metrics
    assert facts["steps"] == 4
    assert facts["loss"] is not None
    with workspace.store.read() as tx:
        predicted = tx.find(Prediction)
    assert {len(p.scores["samples"]) for p in predicted} == {2}
    assert all(p.features for p in predicted)
    export_project(workspace, tmp_path / "trained", "model")
    command = Path(real_python()).with_name("nnUNetv2_predict_from_modelfolder")
    report = import_model(workspace, tmp_path / "trained", name="again", how=HowToRun(command=str(command)))
    assert report.refused == ()
    assert np.isclose(report.judged["test"], next(e.mean for e in _evaluations(workspace)), atol=0.2)


def _evaluations(workspace: Workspace) -> list[Evaluation]:
    with workspace.store.read() as tx:
        return [e for e in tx.find(Evaluation) if e.split == "test"]
