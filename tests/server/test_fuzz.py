"""No request, however wrong, makes the server fail: every route of its own description, with bad values."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

IDS = st.sampled_from(["", ".", "..", "%2e%2e%2f", "%00", "a%5cb", "'; drop table cases; --", "x" * 300, "ä", "%ff", "case-000000000000"])
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**400, True, None, "1", [], {}]))
TEXTS = st.one_of(st.text(max_size=40), st.sampled_from(["\0", "\x1b[0m", "' or 1=1", "%", "_", "\u202e", "x" * 600, "../../etc/passwd"]))
JSON = st.recursive(st.one_of(NUMBERS, TEXTS), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
PLACES = st.one_of(st.lists(st.integers(-3, 14), min_size=3, max_size=3), st.lists(NUMBERS, max_size=4))
PROMPTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["point", "scribble", "box", "lasso", "extreme_points", "other"])},
    optional={
        "voxel": PLACES,
        "voxels": st.lists(PLACES, max_size=4),
        "start": PLACES,
        "stop": PLACES,
        "axis": st.integers(-1, 3),
        "index": st.integers(-1, 12),
        "corners": st.lists(st.lists(st.floats(-2, 14), min_size=2, max_size=2), max_size=4),
        "label": st.integers(0, 3),
        "positive": st.booleans(),
    },
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "base_revision",
            "runs",
            "revision",
            "tag",
            "effort_seconds",
            "reason",
            "extra",
            "prompt",
            "earlier",
            "locked",
            "engine",
            "withdraws",
        ]
    ),
    st.one_of(JSON, PROMPTS, st.lists(st.lists(NUMBERS, max_size=4), max_size=3)),
)
QUERY = st.dictionaries(st.sampled_from(["state", "search", "limit", "offset", "after", "other"]), TEXTS, max_size=4)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "X-Annotator": st.sampled_from(["", "%", "%00", "%ff", "x" * 300, "a\tb", "local"]),
        "X-Shape": st.sampled_from(["", "1", "1,1,1", "12,10,8", "-1,0,1e9", "9" * 30, ",,", "١,١,١"]),
        "X-Effort-Seconds": st.sampled_from(["", "nan", "inf", "-1", "1e999", "x"]),
        "Content-Encoding": st.sampled_from(["gzip", "br", "identity", "GZIP"]),
        "If-None-Match": st.sampled_from(["*", '"', ",,,", "W/"]),
        "Range": st.sampled_from(["bytes=0-0", "bytes=-1", "bytes=5-1", "bytes=" + "0-1," * 500]),
        "Accept": st.sampled_from(["", "text/html", "*/*;q=2"]),
    },
)


def _routes(site: Any) -> list[tuple[str, str]]:
    paths = site.client.get("/api/v1/openapi.json").json()["paths"]
    return [(verb.upper(), path) for path, verbs in paths.items() for verb in verbs if not path.endswith("/stream")]


def _real_ids(site: Any) -> dict[str, str]:
    """Ids that exist, so that requests get past the first look-up."""
    opened = site.opened()
    job = site.workspace.store.jobs.enqueue("train", {}, key="fuzz")
    return {
        "project": site.workspace.project.id,
        "case": opened["case"]["id"] if opened["assignment"] else "case-0",
        "assignment": opened["assignment"]["id"] if opened["assignment"] else "assignment-0",
        "job": job.id,
        "prediction": "prediction-0",
        "annotation": "annotation-0",
        "prompt": "prompt-0",
    }


def _address(path: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    return path


@pytest.mark.parametrize("kind", ["refined_site", "tag_site"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(draw=st.data())
def test_no_request_makes_the_server_fail(request: pytest.FixtureRequest, kind: str, draw: st.DataObject) -> None:
    site = request.getfixturevalue(kind)
    verb, path = draw.draw(st.sampled_from(_routes(site)))
    ids = _real_ids(site)
    wrong = draw.draw(st.sampled_from([None, None, None, *ids]))
    if wrong is not None:
        ids[wrong] = draw.draw(IDS)
    body = draw.draw(st.one_of(FIELDS.map(_dumped), JSON.map(_dumped), st.binary(max_size=1000)))
    kind_of_body = draw.draw(st.sampled_from(["application/json", "application/octet-stream", "text/plain"]))
    headers = {name: value.encode() for name, value in draw.draw(HEADERS).items()} | {"Content-Type": kind_of_body}
    answer = site.client.request(verb, _address(path, ids), params=draw.draw(QUERY), content=body, headers=headers)
    asks_it = any(part in path for part in ("/prompts", "/explanation", "/hypotheses"))
    no_assistant = kind == "tag_site" and asks_it and answer.status_code == 503
    assert answer.status_code < 500 or no_assistant, answer.text
    if answer.status_code >= 400:
        assert set(answer.json()["error"]) >= {"code", "message", "remedy"}


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
