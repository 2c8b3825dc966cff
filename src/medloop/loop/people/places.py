"""Where accounts are held: in the store of what is served.

A project that is served by itself holds its own. A folder of projects holds them in a store without a project, in its folder
`people`; a project in it that has accounts of its own is not served there, since nobody would ask for its passwords.
"""

from pathlib import Path

from medloop.core.errors import ConflictError, NotFoundError
from medloop.core.records import Project
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import accounts_are_on
from medloop.store.opening import holds_no_project
from medloop.store.settings_file import SETTINGS_FILE
from medloop.store.store import Store

PEOPLE = "people"


def holder_of(folder: Path) -> Path:
    """The folder whose store holds the accounts of what is served from a folder; it need not be there."""
    return folder if (folder / SETTINGS_FILE).is_file() else folder / PEOPLE


def opened_accounts(folder: Path, *, make: bool = False) -> Store | None:
    """The store that holds the accounts of a served folder, to be closed; None when there is none yet.

    Args:
        folder: A project's, or a folder of projects.
        make: Whether to make one where there is none.

    Raises:
        NotFoundError: No such folder.
        ConflictError: The place is taken by a project called `people`.
    """
    if not folder.is_dir():
        raise NotFoundError(f"{folder} is not a folder", remedy="give a project's folder, or a folder of them")
    place = holder_of(folder)
    if not (place / SETTINGS_FILE).is_file():
        return Store.create(place) if make else None
    store = Store.open(place)
    if place != folder and _holds_project(store):
        store.close()
        raise ConflictError(f"{place} is a project, and accounts of {folder} are held there", remedy="rename that folder")
    return store


def holds_accounts_only(folder: Path) -> bool:
    """Whether a folder that looks like a project's holds the accounts of the folder around it."""
    return folder.name == PEOPLE and holds_no_project(folder)


def require_no_own_accounts(workspace: Workspace) -> None:
    """Refuse a project among others whose own accounts would be passed by.

    Raises:
        ConflictError: It has accounts.
    """
    with workspace.store.read() as tx:
        if accounts_are_on(tx):
            raise ConflictError(f"{workspace.folder} has accounts of its own", remedy="serve it by itself: medloop serve that folder")


def _holds_project(store: Store) -> bool:
    with store.read() as tx:
        return bool(tx.find(Project, limit=1))
