"""What is handed out to people once: links to set a password, and tokens for programs. Only digests are kept."""

from dataclasses import dataclass
from datetime import timedelta

from medloop.core.accounts import Account, ApiToken, Identity, LinkUse, OneTimeLink
from medloop.core.errors import NotFoundError, SettingError, SignInError
from medloop.core.names import checked_name
from medloop.core.records import new_id, now
from medloop.core.roles import Scope
from medloop.loop.people.accounts import OWNER, Boss, end_sign_ins, require_unknown
from medloop.loop.people.secret_values import TOKEN_PREFIX, digest_of, new_secret
from medloop.store.reader import Reader
from medloop.store.store import Store
from medloop.store.writer import Writer

LINK_TIME = timedelta(hours=72)
MAX_TOKEN_DAYS = 366
MAX_TOKENS = 50
"""Of one account that are in use at a time."""


@dataclass(frozen=True)
class HandedOut:
    """A secret at the only moment it is known, and when it expires."""

    secret: str
    expires_at: str
    id: str


def make_link(store: Store, account_id: str, use: LinkUse, *, by: Boss = OWNER) -> HandedOut:
    """A link's secret for setting a password, valid `LINK_TIME`; earlier links of the account end.

    Raises:
        NotFoundError: No such account.
    """
    secret = new_secret()
    link = OneTimeLink(
        id=new_id("link"), account_id=account_id, use=use, digest=digest_of(secret), expires_at=now(LINK_TIME), created_at=now()
    )
    with store.write(by.name) as tx:
        tx.get(Account, account_id)
        _end_links(tx, account_id)
        tx.add(link, verb="hand-out")
    return HandedOut(secret, link.expires_at, link.id)


def link_of(tx: Reader, secret: str, use: LinkUse) -> tuple[OneTimeLink, Account]:
    """The link that a secret belongs to, and whose it is.

    Raises:
        SignInError: None, or it was used, has expired or is of a disabled account; the message is the same.
    """
    found = tx.find(OneTimeLink, where={"digest": digest_of(secret), "use": use, "used_at": None}, limit=1)
    account = tx.get(Account, found[0].account_id) if found and found[0].expires_at > now() else None
    if account is None or account.disabled:
        raise SignInError("This link has been used, has expired or never was", remedy="let an administrator make a new one")
    return found[0], account


def use_link(store: Store, secret: str, use: LinkUse, hashed: str) -> Account:
    """Set the password of a link's account; the link is used up, and every session of the account ends.

    Args:
        store: Where accounts are held.
        secret: Of the link.
        use: What the link is for.
        hashed: Of the new password.

    Raises:
        SignInError: As `link_of`.
    """
    with store.read() as tx:
        name = link_of(tx, secret, use)[1].name
    with store.write(name) as tx:
        account = link_of(tx, secret, use)[1]
        return _set_password(tx, account.id, hashed)


def use_link_as(store: Store, secret: str, use: LinkUse, identity: Identity) -> Account:
    """Let a link's account be signed in to by whom a provider knows; the link is used up, and every session of the account ends.

    Raises:
        SignInError: As `link_of`.
        ConflictError: They have another account.
    """
    with store.read() as tx:
        name = link_of(tx, secret, use)[1].name
    with store.write(name) as tx:
        return _identify(tx, link_of(tx, secret, use)[1].id, identity)


def identify(store: Store, account_id: str, identity: Identity, *, by: Boss = OWNER) -> Account:
    """Let an account be signed in to by whom a provider knows; its links and sessions end.

    Raises:
        NotFoundError: No such account.
        ConflictError: They have another account.
    """
    with store.write(by.name) as tx:
        return _identify(tx, account_id, identity)


def set_password(store: Store, account_id: str, hashed: str, *, by: Boss = OWNER) -> Account:
    """Give an account another password; its links and sessions end.

    Raises:
        NotFoundError: No such account.
    """
    with store.write(by.name) as tx:
        return _set_password(tx, account_id, hashed)


def make_token(store: Store, account_id: str, name: str, *, scope: Scope, days: int, by: Boss = OWNER) -> HandedOut:
    """A token for a program.

    Args:
        store: Where accounts are held.
        account_id: Whose rights it has.
        name: What its owner calls it.
        scope: Which of these rights.
        days: How long it is valid, 1 to `MAX_TOKEN_DAYS`.
        by: Who makes it.

    Raises:
        SettingError: Days out of range, or too many tokens.
        InputError: A name that cannot be.
        NotFoundError: No such account.
    """
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise SettingError(f"A token is valid for 1 to {MAX_TOKEN_DAYS} days, got {days}")
    secret = TOKEN_PREFIX + new_secret()
    token = ApiToken(
        id=new_id("token"),
        account_id=account_id,
        name=checked_name(name, program=True),
        digest=digest_of(secret),
        scope=scope,
        expires_at=now(timedelta(days=days)),
        created_at=now(),
    )
    with store.write(by.name) as tx:
        tx.get(Account, account_id)
        if len(tokens_of(tx, account_id)) >= MAX_TOKENS:
            raise SettingError(f"An account may have {MAX_TOKENS} tokens in use", remedy="revoke some of them")
        tx.add(token, verb="hand-out")
    return HandedOut(secret, token.expires_at, token.id)


def tokens_of(tx: Reader, account_id: str) -> list[ApiToken]:
    """The tokens of an account that are in use, oldest first."""
    return [one for one in tx.find(ApiToken, where={"account_id": account_id, "revoked_at": None}) if one.expires_at > now()]


def revoke_token(store: Store, account_id: str, token_id: str, *, by: Boss = OWNER) -> None:
    """Revoke a token of an account, by its id or name.

    Raises:
        NotFoundError: It has no such token in use.
    """
    with store.write(by.name) as tx:
        found = [one for one in tokens_of(tx, account_id) if token_id in (one.id, one.name)]
        if not found:
            raise NotFoundError(f"There is no token {token_id!r} in use", remedy="list the tokens to see their names")
        for one in found:
            tx.change(ApiToken, one.id, verb="revoke", fields={"revoked_at": now()})


def _identify(tx: Writer, account_id: str, identity: Identity) -> Account:
    require_unknown(tx, identity, but=account_id)
    changed = tx.change(Account, account_id, verb="identify", fields={"issuer": identity.issuer, "subject": identity.subject})
    _end_links(tx, account_id)
    end_sign_ins(tx, account_id)
    return changed


def _set_password(tx: Writer, account_id: str, hashed: str) -> Account:
    changed = tx.change(Account, account_id, verb="set-password", fields={"password": hashed})
    _end_links(tx, account_id)
    end_sign_ins(tx, account_id)
    return changed


def _end_links(tx: Writer, account_id: str) -> None:
    for one in tx.find(OneTimeLink, where={"account_id": account_id, "used_at": None}):
        tx.change(OneTimeLink, one.id, verb="end", fields={"used_at": now()})
