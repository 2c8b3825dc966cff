"""Make the two workspaces every run of a study comes from: the truth, and the project before its first answer.

The project holds the same cases and splits as the truth, the answers of the held-out cases, and none of the pool.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medloop.core.errors import InputError, SettingError
from medloop.core.records import Annotation, Annotator, Case, Json, Project, ProjectSettings, Split, TaskKind
from medloop.datasets.dataset import Dataset, MaskReading
from medloop.datasets.discover import open_dataset
from medloop.images.read import read_mask
from medloop.loop.annotators import annotator_named
from medloop.loop.arrays import load_answer, load_image
from medloop.loop.cases import IMPORTER, add_case
from medloop.loop.importing import import_dataset
from medloop.loop.workspace import Workspace
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
    """

    kind: TaskKind
    labels: tuple[str, ...]
    split: Split
    pool: int
    patients: dict[str, str]
    refused: tuple[str, ...]

    @property
    def metric(self) -> str:
        """What is measured on every case."""
        return "dice" if self.kind == "segmentation" else "accuracy"

    def to_json(self) -> Json:
        """The setup as plain numbers, strings and lists."""
        return {**self.__dict__, "labels": list(self.labels), "refused": list(self.refused)}

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
        return Setup.from_json(read_json(out / SETUP))
    for name in (TRUTH, PROJECT):
        shutil.rmtree(out / name, ignore_errors=True)
    source = Path(design.dataset)
    dataset = open_dataset(source, fmt=design.format)
    if dataset.kind is None:
        raise InputError(f"{design.dataset} holds no answers", remedy="a simulation needs a data set with its truth")
    labels, masks = read_labels(dataset)
    settings = _settings_at_import(design)
    with (
        Workspace.create(out / TRUTH, name="truth", kind=dataset.kind, labels=labels, settings=settings, actor="simulation") as truth,
        Workspace.create(out / PROJECT, name="study", kind=dataset.kind, labels=labels, settings=settings, actor="simulation") as project,
    ):
        imported = import_dataset(truth, source, fmt=dataset.format, masks=masks, actor="simulation")
        setup = _fill(truth, project, tuple(str(r) for r in imported.refused))
    _require_enough(design, setup)
    write_json(out / SETUP, setup.to_json())
    return setup


def read_labels(dataset: Dataset) -> tuple[tuple[str, ...], MaskReading]:
    """The names of a data set's labels and how its masks are meant; a layout without names is asked pixel by pixel.

    Raises:
        SettingError: Masks with more values than a task of this kind would have: probably instance maps.
    """
    if dataset.labels or dataset.kind == "classification":
        return dataset.labels, dataset.masks
    values = sorted({value for case in dataset.cases if case.mask for value in _values(case.mask)} - {0})
    if len(values) <= 1:
        return ("foreground",), "foreground"
    if values[-1] > MOST_UNNAMED_LABELS:
        raise SettingError(
            f"Masks without label names may hold values up to {MOST_UNNAMED_LABELS}, got {values[-1]}",
            remedy="use a layout that names its labels (dataset.json)",
        )
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
        strategy=_asking_for_most(design) if name in (SHARED, FULL) else name,
        first_strategy="random",
        start_size=pool if upper_bound else design.start,
        batch_size=design.batch,
        train_steps=design.full_steps or design.steps if upper_bound else design.steps,
        train_minutes=design.minutes,
        members=design.members,
        samples=design.samples,
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
        seed=design.split_seed, validation_fraction=0.0, test_fraction=design.test_fraction, audit_fraction=0.0, train_after=0
    )


def _asking_for_most(design: StudyDesign) -> str:
    """The strategy that needs most of the predictions, since the shared round predicts for all of them."""
    return max(design.strategies, key=lambda name: ("features" in strategy(name).needs, len(strategy(name).needs)))


def _fill(truth: Workspace, project: Workspace, refused: tuple[str, ...]) -> Setup:
    with truth.store.read() as tx:
        answers = {a.case_id: a for a in tx.current_annotations()}
        cases = [c for c in tx.find(Case, order=("name",)) if c.id in answers]
    split: Split = "test" if any(c.split == "test" for c in cases) else "validation"
    importer = annotator_named(project, IMPORTER)
    for case in cases:
        _copy_case(truth, project, case, answers[case.id], importer, hide=case.split == "train")
    return Setup(
        kind=project.task.kind,
        labels=tuple(label.name for label in project.task.labels),
        split=split,
        pool=sum(c.split == "train" for c in cases),
        patients={c.name: c.patient for c in cases if c.split == split},
        refused=refused,
    )


def _copy_case(truth: Workspace, project: Workspace, case: Case, answer: Annotation, importer: Annotator, *, hide: bool) -> None:
    add_case(
        project,
        load_image(truth.store.blobs, case),
        name=case.name,
        patient=case.patient,
        split=case.split,
        source=case.source,
        answer=None if hide else load_answer(truth.store.blobs, answer, case),
        answered_by=importer,
        stratum=case.stratum,
        actor="simulation",
    )


def _require_enough(design: StudyDesign, setup: Setup) -> None:
    asked = design.labelled[-1]
    if setup.pool < asked:
        raise SettingError(f"The rounds ask {asked} cases, but the pool has {setup.pool}", remedy="lower --start, --batch or --rounds")
    if not setup.patients:
        raise SettingError("No case is held out to measure the models", remedy="raise the test fraction")
