"""`medloop users`: accounts, roles and tokens from the command line; no password in an argument, no secret but on stdout."""

import io
import json
from contextlib import closing
from pathlib import Path

import pytest

from medloop.core.accounts import Account
from medloop.core.records import Assignment
from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.passwords import fits
from medloop.loop.people.places import opened_accounts
from medloop.loop.people.signing_in import token_of
from medloop.store import audit

from .conftest import Medloop

PASSWORD = "correct horse battery"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two small projects."""
    for name in ("Liver", "Lung"):
        Workspace.create(tmp_path / "studies" / name, name=name, kind="segmentation", labels=["x"]).close()
    return tmp_path / "studies"


def accounts(medloop: Medloop, folder: Path) -> dict[str, dict]:
    return {one["name"]: one for one in json.loads(medloop("users", "list", folder, "--json").out)["accounts"]}


def test_the_first_account_turns_accounts_on_and_gets_a_link(medloop: Medloop, folder: Path) -> None:
    assert medloop("users", "list", folder).status == 1
    added = medloop("users", "add", folder, "Ada", "--role", "administrator", "--address", "https://medloop.example/")
    assert added.status == 0
    assert added.out.startswith("https://medloop.example/links/invitation#")
    found = accounts(medloop, folder)["Ada"]
    assert (found["roles"], found["invited"], found["last_seen"]) == ({"": "administrator"}, True, "")
    assert "Ada" in medloop("users", "list", folder).out


def test_a_password_is_piped_in_and_nowhere_else(medloop: Medloop, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    added = medloop("users", "add", folder, "Mia", "--role", "annotator", "--project", "Liver", "--password-stdin")
    assert (added.status, added.out) == (0, "")
    assert PASSWORD not in added.err
    with closing(opened_accounts(folder)) as store, store.read() as tx:
        assert fits(PASSWORD, tx.find(Account)[0].password)
        assert PASSWORD not in str(tx.events())
    assert list(accounts(medloop, folder)["Mia"]["roles"].values()) == ["annotator"]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--role", "owner"], "A role is one of administrator, lead, reviewer, annotator, viewer, got 'owner'"),
        (["--role", "lead", "--project", "Heart"], "There is no project 'Heart'"),
        (["--role", "lead", "--password-stdin", "--password-prompt"], "got both"),
        (["--role", "lead", "--password-stdin"], "A password has 10 to 1000 characters, got 5"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    medloop: Medloop, folder: Path, arguments: list[str], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    refused = medloop("users", "add", folder, "Mia", *arguments)
    assert refused.status != 0
    assert rule in refused.err
    assert refused.err.count("\n") == 1
    with closing(opened_accounts(folder, make=True)) as store, store.read() as tx:
        assert tx.count(Account) == 0


def test_names_that_read_the_same_are_one_account(medloop: Medloop, folder: Path) -> None:
    medloop("users", "add", folder, "Jörg", "--role", "lead")
    assert "There is an account 'Jörg' already" in medloop("users", "add", folder, "JO\u0308RG", "--role", "viewer").err
    assert medloop("users", "role", folder, "jo\u0308rg", "--role", "viewer").status == 0
    assert accounts(medloop, folder)["Jörg"]["roles"] == {"": "viewer"}
    assert "use Jörg; " in medloop("users", "role", folder, "Jorg", "--role", "viewer").err


@pytest.mark.parametrize("way", ["disable", "remove-role", "role"])
def test_who_leaves_leaves_their_cases_to_others(medloop: Medloop, project: Path, way: str) -> None:
    medloop("users", "add", project, "Mia", "--role", "annotator")
    with Workspace.open(project) as workspace:
        opened = next_assignment(workspace, annotator_named(workspace, "Mia").id)
        assert opened is not None
    assert medloop("users", way, project, "Mia", *(["--role", "viewer"] if way == "role" else [])).status == 0
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        assert tx.get(Assignment, opened.assignment.id).state == "released"
        assert audit.verify(workspace.store).ok
    assert accounts(medloop, project)["Mia"]["disabled"] == (way == "disable")
    assert medloop("users", "enable", project, "Mia").status == 0


def test_a_role_that_still_annotates_keeps_its_cases(medloop: Medloop, project: Path) -> None:
    medloop("users", "add", project, "Mia", "--role", "annotator")
    with Workspace.open(project) as workspace:
        opened = next_assignment(workspace, annotator_named(workspace, "Mia").id)
    assert opened is not None
    medloop("users", "role", project, "Mia", "--role", "lead")
    with Workspace.open(project) as workspace, workspace.store.read() as tx:
        assert tx.get(Assignment, opened.assignment.id).state == "open"


def test_a_token_is_printed_once_and_revoked_by_name(medloop: Medloop, folder: Path) -> None:
    medloop("users", "add", folder, "Mia", "--role", "annotator")
    made = medloop("users", "tokens", "add", folder, "Mia", "nightly", "--scope", "annotate", "--days", 3)
    secret = made.out.strip()
    listed = medloop("users", "tokens", "list", folder, "Mia", "--json").out
    assert secret.startswith("medloop_")
    assert secret not in made.err + listed
    assert [one["name"] for one in json.loads(listed)["tokens"]] == ["nightly"]
    with closing(opened_accounts(folder)) as store:
        assert token_of(store, secret) is not None
        assert medloop("users", "tokens", "revoke", folder, "Mia", "nightly").status == 0
        assert token_of(store, secret) is None
    assert medloop("users", "tokens", "revoke", folder, "Mia", "nightly").status == 1
    assert "1 to 366 days" in medloop("users", "tokens", "add", folder, "Mia", "x", "--days", 367).err


def test_a_reset_prints_a_link_for_another_password(medloop: Medloop, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    medloop("users", "add", folder, "Mia", "--role", "annotator", "--password-stdin")
    assert "/links/reset#" in medloop("users", "reset", folder, "Mia").out


def test_the_accounts_of_a_folder_have_an_audit_and_a_backup_of_their_own(medloop: Medloop, folder: Path, tmp_path: Path) -> None:
    medloop("users", "add", folder, "Ada", "--role", "administrator")
    assert medloop("audit", folder / "people", "verify").status == 0
    assert medloop("backup", folder / "people", tmp_path / "copy").status == 0
    with closing(opened_accounts(folder)) as store:
        assert audit.verify(store).ok
    assert medloop("status", folder / "people").status == 1


def test_an_account_is_signed_in_to_through_a_provider(medloop: Medloop, folder: Path) -> None:
    medloop("users", "add", folder, "Mia", "--role", "annotator")
    issuer = ("--issuer", "https://keycloak.example.org/realms/clinic")
    assert "Mia signs in through https://keycloak" in medloop("users", "identify", folder, "mia", "8d1f0c2a", *issuer).err
    assert accounts(medloop, folder)["Mia"]["invited"] is False
    medloop("users", "add", folder, "Tom", "--role", "viewer")
    for arguments, rule in (
        (("Tom", "8d1f0c2a", *issuer), "has the account 'Mia' already"),
        (("Tom", "x", "--issuer", "http://keycloak.example.org"), "begins with https://"),
        (("Tom", "x"), "begins with https://"),
        (("Tom", "ü", *issuer), "ASCII"),
        (("Nobody", "x", *issuer), "no account"),
    ):
        refused = medloop("users", "identify", folder, *arguments)
        assert refused.status > 0
        assert rule in refused.err
