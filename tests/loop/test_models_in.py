"""Models of somebody else as proposers: TorchScript, ONNX, MONAI bundles and nnU-Net folders; what runs code is refused in one line."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from medloop.cli.main import app
from medloop.core.errors import ConflictError, FormatError, LabelError, MedloopError, SettingError
from medloop.core.records import Case, Prediction
from medloop.loop.data.outside_models import HowToRun, ModelReport, import_model
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.triage import confidence_score
from medloop.loop.querying.queries import make_query
from medloop.models.exchange.bundle_in import INFERENCE, METADATA, SCRIPT
from medloop.models.exchange.child import Limits
from medloop.models.exchange.opening import Stated
from medloop.testing.check_predictor import check_predictor

from .conftest import MakeWorkspace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
HOW = HowToRun(stated=Stated(("large", "small"), {"intensities": ()}))


class Bright(nn.Module):
    """Logits by brightness alone: background, large, small."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([1.0 - x, x, x - 2.0], dim=1)


@pytest.fixture
def workspace(make_workspace: MakeWorkspace) -> Workspace:
    return make_workspace(["train", "train", "train", "test"], labelled=0)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    torch.jit.save(torch.jit.script(Bright()), tmp_path / "net.ts")
    return tmp_path / "net.ts"


def predictions(workspace: Workspace, report: ModelReport) -> dict[str, Prediction]:
    with workspace.store.read() as tx:
        cases = {case.id: case.name for case in tx.find(Case)}
        return {cases[p.case_id]: p for p in tx.find(Prediction) if tx.get(type(p), p.id) and p.model_id}


def test_a_torchscript_file_proposes_with_uncertainty_and_the_next_query_goes_by_it(workspace: Workspace, script: Path) -> None:
    report = import_model(workspace, script, name="bright", how=HOW)
    assert (report.predicted, report.known, report.refused) == (("case00", "case01", "case02"), 0, ())
    found = predictions(workspace, report)
    assert all(p.uncertainty and 0 < confidence_score(p) <= 1 and p.scores["entropy"] > 0 for p in found.values())
    query = make_query(workspace, 1)
    assert query is not None
    assert query.model_id == next(iter(found.values())).model_id
    again = import_model(workspace, script, name="bright", how=HOW)
    assert (again.predicted, again.known) == ((), 3)


def test_one_name_is_one_file_and_labels_are_matched_by_name_or_mapping(workspace: Workspace, script: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="does not say which labels"):
        import_model(workspace, script, name="a")
    other = HowToRun(stated=Stated(("liver", "small")))
    with pytest.raises(LabelError, match="labels the project does not know: liver"):
        import_model(workspace, script, name="a", how=other)
    mapped = HowToRun(stated=Stated(("liver", "small")), mapping={"liver": "large"})
    assert len(import_model(workspace, script, name="a", how=mapped).predicted) == 3
    torch.jit.save(torch.jit.script(nn.Sequential(Bright(), nn.Identity())), tmp_path / "other.ts")
    with pytest.raises(ConflictError, match="A name stands for one model"):
        import_model(workspace, tmp_path / "other.ts", name="a", how=mapped)


class Writes(nn.Module):
    """Writes a file when it is called."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save  # noqa: B018
        return torch.from_file("/etc/hostname", False, 3, dtype=torch.uint8).sum() + x


class Loops(nn.Module):
    """Never ends."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        while bool(x.isfinite().all()):
            x = x * 0.5
        return x


class Greedy(nn.Module):
    """Asks for a terabyte."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros([1 << 38]) + x.sum()


@pytest.mark.parametrize(
    ("program", "words"), [(Writes, "operator aten::from_file"), (Loops, "processor time|within"), (Greedy, "memory|cannot be run")]
)
def test_a_program_that_reads_loops_or_takes_all_memory_is_one_line(
    workspace: Workspace, tmp_path: Path, program: type[nn.Module], words: str
) -> None:
    import re

    torch.jit.save(torch.jit.script(program()), tmp_path / "bad.ts")
    how = HowToRun(stated=HOW.stated, limits=Limits(memory_bytes=1 << 30, cpu_seconds=1, wall_seconds=60))
    try:
        report = import_model(workspace, tmp_path / "bad.ts", name="bad", how=how)
        said = str(report.refused[0])
        assert len(report.refused) == 3
    except FormatError as error:
        said = str(error)
    assert re.search(words, said), said
    assert "\n" not in said


def bundle(folder: Path, script: Path, **changes: object) -> Path:
    """A bundle like those of MONAI's zoo."""
    config = {
        "imports": ["$import glob", "$import torch"],
        "bundle_root": ".",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "datalist": "$list(sorted(glob.glob(@bundle_root + '/imagesTs/*.nii.gz')))",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
                {"_target_": "Spacingd", "keys": "image", "pixdim": [8.0, 8.0, 9.0], "mode": "bilinear"},
                {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": 0, "a_max": 2, "b_min": 0, "b_max": 2, "clip": False},
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [20, 20, 16], "overlap": 0.25},
        "postprocessing": {"_target_": "Compose", "transforms": [{"_target_": "Activationsd", "keys": "pred", "softmax": True}]},
        **changes,
    }
    data = {
        "inputs": {"image": {"num_channels": 1, "spatial_shape": [16, 16, 16]}},
        "outputs": {"pred": {"channel_def": {"0": "background", "1": "Large", "2": "small"}}},
    }
    for name, content in ((METADATA, {"name": "zoo", "network_data_format": data}), (INFERENCE, config)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    (folder / "models").mkdir()
    (folder / SCRIPT).write_bytes(script.read_bytes())
    return folder


def test_a_bundle_is_read_as_data_and_proposes(workspace: Workspace, script: Path, tmp_path: Path) -> None:
    assert import_model(workspace, bundle(tmp_path / "zoo", script), name="zoo").predicted == ("case00", "case01", "case02")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"device": "$__import__('os').system('touch ran')"}, "must not run expressions"),
        ({"handler": {"_target_": "os.system", "command": "touch ran"}}, "may name only known parts"),
        ({"network": "%other.json#network"}, "must not take in other files"),
        ({"preprocessing": {"transforms": [{"_target_": "Spacingd", "pixdim": "@spacing"}]}, "spacing": "$@a"}, "it has an expression"),
        ({"scripts": None}, "a folder scripts"),
    ],
)
def test_a_bundle_that_runs_code_is_refused_in_one_line(
    workspace: Workspace, script: Path, tmp_path: Path, changes: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = bundle(tmp_path / "zoo", script, **changes)
    if "scripts" in changes:
        (place / "scripts").mkdir()
    with pytest.raises(FormatError, match=words) as refused:
        import_model(workspace, place, name="zoo")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


EXECUTABLE = '''#!{python}
"""Follows nnU-Net's file conventions, and segments by brightness; it is no nnU-Net."""
import argparse, pathlib
import nibabel as nib, numpy as np
p = argparse.ArgumentParser()
for flag in ("-i", "-o", "-m", "-f", "-chk", "-device"):
    p.add_argument(flag, required=True)
p.add_argument("--save_probabilities", action="store_true", required=True)
p.add_argument("--disable_progress_bar", action="store_true")
a = p.parse_args()
out = pathlib.Path(a.o); out.mkdir()
assert (pathlib.Path(a.m) / ("fold_" + a.f) / a.chk).is_file()
for file in sorted(pathlib.Path(a.i).glob("*_0000.nii.gz")):
    image = nib.load(file); x = np.asarray(image.dataobj) + 0.1 * int(a.f)
    x = (x - x.mean()) / (x.std() + 1) + 0.3 * int(a.f)
    e = np.exp(np.stack([1.0 - x, x, x - 2.0])); e /= e.sum(0)
    name = file.name.replace("_0000.nii.gz", "")
    np.savez_compressed(out / (name + ".npz"), probabilities=e.transpose(0, 3, 2, 1).astype(np.float16))
    nib.save(nib.Nifti1Image(e.argmax(0).astype(np.uint8), image.affine), out / (name + ".nii.gz"))
'''


def nnunet(folder: Path, labels: dict[str, int]) -> tuple[Path, str]:
    """A trained folder with two folds, and the executable."""
    for fold in (0, 1):
        (folder / f"fold_{fold}").mkdir(parents=True)
        saved = {"network_weights": {"w": torch.ones(2)}, "current_epoch": 3, "logging": {"dice": [np.float64(0.5)]}, "trainer_name": "t"}
        torch.save(saved, folder / f"fold_{fold}/checkpoint_final.pth")
    (folder / "plans.json").write_text(json.dumps({"plans_name": "nnUNetPlans"}))
    described = {"channel_names": {"0": "MR"}, "labels": labels, "file_ending": ".nii.gz", "numTraining": 2}
    (folder / "dataset.json").write_text(json.dumps(described))
    command = folder.parent / "predict"
    command.write_text(EXECUTABLE.replace("{python}", sys.executable))
    command.chmod(0o755)
    return folder, str(command)


def test_an_nnunet_folder_proposes_by_its_command_and_folds_disagree(workspace: Workspace, tmp_path: Path) -> None:
    place, command = nnunet(tmp_path / "trained", {"background": 0, "small": 2, "large": 1})
    report = import_model(workspace, place, name="nnunet", how=HowToRun(command=command))
    assert (report.predicted, report.refused) == (("case00", "case01", "case02"), ())
    found = predictions(workspace, report)
    assert all(p.scores["bald"] > 0 and len(p.scores["samples"]) == 2 for p in found.values())
    run = CliRunner().invoke(app, ["import-model", str(workspace.folder), str(place), "--as", "nnunet", "--nnunet", command])
    assert run.exit_code == 0, run.output
    assert "predicted 0 cases, 3 seen before" in run.output


class Evil:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran",)


def test_an_nnunet_folder_with_other_labels_or_code_or_without_nnunet_is_one_line(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place, command = nnunet(tmp_path / "trained", {"background": 0, "liver": 1, "small": 2})
    with pytest.raises(LabelError, match="labels the project does not know: liver"):
        import_model(workspace, place, name="n", how=HowToRun(command=command))
    with pytest.raises(MedloopError, match="is not on the path"):
        import_model(workspace, place, name="n", how=HowToRun(command=str(tmp_path / "none")))
    torch.save({"network_weights": Evil()}, place / "fold_1/checkpoint_final.pth")
    with pytest.raises(FormatError, match=r"fold_1/checkpoint_final\.pth: a checkpoint must hold weights"):
        import_model(workspace, place, name="n", how=HowToRun(command=command))
    assert not (tmp_path / "ran").exists()


def test_an_evaluated_proposer_is_judged_on_the_test_cases(make_workspace: MakeWorkspace, script: Path) -> None:
    workspace = make_workspace(["test", "test", "train"], labelled=2, name="judged")
    report = import_model(workspace, script, name="bright", how=HOW)
    assert set(report.judged) == {"test"}
    assert 0 <= report.judged["test"] <= 1
    assert sorted(report.predicted) == ["case00", "case01", "case02"]


def test_proposers_keep_the_contract(script: Path, tmp_path: Path) -> None:
    from medloop.loop.data.nnunet_models import NnunetPredictor, read_nnunet
    from medloop.models.exchange.opening import open_network
    from medloop.quality.calibrate import calibrator_from_json

    stated = Stated(("large", "small"), {"intensities": (), "orientation": "RAS", "spacing_mm": (1.0, 1.0, 1.2)})
    with open_network(script, stated, calibrator=calibrator_from_json) as network:
        check_predictor(network, kind="segmentation", dimension=3, channels=1, classes=3)
    place, command = nnunet(tmp_path / "trained", {"background": 0, "large": 1, "small": 2})
    predictor = NnunetPredictor(read_nnunet(place), command=command)
    check_predictor(predictor, kind="segmentation", dimension=3, channels=1, classes=3)
