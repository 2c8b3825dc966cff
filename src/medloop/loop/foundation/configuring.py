"""Change a project that exists: its name, settings, instructions, and the names, colours and number of its labels.

Every change is an event of the audit with the values before and after. A task is never edited: what changes of it makes its
next version. Labels are added at the end or renamed, never removed, since annotations hold their values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from medloop.core.codes import coded, parse_code
from medloop.core.declaring import SettingValue
from medloop.core.errors import ConflictError, LabelError
from medloop.core.labels import enclosing_values
from medloop.core.names import checked_instructions, checked_title, composed, folded
from medloop.core.overlaps import overlapping
from medloop.core.records import LABEL_COLOURS, Label, Project, Round, Task, new_id, now
from medloop.core.settings import SETTINGS, ProjectSettings, changed_settings
from medloop.loop.foundation.instruction_pictures import keep_pictures, with_pictures
from medloop.loop.foundation.job_kinds import Choose, request_job
from medloop.loop.foundation.round_moves import after_annotation
from medloop.loop.foundation.workspace import Workspace, check_project_settings, checked_labels, require_nestable, require_query_label
from medloop.store.writer import Writer

READING_SETTINGS = ("readings", "read_twice", "minimum_agreement", "review", "consensus", "targets", "routing", "sure_enough")
"""Settings that decide when the readings of a case are complete, and what is kept of them."""


@dataclass(frozen=True, kw_only=True)
class TaskChange:
    """What to change of a task; what is left out stays.

    Attributes:
        instructions: What to tell annotators.
        added: Names of new labels, in order; they get the next values.
        renamed: Name of today → new name.
        colours: Name (after renaming and adding) → #rrggbb.
        inside: Name of a label (after renaming and adding) → name of the label that it lies inside of, "" for none.
        codes: Name of a label (after renaming and adding) → `SCHEME:VALUE:MEANING` in DICOM, "" for the code of its name.
        overlaps: Name of a label (likewise) → names of all labels that it overlaps, () for none; voxels of several labels stay so.
        pictures: Files (PNG or JPEG) that the instructions show, after those that are there.
        version: Of the task that the change was made on; None takes the one in force.
    """

    instructions: str | None = None
    added: Sequence[str] = ()
    renamed: Mapping[str, str] | None = None
    colours: Mapping[str, str] | None = None
    inside: Mapping[str, str] | None = None
    codes: Mapping[str, str] | None = None
    overlaps: Mapping[str, Sequence[str]] | None = None
    pictures: Sequence[bytes] = ()
    version: int | None = None


@dataclass(frozen=True)
class Changed:
    """One value that changed: a setting, "name", "instructions" or "label" and its name, in words, and from when on it counts."""

    what: str
    before: str
    after: str
    applies: str


def configure(
    workspace: Workspace,
    *,
    settings: Mapping[str, SettingValue] | None = None,
    name: str | None = None,
    task: TaskChange | None = None,
    actor: str = "system",
) -> list[Changed]:
    """Change a project as it is now, all of it or nothing, settings by their names or flags; what changed.

    Raises:
        SettingError: An unknown setting, a value outside its range, or one that cannot change any more.
        LabelError: A label that does not exist, or a name or colour that cannot be.
        FormatError: A picture that cannot be read.
        ConflictError: The task has another version than the change was made on.
    """
    change = task or TaskChange()
    pictures = keep_pictures(workspace.store, change.pictures)
    with workspace.store.write(actor) as tx:
        project = tx.get(Project, workspace.project.id)
        before = tx.get(Task, project.task_id)
        after = _changed_task(before, change, pictures)
        wanted = _with_label(_settings(project, settings or {}, before), project.settings, before, after)
        title = project.name if name is None else checked_title(name)
        changes = [*_named("name", project.name, title), *_settings_changed(project.settings, wanted), *_task_changed(before, after)]
        _store(tx, project, wanted, title, before, after)
    if any(change.applies == "next query" for change in changes):
        request_job(workspace, Choose(), f"query-{new_id('settings')}", actor=actor)
    if any(change.what in READING_SETTINGS for change in changes):
        after_annotation(workspace.reload())  # a round may be done by the new rules
    return changes


def _store(tx: Writer, project: Project, settings: ProjectSettings, name: str, before: Task, after: Task) -> None:
    if after is not before:
        tx.add(after, verb="define")
    tx.change(Project, project.id, verb="configure", fields={"name": name, "settings": settings, "task_id": after.id})
    changed = [n for n in SETTINGS if getattr(settings, n) != getattr(project.settings, n)]
    if "stream" in changed or any(SETTINGS[n].applies == "next query" for n in changed):
        for waiting in tx.find(Round, where={"state": "querying"}):  # its choices were made under the settings before
            tx.change(Round, waiting.id, verb="configure", fields={"query_id": None, "updated_at": now()})


def _settings(project: Project, changes: Mapping[str, SettingValue], task: Task) -> ProjectSettings:
    wanted = changed_settings(project.settings, changes)
    if wanted != project.settings:
        check_project_settings(wanted, task.kind)
    return wanted


def _with_label(wanted: ProjectSettings, was: ProjectSettings, before: Task, after: Task) -> ProjectSettings:
    """The settings with the queried label as it is called after the change.

    Raises:
        SettingError: The project does not have it, or is a classification.
    """
    name = wanted.query_label
    if name and name == was.query_label:
        value = next((label.value for label in before.labels if folded(label.name) == folded(name)), None)
        name = next((label.name for label in after.labels if label.value == value), name)
    named = replace(wanted, query_label=name)
    require_query_label(named, after)
    return named


def require_version(task: Task, version: int | None) -> None:
    """Refuse a change that was made on another version of the task; None stands for any.

    Raises:
        ConflictError: Somebody was faster.
    """
    if version not in (None, task.version):
        raise ConflictError(f"The task has version {task.version}, the change was made on {version}", remedy="read it again")


def _changed_task(task: Task, change: TaskChange, pictures: tuple[str, ...]) -> Task:
    require_version(task, change.version)
    labels = _coloured(_added(_renamed(task.labels, change.renamed or {}), change.added), change.colours or {})
    if labels != task.labels:
        names = checked_labels(task.kind, [label.name for label in labels])
        labels = tuple(replace(label, name=name) for label, name in zip(labels, names, strict=True))
    if change.inside or change.overlaps:
        require_nestable(task.kind)
        labels = overlapping(enclosing_values(labels, change.inside or {}), change.overlaps or {})
    labels = _with_codes(labels, change.codes or {})
    instructions = task.instructions if change.instructions is None else checked_instructions(change.instructions)
    changed = replace(task, labels=labels, instructions=instructions, pictures=with_pictures(task, pictures))
    return task if changed == task else replace(changed, id=new_id("task"), version=task.version + 1, created_at=now())


def _renamed(labels: tuple[Label, ...], names: Mapping[str, str]) -> tuple[Label, ...]:
    names = {_named_so(old): _named_so(new) for old, new in names.items()}
    _require_labels(labels, names)
    return tuple(replace(label, name=names.get(_named_so(label.name), label.name)) for label in labels)


def _coloured(labels: tuple[Label, ...], colours: Mapping[str, str]) -> tuple[Label, ...]:
    colours = {_named_so(name): colour for name, colour in colours.items()}
    _require_labels(labels, colours)
    return tuple(replace(label, colour=_colour(colours.get(_named_so(label.name), label.colour))) for label in labels)


def _with_codes(labels: tuple[Label, ...], codes: Mapping[str, str]) -> tuple[Label, ...]:
    chosen = {_named_so(name): str(parse_code(text)) if text.strip() else "" for name, text in codes.items()}
    _require_labels(labels, chosen)
    return tuple(replace(label, code=chosen.get(_named_so(label.name), label.code)) for label in labels)


def _added(labels: tuple[Label, ...], names: Sequence[str]) -> tuple[Label, ...]:
    first = 1 + max(value for label in labels for value in (label.value, *label.shared))
    taken = {label.colour for label in labels}
    free = [colour for colour in LABEL_COLOURS if colour not in taken] + list(LABEL_COLOURS)
    fresh = [Label(value=first + n, name=name, colour=free[n % len(free)]) for n, name in enumerate(names)]
    return (*labels, *fresh)


def _require_labels(labels: Sequence[Label], named: Mapping[str, str]) -> None:
    known = [_named_so(label.name) for label in labels]
    for name in named:
        if name not in known:
            raise LabelError(f"There is no label {name!r}", remedy=f"use one of {', '.join(known)}")


def _colour(text: str) -> str:
    if not re.fullmatch(r"#[0-9a-f]{6}", text.strip().lower()):
        raise LabelError(f"A colour is written #rrggbb, got {text!r}", remedy="for example #3182bd")
    return text.strip().lower()


def _named_so(name: str) -> str:
    """A label's name as it is kept."""
    return composed(name.strip())


def _named(what: str, before: str, after: str, applies: str = "at once") -> list[Changed]:
    return [Changed(what, before, after, applies)] if before != after else []


def _settings_changed(before: ProjectSettings, after: ProjectSettings) -> list[Changed]:
    return [
        Changed(name, declared.write(getattr(before, name)), declared.write(getattr(after, name)), declared.applies)
        for name, declared in SETTINGS.items()
        if getattr(before, name) != getattr(after, name)
    ]


def _task_changed(before: Task, after: Task) -> list[Changed]:
    found = _named("instructions", before.instructions, after.instructions)
    found += _named("pictures of the instructions", str(len(before.pictures)), str(len(after.pictures)))
    for old, new in zip(before.labels, after.labels, strict=False):
        found += _named(f"label {old.value}", old.name, new.name)
        found += _named(f"colour of {new.name}", old.colour, new.colour)
        found += _named(f"code of {new.name}", *(str(coded(label).kind) if label.code else "" for label in (old, new)))
        found += _named(f"{new.name} lies inside", *(_enclosing(task, label) for task, label in ((before, old), (after, new))))
        found += _named(f"{new.name} overlaps", *(_overlapping(task, label) for task, label in ((before, old), (after, new))))
    added = after.labels[len(before.labels) :]
    return found + [Changed(f"label {label.value}", "", label.name, "next training") for label in added]


def _enclosing(task: Task, label: Label) -> str:
    """Name of the label that one lies inside of; "" for none."""
    return next((one.name for one in task.labels if one.value == label.inside), "")


def _overlapping(task: Task, label: Label) -> str:
    """Names of the labels that one overlaps; "" for none."""
    return ", ".join(one.name for one in task.labels if one.value in label.overlaps)
