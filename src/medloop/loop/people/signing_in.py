"""Signing in: sessions of browsers and tokens of programs, and who is behind them.

A session ends when it was idle or old for too long, at sign-out, and when the account's password or role changes or the
account is disabled. When it was last used stands beside its row, without an event: it is a sign of life, not a change.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import select, update

from medloop.core.accounts import Account, ApiToken, SignIn
from medloop.core.errors import SignInError
from medloop.core.records import new_id, now
from medloop.core.roles import SCOPED, Verb
from medloop.loop.people.accounts import Roles, account_named, rights_in, roles_of
from medloop.loop.people.passwords import fits
from medloop.loop.people.secret_values import csrf_token_of, digest_of, new_secret
from medloop.store.reader import Reader
from medloop.store.store import Store
from medloop.store.tables import sign_ins

SEEN_EVERY = timedelta(minutes=1)
"""A session's sign of life is written at most so often."""

AHEAD = timedelta(minutes=5)
"""By how much clocks of one store may differ."""

MAX_SIGN_INS = 20
"""Sessions of one account at a time; the oldest one ends."""

WRONG = SignInError("The name or the password is wrong", remedy="try again, or let an administrator reset the password")


@dataclass(frozen=True)
class Limits:
    """How long a session lasts: since it was last used, and in all."""

    idle_minutes: float
    hours: float


@dataclass(frozen=True)
class Person:
    """Who is behind a request.

    Attributes:
        account: Theirs.
        roles: Theirs, by project id.
        rights: What a token leaves of their rights; None for a session.
        sign_in_id: The session; None for a token.
        csrf: What changes of a session carry; "" for a token.
    """

    account: Account
    roles: Roles
    rights: frozenset[Verb] | None = None
    sign_in_id: str | None = None
    csrf: str = ""

    def may(self, project_id: str, verb: Verb) -> bool:
        """Whether they may do this to a project."""
        return verb in self.rights_in(project_id)

    def rights_in(self, project_id: str) -> frozenset[Verb]:
        """What they may do to a project."""
        found = rights_in(self.roles, project_id)
        return found if self.rights is None else found & self.rights


def sign_in(store: Store, name: str, password: str) -> str:
    """Begin a session; the secret for its cookie.

    Raises:
        SignInError: See `fitting_account`.
    """
    return begin_session(store, fitting_account(store, name, password))


def fitting_account(store: Store, name: str, password: str) -> Account:
    """Whose name and password these are; a refusal is noted.

    Raises:
        SignInError: Nobody's. Unknown, disabled and password-less accounts cost the same work and get the same refusal as a wrong password.
    """
    with store.read() as tx:
        account = account_named(tx, name)
    right = fits(password, account.password if account and not account.disabled else "")
    if account is None or not right:
        with store.write("server") as tx:
            tx.record("refuse", "sign-in", account.id if account else "unknown", {})
        raise SignInError(WRONG.message, remedy=WRONG.remedy)
    return account


def begin_session(store: Store, account: Account) -> str:
    """A session of somebody who has shown who they are; the secret for its cookie.

    Raises:
        SignInError: The account was disabled, or its password changed, in the meantime.
    """
    secret = new_secret()
    made = SignIn(id=new_id("sign-in"), account_id=account.id, digest=digest_of(secret), created_at=now())
    with store.write(account.name) as tx:
        if tx.get(Account, account.id) != account:
            raise SignInError(WRONG.message, remedy=WRONG.remedy)
        open_ones = tx.find(SignIn, where={"account_id": account.id, "ended_at": None})
        for old in open_ones[: max(0, len(open_ones) - MAX_SIGN_INS + 1)]:
            tx.change(SignIn, old.id, verb="end", fields={"ended_at": now()})
        tx.add(made, verb="sign-in")
    return secret


def sign_out(store: Store, sign_in_id: str, name: str) -> None:
    """End a session.

    Raises:
        NotFoundError: No such session.
    """
    with store.write(name) as tx:
        tx.change(SignIn, sign_in_id, verb="sign-out", fields={"ended_at": now()})


def session_of(store: Store, secret: str, limits: Limits, *, used: bool = True) -> Person | None:
    """Who a session's secret belongs to; None when there is none, it has ended or its account is disabled.

    Args:
        store: Where accounts are held.
        secret: What the cookie holds.
        limits: How long sessions last.
        used: Whether somebody does something; a page that merely listens does not keep a session alive.
    """
    with store.read() as tx:
        found = tx.find(SignIn, where={"digest": digest_of(secret), "ended_at": None}, limit=1)
        person = _behind(tx, found[0].account_id) if found else None
        if person is None:
            return None
        seen = tx.connection.execute(select(sign_ins.c.seen_at).where(sign_ins.c.id == found[0].id)).scalar()
    begun, last = found[0].created_at, max(seen or "", found[0].created_at)
    if last > now(AHEAD):  # the clock was set back: it cannot be told how old the session is
        return None
    if begun < now(-timedelta(hours=limits.hours)) or last < now(-timedelta(minutes=limits.idle_minutes)):
        return None
    if used and last < now(-SEEN_EVERY) and not store.read_only:
        with store.database.writing() as connection:
            connection.execute(update(sign_ins).where(sign_ins.c.id == found[0].id).values(seen_at=now()))
    return Person(*person, sign_in_id=found[0].id, csrf=csrf_token_of(secret))


def token_of(store: Store, secret: str) -> Person | None:
    """Who a token belongs to; None when there is none, it was revoked or has expired, or its account is disabled."""
    with store.read() as tx:
        found = tx.find(ApiToken, where={"digest": digest_of(secret), "revoked_at": None}, limit=1)
        person = _behind(tx, found[0].account_id) if found and found[0].expires_at > now() else None
    return None if person is None else Person(*person, rights=SCOPED[found[0].scope])


def person_now(store: Store, person: Person) -> Person | None:
    """Somebody who was let in before, with what they may do in this moment; None when their account is disabled."""
    with store.read() as tx:
        found = _behind(tx, person.account.id)
    return None if found is None else replace(person, account=found[0], roles=found[1])


def last_seen(tx: Reader, account_id: str) -> str:
    """When an account was last seen signed in; "" for never."""
    rows = tx.connection.execute(select(sign_ins.c.created_at, sign_ins.c.seen_at).where(sign_ins.c.account_id == account_id))
    return max((max(row.created_at, row.seen_at or "") for row in rows), default="")


def _behind(tx: Reader, account_id: str) -> tuple[Account, Roles] | None:
    account = tx.get(Account, account_id)
    return None if account.disabled else (account, roles_of(tx, account_id))
