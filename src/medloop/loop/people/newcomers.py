"""People whom a provider of OpenID Connect knows and who have no account yet: refused, or given one.

The provider's names are whatever people have typed there, so a new account never takes a name that an account or an
annotator has: under it one would see somebody else's annotations as one's own.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator

from medloop.core.accounts import Account, Identity
from medloop.core.errors import ConflictError, InputError, SignInError
from medloop.core.names import MAX_NAME, appearance, checked_name
from medloop.core.roles import Role
from medloop.loop.people.accounts import Boss, account_of, add_account
from medloop.store.store import Store

LIKE_NAMED = 100
"""How many people of one name are told apart by a number."""

SERVER = Boss("server")


def account_for(store: Store, identity: Identity, *, role: Role | None, annotators: Callable[[], Collection[str]]) -> Account:
    """The account of whom a provider knows; makes one for a newcomer.

    Args:
        store: Where accounts are held.
        identity: Who signs in.
        role: A newcomer's role for all projects; None for none yet.
        annotators: How names of whoever has annotated here look (`medloop.core.names.appearance`); called for newcomers only.

    Raises:
        SignInError: The account is disabled.
    """
    with store.read() as tx:
        known = account_of(tx, identity)
    if known is None:
        known = _joined(store, identity, role, annotators())
    return let_in(known)


def let_in(account: Account) -> Account:
    """The account, unless it is disabled.

    Raises:
        SignInError: Then.
    """
    if account.disabled:
        raise SignInError(f"The account {account.name} is disabled", remedy="let an administrator enable it")
    return account


def _joined(store: Store, identity: Identity, role: Role | None, annotators: Collection[str]) -> Account:
    for name in _names_for(identity):
        if appearance(name) in annotators:
            continue
        try:
            return add_account(store, name, role=role, identity=identity, by=SERVER)
        except ConflictError:  # somebody is called so; or they came in twice at this moment
            with store.read() as tx:
                if (known := account_of(tx, identity)) is not None:
                    return known
    raise SignInError("Too many people here have that name", remedy="let an administrator invite you under another one")


def _names_for(identity: Identity) -> Iterator[str]:
    """Names that may be, best first; the last ones are made of the subject, so that there is always one."""
    for proposed in (*identity.names, f"Person {hashlib.sha256(identity.subject.encode()).hexdigest()[:8]}"):
        try:
            name = checked_name(proposed[: MAX_NAME - 5])
        except InputError:
            continue
        yield from (name if n == 1 else f"{name} ({n})" for n in range(1, LIKE_NAMED))
