"""The trainer that nnU-Net finds by `nnUNet_extTrainer`: its own, but for the length of a training, its reports and its checkpoints.

Networks, losses, augmentation and schedule are those of `nnUNetTrainer`. Its 1000 epochs of 250 iterations become as many iterations as
were asked for, or as fit into the minutes, timed once on the first ones; the learning rate falls over these as it does over nnU-Net's.
Runs in nnU-Net's environment; see `runner`.
"""

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

EPOCHS = 20
"""Of a short training; a long one has more, of nnU-Net's 250 iterations at most."""
USUAL_ITERATIONS, VALIDATED_SHARE = 250, 5
CHECKPOINT_SECONDS, REPORT_SECONDS, TIMED = 30.0, 1.0, 2
FEWEST_STEPS = 50
"""Of a training by minutes, however long they take."""


class MedloopTrainer(nnUNetTrainer):  # type: ignore[misc]  # not installed where this is checked
    """nnU-Net's trainer, for as long as it was asked to."""

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: Any = torch.device("cuda"),  # noqa: B008
    ) -> None:  # nnU-Net reads this signature
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.asked = json.loads(os.environ["MEDLOOP_NNUNET"])
        self.steps_done, self._kept, self._told = 0, time.monotonic(), 0.0
        self.save_every = 10**9  # checkpoints are kept by time
        self.logger.plot_progress_png = lambda *_args: None

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(self) -> Any:  # noqa: N802
        """As nnU-Net does, without mirroring where labels tell left from right."""
        rotation, dummy, patch, mirrored = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        if self.asked["mirrored"]:
            return rotation, dummy, patch, mirrored
        self.inference_allowed_mirroring_axes = None
        return rotation, dummy, patch, None

    def on_train_start(self) -> None:
        """Then the length is settled, once."""
        if self.device.type == "cpu":
            torch.set_num_threads(int(self.asked["threads"]))
        random.seed(self.asked["seed"])
        np.random.seed(self.asked["seed"] % 2**32)
        torch.manual_seed(self.asked["seed"])
        super().on_train_start()
        length = self._length()
        self.num_iterations_per_epoch, self.num_epochs = length["iterations"], length["epochs"]
        self.num_val_iterations_per_epoch = max(1, self.num_iterations_per_epoch // VALIDATED_SHARE)
        self.lr_scheduler: Any = PolyLRScheduler(self.optimizer, self.initial_lr, self.num_epochs)
        self.steps_done = self.current_epoch * self.num_iterations_per_epoch

    def _length(self) -> dict[str, Any]:
        """Iterations of an epoch, and epochs; the same ones when the training is resumed."""
        file = Path(self.output_folder) / "medloop_length.json"
        if file.is_file():
            found: dict[str, Any] = json.loads(file.read_text())
            return found
        seconds = 0.0 if self.asked["steps"] else self._seconds_per_step()
        total = self.asked["steps"] or max(FEWEST_STEPS, int(self.asked["seconds"] / seconds))
        most = min(USUAL_ITERATIONS, max(1, int(2 * CHECKPOINT_SECONDS / seconds)) if seconds else USUAL_ITERATIONS)
        iterations = max(1, min(most, total // EPOCHS))
        found = {"iterations": iterations, "epochs": max(1, round(total / iterations)), "seconds_per_step": seconds}
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(found))
        partial.replace(file)
        return found

    def _seconds_per_step(self) -> float:
        """Of a step with its share of the validation; the first one is not counted."""
        self.network.train()
        super().train_step(next(self.dataloader_train))
        began = time.monotonic()
        for _ in range(TIMED):
            super().train_step(next(self.dataloader_train))
        trained = (time.monotonic() - began) / TIMED
        began = time.monotonic()
        with torch.no_grad():
            self.validation_step(next(self.dataloader_val))
        return trained + (time.monotonic() - began) / VALIDATED_SHARE

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """As nnU-Net's, and tells how far it is."""
        found: dict[str, Any] = super().train_step(batch)
        self.steps_done += 1
        if time.monotonic() - self._told >= REPORT_SECONDS:
            self._tell(self.current_epoch + 1, float(np.mean(found["loss"])))
        return found

    def on_epoch_end(self) -> None:
        """As nnU-Net's, and keeps a checkpoint when the last one is old."""
        super().on_epoch_end()
        self._tell(self.current_epoch, _latest(self.logger, "train_losses"))
        if time.monotonic() - self._kept >= self.asked["checkpoint_seconds"] and self.current_epoch < self.num_epochs:
            self.current_epoch -= 1  # what is saved counts from the epoch that has just ended
            self.save_checkpoint(str(Path(self.output_folder) / "checkpoint_latest.pth"))
            self.current_epoch += 1
            self._kept = time.monotonic()

    def save_checkpoint(self, filename: str) -> None:
        """Whole or not at all, so that a kill leaves the one before; the best one so far is not kept, as the last one is used."""
        if Path(filename).name == "checkpoint_best.pth":
            return
        super().save_checkpoint(f"{filename}.partial")
        Path(f"{filename}.partial").replace(filename)

    def on_train_end(self) -> None:
        """Then the weights are written alone, without anything but tensors."""
        super().on_train_end()
        network: Any = getattr(self.network, "_orig_mod", self.network)
        folder = Path(self.output_folder)
        torch.save(network.state_dict(), folder / "weights.partial")
        axes = self.inference_allowed_mirroring_axes
        facts = {"mirrored": list(axes) if axes else [], "steps": self.steps_done, "dice": _latest(self.logger, "ema_fg_dice")}
        (folder / "facts.json").write_text(json.dumps({**facts, "device": self.device.type, "loss": _latest(self.logger, "train_losses")}))
        (folder / "weights.partial").replace(folder / "weights.pth")

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """None: medloop evaluates by itself, on patients of its own choice."""

    def _tell(self, epoch: int, loss: "float | None") -> None:
        self._told = time.monotonic()
        record = {"epoch": epoch, "epochs": self.num_epochs, "step": self.steps_done, "loss": loss}
        record |= {"steps": self.num_epochs * self.num_iterations_per_epoch, "dice": _latest(self.logger, "mean_fg_dice")}
        os.write(int(os.environ["MEDLOOP_NNUNET_PIPE"]), json.dumps(record).encode() + b"\n")


def _latest(logger: Any, name: str) -> "float | None":
    """The newest value of a log, None where it is none; older versions of nnU-Net keep a dict."""
    try:
        value = float(logger.get_value(name, -1) if hasattr(logger, "get_value") else logger.my_fantastic_logging[name][-1])
    except (IndexError, KeyError, TypeError):
        return None
    return value if np.isfinite(value) else None
