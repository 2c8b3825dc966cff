"""Masks and probabilities of another tool as first proposals: shown, queried by, refused by name, replaced by the project's own model."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from medloop.cli.main import app
from medloop.core.errors import InputError, NotFoundError, SettingError
from medloop.core.records import Case, Model, Prediction, ProjectSettings, Snapshot, now
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.importing import import_dataset
from medloop.loop.data.outside_proposals import WITHOUT_PROBABILITIES, ProposalsReport, import_proposals
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_proposal
from medloop.loop.foundation.in_force import newest_proposal
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.releasing import use_model
from medloop.loop.overview.model_history import list_models
from medloop.loop.querying.queries import make_query

SHAPE = (6, 5, 4)
AFFINE = np.array([[0, 0, 2.5, -7], [-0.8, 0, 0, 3], [0, 1.1, 0, 9], [0, 0, 0, 1.0]])
SETTINGS = ProjectSettings(
    validation_fraction=0.0, test_fraction=0.0, audit_fraction=0.0, train_after=0, seed=5, strategy="entropy", batch_size=1
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "images").mkdir()
    for n in range(4):
        voxels = np.random.default_rng(n).integers(0, 900, SHAPE).astype(np.int16)
        nib.save(nib.Nifti1Image(voxels, AFFINE), tmp_path / f"images/c{n}.nii.gz")
    made = Workspace.create(tmp_path / "project", name="p", kind="segmentation", labels=["liver", "tumour"], settings=SETTINGS)
    import_dataset(made, tmp_path / "images")
    (tmp_path / "theirs").mkdir()
    return made


def softmax(n: int, sharpness: float) -> np.ndarray:
    """Shape (3, I, J, K), sums of 1."""
    logits = np.random.default_rng(n).normal(0, sharpness, (3, *SHAPE))
    return (np.exp(logits) / np.exp(logits).sum(axis=0)).astype(np.float32)


def drawn(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 3, SHAPE).astype(np.uint8)


def take(workspace: Workspace, name: str = "their net") -> ProposalsReport:
    return import_proposals(workspace, workspace.folder.parent / "theirs", name=name)


def shown(workspace: Workspace, name: str) -> tuple[Prediction, np.ndarray, Model]:
    with workspace.store.read() as tx:
        case = tx.find(Case, where={"name": name})[0]
        found = newest_proposal(tx, case.id)
        assert found is not None
        return found, load_proposal(workspace.store.blobs, found, case), tx.get(Model, found.model_id)


def test_masks_are_shown_as_proposals_of_their_tool_and_are_no_annotations(workspace: Workspace, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(drawn(0), AFFINE), tmp_path / "theirs/c0_seg.nii.gz")
    report = take(workspace)
    assert (report.taken, report.with_probabilities, report.refused, report.notes) == (("c0",), 0, (), (WITHOUT_PROBABILITIES,))
    found, mask, model = shown(workspace, "c0")
    assert np.array_equal(mask, drawn(0))
    assert (model.outside, found.uncertainty, found.quality) == ("their net", None, None)
    with workspace.store.read() as tx:
        assert tx.current_annotations() == []
        assert tx.live_model() is None
    case_id = found.case_id
    opened = open_case(workspace, case_id, annotator_named(workspace, "Ann").id)
    assert opened.assignment.began_with == "prediction"
    assert take(workspace).known == ("c0",)
    assert list_models(workspace) == ()
    with pytest.raises(NotFoundError, match="'their net', is from elsewhere"):
        use_model(workspace, model.index, actor="test")


def test_probabilities_bring_uncertainty_and_the_first_query_goes_by_them(workspace: Workspace, tmp_path: Path) -> None:
    given = {n: softmax(n, sharpness) for n, sharpness in enumerate((4.0, 3.0, 0.2, 5.0))}
    for n, probabilities in given.items():  # nnU-Net: (class, k, j, i)
        np.savez_compressed(tmp_path / f"theirs/c{n}.npz", probabilities=probabilities.transpose(0, 3, 2, 1).astype(np.float16))
    nib.save(nib.Nifti1Image(drawn(9), AFFINE), tmp_path / "theirs/c0.nii.gz")  # nnU-Net leaves the mask beside them
    report = take(workspace)
    assert (report.taken, report.with_probabilities, report.refused) == (("c0", "c1", "c2", "c3"), 4, ())
    found, mask, model = shown(workspace, "c2")
    assert np.array_equal(mask, given[2].astype(np.float16).argmax(axis=0))
    assert found.uncertainty is not None
    assert np.allclose(found.probabilities, given[2].mean(axis=(1, 2, 3)), atol=1e-3)
    query = make_query(workspace, 1)
    assert query is not None
    assert (query.strategy, query.model_id, [choice.case_id for choice in query.choices]) == ("entropy", model.id, [found.case_id])


def test_a_volume_with_a_channel_per_class_and_the_names_of_dataset_json(workspace: Workspace, tmp_path: Path) -> None:
    given = softmax(1, 2.0)
    nib.save(nib.Nifti1Image(given[[0, 2, 1]].transpose(1, 2, 3, 0), AFFINE), tmp_path / "theirs/c1.nii.gz")
    swapped = np.array([0, 2, 1], np.uint8)[drawn(3)]
    nib.save(nib.Nifti1Image(swapped, AFFINE), tmp_path / "theirs/c3.nii.gz")
    (tmp_path / "theirs/dataset.json").write_text(json.dumps({"labels": {"background": 0, "Tumour": 1, "liver": 2}}))
    report = take(workspace)
    assert (report.taken, report.refused) == (("c1", "c3"), ())
    assert np.array_equal(shown(workspace, "c1")[1], given.argmax(axis=0))
    assert np.array_equal(shown(workspace, "c3")[1], drawn(3))


def test_each_bad_file_is_one_line_and_the_rest_goes_on(workspace: Workspace, tmp_path: Path) -> None:
    place = tmp_path / "theirs"
    nib.save(nib.Nifti1Image(drawn(0), AFFINE + np.eye(4) * [0.5, 0, 0, 0]), place / "c0.nii.gz")
    nib.save(nib.Nifti1Image(drawn(1) * 7, AFFINE), place / "c1.nii.gz")
    np.savez(place / "c2.npz", probabilities=softmax(2, 1.0).transpose(0, 3, 2, 1) * 0.5)
    nib.save(nib.Nifti1Image(drawn(3), AFFINE), place / "c3.nii.gz")
    nib.save(nib.Nifti1Image(drawn(3), AFFINE), place / "elsewhere.nii.gz")
    report = take(workspace)
    assert report.taken == ("c3",)
    words = {refusal.file: str(refusal) for refusal in report.refused}
    assert "must lie on the image's grid" in words["c0.nii.gz"]
    assert "mask values must be 0 or the task's labels, got also [7, 14]" in words["c1.nii.gz"]
    assert "add up to 1, those of 120 of 120 voxels do not" in words["c2.npz"]
    assert "is called like a case of the project, got elsewhere" in words["elsewhere.nii.gz"]
    assert all(refusal.remedy and "\n" not in str(refusal) for refusal in report.refused)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("probabilities", np.zeros((3, *SHAPE), np.float32), "axes must be classes and the case's 4×5×6"),
        ("probabilities", np.full((3, 4, 5, 6), np.nan, np.float32), "probabilities are 0 to 1"),
        ("probabilities", np.zeros((5, 4, 5, 6), np.float32), "3 classes with the background, or 2 without"),
        ("probabilities", np.zeros((3, 4, 5, 6), np.uint8), "probabilities are floats"),
        ("probabilities", np.array([{}], object), "probabilities are floats"),
        ("other", np.zeros(3), "holds one of probabilities, softmax, arr_0"),
    ],
)
def test_a_bad_npz_is_refused(workspace: Workspace, tmp_path: Path, name: str, array: np.ndarray, words: str) -> None:
    np.savez_compressed(tmp_path / "theirs/c0.npz", **{name: array})
    (refusal,) = take(workspace).refused
    assert words in str(refusal)
    assert "must be intact" not in str(refusal)
    (tmp_path / "theirs/c0.npz").write_bytes((tmp_path / "theirs/c0.npz").read_bytes()[:-40])
    (refusal,) = take(workspace).refused
    assert "must be intact" in str(refusal)


def test_an_annotated_case_keeps_its_annotation_and_names_are_checked(workspace: Workspace, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(drawn(0), AFFINE), tmp_path / "theirs/c0.nii.gz")
    with workspace.store.read() as tx:
        case_id = tx.find(Case, where={"name": "c0"})[0].id
    opened = open_case(workspace, case_id, annotator_named(workspace, "Ann").id)
    submit(workspace, opened.assignment.id, Submitted(mask=drawn(1), effort_seconds=1.0))
    (refusal,) = take(workspace).refused
    assert "for a case without an annotation" in str(refusal)
    with pytest.raises(InputError, match="1 to 80 printable"):
        take(workspace, name=" ")
    tags = Workspace.create(tmp_path / "tags", name="t", kind="classification", labels=["a", "b"])
    with pytest.raises(SettingError, match="Proposals are masks"):
        import_proposals(tags, tmp_path / "theirs", name="x")


def test_the_projects_own_model_takes_their_place(workspace: Workspace, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(drawn(0), AFFINE), tmp_path / "theirs/c0.nii.gz")
    take(workspace)
    theirs, _, outside = shown(workspace, "c0")
    own = Model(id="model-own", index=2, recipe={}, snapshot_id="snapshot-own", weights=(), metrics={}, created_at=now())
    with workspace.store.write("test") as tx:
        tx.add(Snapshot(id="snapshot-own", annotation_ids=(), digest="d", created_at=now()), verb="freeze")
        tx.add(own, verb="train")
        assert tx.live_model() == own
        assert newest_proposal(tx, theirs.case_id) == theirs  # until it predicts
        tx.add(replace(theirs, id="prediction-own", model_id=own.id), verb="predict")
    nib.save(nib.Nifti1Image(drawn(5), AFFINE), tmp_path / "theirs/c0.nii.gz")
    assert take(workspace).taken == ("c0",)
    assert shown(workspace, "c0")[2] == own
    assert outside.index == 1


def test_the_command_takes_proposals_alone_and_says_what_became_of_them(workspace: Workspace, tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(drawn(0), AFFINE), tmp_path / "theirs/c0.nii.gz")
    run = CliRunner().invoke(app, ["import", str(workspace.folder), "--proposals", str(tmp_path / "theirs"), "--proposals-name", "unet 3"])
    assert run.exit_code == 0, run.output
    assert "proposals of 'unet 3' for 1 case (0 with probabilities), 0 unchanged, 0 left out" in run.output
    assert shown(workspace, "c0")[2].outside == "unet 3"
