"""`medloop users`: accounts and roles of what is served, and tokens for programs.

Who may use the folder's files may do all of this without signing in. No password is ever an argument: it is typed, read from
stdin, or set by its owner with a one-time link.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from medloop.cli.options import AsJson, argument, option
from medloop.cli.printing import print_json, print_table, say
from medloop.core.errors import NotFoundError, SettingError

if TYPE_CHECKING:
    from medloop.core.accounts import Account, LinkUse
    from medloop.loop.foundation.workspace import Workspace
    from medloop.store.store import Store

users = typer.Typer(
    name="users",
    help="Accounts and roles: who may sign in to what is served, and do what.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
tokens = typer.Typer(name="tokens", help="Tokens with which programs sign in.", no_args_is_help=True, rich_markup_mode=None)
users.add_typer(tokens)

Served: TypeAlias = Annotated[Path, argument(metavar="DIR", help="A project's folder, or a folder of them, as it is served.")]
Name: TypeAlias = Annotated[str, argument(metavar="NAME", help="The account's name.")]
RoleName: TypeAlias = Annotated[str, option("--role", metavar="administrator|lead|reviewer|annotator|viewer", help="What they may do.")]
ForProject: TypeAlias = Annotated[
    str, typer.Option("--project", metavar="PROJECT", help="Only for the project of this name or id; for all by default.")
]
Address: TypeAlias = Annotated[str, typer.Option(help="Address of the page that the link is for.")]
FromStdin: TypeAlias = Annotated[bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")]
Prompted: TypeAlias = Annotated[bool, typer.Option("--password-prompt", help="Type the password, twice.")]
USUAL_ADDRESS = "http://127.0.0.1:8000"


@users.command()
def add(
    folder: Served,
    name: Name,
    role: RoleName,
    project: ForProject = "",
    password_stdin: FromStdin = False,
    password_prompt: Prompted = False,
    address: Address = USUAL_ADDRESS,
) -> None:
    """Make an account, and print a one-time link to set its password.

    The first one turns accounts on: from then on everybody signs in. The link is valid for three days.
    """
    from medloop.core.roles import checked_role
    from medloop.loop.people.accounts import add_account

    wanted, password = checked_role(role), _password(name, stdin=password_stdin, prompt=password_prompt)
    with _accounts(folder, make=True) as store:
        account = add_account(store, name, role=wanted, project_id=_project_id(folder, project))
        _hand_out(store, account, password, address)


@users.command("list")
def list_(folder: Served, as_json: AsJson = False) -> None:
    """List accounts with their roles."""
    from medloop.core.accounts import EVERY_PROJECT, Account
    from medloop.loop.people.accounts import roles_of
    from medloop.loop.people.signing_in import last_seen

    names = {one.project.id: one.project.name for one in _workspaces(folder)} | {EVERY_PROJECT: "all projects"}
    with _accounts(folder) as store, store.read() as tx:
        found = [(one, roles_of(tx, one.id), last_seen(tx, one.id)) for one in tx.find(Account, order="key")]
    if as_json:
        print_json(
            {
                "accounts": [
                    {"id": a.id, "name": a.name, "disabled": a.disabled, "invited": not a.has_joined, "roles": roles, "last_seen": seen}
                    for a, roles, seen in found
                ]
            }
        )
        return
    rows = [
        (a.name, _state(a), "; ".join(f"{role} of {names.get(of, of)}" for of, role in roles.items()), seen) for a, roles, seen in found
    ]
    print_table(("account", "state", "roles", "last seen"), rows)


@users.command()
def role(folder: Served, name: Name, role: RoleName, project: ForProject = "") -> None:
    """Give an account another role; its sessions end."""
    from medloop.core.roles import checked_role
    from medloop.loop.people.accounts import give_role

    wanted = checked_role(role)
    with _account(folder, name) as (store, account):
        give_role(store, account.id, wanted, project_id=_project_id(folder, project))
        _release_lost(folder, store, account)
    say(f"{account.name} is {wanted} now")


@users.command("remove-role")
def remove_role(folder: Served, name: Name, project: ForProject = "") -> None:
    """Take a role away; what the person has open there is offered to others."""
    from medloop.loop.people.accounts import give_role

    with _account(folder, name) as (store, account):
        give_role(store, account.id, None, project_id=_project_id(folder, project))
        _release_lost(folder, store, account)
    say(f"{account.name} has no role there any more")


@users.command()
def disable(folder: Served, name: Name) -> None:
    """Lock an account out at once.

    Its sessions and tokens end; drafts stay, and what it has open is offered to others.
    """
    from medloop.loop.people.accounts import set_disabled
    from medloop.loop.people.leaving import release_everywhere

    with _account(folder, name) as (store, account):
        set_disabled(store, account.id, True)
        released = release_everywhere(_workspaces(folder), account.name, actor="cli")
    say(f"{account.name} is disabled; {released} open cases are offered to others")


@users.command()
def enable(folder: Served, name: Name) -> None:
    """Let a disabled account sign in again."""
    from medloop.loop.people.accounts import set_disabled

    with _account(folder, name) as (store, account):
        set_disabled(store, account.id, False)
    say(f"{account.name} may sign in again")


@users.command()
def reset(
    folder: Served, name: Name, password_stdin: FromStdin = False, password_prompt: Prompted = False, address: Address = USUAL_ADDRESS
) -> None:
    """Print a one-time link to set another password, or set it here; then all sessions end."""
    password = _password(name, stdin=password_stdin, prompt=password_prompt)
    with _account(folder, name) as (store, account):
        _hand_out(store, account, password, address)


@users.command()
def identify(
    folder: Served,
    name: Name,
    subject: Annotated[str, argument(metavar="SUBJECT", help="What the OpenID Connect provider calls them, for ever.")],
    issuer: Annotated[str, typer.Option(metavar="URL", envvar="MEDLOOP_OIDC_ISSUER", help="The provider, as serve has it.")] = "",
) -> None:
    """Let somebody sign in to an account through the OpenID Connect provider; its sessions and links end."""
    from medloop.core.accounts import Identity
    from medloop.loop.people.handing_out import identify as identify_account
    from medloop.server.web.settings import require_trusted

    require_trusted(issuer, "--issuer")
    with _account(folder, name) as (store, account):
        identify_account(store, account.id, Identity(issuer, subject))
    say(f"{account.name} signs in through {issuer}")


@tokens.command("add")
def add_token(
    folder: Served,
    name: Name,
    token: Annotated[str, argument(metavar="TOKEN", help="What the token is called.")],
    scope: Annotated[str, typer.Option(metavar="read|annotate|all", help="Which of the account's rights it has.")] = "read",
    days: Annotated[int, typer.Option(help="Days until it expires, 366 at most.")] = 90,
) -> None:
    """Make a token and print it, this once."""
    from medloop.core.roles import checked_scope
    from medloop.loop.people.handing_out import make_token

    with _account(folder, name) as (store, account):
        made = make_token(store, account.id, token, scope=checked_scope(scope), days=days)
    say(f"The token {token} of {account.name} is valid until {made.expires_at[:10]}; it is not shown again")
    typer.echo(made.secret)


@tokens.command("list")
def list_tokens(folder: Served, name: Name, as_json: AsJson = False) -> None:
    """List the tokens of an account that are in use."""
    from medloop.loop.people.handing_out import tokens_of

    with _account(folder, name) as (store, account), store.read() as tx:
        found = tokens_of(tx, account.id)
    if as_json:
        print_json({"tokens": [{"id": t.id, "name": t.name, "scope": t.scope, "expires_at": t.expires_at} for t in found]})
    else:
        print_table(("token", "scope", "expires"), [(t.name, t.scope, t.expires_at[:10]) for t in found])


@tokens.command("revoke")
def revoke(folder: Served, name: Name, token: Annotated[str, argument(metavar="TOKEN", help="Its name or id.")]) -> None:
    """Revoke a token of an account."""
    from medloop.loop.people.handing_out import revoke_token

    with _account(folder, name) as (store, account):
        revoke_token(store, account.id, token)
    say(f"The token {token} of {account.name} is revoked")


@contextmanager
def _accounts(folder: Path, *, make: bool = False) -> "Iterator[Store]":
    """The store that holds the accounts of a folder.

    Raises:
        NotFoundError: There are none.
        StorageError: They can only be read.
    """
    from medloop.loop.people.places import opened_accounts

    store = opened_accounts(folder, make=make)
    if store is None:
        raise NotFoundError(f"There are no accounts in {folder}", remedy="make one with: medloop users add DIR NAME --role administrator")
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _account(folder: Path, name: str) -> "Iterator[tuple[Store, Account]]":
    from medloop.loop.people.accounts import require_account

    with _accounts(folder) as store:
        with store.read() as tx:
            account = require_account(tx, name)
        yield store, account


def _workspaces(folder: Path) -> "Iterator[Workspace]":
    from medloop.loop.foundation.workspace import Workspace
    from medloop.server.web.folders import project_folders

    for one in project_folders(folder):
        with Workspace.open(one) as workspace:
            yield workspace


def _project_id(folder: Path, project: str) -> str:
    """The id of the project of that name or id; "" stands for all.

    Raises:
        NotFoundError: There is none.
        SettingError: Several have that name.
    """
    if not project:
        return ""
    found = [one.project.id for one in _workspaces(folder) if project in (one.project.name, one.project.id)]
    if not found:
        raise NotFoundError(f"There is no project {project!r} in {folder}", remedy="give its name as the page shows it")
    if len(found) > 1:
        raise SettingError(f"{len(found)} projects are called {project!r}", remedy=f"give the id: {' or '.join(found)}")
    return found[0]


def _password(name: str, *, stdin: bool, prompt: bool) -> str | None:
    """The password as typed or read; None where a link is handed out instead.

    Raises:
        SettingError: Both ways at once, or a password that cannot be.
    """
    from medloop.loop.people.passwords import checked_password

    if stdin and prompt:
        raise SettingError("A password is typed or read from stdin, got both", remedy="give one of --password-stdin and --password-prompt")
    if not (stdin or prompt):
        return None
    given = sys.stdin.readline().rstrip("\r\n") if stdin else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return checked_password(str(given), name=name)


def _hand_out(store: "Store", account: "Account", password: str | None, address: str) -> None:
    from medloop.loop.people.handing_out import make_link, set_password
    from medloop.loop.people.passwords import hash_password

    if password is not None:
        set_password(store, account.id, hash_password(password, name=account.name))
        say(f"{account.name} may sign in")
        return
    use: LinkUse = "reset" if account.has_joined else "invitation"
    made = make_link(store, account.id, use)
    say(f"{account.name} sets a password with this link, once, until {made.expires_at[:16].replace('T', ' ')} UTC:")
    typer.echo(f"{address.rstrip('/')}/links/{use}#{made.secret}")


def _release_lost(folder: Path, store: "Store", account: "Account") -> None:
    """Offer to others what an account has open where it may not annotate any more."""
    from medloop.loop.people.accounts import rights_in, roles_of
    from medloop.loop.people.leaving import release_everywhere

    with store.read() as tx:
        roles = roles_of(tx, account.id)
    lost = (one for one in _workspaces(folder) if "annotate" not in rights_in(roles, one.project.id))
    release_everywhere(lost, account.name, actor="cli")


def _state(account: "Account") -> str:
    return "disabled" if account.disabled else "active" if account.has_joined else "invited"
