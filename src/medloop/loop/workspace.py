"""A project's folder, opened: what every verb of the loop takes as its first argument."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

from medloop.core.errors import ConflictError, NotFoundError, SettingError
from medloop.core.records import (
    LABEL_COLOURS,
    USUAL_STRATEGY,
    ColdStart,
    Label,
    Project,
    ProjectSettings,
    Summed,
    Task,
    TaskKind,
    WarmStart,
    new_id,
    now,
)
from medloop.query.strategies import strategy
from medloop.store.store import Store

MAX_LABELS = 254
"""Mask values are uint8: 0 is background and 255 means "ignore" in training."""

LEASE_HOURS = 4.0
"""A case opened by somebody who then gives no sign of life is offered to others after this time; the draft stays theirs."""

COLD_NEEDS = frozenset({"features"})
"""What the pool can hold before there is a model; see `medloop.loop.describing.cold_features`."""


@dataclass(frozen=True)
class Workspace:
    """An open project.

    Attributes:
        folder: The project's folder: database, blobs and work in progress.
        store: Its open store.
        project: The project as it was when opened; `reload` gives a fresh view.
        task: The newest version of its task.
    """

    folder: Path
    store: Store
    project: Project
    task: Task

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        name: str,
        kind: TaskKind,
        labels: Sequence[str],
        instructions: str = "",
        settings: ProjectSettings | None = None,
        url: str | None = None,
        actor: str = "system",
    ) -> Self:
        """Make a new project in a folder that holds none.

        Args:
            folder: Made if missing.
            name: Shown to people.
            kind: Segmentation or classification.
            labels: Names in order; a segmentation numbers them 1, 2, …, a classification 0, 1, ….
            instructions: What to tell annotators.
            settings: How the loop behaves; defaults fit a first project.
            url: A PostgreSQL URL; None keeps everything in the folder.
            actor: Who does it, for the audit.

        Raises:
            ConflictError: The folder already holds a project.
            SettingError: No labels, too many, or a name twice.
        """
        task = Task(
            id=new_id("task"),
            version=1,
            kind=kind,
            labels=_labels(kind, labels),
            instructions=instructions,
            created_at=now(),
        )
        if (folder / "medloop.json").exists():
            raise ConflictError(f"{folder} already holds a medloop project", remedy="choose another folder or import into it")
        settings = _decided(settings or ProjectSettings(), kind)
        project = Project(id=new_id("project"), name=name, task_id=task.id, settings=settings, created_at=now())
        check_settings(project.settings)
        store = Store.create(folder, url=url)
        with store.write(actor) as tx:
            tx.add(task, verb="define")
            tx.add(project, verb="create")
        return cls(folder, store, project, task)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an existing project.

        Raises:
            NotFoundError: The folder holds none.
        """
        if not (folder / "medloop.json").exists():
            raise NotFoundError(f"{folder} holds no medloop project", remedy="make one with: medloop init FOLDER --kind … --label …")
        store = Store.open(folder)
        with store.read() as tx:
            projects = tx.find(Project, limit=1)
            if not projects:
                store.close()
                raise NotFoundError(f"The database of {folder} holds no project", remedy="make one with: medloop init")
            return cls(folder, store, projects[0], tx.get(Task, projects[0].task_id))

    @property
    def settings(self) -> ProjectSettings:
        """The project's settings."""
        return self.project.settings

    @property
    def work_folder(self) -> Path:
        """Scratch space for resumable jobs; everything in it can be made again."""
        return self.folder / "work"

    def reload(self) -> "Workspace":
        """The same open store with the project's and task's newest state."""
        with self.store.read() as tx:
            project = tx.get(Project, self.project.id)
            return Workspace(self.folder, self.store, project, tx.get(Task, project.task_id))

    def close(self) -> None:
        """Release the database."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_settings(settings: ProjectSettings) -> None:
    """Refuse settings outside their ranges.

    Raises:
        SettingError: Naming the first one that is off.
    """
    rules: tuple[tuple[str, float, float, float], ...] = (
        ("batch_size", settings.batch_size, 1, 10_000),
        ("start_size", settings.start_size, 0, 10_000),
        ("train_after", settings.train_after, 0, 10_000),
        ("validation_fraction", settings.validation_fraction, 0, 0.5),
        ("test_fraction", settings.test_fraction, 0, 0.8),
        ("audit_fraction", settings.audit_fraction, 0, 0.5),
        ("train_minutes", settings.train_minutes, 0.05, 10_000),
        ("train_steps", settings.train_steps, 0, 10_000_000),
        ("members", settings.members, 1, 20),
        ("samples", settings.samples, 1, 100),
        ("correction_weight", settings.correction_weight, 1, 100),
        ("budget_labels", settings.budget_labels, 0, 100_000_000),
        ("budget_minutes", settings.budget_minutes, 0, 1e9),
        ("budget_money", settings.budget_money, 0, 1e12),
        ("target_score", settings.target_score, 0, 1),
        ("right_reasons", settings.right_reasons, 0, 1e6),
    )
    for name, value, low, high in rules:
        if not low <= value <= high:
            raise SettingError(f"{name} must lie between {low:g} and {high:g}, got {value:g}")
    for name, chosen, known in (
        ("warm_start", settings.warm_start, get_args(WarmStart)),
        ("cold_start", settings.cold_start, get_args(ColdStart)),
        ("summed", settings.summed, get_args(Summed)),
    ):
        if chosen not in known:
            raise SettingError(f"{name} must be one of {', '.join(known)}, got {chosen!r}")
    for name in (settings.strategy, settings.first_strategy):
        strategy(name)
    if not strategy(settings.first_strategy).needs <= COLD_NEEDS:
        remedy = "use random, or a strategy that needs nothing but features"
        raise SettingError(f"The first strategy must need no model, {settings.first_strategy!r} does", remedy=remedy)


def _decided(settings: ProjectSettings, kind: TaskKind) -> ProjectSettings:
    """The settings with what they leave to the kind of task."""
    return settings if settings.strategy else replace(settings, strategy=USUAL_STRATEGY[kind])


def _labels(kind: TaskKind, names: Sequence[str]) -> tuple[Label, ...]:
    if kind not in ("segmentation", "classification"):
        raise SettingError(f"A task is a segmentation or a classification, got {kind!r}")
    cleaned = [n.strip() for n in names]
    least = 1 if kind == "segmentation" else 2
    if not least <= len(cleaned) <= MAX_LABELS:
        raise SettingError(f"A {kind} needs {least} to {MAX_LABELS} labels, got {len(cleaned)}", remedy="name them with --label")
    if "" in cleaned or len(set(cleaned)) < len(cleaned):
        raise SettingError(f"Label names must be non-empty and different, got {', '.join(map(repr, cleaned))}")
    first = 1 if kind == "segmentation" else 0
    return tuple(Label(value=first + n, name=name, colour=LABEL_COLOURS[n % len(LABEL_COLOURS)]) for n, name in enumerate(cleaned))
