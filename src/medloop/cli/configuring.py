"""Commands that make a project and change one that exists."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from medloop.cli.options import AsJson, ProjectFolder, argument, one_of, open_project, option
from medloop.cli.printing import print_json, print_table, say, tell
from medloop.cli.setting_options import with_setting_options
from medloop.core.declaring import SettingValue
from medloop.core.errors import SettingError
from medloop.core.names import composed
from medloop.core.setting_groups import GROUPS
from medloop.core.settings import SETTINGS, changed_settings, setting_named

if TYPE_CHECKING:
    from medloop.loop.foundation.configuring import Changed
    from medloop.loop.foundation.workspace import Workspace


@with_setting_options(SETTINGS)
def init(
    folder: ProjectFolder,
    kind: Annotated[str, option(help="What every case is annotated with: a segmentation or a classification.")],
    label: Annotated[list[str], option(help="A label's name; give it once for each label.")],
    settings: Mapping[str, SettingValue],
    inside: Annotated[list[str] | None, option(metavar="LABEL=OUTER", help="A label that lies inside another, tumour=liver.")] = None,
    overlap: Annotated[list[str] | None, option(metavar="LABEL=OTHER", help="Labels that overlap, vessel=tumour.")] = None,
    name: Annotated[str, typer.Option(help="Name shown to people; the folder's name by default.")] = "",
    instructions: Annotated[str, typer.Option(help="What to tell annotators.")] = "",
    database: Annotated[str, typer.Option(help="PostgreSQL URL; SQLite in the folder by default.")] = "",
    blobs: Annotated[
        str, typer.Option(metavar="URL", help="Where images, masks and weights go, s3://bucket/prefix; the folder by default.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a project."""
    from medloop.core.labels import nested_names
    from medloop.core.overlaps import Overlapping
    from medloop.core.records import ProjectSettings, TaskKind
    from medloop.loop.foundation.workspace import Workspace
    from medloop.store.homes import Places

    made = Workspace.create(
        folder,
        name=name or folder.resolve().name,
        kind=one_of("--kind", kind, get_args(TaskKind)),
        labels=Overlapping(
            nested_names(label, _pairs("--inside", inside, known=label)) if inside else label, _overlaps(overlap or [], label, {})
        ),
        instructions=instructions,
        settings=changed_settings(ProjectSettings(), settings, making=True),
        url=Places(database, blobs),
        actor="cli",
    )
    with made as workspace:
        labels = {one.name: one.value for one in workspace.task.labels}
        done = f"Made {workspace.project.name}: {kind} of {', '.join(labels)}. Next: medloop import {folder} SOURCE"
        document = {"id": workspace.project.id, "name": workspace.project.name, "kind": kind, "labels": labels}
        tell(document, lambda: say(done), as_json=as_json)


def configure(
    folder: ProjectFolder,
    changes: Annotated[list[str] | None, argument(metavar="[KEY=VALUE]...", help="Settings to change; none shows all.")] = None,
    name: Annotated[str | None, option(help="New name shown to people.")] = None,
    instructions: Annotated[str | None, option(help="New text for annotators.")] = None,
    add_label: Annotated[list[str] | None, option(help="A new label; give it once for each.")] = None,
    rename_label: Annotated[list[str] | None, option(metavar="OLD=NEW", help="Another name for a label.")] = None,
    colour: Annotated[list[str] | None, option(metavar="LABEL=#RRGGBB", help="Another colour.")] = None,
    inside: Annotated[list[str] | None, option(metavar="LABEL=OUTER", help="A label that lies inside another; LABEL= for none.")] = None,
    code: Annotated[
        list[str] | None,
        option(metavar="LABEL=CODE", help="Its DICOM code, SCHEME:VALUE:MEANING; LABEL= for its name's; or a CSV of label and code."),
    ] = None,
    overlap: Annotated[list[str] | None, option(metavar="LABEL=OTHER", help="Labels that overlap; LABEL= ends all of LABEL's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show a project's settings, or change them, its instructions and its labels.

    Every change is kept in the audit. Labels are added or renamed, never removed.
    """
    from medloop.core.labels import overlaps_of
    from medloop.loop.foundation.configuring import TaskChange
    from medloop.loop.foundation.configuring import configure as change

    settings = {name: setting_named(name).parse(value) for name, value in _pairs("A setting", changes or []).items()}
    with open_project(folder) as workspace:
        names = [label.name for label in workspace.task.labels]
        task = TaskChange(
            instructions=instructions,
            added=tuple(add_label or ()),
            renamed=_pairs("--rename-label", rename_label or [], known=names),
            colours=_pairs("--colour", colour or [], last=True),
            inside=_pairs("--inside", inside or [], known=names),
            codes=_codes(code or [], names),
            overlaps=_overlaps(overlap or [], [*names, *(add_label or ())], overlaps_of(workspace.task.labels)),
        )
        if not settings and task == TaskChange(renamed={}, colours={}, inside={}, overlaps={}, codes={}) and name is None:
            _print_settings(workspace, as_json=as_json)
        else:
            _print_changes(change(workspace, settings=settings, name=name, task=task, actor="cli"), as_json=as_json)


def _pairs(what: str, given: Sequence[str], *, known: Sequence[str] = (), last: bool = False) -> dict[str, str]:
    """KEY=VALUE texts as a mapping; `last` divides at the last sign, a key that is known wherever the known one ends."""
    found: dict[str, str] = {}
    for text in given:
        keys = [key for key in known if composed(text).startswith(f"{key}=")]
        if len(keys) > 1:
            named = " and ".join(repr(key) for key in keys)
            raise SettingError(f"{what} {text!r} begins with {named}", remedy="rename that label on the settings page")
        key, sign, value = text.rpartition("=") if last else text.partition("=")
        if keys:
            key, value = keys[0], composed(text).removeprefix(f"{keys[0]}=")
        if not sign or not key.strip():
            raise SettingError(f"{what} is written KEY=VALUE, got {text!r}")
        if key.strip() in found:
            raise SettingError(f"{what} must be given once, got {key.strip()!r} twice")
        found[key.strip()] = value
    return found


def _codes(given: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """LABEL=CODE texts and CSV files of the columns `label` and `code`, as a mapping."""
    found: dict[str, str] = {}
    for text in given:
        read = _code_table(Path(text)) if text.lower().endswith(".csv") and "=" not in text else _pairs("--code", [text], known=names)
        if twice := set(found) & set(read):
            raise SettingError(f"--code must be given once, got {sorted(twice)[0]!r} twice")
        found |= read
    return found


def _code_table(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingError(f"--code must be LABEL=CODE or a CSV, {path.name} cannot be read ({type(error).__name__})") from error
    if not rows or not all(row.get("label") and row.get("code") for row in rows):
        raise SettingError(f"{path.name}: a table of codes has the columns label and code, filled in every row", remedy="correct it")
    return {str(row["label"]): str(row["code"]) for row in rows}


def _overlaps(given: Sequence[str], known: Sequence[str], now: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """LABEL=OTHER texts as all that each label overlaps then, with what it overlaps now; LABEL= stands for none."""
    found: dict[str, Sequence[str]] = {}
    for text in given:
        ((name, other),) = _pairs("--overlap", [text], known=known).items()
        before = found.get(name, now.get(name, ()))
        found[name] = (*before, other) if other.strip() else ()
    return found


def _print_settings(workspace: "Workspace", *, as_json: bool) -> None:
    values = {name: getattr(workspace.settings, name) for name in SETTINGS}
    if as_json:
        from medloop.core.codes import coded

        labels = [asdict(label) | {"code": str(coded(label).kind)} for label in workspace.task.labels]
        task = {"version": workspace.task.version, "instructions": workspace.task.instructions, "labels": labels}
        print_json({"name": workspace.project.name, "settings": values, "task": task})
        return
    for number, (title, names) in enumerate(GROUPS.items()):
        if number:
            typer.echo()
        rows = [[name, SETTINGS[name].write(values[name]), SETTINGS[name].applies, SETTINGS[name].meaning] for name in names]
        print_table([title, "value", "a change counts from", "meaning"], rows)


def _print_changes(changes: "list[Changed]", *, as_json: bool) -> None:
    if as_json:
        print_json(changes)
        return
    for one in changes:
        typer.echo(f"{one.what}: {one.before or '(none)'} → {one.after or '(none)'} ({one.applies})")
    if not changes:
        typer.echo("Nothing changed: everything was so already")
