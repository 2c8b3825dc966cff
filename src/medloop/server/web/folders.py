"""Which projects a server serves: one folder that is a project, or a folder of project folders.

Workspaces stay open for the life of the server and are shared by its threads; the store underneath
makes its own short transactions. Each project folder is locked, so that two servers never share one.
"""

import logging
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from medloop.core.errors import ConflictError, MedloopError, NotFoundError
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.places import holds_accounts_only, require_no_own_accounts
from medloop.server.web.locks import SERVER_LOCK, FolderLock
from medloop.store.claims import Claim, claim_database
from medloop.store.private import why_read_only

MARKER = "medloop.json"
_LOG = logging.getLogger(__name__)


def project_folders(root: Path) -> list[Path]:
    """The project folders of a root: itself, or its children by name.

    Raises:
        NotFoundError: The root is no folder.
    """
    if (root / MARKER).is_file():
        return [root]
    if not root.is_dir():
        raise NotFoundError(f"{root} is not a folder", remedy="make a project with: medloop init FOLDER --kind … --label …")
    return sorted(child for child in root.iterdir() if (child / MARKER).is_file() and not holds_accounts_only(child))


class Projects:
    """The open projects of a root folder, by id; one that cannot be opened does not keep the others from it.

    Raises:
        NotFoundError: The root holds no project at all.
        ConflictError: Another server has all of them.
        MedloopError: Whatever else keeps every one from being opened.
    """

    def __init__(self, root: Path, *, exclusive: bool = True) -> None:
        self.root = root
        self._exclusive = exclusive
        self._guard = Lock()
        self._open: dict[str, Workspace] = {}
        self._known: dict[Path, FolderLock | None] = {}
        self._claims: dict[str, Claim] = {}
        self._problems: dict[Path, MedloopError] = {}
        self._warned: set[Path] = set()
        for folder in project_folders(root):
            self._add_if_sound(folder)
        if not self._open:
            remedy = "make one with: medloop init FOLDER --kind … --label …"
            raise next(iter(self._problems.values()), NotFoundError(f"{root} holds no medloop project", remedy=remedy))
        self._warn()

    def all(self) -> list[Workspace]:
        """Every project, by name; folders that appeared since are opened, damaged ones are logged and left out."""
        with self._guard:
            for folder in project_folders(self.root):
                self._add_if_sound(folder)
            self._warn()
            held = [w for id_, w in self._open.items() if id_ not in self._claims or not self._claims[id_].lost]
            return sorted((w.reload() for w in held), key=lambda w: (w.project.name, w.project.id))

    def get(self, project_id: str) -> Workspace:
        """The project of that id with its newest settings.

        Raises:
            NotFoundError: None has it.
            ConflictError: Another server has taken its database meanwhile.
        """
        workspace = self._open.get(project_id)
        if workspace is None:
            raise NotFoundError(f"No project {project_id}", remedy="see /api/v1/projects")
        claim = self._claims.get(project_id)
        if claim is not None and claim.lost:
            raise ConflictError(claim.lost)
        return workspace.reload()

    def close(self) -> None:
        """Close every project and release its lock."""
        with self._guard:
            for claim in self._claims.values():
                claim.close()
            for workspace in self._open.values():
                workspace.close()
            for lock in self._known.values():
                if lock is not None:
                    lock.close()
            self._claims.clear()
            self._open.clear()
            self._known.clear()

    def _add_if_sound(self, folder: Path) -> None:
        try:
            self._add(folder)
        except MedloopError as error:
            self._problems[folder] = error

    def _warn(self) -> None:
        """Log each damaged folder once."""
        for folder in self._problems.keys() - self._warned:
            _LOG.warning("%s is left out: %s", folder, self._problems[folder])
            self._warned.add(folder)

    def _add(self, folder: Path) -> None:
        if folder in self._known:
            return
        with ExitStack() as undo:
            alone = self._exclusive and not why_read_only(folder)  # nobody can change a project that can only be read
            lock = undo.enter_context(FolderLock(folder, SERVER_LOCK)) if alone else None
            workspace = undo.enter_context(Workspace.open(folder))
            if folder != self.root:
                require_no_own_accounts(workspace)
            store, claim = workspace.store, None
            if alone and not store.read_only:
                claim = claim_database(store.database, folder, shared=store.blobs.shared)
            if claim is not None:
                undo.callback(claim.close)
            if store.read_only:
                _LOG.warning("%s can be looked at only: %s", folder, store.read_only)
            undo.pop_all()
        self._known[folder] = lock
        self._open[workspace.project.id] = workspace
        if claim is not None:
            self._claims[workspace.project.id] = claim
