"""The README and the docs are run: every Python snippet, and every medloop line up to the point where it would act."""

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from medloop import Project
from medloop.cli.main import app
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.query.strategies import BUILT_IN, as_markdown

from ..conftest import REPOSITORY
from ..interaction.nninteractive.serving import serving
from ..loop.conftest import FAST
from ..loop.test_importing import ORIENTATIONS, write_case

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
TEXTS = {str(page.relative_to(REPOSITORY)): page.read_text(encoding="utf-8") for page in PAGES}
ALONE = {name: text for name, text in TEXTS.items() if name not in ("docs/tutorial.md", "docs/orthanc.md")}  # lines that need those before
PYTHON = [(name, code) for name, text in ALONE.items() for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
LINES = sorted(
    {line for text in TEXTS.values() for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()}
)
COMMANDS = [line.split("#")[0].strip() for line in LINES if line.strip().startswith("medloop ")]


@pytest.mark.parametrize(("name", "code"), PYTHON, ids=[name for name, _ in PYTHON])
def test_python_snippets_run(name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for n in range(4):
        write_case(tmp_path / "in", f"case{n}", ORIENTATIONS["RAS"])
    (tmp_path / "in/labels/case3.nii.gz").unlink()
    settings = dataclasses.replace(FAST, validation_fraction=0.0, test_fraction=0.0, train_steps=2)
    with Project.create(tmp_path / "liver", kind="segmentation", labels=["liver", "tumour"], settings=settings) as project:
        project.add(tmp_path / "in")
        project.train()
    with serving(order=AxisOrder()) as server:
        exec(compile(code.replace("http://127.0.0.1:1527", server.url), name, "exec"), {"__name__": "snippet"})
    assert bool(server.engine.predictions) == ("127.0.0.1:1527" in code), "the example reaches the server it names"


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_in_the_docs_are_accepted(line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    commands = getattr(typer.main.get_command(app), "commands", {})
    assert name in commands, f"no such command: {name}"
    commands[name].make_context(name, list(arguments))


def test_the_tables_of_strategies_are_the_registry() -> None:
    assert as_markdown(BUILT_IN) in TEXTS["docs/strategies.md"], "paste the output of: medloop strategies --markdown"


def test_every_strategy_stands_in_one_family_and_once_in_the_details() -> None:
    families, details = TEXTS["docs/strategies.md"].split("## By family")[1].split("## Details")
    for part in (families, details):
        assert sorted(re.findall(r"^\| `([\w-]+)` \|", part, re.MULTILINE)) == sorted(s.name for s in BUILT_IN)


def test_pages_link_only_to_what_exists() -> None:
    for name, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", re.sub(r"`[^`\n]*`", "", text)):
            if not target.startswith("http"):
                assert ((REPOSITORY / name).parent / target).exists(), f"{name} links to {target}"
