"""Signing in through a provider of OpenID Connect, and exporting, in a real browser."""

import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from medloop.core.accounts import Identity
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import add_account
from medloop.loop.people.handing_out import make_link
from medloop.loop.people.places import opened_accounts
from medloop.store.store import Store
from tests.server.accounts.conftest import Provider, running_provider
from tests.server.accounts.provider import CLIENT, SECRET
from tests.server.conftest import SHAPE, fill_project

from .axe import findings
from .conftest import Serve


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    (tmp_path / "secret").write_text(SECRET)
    with running_provider() as running:
        for name, value in (
            ("ISSUER", running.issuer),
            ("CLIENT_ID", CLIENT),
            ("SECRET_FILE", str(tmp_path / "secret")),
            ("NAME", "Keycloak"),
        ):
            monkeypatch.setenv(f"MEDLOOP_OIDC_{name}", value)
        yield running


@pytest.fixture
def visitor(chromium: Browser, serve: Serve) -> Iterator[Page]:  # for the order of their ends
    """A browser whose console may name what the server refuses."""
    context = chromium.new_context()
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill_project(tmp_path / "project", "segmentation")
    return tmp_path / "project"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    opened = opened_accounts(folder, make=True)
    assert opened is not None
    with closing(opened):
        add_account(opened, "Ada", role="administrator")
        yield opened


def at_the_provider(page: Page, user: str) -> None:
    page.locator("input[name=user]").fill(user)
    page.locator("#go").click()


@pytest.mark.browser
def test_one_signs_in_at_the_provider_comes_back_to_the_same_place_and_signs_out_there(
    visitor: Page, serve: Serve, folder: Path, store: Store, provider: Provider
) -> None:
    add_account(store, "Mia", role="annotator", identity=Identity(provider.issuer, "sub-m.smith"))
    with Workspace.open(folder) as workspace:
        place = f"/#/p/{workspace.project.id}/progress"
    address = serve(folder).rstrip("/")
    visitor.goto(address + place)
    button = visitor.get_by_test_id("sign-in-provider")
    expect(button).to_have_text("Sign in with Keycloak")
    assert findings(visitor) == []
    button.click()
    at_the_provider(visitor, "m.smith")
    expect(visitor.get_by_test_id("progress")).to_be_visible()
    assert visitor.url == address + place
    expect(visitor.get_by_test_id("person")).to_have_text("Mia")
    visitor.get_by_test_id("person").click()
    visitor.get_by_test_id("sign-out").click()
    visitor.locator("#back").click()
    expect(visitor.get_by_test_id("sign-in-dialog")).to_be_visible()
    assert visitor.url.startswith(f"{address}/")
    assert "oidc" not in visitor.url


@pytest.mark.browser
def test_who_is_not_known_reads_why_and_an_invitation_lets_them_in(
    visitor: Page, serve: Serve, folder: Path, store: Store, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDLOOP_PASSWORD_SIGN_IN", "no")
    account = add_account(store, "山田 太郎", role="viewer")
    address = serve(folder).rstrip("/")
    visitor.goto(address)
    expect(visitor.get_by_test_id("sign-in-provider")).to_be_visible()
    expect(visitor.get_by_test_id("sign-in-password")).to_have_count(0)
    visitor.get_by_test_id("sign-in-provider").click()
    at_the_provider(visitor, "taro")
    expect(visitor.get_by_test_id("provider-reply-refused")).to_contain_text("Nobody is known here whom the provider calls sub-taro")
    assert visitor.url == f"{address}/oidc"
    visitor.goto(f"{address}/links/invitation#{make_link(store, account.id, 'invitation').secret}")
    expect(visitor.get_by_test_id("new-password")).to_have_count(0)
    visitor.get_by_test_id("sign-in-provider").click()
    at_the_provider(visitor, "taro")
    expect(visitor.get_by_test_id("person")).to_have_text("山田 太郎")
    expect(visitor.get_by_test_id("export")).to_have_count(0)


@pytest.mark.browser
def test_annotations_are_downloaded_from_the_page_and_a_refusal_is_read(page: Page, serve: Serve, folder: Path, tmp_path: Path) -> None:
    with Workspace.open(folder) as workspace:
        project = workspace.project.id
        opened = next_assignment(workspace, annotator_named(workspace, "local").id)
        submit(workspace, opened.assignment.id, Submitted(mask=np.ones(SHAPE, np.uint8)))
    page.goto(f"{serve(folder)}#/p/{project}/progress")
    with page.expect_download() as download:
        page.get_by_test_id("export").click()
    download.value.save_as(tmp_path / "export.zip")
    assert download.value.suggested_filename == "Phantoms (segmentation)-nifti.zip"
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        assert any(name.endswith(".nii.gz") for name in archive.namelist())
