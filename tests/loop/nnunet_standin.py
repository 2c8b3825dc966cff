"""A stand-in for nnU-Net: follows its files, commands and hooks, and segments by the mean brightness of each label; it is no nnU-Net.

`STANDIN` in the environment makes it fail: full (no space), memory (ended by the system), refuses (a check of the data fails), pauses
(waits in its third epoch), waits FIFO (plans for ever, and says so there).
"""

from pathlib import Path

FILES = {
    "nnunetv2-0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: nnunetv2\nVersion: 0.0\n",
    "nnunetv2/__init__.py": "",
    "nnunetv2/experiment_planning/__init__.py": "",
    "nnunetv2/experiment_planning/plan_and_preprocess_entrypoints.py": """
import json, os, pathlib, signal, sys
def plan_and_preprocess_entry():
    how = os.environ.get("STANDIN", "")
    if how.startswith("waits "):
        told = open(how.removeprefix("waits "), "w"); told.write("begun\\n"); told.flush()
        signal.pause()
    if how == "full":
        raise OSError(28, os.strerror(28))
    if how == "memory":
        os.kill(os.getpid(), signal.SIGKILL)
    name = "Dataset001_medloop"
    raw, done = (pathlib.Path(os.environ[f"nnUNet_{one}"]) / name for one in ("raw", "preprocessed"))
    described = json.loads((raw / "dataset.json").read_text())
    assert how != "refuses", "labels differ"
    assert len(list((raw / "labelsTr").iterdir())) == described["numTraining"]
    flat = "2d" in sys.argv
    plan = {"patch_size": [8, 8] if flat else [8, 8, 8], "spacing": [5.0, 5.0] if flat else [9.0, 7.0, 7.0]}
    plans = {"dataset_name": name, "plans_name": "nnUNetPlans", "transpose_forward": [0, 1, 2]}
    done.mkdir(parents=True, exist_ok=True)
    plans["configurations"] = {"2d" if flat else "3d_fullres": plan}
    (done / "splits_final.json").write_text((raw / "splits_final.json").read_text())
    (done / "nnUNetPlans.json").write_text(json.dumps(plans))
""",
    "nnunetv2/run/__init__.py": "",
    "nnunetv2/run/run_training.py": """
import importlib.util, json, os, pathlib, sys
def run_training_entry():
    _, dataset, configuration, fold, *options = sys.argv
    place = pathlib.Path(os.environ["nnUNet_extTrainer"]) / "trainer.py"
    spec = importlib.util.spec_from_file_location("trainer", place); module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    import torch
    done = pathlib.Path(os.environ["nnUNet_preprocessed"]) / "Dataset001_medloop"
    plans = json.loads((done / "nnUNetPlans.json").read_text())
    raw = json.loads((pathlib.Path(os.environ["nnUNet_raw"]) / "Dataset001_medloop/dataset.json").read_text())
    name = options[options.index("-tr") + 1]
    trainer = getattr(module, name)(plans, configuration, int(fold), raw, torch.device("cpu"))
    latest = pathlib.Path(trainer.output_folder) / "checkpoint_latest.pth"
    if "--c" in options and latest.is_file():
        trainer.load_checkpoint(str(latest))
    trainer.run_training()
    trainer.perform_actual_validation(False)
""",
    "nnunetv2/training/__init__.py": "",
    "nnunetv2/training/lr_scheduler/__init__.py": "",
    "nnunetv2/training/lr_scheduler/polylr.py": "class PolyLRScheduler:\n    def __init__(self, *given):\n        self.given = given\n",
    "nnunetv2/training/nnUNetTrainer/__init__.py": "",
    "nnunetv2/training/nnUNetTrainer/nnUNetTrainer.py": """
import json, os, pathlib, signal
import nibabel, numpy as np, torch
class Logger:
    def __init__(self): self.kept = {}
    def log(self, name, value): self.kept.setdefault(name, []).append(value)
    def get_value(self, name, step): return self.kept[name][step]
    def plot_progress_png(self, *_): raise AssertionError("medloop draws no pictures")
def mean_brightness(classes):
    raw = pathlib.Path(os.environ["nnUNet_raw"]) / "Dataset001_medloop"
    splits = json.loads((pathlib.Path(os.environ["nnUNet_preprocessed"]) / "Dataset001_medloop/splits_final.json").read_text())
    found = [[] for _ in range(classes)]
    for name in splits[0]["train"]:
        image = np.asarray(nibabel.load(raw / f"imagesTr/{name}_0000.nii.gz").dataobj, dtype=float)
        mask = np.asarray(nibabel.load(raw / f"labelsTr/{name}.nii.gz").dataobj)
        image = (image - image.mean()) / (image.std() + 1e-6)
        for value in range(classes):
            found[value].append(image[mask == value].mean() if (mask == value).any() else 9.0)
    return torch.tensor([float(np.mean(one)) for one in found])
class nnUNetTrainer:
    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cuda")):
        self.device, self.logger, self.fold = device, Logger(), fold
        self.num_iterations_per_epoch, self.num_epochs, self.initial_lr, self.current_epoch = 250, 1000, 0.01, 0
        name = f"{type(self).__name__}__{plans['plans_name']}__{configuration}"
        self.output_folder = str(pathlib.Path(os.environ["nnUNet_results"]) / plans["dataset_name"] / name / f"fold_{fold}")
        self.classes = sum(label != "ignore" for label in dataset_json["labels"])
        self.network, self.optimizer, self.lr_scheduler = torch.nn.Linear(1, self.classes), None, None
        self.dataloader_train = self.dataloader_val = iter(int, 1)
        self.inference_allowed_mirroring_axes = (0, 1)
    def on_train_start(self):
        pathlib.Path(self.output_folder).mkdir(parents=True, exist_ok=True)
        if self.current_epoch == 0:
            with torch.no_grad():
                self.network.bias.copy_(mean_brightness(self.classes))
    def train_step(self, batch): return {"loss": np.float32(1.0 / (1 + self.current_epoch))}
    def validation_step(self, batch): return {}
    def run_training(self):
        self.on_train_start()
        pathlib.Path(self.output_folder, f"began_{self.current_epoch}").touch()
        for _ in range(self.current_epoch, self.num_epochs):
            losses = [self.train_step(next(self.dataloader_train))["loss"] for _ in range(self.num_iterations_per_epoch)]
            self.logger.log("train_losses", np.mean(losses)); self.logger.log("mean_fg_dice", 0.5); self.logger.log("ema_fg_dice", 0.5)
            self.on_epoch_end()
            pause = pathlib.Path(self.output_folder, f"paused_{os.getpid()}")
            if os.environ.get("STANDIN") == "pauses" and self.current_epoch == 3:
                pause.touch()
                signal.pause()
        self.on_train_end()
    def on_epoch_end(self):
        self.current_epoch += 1
        self.save_checkpoint(str(pathlib.Path(self.output_folder) / "checkpoint_best.pth"))
    def save_checkpoint(self, filename):
        torch.save({"network_weights": self.network.state_dict(), "current_epoch": self.current_epoch + 1}, filename)
    def load_checkpoint(self, filename):
        found = torch.load(filename, weights_only=True)
        self.network.load_state_dict(found["network_weights"]); self.current_epoch = found["current_epoch"]
    def on_train_end(self):
        self.save_checkpoint(str(pathlib.Path(self.output_folder) / "checkpoint_final.pth"))
""",
    "nnunetv2/inference/__init__.py": "",
    "nnunetv2/inference/predict_from_raw_data.py": """
import json, pathlib
import numpy as np, torch
class nnUNetPredictor:
    def __init__(self, **_): pass
    def initialize_from_trained_model_folder(self, folder, folds, checkpoint):
        place = pathlib.Path(folder)
        json.loads((place / "plans.json").read_text()); json.loads((place / "dataset.json").read_text())
        found = [torch.load(place / f"fold_{fold}" / checkpoint, weights_only=True) for fold in folds]
        assert {one["trainer_name"] for one in found} == {"nnUNetTrainer"}
        self.list_of_parameters = [one["network_weights"] for one in found]
        self.network = torch.nn.Module(); self.network.encoder = torch.nn.Identity()
    def predict_single_npy_array(self, image, properties, before, truncated, probabilities):
        assert image.ndim == 4 and len(properties["spacing"]) == 3 and probabilities
        self.network.encoder(torch.from_numpy(image.copy())[None])
        x = (image[0] - image[0].mean()) / (image[0].std() + 1e-6)
        means = self.list_of_parameters[0]["bias"].numpy()
        ramp = np.linspace(0, 0.1, x.shape[1])[:, None]  # not the same when mirrored, as networks are not
        e = np.exp(-4 * np.abs(x[None] + ramp - means[:, None, None, None]))
        return None, e / e.sum(0)
""",
}


def standin(folder: Path) -> Path:
    """A folder to import it from."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
