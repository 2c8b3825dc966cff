"""The tutorial is walked through from the first command to the last, on some of the real images and with two steps per training."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medloop.cli.main import status_of

from .test_snippets import TEXTS

CASES = 40
ELSEWHERE = ("medloop serve", "medloop simulate", "python", "mkdir", "mv")
"""Commands of the tutorial that this walk leaves out: those that never end, fetch, or take hours."""


def _lay_out(source: Path, folder: Path) -> None:
    for part, to in (("imagesTr", "images"), ("labelsTr", "labels")):
        (folder / to).mkdir(parents=True)
        for file in sorted((source / part).glob("*.nii.gz"))[:CASES]:
            shutil.copy(file, folder / to)


def _run(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    words = shlex.split(line.replace("--steps 150", "--steps 2"))[1:]
    if words[0] == "init":  # as a process of its own; the others without the seconds that each would spend on loading torch
        done = subprocess.run([sys.executable, "-m", "medloop", *words], capture_output=True, text=True)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout
    status, heard = status_of(words), capsys.readouterr()
    assert status == 0, f"{line}: {heard.err}"
    return heard.out


@pytest.mark.data
@pytest.mark.timeout(600)
def test_the_tutorial_runs_from_the_first_command_to_the_last(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _lay_out(data_folder / "hippocampus", tmp_path / "data")
    said = ""
    for language, code in re.findall(r"```(sh|python)\n(.*?)```", TEXTS["docs/tutorial.md"], re.DOTALL):
        if language == "python":
            exec(compile(code, "tutorial", "exec"), {"__name__": "tutorial"})
            continue
        said += "".join(_run(line, capsys) for line in code.splitlines() if line and not line.startswith(ELSEWHERE))
    assert f"{CASES} cases added" in said
    assert "Round 2, chosen by foreground" in said
    assert (tmp_path / "hippocampus-nnunet" / "dataset.json").is_file()
    assert (tmp_path / "hippocampus.html").is_file()
