"""Accounts of a store and their roles. The first one turns accounts on for whatever is served from there.

Whoever changes accounts is a `Boss`: the command line (the folder's owner may do everything) or an account, which gives and
takes only roles within its own rights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medloop.core.accounts import EVERY_PROJECT, Account, ApiToken, Identity, Membership, SignIn
from medloop.core.errors import ConflictError, ForbiddenError, NotFoundError
from medloop.core.names import appearance, checked_name, folded, nearest
from medloop.core.records import new_id, now
from medloop.core.roles import RIGHTS, Role, Verb, is_within, rights_of
from medloop.store.reader import Reader
from medloop.store.store import Store
from medloop.store.writer import Writer

Roles = Mapping[str, Role]
"""Project id (`EVERY_PROJECT` for all of them) → role."""


@dataclass(frozen=True)
class Boss:
    """Who changes accounts.

    Attributes:
        name: For the audit.
        roles: What they may give and take; None may everything (the folder's owner).
        account_id: None for the command line.
    """

    name: str
    roles: Roles | None = None
    account_id: str | None = None

    def rights(self, project_id: str) -> frozenset[Verb]:
        """What they may do to a project."""
        return RIGHTS["administrator"] if self.roles is None else rights_in(self.roles, project_id)


OWNER = Boss("cli")
"""Who may use the folder's files."""


def rights_in(roles: Roles, project_id: str) -> frozenset[Verb]:
    """What somebody with these roles may do to a project."""
    return rights_of(role for of, role in roles.items() if of in (project_id, EVERY_PROJECT))


def accounts_are_on(tx: Reader) -> bool:
    """Whether a store has accounts."""
    return bool(tx.find(Account, limit=1))


def account_key(name: str) -> str:
    """What names of one account have in common, however they are typed: any letter case, Unicode form and blanks around them."""
    return folded(name.strip())


def account_named(tx: Reader, name: str) -> Account | None:
    """The account that reads so, in any letter case and Unicode form; None when there is none."""
    found = tx.find(Account, where={"key": account_key(name)}, limit=1)
    return found[0] if found else None


def require_account(tx: Reader, name: str) -> Account:
    """The account of that name.

    Raises:
        NotFoundError: There is none.
    """
    found = account_named(tx, name)
    if found is None:
        names = [one.name for one in tx.find(Account)]
        raise NotFoundError(f"There is no account {name!r}", remedy=f"{nearest(name, names)}medloop users list DIR names all of them")
    return found


def roles_of(tx: Reader, account_id: str) -> dict[str, Role]:
    """The roles an account has, by project id."""
    held = tx.find(Membership, where={"account_id": account_id})
    return {one.project_id: one.role for one in held if one.role is not None}


def add_account(
    store: Store,
    name: str,
    *,
    role: Role | None,
    project_id: str = EVERY_PROJECT,
    identity: Identity | None = None,
    by: Boss = OWNER,
) -> Account:
    """Make an account without a password; a link or `set_password` gives it one.

    Args:
        store: Where accounts are held.
        name: As people know them; see `medloop.core.names`.
        role: Their first role; None for none yet.
        project_id: What it is for.
        identity: Who they are at a provider of OpenID Connect, so that they need no password.
        by: Who makes it.

    Raises:
        ConflictError: Somebody is called so, or so alike that readers would take them for one, or has that identity.
        InputError: A name that cannot be.
        ForbiddenError: A role beyond the rights of who makes it.
    """
    cleaned = checked_name(name)
    if role is not None:
        _require_within(by, project_id, role)
    issuer, subject = (identity.issuer, identity.subject) if identity else ("", "")
    account = Account(id=new_id("account"), name=cleaned, key=folded(cleaned), issuer=issuer, subject=subject, created_at=now())
    with store.write(by.name) as tx:
        _require_distinct(tx, cleaned)
        if identity is not None:
            require_unknown(tx, identity)
        tx.add(account, verb="invite")
        if role is not None:
            _put_role(tx, account.id, project_id, role)
    return account


def _require_distinct(tx: Reader, name: str) -> None:
    known = next((one for one in tx.find(Account) if appearance(one.name) == appearance(name)), None)
    if known is not None:
        alike = "" if known.key == account_key(name) else f", and {name!r} reads alike"
        raise ConflictError(f"There is an account {known.name!r} already{alike}", remedy="give a role with: medloop users role")


def account_of(tx: Reader, identity: Identity) -> Account | None:
    """The account of whom a provider knows; None when there is none. Neither names nor mail addresses count."""
    found = tx.find(Account, where={"issuer": identity.issuer, "subject": identity.subject}, limit=1)
    return found[0] if found else None


def require_unknown(tx: Reader, identity: Identity, *, but: str = "") -> None:
    """Refuse an identity that another account than `but` has: nobody at a provider has two.

    Raises:
        ConflictError: Then.
    """
    known = account_of(tx, identity)
    if known is not None and known.id != but:
        raise ConflictError(f"Whom the provider calls {identity.subject!r} has the account {known.name!r} already", remedy="use that one")


def give_role(store: Store, account_id: str, role: Role | None, *, project_id: str = EVERY_PROJECT, by: Boss = OWNER) -> None:
    """Give an account another role, or take its role away; its sessions end, so that nothing goes on under the old one.

    Args:
        store: Where accounts are held.
        account_id: Whose.
        role: None takes it away.
        project_id: What it is for.
        by: Who does it.

    Raises:
        NotFoundError: No such account, or no role to take away.
        ForbiddenError: The role that is given, or the one that is there, is beyond the rights of who does it; or it is their own.
    """
    with store.write(by.name) as tx:
        account = tx.get(Account, account_id)
        before = roles_of(tx, account_id).get(project_id)
        if account_id == by.account_id:
            raise ForbiddenError("Nobody changes their own role", remedy="let another administrator or lead do it")
        for one in (before, role):
            if one is not None:
                _require_within(by, project_id, one)
        if before is None and role is None:
            raise NotFoundError(f"{account.name} has no role there", remedy="medloop users list DIR shows who has which")
        if before != role:
            _put_role(tx, account_id, project_id, role)
            end_sign_ins(tx, account_id)


def set_disabled(store: Store, account_id: str, disabled: bool, *, by: Boss = OWNER) -> Account:
    """Lock an account out, or let it in again. Locking out ends its sessions and revokes its tokens at once.

    Raises:
        NotFoundError: No such account.
        ForbiddenError: Who does it may not administer accounts, or it is their own.
    """
    require_administrator(by)
    if account_id == by.account_id:
        raise ForbiddenError("Nobody disables their own account", remedy="let another administrator do it")
    with store.write(by.name) as tx:
        changed = tx.change(Account, account_id, verb="disable" if disabled else "enable", fields={"disabled": disabled})
        if disabled:
            end_sign_ins(tx, account_id)
            revoke_tokens(tx, account_id)
    return changed


def require_administrator(by: Boss) -> None:
    """Refuse who may not administer accounts.

    Raises:
        ForbiddenError: Then.
    """
    if "administer" not in by.rights(EVERY_PROJECT):
        raise ForbiddenError("Only an administrator does this to accounts", remedy="let an administrator do it")


def end_sign_ins(tx: Writer, account_id: str) -> None:
    """End every session of an account."""
    for one in tx.find(SignIn, where={"account_id": account_id, "ended_at": None}):
        tx.change(SignIn, one.id, verb="revoke", fields={"ended_at": now()})


def revoke_tokens(tx: Writer, account_id: str) -> None:
    """Revoke every token of an account."""
    for one in tx.find(ApiToken, where={"account_id": account_id, "revoked_at": None}):
        tx.change(ApiToken, one.id, verb="revoke", fields={"revoked_at": now()})


def manageable(roles: Roles, projects: Sequence[str]) -> list[str]:
    """The projects of these whose people somebody manages."""
    return [one for one in projects if "manage" in rights_in(roles, one)]


def _require_within(by: Boss, project_id: str, role: Role) -> None:
    own = by.rights(project_id)
    if "manage" not in own or not is_within(role, own):
        raise ForbiddenError(f"The role {role} is beyond your own rights here", remedy="let an administrator give it")


def _put_role(tx: Writer, account_id: str, project_id: str, role: Role | None) -> None:
    known = tx.find(Membership, where={"account_id": account_id, "project_id": project_id}, limit=1)
    if known:
        tx.change(Membership, known[0].id, verb="give" if role else "take", fields={"role": role})
    else:
        made = Membership(id=new_id("membership"), account_id=account_id, project_id=project_id, role=role, created_at=now())
        tx.add(made, verb="give")
