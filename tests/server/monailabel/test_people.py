"""Roles and tokens on the surface: who may do what, by a token, by HTTP Basic, and from which pages."""

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from medloop.core.records import Annotation, Annotator
from medloop.core.roles import Role
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import add_account, give_role, require_account, set_disabled
from medloop.loop.people.handing_out import make_token, set_password
from medloop.loop.people.places import opened_accounts
from medloop.server.app import create_app
from medloop.server.monailabel.links import SECONDS, ImageLinks, plain_name
from medloop.server.web.callers import Caller
from tests.server.accounts.conftest import PASSWORD, hashed
from tests.server.conftest import QUICK, SHAPE
from tests.server.monailabel.conftest import Surface, on_a_socket, predict_all

MASK = np.ones(SHAPE, np.uint8).tobytes()


@pytest.fixture
def town(templates: Path, tmp_path: Path) -> Iterator[dict[str, Surface]]:
    """One project as its people's clients see it; "" is nobody."""
    root = Path(shutil.copytree(templates, tmp_path / "served"))
    people: dict[str, Role] = {"Ada": "administrator", "Ann": "annotator", "Vic": "viewer"}
    store = opened_accounts(root, make=True)
    assert store is not None
    with closing(store), Workspace.open(root / "segmentation") as workspace:
        predict_all(workspace)
        tokens = {"": ""}
        for name, role in people.items():
            account = add_account(store, name, role=role)
            set_password(store, account.id, hashed())
            tokens[name] = f"Bearer {make_token(store, account.id, 'p', scope='all', days=1).secret}"
        with on_a_socket(create_app(root, QUICK)) as port:
            yield {name: Surface(port, workspace, token) for name, token in tokens.items()}


def save(surface: Surface, params: dict | None = None):
    return surface.send_form("PUT", f"/datastore/label?image={surface.case.name}", {"params": params or {}}, label=("label.bin", MASK))


def test_each_role_may_what_it_may_on_the_page(town: dict[str, Surface]) -> None:
    looks = "/datastore/?output=all"
    assert [town[name].get(looks).status for name in ("", "Vic", "Ann", "Ada")] == [401, 200, 200, 200]
    assert town[""].get(looks).headers["www-authenticate"] == "Bearer"
    assert [save(town[name]).status for name in ("", "Vic")] == [401, 403]
    assert save(town["Ann"]).status == 200
    assert [town[name].send_json("POST", "/train/medloop", {}).status for name in ("Vic", "Ann", "Ada")] == [403, 403, 200]
    new = ("new.nii.gz", b"x")
    assert [town[name].send_form("PUT", "/datastore/image?image=n", {}, file=new).status for name in ("Vic", "Ann", "Ada")] == [
        403,
        403,
        422,
    ]
    assert [town[name].send_json("POST", "/activelearning/medloop", {}).status for name in ("Vic", "Ann")] == [403, 200]
    assert [town[name].get("/logs/").status for name in ("Ann", "Ada")] == [403, 200]
    assert town["Ann"].send("DELETE", f"/datastore/image?id={town['Ann'].case.name}").status == 403
    assert town["Vic"].send_form("POST", f"/infer/segmentation?output=json&image={town['Vic'].case.name}", {}).status == 200
    with town["Ann"].workspace.store.read() as tx:
        assert {tx.get(Annotator, one.annotator_id).name for one in tx.find(Annotation)} == {"Ann"}


def test_who_has_no_role_does_not_learn_that_a_project_exists(town: dict[str, Surface]) -> None:
    other = town["Ann"].send("GET", "/info/", Authorization="Bearer medloop_wrong")
    assert other.status == 401
    assert "secret" not in json.dumps(other.json)


def test_a_name_and_a_password_are_exchanged_for_a_token(town: dict[str, Surface]) -> None:
    form = f"username=Ann&password={PASSWORD.replace(' ', '+')}&grant_type=password"
    kind = "application/x-www-form-urlencoded"
    got = town[""].send("POST", "/auth/token", form.encode(), Content_Type=kind).json
    assert set(got) == {"access_token", "token_type"}
    ann = Surface(town[""].port, town[""].workspace, f"{got['token_type']} {got['access_token']}")
    assert ann.get("/auth/token/valid").json == {"username": "Ann", "email": "", "name": "Ann", "roles": ["annotator"]}
    assert town[""].get("/auth/").json["enabled"] is True
    assert town[""].get("/auth/token/valid").status == 401
    assert town[""].send("POST", "/auth/token", form.replace("horse", "cow").encode(), Content_Type=kind).status == 401


def test_basic_takes_the_password_or_a_token_in_its_place(town: dict[str, Surface]) -> None:
    def tried(name: str, password: str, **headers: str) -> int:
        sent = base64.b64encode(f"{name}:{password}".encode()).decode()
        return town[""].get("/datastore/", Authorization=f"Basic {sent}", **headers).status

    token = town["Ann"].authorization.removeprefix("Bearer ")
    assert [tried("Ann", PASSWORD), tried("Ann", PASSWORD), tried("ann", token)] == [200, 200, 200]
    assert [tried("Vic", token), tried("Ann", "wrong"), tried("", "")] == [401, 401, 401]
    assert tried("Ann", PASSWORD, Origin="https://elsewhere.example") == 401  # a browser sends it for every page


def test_a_page_of_any_origin_may_call_with_a_token_and_no_cookie_counts(town: dict[str, Surface]) -> None:
    got = town["Ann"].get("/info/", Origin="https://ohif.example")
    assert (got.status, got.headers["access-control-allow-origin"]) == (200, "https://ohif.example")
    assert got.headers["access-control-allow-credentials"] == "true"
    assert town[""].get("/info/", Origin="https://ohif.example", Cookie="medloop=anything").status == 401


def test_what_is_to_be_read_blind_is_not_listed_nor_given(town: dict[str, Surface]) -> None:
    assert save(town["Ada"]).status == 200
    configure(town["Ada"].workspace, settings={"readings": 2, "blind": True}, actor="test")
    name = town["Ann"].case.name
    assert town["Ann"].get("/datastore/?output=all").json["objects"][name]["labels"] == {}
    assert town["Ann"].get(f"/datastore/label?label={name}").status == 404
    assert save(town["Ann"]).status == 200  # a reading of one's own replaces nobody's
    assert town["Ann"].get(f"/datastore/label?label={name}").status == 200


def test_a_hidden_proposal_stays_hidden(town: dict[str, Surface]) -> None:
    configure(town["Ada"].workspace, settings={"proposals": "after-first-stroke"}, actor="test")
    refused = town["Ann"].send_form("POST", f"/infer/segmentation?image={town['Ann'].case.name}", {})
    assert refused.status == 409
    assert "hidden" in refused.json["detail"]


def test_a_sample_can_be_fetched_without_a_token_for_a_while_and_nothing_else(town: dict[str, Surface]) -> None:
    nobody, ann = town[""], town["Ann"]
    sample = ann.send_json("POST", "/activelearning/medloop", {"client_id": "slicer"}).json
    name = sample["id"].rpartition("~")[0]
    fetched = nobody.get(f"/datastore/image?image={sample['id']}")  # as Slicer's downloader asks
    assert fetched.status == 200
    assert sample["checksum"] == f"SHA256:{hashlib.sha256(fetched.body).hexdigest()}"
    for other in ("", f"{name}~{'A' * 32}", name, sample["id"].replace(name, nobody.case.name + "x")):
        assert nobody.get(f"/datastore/image?image={other}").status == 401
    closed = [("GET", "/datastore/image/info?image="), ("HEAD", "/datastore/image?image="), ("GET", "/datastore/label?label=")]
    assert [nobody.send(method, path + sample["id"]).status for method, path in closed] == [401] * 3
    assert nobody.send_form("POST", f"/infer/segmentation?image={sample['id']}", {}).status == 401
    params = {"label_info": [{"name": "large", "idx": 1}]}
    assert ann.send_form("PUT", f"/datastore/label?image={sample['id']}", {"params": params}, label=("label.bin", MASK)).status == 200
    assert ann.get(f"/datastore/image?image={name}~{'A' * 32}").status == 200, "a word that has ended opens nothing and disturbs nothing"


def test_a_link_opens_nothing_once_the_right_to_look_is_gone(town: dict[str, Surface]) -> None:
    nobody, ann = town[""], town["Ann"]
    image = f"/datastore/image?image={ann.send_json('POST', '/activelearning/medloop', {}).json['id']}"
    assert nobody.get(image).status == 200
    store = opened_accounts(ann.workspace.folder.parent)
    assert store is not None
    with closing(store):
        with store.read() as tx:
            account = require_account(tx, "Ann")
        give_role(store, account.id, None)
        assert nobody.get(image).status == 404
        give_role(store, account.id, "annotator")
        assert nobody.get(image).status == 200
        set_disabled(store, account.id, True)
        assert nobody.get(image).status == 401


def test_a_link_ends_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    links, ann = ImageLinks(lambda: now[0]), Caller("Ann")
    first = links.give("p", "case", ann)
    assert links.caller("p", first) is ann
    assert links.caller("other", first) is None
    now[0] = SECONDS
    assert links.caller("p", first) is None
    assert (plain_name(first), plain_name("a~b"), plain_name(f"{first}.nii")) == ("case", "a~b", f"{first}.nii")
    monkeypatch.setattr("medloop.server.monailabel.links.MOST", 2)
    kept = [links.give("p", name, ann) for name in "abc"]
    assert [links.caller("p", one) for one in kept] == [None, ann, ann]
