"""People with accounts, each in a browser of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from playwright.sync_api import Page, expect

from medloop.core.accounts import Account
from medloop.core.roles import Role
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import add_account, end_sign_ins
from medloop.loop.people.handing_out import set_password
from medloop.loop.people.preferences import Preferences, keep_preferences
from medloop.store.store import Store

PASSWORD = "correct horse battery"
HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Of the product's kind and cheap to check, as a hash holds its own price; that of the product is tested by test_signing_in.py."""


@dataclass
class Team:
    """A served project with accounts, and a browser for whoever is wanted."""

    address: str
    folder: Path
    store: Store
    open_browser: Callable[[], Page]

    @property
    def project(self) -> str:
        with Workspace.open(self.folder) as workspace:
            return workspace.project.id

    def add(self, name: str, role: Role) -> Account:
        account = set_password(self.store, add_account(self.store, name, role=role).id, HASHED)
        keep_preferences(self.store, account, Preferences(introduced=True))
        return account

    def end_sessions(self, account: Account) -> None:
        with self.store.write("test") as tx:
            end_sign_ins(tx, account.id)

    def enter(self, name: str, at: str = "") -> Page:
        """A new browser in which somebody has signed in."""
        page = self.open_browser()
        page.goto(f"{self.address}/#/{at}")
        sign_in(page, name)
        expect(page.get_by_test_id("sign-in-dialog")).to_be_hidden()
        return page


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_test_id("sign-in-name").fill(name)
    page.get_by_test_id("sign-in-password").fill(password)
    page.get_by_test_id("sign-in-password").press("Enter")


def type_and_keep(page: Page, label: str, value: str) -> None:
    """Fill in a field that is kept when it is left."""
    field = page.get_by_label(label)
    field.fill(value)
    with page.expect_response(lambda reply: reply.request.method == "PATCH") as kept:
        field.press("Tab")
    assert kept.value.ok
