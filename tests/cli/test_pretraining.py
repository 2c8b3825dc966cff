"""`medloop pretrain`: learning from the pool, weights from elsewhere, and what is refused."""

import json
from pathlib import Path

import safetensors.torch
import torch

from medloop.core.records import Case
from medloop.loop.annotating.annotations import open_case, skip_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.pretraining import network_recipe
from medloop.models.foundation.checkpoint import encode_weights
from medloop.models.foundation.networks import build_network

from .conftest import Medloop


def encoder_file(project: Path, file: Path) -> Path:
    """An encoder that fits the project's network, and a layer that does not."""
    with Workspace.open(project) as workspace:
        state = build_network(network_recipe(workspace), seed=9).state_dict()
    kept = {name: tensor for name, tensor in state.items() if name.startswith("encoder.")}
    file.write_bytes(encode_weights({**kept, "fc.weight": torch.zeros(4, 4)}))
    return file


def test_the_pool_is_learned_from_and_models_and_status_say_so(medloop: Medloop, project: Path) -> None:
    said = medloop("pretrain", project, "--steps", 2, "--threads", 1)
    assert said.status == 0, said.err
    assert said.out.startswith("Trainings begin with weights pretrained on ")
    assert "2 steps, error " in said.out
    assert "start   pretrained on " in medloop("status", project).out
    listed = medloop("models", project).out
    assert "No model yet" in listed
    assert "(trainings begin with it)" in listed
    (start,) = json.loads(medloop("models", project, "--json").out)["starts"]
    assert start["in_use"]
    assert json.loads(medloop("models", project, "--json").out)["models"] == []


def test_it_can_be_left_to_a_worker(medloop: Medloop, project: Path) -> None:
    said = medloop("pretrain", project, "--background", "--json")
    assert json.loads(said.out)["kind"] == "pretrain"
    assert "start   pretraining pool: none yet" in medloop("status", project).out


def test_weights_of_a_file_are_reported_layer_by_layer(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    file = encoder_file(project, tmp_path / "encoder.safetensors")
    said = medloop("pretrain", project, "--from", file)
    assert said.status == 0, said.err
    assert "encoder.levels.0.conv1.conv.weight" in said.out
    assert "it belongs to the labels" in said.out
    assert "not used: fc.weight" in said.err
    assert said.out.splitlines()[-1].startswith("Trainings begin with weights of encoder.safetensors: ")
    report = json.loads(medloop("pretrain", project, "--from", file, "--json").out)
    assert report["unused"] == ["fc.weight"]
    assert {line["how"] for line in report["layers"]} == {"as it is", "new"}


def test_what_cannot_be_is_refused_in_one_line(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    safetensors.torch.save_file({"a": torch.zeros(64, 3, 7, 7)}, tmp_path / "a.safetensors")
    for words, status, message in (
        (("--inflate",), 2, "--inflate is about weights from elsewhere, got no --from"),
        (("--from", tmp_path / "a.safetensors", "--steps", 4), 2, "Weights from elsewhere are taken at once"),
        (("--layers", "encoder"), 2, "--layers is about weights from elsewhere, got no --from"),
        (("--from", tmp_path / "a.safetensors", "--layers", "head"), 2, "--layers must be one of all, encoder, got 'head'"),
        (("--steps", 4, "--minutes", 1), 2, "A pretraining ends by steps or by minutes, got 4 steps and 1 minutes"),
        (("--from", tmp_path / "a.safetensors"), 1, "2D weights become 3D ones with --inflate"),
        (("--from", tmp_path / "a.safetensors", "--inflate"), 1, "give weights of a network of the same levels and widths"),
        (("--from", tmp_path / "none.pt"), 1, "There is no file or folder"),
        (("--from", project), 1, "A project cannot start from itself"),
    ):
        said = medloop("pretrain", project, *words)
        assert (said.status, said.err.count("\n")) == (status, 1), said.err
        assert message in said.err
    assert json.loads(medloop("models", project, "--json").out)["starts"] == []


def test_too_few_images_are_refused_before_the_setting_is_touched(medloop: Medloop, project: Path) -> None:
    with Workspace.open(project) as workspace:
        annotator = annotator_named(workspace, "ann").id
        with workspace.store.read() as tx:
            cases = tx.find(Case, where={"split": "train"})
        for case in cases[3:]:
            skip_case(workspace, open_case(workspace, case.id, annotator).assignment.id, reason="blurred")
    for words in ((), ("--background",)):
        said = medloop("pretrain", project, *words)
        assert said.status == 1
        assert "Pretraining needs at least 4 images, got 3" in said.err
    with Workspace.open(project) as workspace:
        assert workspace.settings.pretraining == "none"


def test_minutes_bound_it_in_place_of_steps(medloop: Medloop, project: Path) -> None:
    said = medloop("pretrain", project, "--minutes", 0.005, "--threads", 1, "--json")
    assert said.status == 0, said.err
    assert json.loads(said.out)["steps"] >= 1


def test_of_a_file_the_encoder_alone_may_be_taken(medloop: Medloop, project: Path, tmp_path: Path) -> None:
    with Workspace.open(project) as workspace:
        state = build_network(network_recipe(workspace), seed=9).state_dict()
    (tmp_path / "whole.safetensors").write_bytes(encode_weights(state))
    for layers, decoder in (("all", "as it is"), ("encoder", "new")):
        said = medloop("pretrain", project, "--from", tmp_path / "whole.safetensors", "--layers", layers, "--json")
        report = json.loads(said.out)
        hows = {line["how"] for line in report["layers"] if not line["name"].startswith(("encoder.", "head."))}
        assert hows == {decoder}
    assert next(line["why"] for line in report["layers"] if line["how"] == "new") == "the encoder alone is taken"
