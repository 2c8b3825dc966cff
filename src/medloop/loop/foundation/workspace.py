"""A project's folder, opened: what every verb of the loop takes as its first argument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from medloop.core.errors import ConflictError, NotFoundError, SettingError, StateError
from medloop.core.labels import check_label_names, enclosing_values
from medloop.core.names import checked_instructions, checked_title, folded
from medloop.core.overlaps import Overlapping, overlapping
from medloop.core.records import LABEL_COLOURS, USUAL_STRATEGY, Label, Project, ProjectSettings, Task, TaskKind, new_id, now
from medloop.core.settings import check_settings
from medloop.query.pool import COLD
from medloop.query.strategies import strategy
from medloop.store.homes import Places
from medloop.store.store import Store

MAX_LABELS = 254
"""Mask values are uint8: 0 is background and 255 means "ignore" in training."""

CONSENSUS_METHODS: Mapping[TaskKind, tuple[str, ...]] = MappingProxyType(
    {
        "segmentation": ("latest", "majority", "staple", "staple_cases", "simple", "shape_based", "locally_weighted"),
        "classification": ("latest", "majority", "weighted", "dawid_skene", "glad"),
    }
)
"""How readings of each kind of task can become one annotation."""

LEASE_HOURS = 4.0
"""A case opened by somebody who then gives no sign of life is offered to others after this time; the draft stays theirs."""


@dataclass(frozen=True)
class Workspace:
    """An open project; its record and its task are as they were when opened, `reload` gives a fresh view."""

    folder: Path
    store: Store
    project: Project
    task: Task

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        name: str,
        kind: TaskKind,
        labels: Sequence[str] | Mapping[str, str] | Overlapping,
        instructions: str = "",
        settings: ProjectSettings | None = None,
        url: str | Places | None = None,
        actor: str = "system",
    ) -> Self:
        """Make a new project in a folder that holds none; labels are numbered 1, 2, … (segmentation) or 0, 1, … (classification).

        As a mapping they say what each lies inside of (`medloop.core.labels`): {"liver": "", "tumour": "liver"}. `Overlapping`
        names what each overlaps, too (`medloop.core.overlaps`). `url` is of a PostgreSQL database; as `Places` it says where blobs go, too.

        Raises:
            ConflictError: The folder already holds a project.
            SettingError: No labels, too many, or a name twice; a name or instructions that cannot be.
            LabelError: A label inside one that there is not, labels inside each other in a circle, or overlaps that cannot be.
        """
        folder = Path(folder)
        task = Task(
            id=new_id("task"),
            version=1,
            kind=kind,
            labels=_declared(kind, labels),
            instructions=checked_instructions(instructions),
            created_at=now(),
        )
        if (folder / "medloop.json").exists():
            raise ConflictError(f"{folder} already holds a medloop project", remedy="choose another folder or import into it")
        settings = settings or ProjectSettings()
        settings = settings if settings.strategy else replace(settings, strategy=USUAL_STRATEGY[kind])
        project = Project(id=new_id("project"), name=checked_title(name), task_id=task.id, settings=settings, created_at=now())
        check_project_settings(project.settings, kind)
        require_query_label(project.settings, task)
        store = Store.create(folder, url=url)
        with store.write(actor) as tx:
            tx.add(task, verb="define")
            tx.add(project, verb="create")
        return cls(folder, store, project, task)

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open an existing project.

        Raises:
            NotFoundError: The folder holds none.
        """
        folder = Path(folder)
        store = open_store(folder)
        try:
            with store.read() as tx:
                projects = tx.find(Project, limit=1)
                if not projects:
                    raise NotFoundError(f"The database of {folder} holds no project", remedy="make one with: medloop init")
                return cls(folder, store, projects[0], tx.get(Task, projects[0].task_id))
        except BaseException:
            store.close()
            raise

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


def open_store(folder: Path) -> Store:
    """A project's store by itself, for those who look for damage: not one of its rows is read.

    Raises:
        NotFoundError: The folder holds no project.
    """
    if not (folder / "medloop.json").exists():
        raise NotFoundError(f"{folder} holds no medloop project", remedy="make one with: medloop init FOLDER --kind … --label …")
    return Store.open(folder)


def require_masks(workspace: Workspace, what: str) -> None:
    """Refuse what needs masks in a classification.

    Raises:
        StateError: The project is one; `what` begins the sentence.
    """
    if workspace.task.kind != "segmentation":
        remedy = "medloop triage and medloop calibrate judge tags; status and report show them"
        raise StateError(f"{what} needs masks, the project {workspace.project.name} is a {workspace.task.kind}", remedy=remedy)


def _declared(kind: TaskKind, given: Sequence[str] | Mapping[str, str] | Overlapping) -> tuple[Label, ...]:
    labels, overlaps = (given.labels, given.overlaps) if isinstance(given, Overlapping) else (given, {})
    inside = {inner: outer for inner, outer in labels.items() if outer} if isinstance(labels, Mapping) else {}
    made = _labels(kind, list(labels))
    if not inside and not overlaps:
        return made
    require_nestable(kind)
    return overlapping(enclosing_values(made, inside), overlaps)


def require_nestable(kind: TaskKind) -> None:
    """Refuse labels that share voxels in a classification.

    Raises:
        SettingError: It is one.
    """
    if kind != "segmentation":
        raise SettingError(f"Only labels of masks lie inside others or overlap, this is a {kind}", remedy="leave that out")


def require_query_label(settings: ProjectSettings, task: Task) -> None:
    """Refuse to query for a label that there is not.

    Raises:
        SettingError: The task is a classification, or does not have the label.
    """
    if settings.query_label and task.kind != "segmentation":
        raise SettingError(f"Only masks lack a label, this is a {task.kind}", remedy="leave query_label empty")
    if settings.query_label and folded(settings.query_label) not in {folded(label.name) for label in task.labels}:
        names = ", ".join(label.name for label in task.labels)
        raise SettingError(f"query_label names a label of the project, got {settings.query_label!r}", remedy=f"use one of {names}")


def _require_no_masks(settings: ProjectSettings, kind: TaskKind) -> None:
    for name in ("interactive_network", "any_label"):
        if getattr(settings, name):
            raise SettingError(f"Interactive networks ({name}) draw masks, this is a {kind}", remedy=f"leave {name} at no")
    if settings.learner == "nnunet":
        raise SettingError(f"nnU-Net learns masks, this is a {kind}", remedy="leave learner at builtin")
    if settings.query_unit != "case":
        raise SettingError(f"A {settings.query_unit} is queried to be segmented, this is a {kind}", remedy="leave query_unit at case")
    if settings.template:
        raise SettingError(f"A template names slices to be segmented, this is a {kind}", remedy="leave template empty")
    if settings.unlabelled == "copy-paste":
        raise SettingError(f"copy-paste mixes masks, this is a {kind}", remedy="set unlabelled=mean-teacher")


def check_project_settings(settings: ProjectSettings, kind: TaskKind) -> None:
    """Refuse settings outside their ranges, strategies that do not exist or come too early, and what this kind of task cannot use.

    Raises:
        SettingError: Naming the first one that is off.
    """
    check_settings(settings)
    if kind != "segmentation":
        _require_no_masks(settings, kind)
    methods = CONSENSUS_METHODS[kind]
    if settings.consensus not in methods:
        rule = f"A {kind} fuses readings by one of {', '.join(methods)}, got {settings.consensus}"
        raise SettingError(rule, remedy="choose one of these")
    for name in (settings.strategy, settings.first_strategy):
        _require_strategy(name)
    if "disagreement" in strategy(settings.strategy).needs and settings.targets == "hard" and settings.annotator_model == "none":
        rule = f"Strategy {settings.strategy} needs a model that learned how readers differ, got targets hard and no annotator_model"
        raise SettingError(rule, remedy="set targets=soft or an annotator_model")
    if not strategy(settings.first_strategy).needs <= COLD:
        remedy = "use random, or a strategy that needs nothing but features"
        raise SettingError(f"The first strategy must need no model, {settings.first_strategy!r} does", remedy=remedy)


def _require_strategy(name: str) -> None:
    try:
        strategy(name)
    except NotFoundError as error:
        raise SettingError(error.message, remedy=error.remedy) from error


def checked_labels(kind: TaskKind, names: Sequence[str]) -> tuple[str, ...]:
    """The names of a task's labels, composed and without blanks around them.

    Raises:
        SettingError: Too few, too many, or a name that cannot be; see `check_label_names`.
    """
    if kind not in ("segmentation", "classification"):
        raise SettingError(f"A task is a segmentation or a classification, got {kind!r}")
    least = 1 if kind == "segmentation" else 2
    if not least <= len(names) <= MAX_LABELS:
        raise SettingError(f"A {kind} needs {least} to {MAX_LABELS} labels, got {len(names)}", remedy="name them with --label")
    return check_label_names(kind, names)


def _labels(kind: TaskKind, names: Sequence[str]) -> tuple[Label, ...]:
    first = 1 if kind == "segmentation" else 0
    colours = (LABEL_COLOURS[n % len(LABEL_COLOURS)] for n in range(len(names)))
    labels = zip(checked_labels(kind, names), colours, strict=True)
    return tuple(Label(value=first + n, name=name, colour=colour) for n, (name, colour) in enumerate(labels))
