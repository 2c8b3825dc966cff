"""The documentation names every route, setting and error code; its snippet runs."""

import re
from pathlib import Path

import numpy as np
import pytest

from medloop.core import errors
from medloop.core.records import Annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.settings import SETTINGS, variable_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rest.md").read_text(encoding="utf-8")


def test_every_route_has_its_line(site) -> None:
    for address, verbs in site.client.get("/api/v1/openapi.json").json()["paths"].items():
        for verb, operation in verbs.items():
            assert f"| `{verb.upper()} {address.removeprefix('/api/v1')}` | {operation['description']} |" in PAGE


def test_no_route_is_documented_that_does_not_exist(site) -> None:
    paths = site.client.get("/api/v1/openapi.json").json()["paths"]
    for verb, address in re.findall(r"\| `(GET|POST|PUT|PATCH|DELETE) (\S+)` \|", PAGE):
        assert verb.lower() in paths[f"/api/v1{address}"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_every_setting_has_its_line(setting) -> None:
    assert f"| `{setting.name}` | `{variable_of(setting.name)}` | `{setting.default}` | {setting.help} |" in PAGE


def test_every_error_code_of_the_core_is_explained() -> None:
    codes = {k.code for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.MedloopError)}
    assert [code for code in codes if f"`{code}`" not in PAGE] == []


def test_every_failure_is_described_in_the_one_shape(site) -> None:
    for verbs in site.client.get("/api/v1/openapi.json").json()["paths"].values():
        for operation in verbs.values():
            assert {"4XX", "5XX"} <= set(operation["responses"])
            assert "422" not in operation["responses"]


def test_the_snippet_submits_a_mask(start, folder: Path) -> None:
    server = start(folder, MEDLOOP_WORKER="0", MEDLOOP_ASSISTANT="0")
    url = f"/projects/{server.get('/projects')[0]['id']}"
    assignment = server.send("POST", f"{url}/next")["assignment"]["id"]
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1), names)
    stored = names["send_mask"](f"{server.url}api/v1{url}", assignment, np.ones((12, 10, 8)), 1.5)
    with Workspace.open(folder) as workspace, workspace.store.read() as tx:
        assert tx.get(Annotation, stored).effort_seconds == 1.5
