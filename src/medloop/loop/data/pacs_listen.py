"""Objects that archives and scanners send become cases, once their series is whole.

An object is acknowledged when its file is on the disk, and only then: a kill or a full disk loses nothing that a sender was told is
there. Its header is read afterwards, in the limited process. A series is whole when nothing of it came for a while; what cannot be
taken is set aside in `refused` and named; only the retention rule removes it.
"""

import filecmp
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medloop.core.errors import FormatError, SettingError, StateError
from medloop.core.names import counted
from medloop.images.dicom import list_series
from medloop.images.dicom_series import read_header
from medloop.loop.data.import_report import ImportReport
from medloop.loop.data.pacs_folders import RECEIVED, REFUSED
from medloop.loop.data.pacs_identity import ArchiveSeries, instances_known, remember
from medloop.loop.data.pacs_spool import Importing, Spool, alone, set_aside
from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.files import keep_file, private_folder, series_name
from medloop.pacs.sites import require_title

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Door:
    """Where objects may come in, and whose.

    Attributes:
        title: AE title of this project, which senders must call.
        accepts: AE titles of senders, each as TITLE or TITLE@ADDRESS.
        host, port: Address to listen at.
        quiet_seconds: A series of which nothing came for so long is whole.
        at_release: It is whole, too, as soon as no sender is connected.
    """

    title: str = "MEDLOOP"
    accepts: tuple[str, ...] = ()
    host: str = LOOPBACK
    port: int = 11112
    quiet_seconds: float = 10.0
    at_release: bool = False

    def __post_init__(self) -> None:
        require_title("--title", self.title)
        if not self.accepts:
            raise SettingError("A listener needs the AE titles of its senders", remedy="give --accept TITLE, or TITLE@ADDRESS")
        for sender in self.accepts:
            require_title("--accept", sender.partition("@")[0])

    def admits(self, title: str, address: str) -> bool:
        """Whether a sender may store here."""
        return any(
            sender.partition("@")[0].strip() == title.strip() and sender.partition("@")[2] in ("", address) for sender in self.accepts
        )


@dataclass
class Listener:
    """What comes in at a door, on its way to cases.

    Attributes:
        workspace: The project.
        door: Where it comes in.
        importing: How it becomes cases.
        say: Called with a line for people.
    """

    workspace: Workspace
    door: Door
    importing: Importing
    say: Callable[[str], None]
    connected: Callable[[], bool] = field(default=lambda: False)

    def __post_init__(self) -> None:
        if self.workspace.store.read_only:
            raise StateError(f"This project cannot take anything: {self.workspace.store.read_only}", remedy="make it writable")
        folder = private_folder(self.workspace.folder / RECEIVED)
        self._spool = Spool(folder)
        self._incoming, self._refused = private_folder(folder / "incoming"), folder / REFUSED

    def clear(self) -> None:
        """Remove what a listener that was killed had begun to write and never acknowledged."""
        for part in self._incoming.glob(".*.part"):
            part.unlink(missing_ok=True)

    def keep(self, uid: str, content: bytes) -> None:
        """Bring an object to the disk; when this returns it may be acknowledged.

        Raises:
            StorageError: The disk refuses, or is nearly full.
        """
        keep_file(self._incoming, uid, content)

    def sort(self) -> None:
        """Put what came in to the rest of its series."""
        files = sorted(path for path in self._incoming.iterdir() if path.suffix == ".dcm")
        if not files:
            return
        left, known, there = set(files), instances_known(self.workspace), 0
        for one in list_series(files).series:
            folder = self._spool.series(series_name(one.uid.partition(":")[0]))
            for path in one.paths:
                left.discard(path)
                if one.instances and known(one.instances) and not any(folder.iterdir()):
                    path.unlink()
                    there += 1
                else:
                    self._place(path, folder)
        if there:
            self.say(f"{counted(there, 'object')} came again and changed nothing")
        for path in sorted(left):
            set_aside(path, self._refused)
        if left:
            self.say(f"left out: {counted(len(left), 'object')} without an image, kept in {RECEIVED}/{self._refused.name}")

    def _place(self, path: Path, folder: Path) -> None:
        target = folder / path.name
        if not target.exists():
            path.replace(target)
        elif filecmp.cmp(path, target, shallow=False):
            path.unlink()
        else:
            self.say(f"left out: another object of the UID of one in {folder.name}, kept in {RECEIVED}/{self._refused.name}")
            set_aside(path, self._refused)

    def finish(self, *, at: float | None = None) -> bool:
        """Find out which series are whole at a time (seconds since 1970, now by default); whether there is one."""
        moment = time.time() if at is None else at
        released = self.door.at_release and not self.connected()
        for folder in sorted(self._spool.growing.iterdir()):
            newest = max((path.stat().st_mtime for path in folder.iterdir()), default=None)
            if newest is None:
                folder.rmdir()
            elif released or moment - newest >= self.door.quiet_seconds:
                self._remember(next(folder.iterdir()))
                self._spool.finish(folder.name)
        return any(self._spool.ready.iterdir())

    def _remember(self, file: Path) -> None:
        with suppress(FormatError):  # the import names what is damaged
            tags, _ = read_header(file)
            study, series = (str(tags.get(name, "") or "") for name in ("StudyInstanceUID", "SeriesInstanceUID"))
            if study and series:
                remember(self.workspace, [ArchiveSeries(study, series)])

    def take(self) -> ImportReport:
        """Import the series that are whole.

        Raises:
            StorageError: The project cannot write; the files stay.
        """
        return self._spool.take(self.workspace, self.importing, refused_to=self._refused)


@contextmanager
def listening(listener: Listener) -> Iterator[int]:
    """Take objects in, in threads of their own, until the block ends; its port.

    Raises:
        UnavailableError: The address cannot be listened at, or pynetdicom is not installed.
        ConflictError: Another listener of this project is at work.
    """
    from medloop.pacs.connect import require_clients

    require_clients()
    from pynetdicom import evt

    from medloop.pacs.associations import receiving, storing

    door = listener.door

    def admitted(event: Any) -> bool:
        asks = event.assoc.requestor
        return door.admits(str(asks.ae_title), str(asks.address))

    @contextmanager
    def holding() -> Iterator[None]:
        with alone(listener.workspace.folder / RECEIVED, "listener"):
            listener.clear()  # only now: another listener may be writing
            yield

    handlers: Sequence[Any] = [(evt.EVT_C_STORE, storing(listener.keep, admitted))]
    titles = sorted({sender.partition("@")[0] for sender in door.accepts})
    with (
        holding(),
        receiving(door.title, titles, (door.host, door.port), handlers) as server,
    ):
        listener.connected = lambda: bool(server.active_associations)
        yield server.server_address[1]
