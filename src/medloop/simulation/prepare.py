"""Make the two workspaces every run of a study comes from: the truth, and the project before its first answer.

The project holds the same cases and splits as the truth, the answers of the held-out cases, and none of the pool.
"""

import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from medloop.core.errors import InputError, SettingError
from medloop.core.image import Mask
from medloop.core.names import counted
from medloop.core.records import Case, Json, Project, ProjectSettings, Split, TaskKind
from medloop.core.seeds import derive_seed
from medloop.datasets.dataset import Dataset, MaskReading
from medloop.datasets.discover import open_dataset
from medloop.images.read import read_mask
from medloop.loop.data.cases import IMPORTER, Incoming, NewCase, add_case
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_annotation, load_image
from medloop.loop.foundation.workspace import Workspace
from medloop.query.strategies import strategy
from medloop.simulation.design import FULL, SHARED, StudyDesign
from medloop.simulation.files import read_json, write_json

TRUTH, PROJECT, SETUP = "truth", "project", "setup.json"

MOST_UNNAMED_LABELS = 20
"""More than any task whose labels nobody bothered to name; instance maps go far beyond."""


@dataclass(frozen=True)
class Setup:
    """What a data set turned out to hold.

    Attributes:
        kind: Segmentation or classification.
        labels: Label names.
        split: The split that measures: "test", or "validation" when the source has no test split.
        pool: Number of cases that may be asked.
        patients: Held-out case name → patient.
        refused: One line per file that was left out.
        foreground: Case of the pool → its foreground voxels in the truth; empty for a classification.
    """

    kind: TaskKind
    labels: tuple[str, ...]
    split: Split
    pool: int
    patients: dict[str, str]
    refused: tuple[str, ...]
    foreground: Mapping[str, int] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """What is measured on every case."""
        return "dice" if self.kind == "segmentation" else "accuracy"

    def to_json(self) -> Json:
        """The setup as plain numbers, strings and lists."""
        lists = {"labels": list(self.labels), "refused": list(self.refused)}
        return {**self.__dict__, **lists, "patients": dict(self.patients), "foreground": dict(self.foreground)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Setup":
        """Inverse of `to_json`."""
        return cls(**{**record, "labels": tuple(record["labels"]), "refused": tuple(record["refused"])})


def prepare(design: StudyDesign, out: Path) -> Setup:
    """Import the data set once; a second call only reads what the first one found.

    Raises:
        InputError: No answered cases, or nothing that is a data set.
        SettingError: Fewer cases in the pool than the rounds will ask, or none held out.
    """
    if (out / SETUP).exists():
        setup = Setup.from_json(read_json(out / SETUP))
        _require_enough(design, setup)
        return setup
    for name in (TRUTH, PROJECT):
        shutil.rmtree(out / name, ignore_errors=True)
    source = Path(design.dataset)
    dataset = open_dataset(source, fmt=design.format)
    if dataset.kind is None:
        raise InputError(f"{design.dataset} holds no annotations", remedy="a simulation needs a data set with its truth")
    labels, masks = read_labels(dataset)
    _require_flips(design, dataset.kind, labels)
    _require_correctable(design, dataset.kind)
    _require_queryable(design, dataset.kind)
    settings = _settings_at_import(design)
    with (
        Workspace.create(out / TRUTH, name="truth", kind=dataset.kind, labels=labels, settings=settings, actor="simulation") as truth,
        Workspace.create(out / PROJECT, name="study", kind=dataset.kind, labels=labels, settings=settings, actor="simulation") as project,
    ):
        imported = import_dataset(truth, open_dataset(source, fmt=dataset.format, masks=masks), actor="simulation")
        setup = _fill(truth, project, design, tuple(str(r) for r in imported.refused))
    _require_enough(design, setup)
    write_json(out / SETUP, setup.to_json())
    return setup


def read_labels(dataset: Dataset) -> tuple[tuple[str, ...], MaskReading]:
    """The names of a data set's labels and how its masks are meant; a layout without names is asked pixel by pixel.

    Masks of one value are one foreground, and so are those with more values than a task has labels, which number objects.
    """
    if dataset.labels or dataset.kind == "classification":
        return dataset.labels, dataset.masks
    values = sorted({value for case in dataset.cases if case.mask for value in _values(case.mask)} - {0})
    if len(values) <= 1 or values[-1] > MOST_UNNAMED_LABELS:
        return ("foreground",), "foreground"
    return tuple(f"label {value}" for value in range(1, values[-1] + 1)), "labels"


def settle(workspace: Workspace, design: StudyDesign, seed: int, name: str, pool: int) -> Workspace:
    """Give a copy of the project the settings of its run; returns it reloaded.

    Args:
        workspace: The copy.
        design: The study.
        seed: Of this run.
        name: A strategy, `SHARED` or `FULL`.
        pool: Number of cases that may be asked.
    """
    upper_bound = name == FULL
    settings = replace(
        _settings_at_import(design),
        seed=seed,
        strategy=_first_strategy(design) if name in (SHARED, FULL) else name,
        first_strategy=design.start_strategy,
        start_size=pool if upper_bound else design.start,
        batch_size=design.batch,
        train_steps=design.full_steps or design.steps if upper_bound else design.steps,
        train_minutes=design.minutes,
        members=design.members,
        samples=design.samples,
        warm_start="scratch" if upper_bound else design.warm_start,
        cold_start=design.cold_start,
        pretraining="none" if upper_bound else design.pretraining,
        unlabelled=design.unlabelled,
        robust=design.robust,
        query_unit="case" if upper_bound else design.query_unit,
    )
    with workspace.store.write("simulation") as tx:
        tx.change(Project, workspace.project.id, verb="configure", fields={"settings": settings})
    return workspace.reload()


def _values(mask: Path) -> tuple[int, ...]:
    """Values of one mask; a mask that cannot be read has none here and is refused at import."""
    try:
        return read_mask(mask).values()
    except InputError:
        return ()


def _settings_at_import(design: StudyDesign) -> ProjectSettings:
    return ProjectSettings(
        seed=design.split_seed,
        validation_fraction=design.validation_fraction,
        test_fraction=design.test_fraction,
        audit_fraction=0.0,
        train_after=0,
    )


def _first_strategy(design: StudyDesign) -> str:
    """The strategy that needs most of the predictions, since the shared round predicts for all of them.

    It cannot choose yet, so the start strategy does; where nobody needs predictions, that one is named at once.
    """
    most = max(design.strategies, key=lambda name: ("features" in strategy(name).needs, len(strategy(name).needs)))
    return most if strategy(most).needs else design.start_strategy


def _fill(truth: Workspace, project: Workspace, design: StudyDesign, refused: tuple[str, ...]) -> Setup:
    with truth.store.read() as tx:
        answers = {a.case_id: a for a in tx.current_annotations()}
        cases = subsample([c for c in tx.find(Case, order=("name",)) if c.id in answers], design.cases, design.split_seed)
    _require_masks(design, [case.name for case in cases if answers[case.id].annotated])
    split: Split = "test" if any(c.split == "test" for c in cases) else "validation"
    importer = annotator_named(project, IMPORTER, program=True)
    foreground: dict[str, int] = {}
    for case in cases:
        answer = load_annotation(truth.store.blobs, answers[case.id], case)
        new = NewCase(name=case.name, patient=case.patient, split=case.split, source=case.source, stratum=case.stratum)
        known = None if case.split == "train" else Incoming(answer, importer, annotated=answers[case.id].annotated)
        add_case(project, load_image(truth.store.blobs, case), new, known, actor="simulation")
        if case.split == "train" and isinstance(answer, Mask):
            foreground[case.name] = int(np.count_nonzero(answer.array))
    return Setup(
        kind=project.task.kind,
        labels=tuple(label.name for label in project.task.labels),
        split=split,
        pool=sum(c.split == "train" for c in cases),
        patients={c.name: c.patient for c in cases if c.split == split},
        refused=refused,
        foreground=foreground,
    )


def subsample(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """About `count` cases in their given order: whole patients drawn by seed, every split in its share; 0 keeps all.

    A split never goes empty and never exceeds its share by more than a patient's cases.
    """
    if not count or count >= len(cases):
        return list(cases)
    by_patient: dict[tuple[Split, str], list[Case]] = defaultdict(list)
    for case in cases:
        by_patient[case.split, case.patient].append(case)
    taken: Counter[Split] = Counter()
    sizes = Counter(case.split for case in cases)
    kept: set[str] = set()
    for split, patient in sorted(by_patient, key=lambda key: (derive_seed(seed, "subsample", key[1]), key[1])):
        if taken[split] < max(1, round(count * sizes[split] / len(cases))):
            taken[split] += len(by_patient[split, patient])
            kept |= {case.id for case in by_patient[split, patient]}
    return [case for case in cases if case.id in kept]


def _require_enough(design: StudyDesign, setup: Setup) -> None:
    asked = design.labelled[-1]
    if setup.pool < asked:
        raise SettingError(f"The rounds query {asked} cases, but the pool has {setup.pool}", remedy="lower --start, --batch or --rounds")
    if not setup.patients:
        raise SettingError("No case is held out to measure the models", remedy="raise the test fraction")


def _require_flips(design: StudyDesign, kind: TaskKind, labels: Sequence[str]) -> None:
    if design.given != "mask" and kind != "segmentation":
        raise SettingError(f"Marks are given of a segmentation, got a {kind}", remedy="leave --given at mask")
    if design.noise == "class-flip" and kind == "segmentation" and len(labels) < 2:
        raise SettingError(f"Noise of kind class-flip needs two labels, got {', '.join(labels)}", remedy="take missed-object or mixed")


def _require_queryable(design: StudyDesign, kind: TaskKind) -> None:
    if design.query_unit != "case" and (kind != "segmentation" or design.given != "mask"):
        got = f"a {kind}" if kind != "segmentation" else design.given
        rule = f"Parts and kinds of annotation (--query-unit {design.query_unit}) are queried of masks, got {got}"
        raise SettingError(rule, remedy="leave --query-unit at case, or --given at mask")


def _require_masks(design: StudyDesign, in_part: Sequence[str]) -> None:
    """Marks and parts say what is background, which nobody knows of a label that is not annotated in a case."""
    if in_part and (design.given != "mask" or design.query_unit != "case"):
        got = f"{counted(len(in_part), 'case')} that annotate some labels only, the first {in_part[0]}"
        rule = f"Marks and parts are simulated of cases in which every label is annotated, got {got}"
        raise SettingError(rule, remedy="leave --given at mask and --query-unit at case, or leave these cases out of the data set")


def _require_correctable(design: StudyDesign, kind: TaskKind) -> None:
    if design.annotators == "draw":
        return
    noisy = design.noise != "none" or design.outline_error_mm
    if kind != "segmentation" or design.given != "mask" or noisy:
        got = f"a {kind}" if kind != "segmentation" else "marks" if design.given != "mask" else "noise"
        raise SettingError(f"Annotators correct proposals of masks without noise, got {got}", remedy="leave --annotators at draw")
