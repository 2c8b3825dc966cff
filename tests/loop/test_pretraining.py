"""Weights before the first label: whose images they learn from, how a training begins with them, and what comes from elsewhere."""

import dataclasses
import signal
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from medloop.core.errors import FormatError, InputError, MedloopError, NotFoundError
from medloop.core.records import Case, Descriptor, GoldCase, Model, Source, Split, new_id, now
from medloop.core.seeds import derive_seed
from medloop.core.states import JobState
from medloop.images.phantoms import phantom_3d
from medloop.loop.annotating.annotations import open_case, skip_case
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.starts import (
    begin_with_pool,
    images_to_learn,
    pretrain_before_annotations,
    request_pretraining,
    start_in_use,
    starts,
)
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning import beginning
from medloop.loop.learning.pretraining import network_recipe, start_from
from medloop.loop.overview.model_history import list_models
from medloop.loop.querying.on_demand import kept_features, request_description
from medloop.loop.worker import drain, run_job
from medloop.models.foundation.checkpoint import decode_weights
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.inference.predict import Predictor

from .conftest import FAST, SMALL, MakeWorkspace
from .made_up import case_named, every_case
from .test_work import claim_from_the_dead, start_worker, wait_until_progress

SPLITS: list[Split] = ["train"] * 6 + ["validation", "test"]
POOL = dataclasses.replace(FAST, pretraining="pool")


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    return make_workspace(SPLITS, labelled=2, settings=POOL)


def pretrained(workspace: Workspace) -> bytes:
    """Pretrain now; the weights."""
    request_pretraining(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        found = start_in_use(tx, workspace.reload().settings)
    assert found is not None
    return workspace.store.blobs.get(found.weights)


def trained(workspace: Workspace) -> Model:
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        return tx.find(Model, order=("index",))[-1]


def note_of(workspace: Workspace) -> str:
    return list_models(workspace)[-1].note


def test_the_network_that_trainings_train_learns_from_the_pool_before_anything_is_annotated(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(SPLITS, settings=POOL)
    assert pretrain_before_annotations(workspace)
    weights = decode_weights(pretrained(workspace))
    assert not pretrain_before_annotations(workspace), "it is there"
    fresh = build_network(network_recipe(workspace), seed=0).state_dict()
    assert {name: tensor.shape for name, tensor in weights.items()} == {n: t.shape for n, t in fresh.items() if not n.startswith("head.")}
    with workspace.store.read() as tx:
        (start,) = starts(tx)
    assert start.words.startswith("pretrained on 6 images of the pool, 4 steps, error ")


def test_it_is_a_function_of_recipe_seed_and_images_whatever_is_annotated(make_workspace: MakeWorkspace, workspace: Workspace) -> None:
    other = make_workspace(SPLITS, settings=POOL, name="other")
    elsewhere = make_workspace(SPLITS, settings=dataclasses.replace(POOL, seed=4), name="elsewhere")
    first = pretrained(workspace)
    assert pretrained(other) == first
    assert pretrained(elsewhere) != first


def test_no_image_of_an_evaluation_patient_or_a_gold_case_is_read(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    same_patient, gold = case_named(workspace, "case02"), case_named(workspace, "case01")
    with workspace.store.write("test") as tx:
        evaluated = tx.find(Case, where={"split": "test"})[0]
        tx.add(dataclasses.replace(evaluated, id=new_id("case"), name="again", patient=same_patient.patient), verb="test")
        (truth,) = tx.current_annotations(case_ids=[gold.id])
        made = GoldCase(id=new_id("gold"), case_id=gold.id, annotation_id=truth.id, annotator_id=truth.annotator_id, created_at=now())
        tx.add(made, verb="mark")
        assert [c.name for c in images_to_learn(tx)] == ["case00", "case03", "case04", "case05"]
    read: set[str] = set()
    load = beginning.load_image
    monkeypatch.setattr(beginning, "load_image", lambda blobs, case: (read.add(case.name), load(blobs, case))[1])
    pretrained(workspace)
    assert read == {"case00", "case03", "case04", "case05"}


def test_a_training_begins_with_the_weights_and_the_model_says_so(workspace: Workspace) -> None:
    configure(workspace, settings={"pretraining": "none"})
    scratch = trained(workspace.reload())
    configure(workspace, settings={"pretraining": "pool"})
    model = trained(workspace.reload())
    assert model.weights != scratch.weights
    assert note_of(workspace).endswith("began with pretrained on 6 images of the pool, 4 steps, error " + note_of(workspace)[-14:])
    with workspace.store.read() as tx:
        (start,) = starts(tx)
    assert model.metrics["start"]["id"] == start.id
    recipe = Recipe.from_json(model.recipe)
    initial = decode_weights(beginning._weights(workspace, recipe, start, 0))
    kept, fresh = (
        decode_weights(workspace.store.blobs.get(start.weights)),
        build_network(recipe, seed=derive_seed(recipe.seed, 0, "weights")).state_dict(),
    )
    assert all(torch.equal(initial[n], kept[n] if n in kept else fresh[n]) for n in fresh)


def test_the_same_annotations_make_no_second_model_but_another_start_does(workspace: Workspace) -> None:
    trained(workspace)
    assert trained(workspace).index == 1
    request_pretraining(workspace, steps=2)
    assert trained(workspace).index == 2


def test_a_pool_too_small_to_learn_from_leaves_the_training_at_scratch_and_it_says_so(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3, labelled=2, settings=POOL)
    trained(workspace)
    assert "began from scratch: Pretraining needs at least 4 images, got 3" in note_of(workspace)


def test_weights_are_made_anew_once_the_pool_has_twice_the_images(workspace: Workspace) -> None:
    from .made_up import add_cases

    pretrained(workspace)
    add_cases(workspace, 5)
    trained(workspace)
    add_cases_later(workspace)
    start_training(workspace, again=True)
    drain(workspace)
    with workspace.store.read() as tx:
        assert [one.metrics["images"] for one in starts(tx)] == [6, 12]


def add_cases_later(workspace: Workspace) -> None:
    """One case more, of a patient of its own."""
    first = case_named(workspace, "added00")
    with workspace.store.write("test") as tx:
        source = dataclasses.replace(first.source, sha256="f" * 64)
        tx.add(dataclasses.replace(first, id=new_id("case"), name="later", patient="later", source=source), verb="test")


def test_a_pretraining_killed_with_9_ends_with_the_weights_it_would_have_had(make_workspace: MakeWorkspace) -> None:
    slow = dataclasses.replace(POOL, train_steps=24)
    whole, killed = (make_workspace(SPLITS, settings=slow, name=name) for name in ("whole", "killed"))
    job = request_pretraining(killed)
    worker = start_worker(killed.folder, "first")
    try:
        wait_until_progress(killed, job.id, 0.1)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    configure(killed, settings={"train_steps": 7, "seed": 3, "pretraining": "none"}, actor="Ann")
    again = claim_from_the_dead(killed)
    assert again is not None
    run_job(killed.reload(), again)
    assert killed.store.jobs.get(job.id).state == JobState.DONE, killed.store.jobs.get(job.id).error
    configure(killed, settings={"pretraining": "pool"}, actor="Ann")
    with killed.store.read() as tx:
        found = start_in_use(tx, killed.reload().settings)
    assert found is not None
    assert killed.store.blobs.get(found.weights) == pretrained(whole)


def test_another_projects_model_gives_encoder_and_decoder_and_a_new_head(make_workspace: MakeWorkspace, workspace: Workspace) -> None:
    other = make_workspace(["train"] * 4, labelled=2, name="other")
    model = trained(other)
    start = start_from(workspace, other.folder, actor="test")
    assert workspace.reload().settings.pretraining == "file"
    assert start.source == "model 1 of other"
    assert start.metrics["share"] == 1.0
    assert start.note == "", "no evaluation case of this project was learned there"
    assert workspace.store.blobs.get(start.weights) == other.store.blobs.get(model.weights[0])
    trained(workspace.reload())
    assert "began with weights of model 1 of other: " in note_of(workspace)


def test_a_project_of_other_labels_and_channels_takes_what_does_not_depend_on_them(
    make_workspace: MakeWorkspace, workspace: Workspace, tmp_path: Path
) -> None:
    trained(other := make_workspace(["train"] * 4, labelled=2, name="other"))
    with Workspace.create(tmp_path / "own", name="own", kind="segmentation", labels=["one"], settings=FAST) as own:
        for index in range(4):
            image = phantom_3d(index, 1, SMALL).image
            coloured = dataclasses.replace(image, array=np.repeat(image.array, 2, axis=0))
            source = Source(format="phantom", names=(f"c{index}",), sha256=f"{index}" * 64)
            add_case(own, coloured, NewCase(name=f"c{index}", patient=f"p{index}", split="train", source=source))
        start = start_from(own, other.folder, layers="encoder", actor="test")
        how = {line["name"]: line["how"] for line in start.metrics["layers"]}
        taken = {name for name, one in how.items() if one != "new"}
        assert taken
        assert all(name.startswith("encoder.") for name in taken)
        assert next(how[name] for name in how if name.startswith("encoder.")) == "first channels"


def test_evaluation_cases_that_were_training_cases_there_are_named(make_workspace: MakeWorkspace) -> None:
    other = make_workspace(["train"] * 4, labelled=2, name="other")
    trained(other)
    own = make_workspace(["train", "train", "test", "test"], name="own")
    assert start_from(own, other.folder, actor="test").note == (
        "2 evaluation cases of this project were training cases there, so scores are too good"
    )


def test_what_cannot_be_begun_with_is_refused_in_one_line_and_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    safetensors.torch.save_file({"stem.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "other.safetensors")
    torch.save(torch.nn.Conv2d(1, 1, 3), tmp_path / "pickled.pt")
    (tmp_path / "empty").mkdir()
    refusals: list[tuple[Path, type[Exception], str]] = [
        (tmp_path / "other.safetensors", InputError, "An encoder needs convolutions of the network's shapes, the first "),
        (tmp_path / "pickled.pt", FormatError, "pickled.pt holds more than weights"),
        (tmp_path / "empty", NotFoundError, "A folder must be a medloop project or a MONAI bundle"),
        (tmp_path / "none.pt", NotFoundError, "There is no file or folder"),
        (workspace.folder, InputError, "A project cannot start from itself"),
    ]
    for source, error, words in refusals:
        with pytest.raises(error, match=words) as refused:
            start_from(workspace, source, actor="test")
        assert "\n" not in str(refused.value)
    with workspace.store.read() as tx:
        assert starts(tx) == []
    assert workspace.reload().settings.pretraining == "pool"


def test_a_setting_that_names_weights_nobody_brought_fails_in_one_line(workspace: Workspace) -> None:
    configure(workspace, settings={"pretraining": "file"})
    job = start_training(workspace)
    claimed = workspace.store.jobs.claim("test")
    assert claimed is not None
    run_job(workspace.reload(), claimed)
    assert workspace.store.jobs.get(job.id).error == (
        "pretraining file needs weights, and none were brought; medloop pretrain DIR --from PATH, or set pretraining=none"
    )


def test_weights_that_fit_no_longer_leave_the_training_at_scratch_and_it_says_so(workspace: Workspace) -> None:
    pretrained(workspace)
    with workspace.store.read() as tx:
        (start,) = starts(tx)
    workspace.store.blobs.path(start.weights).unlink()
    trained(workspace)
    assert "began from scratch, as the pretrained on 6 images" in note_of(workspace)


def test_the_blob_of_a_start_is_known_to_backups_and_audits(workspace: Workspace) -> None:
    from medloop.store.references import references

    pretrained(workspace)
    with workspace.store.read() as tx:
        (start,) = starts(tx)
        (use,) = [one for one in references(tx.connection) if one.blob == start.weights]
    assert (use.noun, use.noun_id, use.case_id) == ("pretraining", start.id, "")


def test_a_cold_start_describes_the_cases_by_the_same_weights_as_soon_as_they_are_there(make_workspace: MakeWorkspace) -> None:
    settings = dataclasses.replace(POOL, cold_start="selfsup", first_strategy="typiclust")
    workspace = make_workspace(["train"] * 5, settings=settings)
    cases = every_case(workspace)
    request_description(workspace)
    assert not workspace.store.jobs.active("describe"), "it waits for the weights"
    pretrain_before_annotations(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (start,) = starts(tx)
        described = tx.find(Descriptor)
    assert {(d.method, d.maker) for d in described} == {(start.id, start.weights)}
    found = kept_features(workspace, cases)
    assert set(found) == {c.id for c in cases}
    predictor = Predictor.load(
        Recipe.from_json(start.recipe), [beginning._weights(workspace, Recipe.from_json(start.recipe), start, 0)], sampler="softmax"
    )
    embedded = predictor.predict(load_image(workspace.store.blobs, cases[0]), samples=1, rng=np.random.default_rng(0)).features
    np.testing.assert_allclose(found[cases[0].id], embedded / np.linalg.norm(embedded), rtol=1e-4, atol=1e-6)


def test_a_cold_start_without_enough_images_is_described_all_the_same(make_workspace: MakeWorkspace) -> None:
    settings = dataclasses.replace(POOL, cold_start="selfsup", first_strategy="typiclust")
    workspace = make_workspace(["train"] * 3, settings=settings)
    job = request_pretraining(workspace)
    with pytest.raises(MedloopError, match="Pretraining needs at least 4 images, got 3"):
        drain(workspace)
    drain(workspace)
    assert workspace.store.jobs.get(job.id).state == JobState.FAILED
    with workspace.store.read() as tx:
        assert {d.method for d in tx.find(Descriptor)} == {"descriptors"}


def test_a_pool_that_one_network_cannot_read_leaves_the_setting_as_it_was(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=dataclasses.replace(POOL, pretraining="none"))
    job = begin_with_pool(workspace, actor="test")
    assert workspace.reload().settings.pretraining == "pool"
    for case in every_case(workspace)[1:]:  # meanwhile most images are found to be of no use
        skip_case(workspace, open_case(workspace, case.id, annotator_named(workspace, "ann").id).assignment.id, reason="blurred")
    with pytest.raises(MedloopError, match="Pretraining needs at least 4 images, got 1"):
        drain(workspace.reload())
    assert workspace.store.jobs.get(job.id).state == JobState.FAILED
    assert workspace.reload().settings.pretraining == "none"
