"""The page on Orthanc is run against one: its list of servers, its commands and its Python, in their order."""

import json
import re
import shlex
from pathlib import Path

import pytest

from medloop.cli.main import status_of

from ..dicom_series import write_stack
from ..orthanc import Orthanc
from .test_snippets import TEXTS

PAGE = TEXTS["docs/orthanc.md"]


def test_the_page_runs_from_the_list_of_servers_to_the_second_push(
    running_orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    running_orthanc.empty()
    running_orthanc.put(sorted(write_stack(tmp_path / "files").iterdir()))
    (servers,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    Path("pacs.toml").write_text(servers.replace("8042", str(running_orthanc.http)).replace("4242", str(running_orthanc.dicom)))
    Path("pacs.toml").chmod(0o600)
    for language, code in re.findall(r"```(sh|python)\n(.*?)```", PAGE, re.DOTALL):
        if language == "python":
            exec(compile(code, "orthanc", "exec"), {"__name__": "orthanc"})
            continue
        for line in code.splitlines():
            words = shlex.split(line)
            if words[0] == "cp":
                Path(words[2]).write_bytes(Path(words[1]).read_bytes())
                Path(words[2]).chmod(0o600)
            elif words[:3] != ["medloop", "pacs", "listen"]:
                assert status_of(words[1:]) == 0, line
    said = capfd.readouterr()
    assert "1 case added" in said.out
    assert "1 object stored on orthanc as dicom-seg" in said.out
    assert "1 series were there" in said.out
    assert "there before, not sent again" in said.err


def test_the_configuration_of_the_page_is_one() -> None:
    (config,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert json.loads(config)["RemoteAccessAllowed"] is False
