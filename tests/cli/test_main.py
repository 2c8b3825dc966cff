import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medloop import __version__
from medloop.cli.main import app
from medloop.core.records import USUAL_STRATEGY
from medloop.core.settings import SETTINGS

from .conftest import Medloop, run_process

COMMANDS = [
    "demo", "init", "configure", "import", "serve", "worker", "train", "predict", "query",
    "status", "report", "export", "strategies", "simulate", "audit",
]  # fmt: skip
REPORTING = ["init", "configure", "import", "train", "predict", "query", "status", "report", "export", "strategies", "simulate", "audit"]


def test_help_names_every_command_of_the_design():
    text = CliRunner().invoke(app, ["--help"]).output
    assert [c for c in COMMANDS if f"\n  {c} " not in text] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str):
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert f"medloop {command}" in done.output.replace("root ", "medloop ")
    assert ("--json" in done.output) == (command in REPORTING)


def test_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom medloop.cli.main import status_of\nstatus_of(['--help'])\n"
        "heavy = 'torch monai numpy scipy sqlalchemy alembic fastapi uvicorn nibabel pydicom PIL sklearn fsspec s3fs botocore'.split()\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize("command", [["strategies"], ["init", "p", "--kind", "segmentation", "--label", "x"], ["status", "p"]])
def test_light_commands_never_import_torch(tmp_path: Path, command: list[str]):
    arguments = [str(tmp_path / "p") if a == "p" else a for a in command]
    script = f"import sys\nfrom medloop.cli.main import status_of\nstatus_of({arguments!r})\nprint('LOADED', 'torch' in sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().splitlines()[-1] == "LOADED False"


def test_init_tells_the_defaults_that_a_project_has():
    text = " ".join(CliRunner().invoke(app, ["init", "--help"]).output.split())
    told = [re.sub(r"(?<=\w)- (?=\w)", "-", one) for one in re.findall(r"\[default: \(([^()]+)\)\]", text)]  # wrapped at a hyphen
    assert told == [s.default_text for s in SETTINGS.values() if s.kind is not bool]
    assert SETTINGS["strategy"].default_text == "{segmentation}; {classification} for a classification".format(**USUAL_STRATEGY)


def test_the_version_is_told(medloop: Medloop):
    assert medloop("--version").out.strip() == f"medloop {__version__}"


def test_nothing_asked_shows_the_help_as_wrong_use(medloop: Medloop):
    said = medloop()
    assert said.status == 2
    assert "Usage: medloop" in said.out


def wrong_uses() -> list[list[str]]:
    return [
        ["nope"],
        ["init"],
        ["init", "P"],
        ["init", "P", "--kind", "detection", "--label", "x"],
        ["init", "P", "--kind", "segmentation"],
        ["init", "P", "--kind", "classification", "--label", "only one"],
        ["init", "P", "--kind", "segmentation", "--label", "x", "--label", "x"],
        ["init", "P", "--kind", "segmentation", "--label", "x", "--strategy", "nope"],
        ["init", "P", "--kind", "segmentation", "--label", "x", "--batch", "0"],
        ["init", "P", "--kind", "segmentation", "--label", "x", "--batch", "many"],
        ["init", "P", "--kind", "segmentation", "--label", "x", "--test", "0.9"],
        ["import", "P"],
        ["import", "P", "S", "--annotations", "some"],
        ["import", "P", "S", "--masks", "all"],
        ["serve", "P", "--host", "0.0.0.0"],
        ["serve", "P", "--host", "example.org"],
        ["serve", "P", "--port", "70000"],
        ["demo", "--host", "192.168.1.2"],
        ["report", "P"],
        ["export", "P", "O"],
        ["audit", "P", "repair"],
        ["status", "--nope"],
        ["query", "P", "--count", "0"],
        ["simulate", "S"],
        ["simulate", "S", "--out", "O", "--strategies", "random,nope"],
        ["simulate", "S", "--out", "O", "--strategies", ""],
        ["simulate", "S", "--out", "O", "--strategies", "random,random"],
        ["simulate", "S", "--out", "O", "--start", "0"],
        ["simulate", "S", "--out", "O", "--processes", "0"],
    ]


@pytest.mark.parametrize("arguments", wrong_uses(), ids=" ".join)
def test_wrong_use_is_one_line_and_status_2(medloop: Medloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]):
    monkeypatch.chdir(tmp_path)
    said = medloop(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("medloop: ")
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["status"], ["train"], ["predict"], ["query"], ["worker"], ["audit"], ["import", "S"], ["serve"]])
def test_a_folder_without_project_fails_with_the_remedy(medloop: Medloop, tmp_path: Path, command: list[str]):
    said = medloop(command[0], tmp_path, *command[1:])
    assert said.status == 1
    assert "no medloop project" in said.err
    assert "medloop init" in said.err
    assert said.err.count("\n") == 1


def test_statuses_are_those_of_the_process(tmp_path: Path):
    assert [run_process(*arguments).status for arguments in (["strategies"], ["status", tmp_path], ["nope"])] == [0, 1, 2]


def test_an_unexpected_error_is_one_line_without_traceback(tmp_path: Path):
    (tmp_path / "medloop.json").write_text("[]")
    said = run_process("status", tmp_path)
    assert said.status == 1
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err


def test_a_traceback_is_shown_when_asked_for(tmp_path: Path):
    said = run_process("status", tmp_path, MEDLOOP_DEBUG="1")
    assert "Traceback" in said.err
    assert said.status == 1


def test_a_closed_pipe_is_no_error():
    reader = subprocess.Popen(["head", "-c", "10"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert reader.stdin is not None
    script = "from medloop.cli.main import status_of; import sys\nfor _ in range(30): status_of(['strategies', '--json'])\n"
    done = subprocess.run([sys.executable, "-c", script], stdout=reader.stdin, stderr=subprocess.PIPE, text=True, check=False)
    reader.stdin.close()
    reader.wait(timeout=30)
    assert done.stderr == ""


def test_strategies_are_listed_with_advice(medloop: Medloop):
    found = {one["name"]: one for one in json.loads(medloop("strategies", "--json").out)}
    assert {"random", "entropy", "bald", "coreset", "suggestive"} <= set(found)
    assert all(one["advice"] and one["paper"] and one["cost"] for one in found.values())
    assert all(name in medloop("strategies").out for name in found)


@pytest.mark.parametrize("given", [("--count", "0"), ("--count=0",), ("--count", "many")])
def test_a_wrong_value_of_an_option_is_named(medloop: Medloop, project: Path, given: tuple[str, ...]):
    said = medloop("query", project, *given)
    value = given[-1].removeprefix("--count=")
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("medloop: Invalid value for '--count': ")
    assert said.err.endswith(f", got '{value}'; see medloop query --help\n")
