import re
import shlex
from pathlib import Path

import click
import pytest
import typer.main

from medloop.cli.main import app
from medloop.core.settings import SETTINGS
from medloop.datasets.discover import FORMATS, detect_format
from medloop.datasets.table import COLUMNS
from medloop.loop.data.exporting import FORMATS as EXPORT_FORMATS

ROOT = Path(__file__).resolve().parents[2]
CLI, LAYOUTS = ((ROOT / "docs" / name).read_text() for name in ("cli.md", "formats.md"))
GROUP = typer.main.get_command(app)
COMMANDS = GROUP.commands


def section(command: str) -> str:
    """The part of the page under a command's heading."""
    found = re.search(rf"^### medloop {command}\b.*?(?=^##|\Z)", CLI, re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no heading for medloop {command}"
    return found.group()


def all_options(command: click.Command) -> list[str]:
    """Of a command, or of all the commands of a group."""
    own = [o for p in command.params for o in (*p.opts, *p.secondary_opts)]
    return own + [o for inner in getattr(command, "commands", {}).values() for o in all_options(inner)]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_of_every_command_is_documented(name: str):
    text = section(name) + (section("train") if name == "predict" else "")
    options = [o for o in all_options(COMMANDS[name]) if o.startswith("--") and o != "--help"]
    assert [o for o in options if f"`{o}" not in text] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_option_is_documented_that_a_command_lacks(name: str):
    options = set(all_options(COMMANDS[name]))
    written = set(re.findall(r"`(--[a-z-]+)", section(name).split("```")[0]))
    assert written <= options


def snippets() -> list[str]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [block for page in pages for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)]
    return sorted({line.strip() for block in blocks for line in block.splitlines() if line.strip().startswith("medloop ")})


@pytest.mark.parametrize("line", snippets())
def test_every_command_line_in_the_documents_is_right(line: str):
    arguments = shlex.split(line, comments=True)[1:]
    with GROUP.make_context("medloop", arguments) as context:
        name, command, rest = GROUP.resolve_command(context, arguments)
        assert command is not None
        inner = command.make_context(name, rest, parent=context)
        while isinstance(inner.command, click.Group):  # `medloop users tokens add …`
            name, command, rest = inner.command.resolve_command(inner, [*inner._protected_args, *inner.args])
            assert command is not None
            inner = command.make_context(name, rest, parent=inner)


def test_every_layout_column_and_export_is_documented():
    assert [f for f in FORMATS if f"### {f}" not in LAYOUTS] == []
    assert [n for names in COLUMNS.values() for n in names if f"`{n}`" not in LAYOUTS] == []
    assert [f for f in EXPORT_FORMATS if f"| `{f}` |" not in LAYOUTS] == []


def test_the_trees_in_the_page_are_recognised(tmp_path: Path):
    for layout in ("msd", "nnunet"):
        part = LAYOUTS.split(f"### {layout}")[1].split("```")[1]
        for line in part.strip().splitlines():
            path = tmp_path / layout / line.split()[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"file_ending": ".nii.gz"}' if layout == "nnunet" and path.name == "dataset.json" else "{}")
        assert detect_format(tmp_path / layout) == layout


@pytest.mark.parametrize("name", SETTINGS)
def test_every_project_setting_has_its_line(name: str):
    declared = SETTINGS[name]
    assert f"| `{declared.flag}` | `{name}` | {declared.default_text} | {declared.applies} | {declared.help}" in CLI
