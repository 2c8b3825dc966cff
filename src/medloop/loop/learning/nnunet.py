"""nnU-Net as the learner: the same annotations, written as its raw data, learned by its plans in a process of its own.

What it makes is a model of the project like any other. A training that was killed goes on from nnU-Net's checkpoint: the raw data, the
plans and every fold that is done are kept in the job's folder. Cases have no names there, and evaluation patients are not among them.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medloop.core.arrays import UNKNOWN, ImageArray, MaskArray
from medloop.core.errors import InputError, LabelError, SettingError
from medloop.core.geometry import Grid, triple
from medloop.core.image import Image, Mask
from medloop.core.labels import class_regions, value_names
from medloop.core.names import counted
from medloop.core.records import Case, Json, ProjectSettings, Split, Task
from medloop.core.settings import SETTINGS
from medloop.datasets.export import SPLITS, export_nnunet
from medloop.datasets.export_tally import ExportCase
from medloop.images.files import write_atomic
from medloop.loop.learning.begun import Begun, Learned, has_sides
from medloop.loop.learning.training_set import make_training_set
from medloop.models.exchange.nnunet_child import environment, run_step
from medloop.models.exchange.nnunet_side.runner import TRAINER
from medloop.models.exchange.nnunet_weights import image_axes, in_image_order, read_trained, told_spacing
from medloop.models.foundation.nnunet_recipe import NnunetRecipe
from medloop.models.foundation.plans import GREY, common_channels

if TYPE_CHECKING:
    from medloop.models.training.batches import TrainingCase
    from medloop.models.training.weak_targets import WeakTarget

DATASET = "Dataset001_medloop"
_FIGURES = (("loss", "loss"), ("dice", "pseudo Dice"))
CHECKPOINT_SECONDS = 30.0
WITHOUT_EFFECT = (
    "unlabelled", "robust", "mark_weights", "bias_correction", "correction_weight", "explanation_penalty", "annotator_model", "targets",
    "interactive_network", "any_label", "warm_start", "pretraining", "learn_group", "replay_cases", "replay_choice", "ewc", "distillation",
)  # fmt: skip
"""Settings of medloop's own networks and losses, which nnU-Net has not."""


def usable_settings(settings: ProjectSettings) -> ProjectSettings:
    """Settings with those at their default that nnU-Net cannot follow."""
    usual: dict[str, Any] = {name: SETTINGS[name].default for name in WITHOUT_EFFECT}
    return dataclasses.replace(settings, **usual)


def unused_words(settings: ProjectSettings) -> str:
    """Which settings of a project have no effect while nnU-Net learns; "" for none."""
    changed = [name for name in WITHOUT_EFFECT if getattr(settings, name) != SETTINGS[name].default]
    return f"nnU-Net learns by its own rules, without effect are {', '.join(changed)}" if changed else ""


@dataclass(frozen=True)
class _Run:
    """One training by nnU-Net.

    Attributes:
        begun: The training.
        folds: How many.
        configuration: Of the plans.
        share: Of the job that is done before the folds.
    """

    begun: Begun
    folds: int
    configuration: str
    share: float = 0.05

    @property
    def folder(self) -> Path:
        return self.begun.plan.folder / "nnunet"

    @property
    def threads(self) -> int:
        return self.begun.control.threads

    def request(self, asked: Json | None = None, **more: Any) -> Json:
        variables = environment(threads=self.threads, folder=self.folder, asked=asked)
        return {"environment": variables, "dataset": DATASET, "configuration": self.configuration, "threads": self.threads, **more}


def learn_with_nnunet(begun: Begun) -> Learned:
    """Train by nnU-Net's plans; `members` are its folds.

    Raises:
        SettingError: The project is a classification, or has fewer patients than folds.
        InputError: Nothing can be learned, or nnU-Net refuses or fails.
        UnavailableError: There is no nnU-Net.
        StorageError: The disk is full.
    """
    workspace, control = begun.workspace, begun.control
    if workspace.task.kind != "segmentation":
        raise SettingError("nnU-Net segments, and this project is a classification", remedy="set learner=builtin")
    began = time.monotonic()
    taught = make_training_set(workspace, control, begun.plan, answers=begun.annotations, cases=begun.cases)
    validation = taught.held_out(begun.validation(list), workspace.task.mask_values)
    cases = [one.case for one in (*taught.cases, *validation) if one.case is not None]
    flat = all(case.grid.is_2d for case in cases)
    run = _Run(begun, workspace.settings.members, "2d" if flat else "3d_fullres")
    channels = common_channels({case.channels for case in cases}, dimension=2 if flat else 3)
    if channels is None:
        raise InputError("nnU-Net needs the same number of channels in every case, got several", remedy="flag those that differ")
    _tell_unused(begun)
    control.log(
        f"learning from {counted(len(taught.cases), 'case')}, validating on {len(validation)}: nnU-Net, {counted(run.folds, 'fold')}"
    )
    _write_raw(run, taught.cases, validation, channels, flat=flat)
    planned = _planned(run)
    told = [_train_fold(run, fold) for fold in range(run.folds)]
    recipe, weights = _recipe(run, planned, told[0], channels)
    metrics = {**taught.facts, **_facts(told), "seconds": time.monotonic() - began, "training_cases": len(begun.cases)}
    metrics["calibration"] = begun.calibrated(recipe, weights, validation, taught.missing)
    return Learned(recipe.to_json(), tuple(weights), metrics)


def _tell_unused(begun: Begun) -> None:
    """The project's settings as they are, not as this training began with: those were made usable."""
    if words := unused_words(begun.workspace.reload().settings):
        begun.control.log(words)


def _facts(told: Sequence[Json]) -> Json:
    dices = [one["dice"] for one in told if one["dice"] is not None]
    facts = {"steps": sum(int(one["steps"]) for one in told), "loss": told[-1]["loss"], "device": told[-1]["device"]}
    return {**facts, "policy": "scratch", "pseudo_dice": float(np.mean(dices)) if dices else None}


def _write_raw(run: _Run, taught: "Sequence[TrainingCase]", validation: "Sequence[TrainingCase]", channels: int, *, flat: bool) -> None:
    """The raw data and its folds; complete or absent, and written once."""
    raw, control, task = run.folder / "raw" / DATASET, run.begun.control, run.begun.workspace.task
    learned = [_Written(one, task, channels, flat, n, "train") for n, one in enumerate(taught)]
    judged = [_Written(one, task, channels, flat, n, "validation") for n, one in enumerate(validation, start=len(learned))]
    splits = json.dumps(_splits(learned, judged, run.folds)).encode()
    if not raw.is_dir():
        raw.parent.mkdir(parents=True, exist_ok=True)
        control.report(0.0, "writing cases for nnU-Net")
        regions = {held[0]: held for held in class_regions(task.labels)}
        cases = (one.written() for one in (*learned, *judged))
        for note in export_nnunet(cases, raw, value_names(task), regular_grid=True, regions=regions).notes:
            control.log(note)
    write_atomic(raw / SPLITS, splits, mode=0o600)  # nnU-Net's planning takes it along


@dataclass(frozen=True)
class _Written:
    """A training case as nnU-Net gets it, under a number in place of its name."""

    known: "TrainingCase"
    task: Task
    channels: int
    flat: bool
    number: int
    split: Split

    @property
    def name(self) -> str:
        return f"case{self.number:05d}"

    @property
    def case(self) -> Case:
        if self.known.case is None:
            raise LabelError(f"{self.known.id}: nnU-Net learns cases of the project", remedy="set learner=builtin")
        return self.known.case

    def written(self) -> ExportCase:
        image, mask = self.known.load()
        if not isinstance(mask, Mask):
            raise LabelError(f"{self.known.id}: nnU-Net learns masks, got a class", remedy="set learner=builtin")
        mask = mask if self.known.weak is None else Mask(_marked(self.known.weak()), mask.grid)
        array, grid = _readable(image, self.channels), _thick(image.grid) if self.flat else image.grid
        known = self.known.known
        names = [name for value, name in zip(self.task.mask_values, value_names(self.task), strict=True) if value in known]
        complete = not known or len(names) == len(self.task.mask_values)
        return ExportCase(
            name=self.name, patient=self.name, split=self.split, image=Image(array, grid), mask=Mask(mask.array, grid), tag=None,
            source=dataclasses.replace(self.case.source, nifti_header=""), annotated=() if complete else tuple(names),
        )  # fmt: skip


def _marked(weak: "WeakTarget") -> MaskArray:
    """The voxels whose class marks leave no choice; `UNKNOWN`, which is nnU-Net's ignore label, elsewhere."""
    sure = weak.possible.sum(axis=1) == 1
    classes: MaskArray = np.where(sure, weak.possible.argmax(axis=1), UNKNOWN).astype(np.uint8)
    return classes[weak.sets]


def _thick(grid: Grid) -> Grid:
    """The same pixels with the thickness that nnU-Net is told."""
    affine = grid.affine.copy()
    affine[:3, 2] *= told_spacing(grid.spacing_mm, flat=True)[2] / grid.spacing_mm[2]
    return Grid(grid.shape, affine)


def _readable(image: Image, channels: int) -> ImageArray:
    """Finite numbers in so many channels; a grey picture among colours has its one three times."""
    array = image.array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = np.nan_to_num(array, posinf=0.0, neginf=0.0)
    if image.channels != channels:
        array = np.repeat(array, channels, axis=0) if image.channels == GREY else array.mean(axis=0, keepdims=True).astype(array.dtype)
    return array


def _splits(learned: Sequence[_Written], judged: Sequence[_Written], folds: int) -> list[dict[str, list[str]]]:
    """nnU-Net's splits: one fold learns from every training case, several each leave some patients out.

    Raises:
        SettingError: Fewer patients than folds.
    """
    shown = [one.name for one in judged]
    if folds == 1:
        every = [one.name for one in learned]
        return [{"train": every, "val": shown or every}]
    patients = sorted({one.case.patient for one in learned})
    if len(patients) < folds:
        rule = f"Each of {folds} folds leaves a patient out, and {counted(len(patients), 'patient')} have annotations"
        raise SettingError(rule, remedy="annotate more, or set members to fewer")
    place = {patient: n % folds for n, patient in enumerate(patients)}
    return [
        {
            "train": [one.name for one in learned if place[one.case.patient] != fold],
            "val": [*(one.name for one in learned if place[one.case.patient] == fold), *shown],
        }
        for fold in range(folds)
    ]


def _planned(run: _Run) -> Json:
    """nnU-Net's plans and its version, made once."""
    kept = run.folder / "planned.json"
    if kept.is_file():
        found: Json = json.loads(kept.read_bytes())
        return found
    told: list[Json] = []

    def tell(record: Json) -> None:
        run.begun.control.report(run.share / 2, "nnU-Net plans and prepares the cases")
        told.extend([record] if record else [])

    run_step("plan", run.request(), run.folder, tell)
    if not told or run.configuration not in told[-1]["plans"].get("configurations", {}):
        rule = f"nnU-Net must plan {run.configuration} for these cases, it did not"
        raise InputError(rule, remedy="see nnunet.log in the folder work of the project")
    write_atomic(kept, json.dumps(told[-1]).encode(), mode=0o600)
    return told[-1]


def _train_fold(run: _Run, fold: int) -> Json:
    """Train a fold, or go on with it; what it says of itself."""
    place = _results(run) / f"fold_{fold}"
    if not (place / "weights.pth").is_file():
        settings, control = run.begun.workspace.settings, run.begun.control
        seconds = settings.train_minutes * 60 / run.folds
        asked = {"steps": settings.train_steps, "seconds": seconds, "threads": run.threads, "checkpoint_seconds": CHECKPOINT_SECONDS}
        asked |= {"seed": run.begun.seed % 2**31 + fold, "mirrored": not has_sides(run.begun.workspace)}
        resumed = any(place.glob("checkpoint_*.pth"))
        if resumed:
            control.log(f"fold {fold + 1} goes on from its checkpoint")
        run_step("train", run.request(asked, fold=fold, resumed=resumed), run.folder, _teller(run, fold))
    if not (place / "weights.pth").is_file():
        rule = f"nnU-Net must leave the weights of fold {fold + 1}, it ended without"
        raise InputError(rule, remedy="see nnunet.log in the folder work of the project")
    found: Json = json.loads((place / "facts.json").read_bytes())
    return found


def _results(run: _Run) -> Path:
    return run.folder / "results" / DATASET / f"{TRAINER}__nnUNetPlans__{run.configuration}"


def _teller(run: _Run, fold: int) -> Callable[[Json], None]:
    """Reports what a fold says, also while it says nothing: so a training that is called off ends."""
    last: list[tuple[float, str]] = [(0.0, "nnU-Net begins")]

    def tell(record: Json) -> None:
        if record:
            figures = "".join(f", {what} {record[name]:.3f}" for name, what in _FIGURES if record.get(name) is not None)
            where = f"epoch {record['epoch']}/{record['epochs']}, step {record['step']}/{record['steps']}"
            last[0] = (record["step"] / max(1, record["steps"]), f"fold {fold + 1}/{run.folds}, {where}{figures}")
        done, words = last[0]
        run.begun.control.report(run.share + (1 - run.share) * (fold + done) / run.folds, words)

    return tell


def _recipe(run: _Run, planned: Json, told: Json, channels: int) -> tuple[NnunetRecipe, list[Path]]:
    """What the model says of itself, and its weights as files."""
    weights: list[Path] = []
    shared: Json = {}
    for fold in range(run.folds):
        data, shared = read_trained(_results(run) / f"fold_{fold}" / "weights.pth")
        weights.append(run.folder / f"fold_{fold}.safetensors")
        write_atomic(weights[-1], data, mode=0o600)
    task, plans = run.begun.workspace.task, planned["plans"]
    chosen = plans["configurations"][run.configuration]
    dataset = json.loads((run.folder / "raw" / DATASET / "dataset.json").read_bytes())
    regions = class_regions(task.labels)
    patch = tuple(int(n) for n in in_image_order(plans, chosen["patch_size"]))
    flat = run.configuration == "2d"
    return NnunetRecipe(
        dimension=2 if flat else 3, channels=channels, classes=task.classes, members=run.folds, configuration=run.configuration,
        spacing_mm=in_image_order(plans, chosen["spacing"]), patch=triple(patch),
        flips=image_axes(plans, run.configuration, told["mirrored"]),
        outputs=tuple(dataset["regions_class_order"]) if regions else tuple(range(task.classes)), regions=regions,
        plans=plans, dataset=dataset, shared=shared, version=planned["version"], seed=run.begun.seed, threads=run.threads,
    ), weights  # fmt: skip
