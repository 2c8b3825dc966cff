"""Sessions: images that a client sends once and infers on many times, kept for a while outside of the project."""

import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from medloop.core.errors import InputError, NotFoundError, ThrottledError

USUAL_SECONDS, LONGEST_SECONDS = 3600, 24 * 3600
MOST_SESSIONS = 32
"""Of a server."""


@dataclass
class Session:
    """One session.

    Attributes:
        owner: Who made it; nobody else finds it.
        project_id: For which project.
        image: The file, or the folder of a series.
        created: Unix seconds.
        seconds: How long it lives after its last use.
        used: When it was used last.
    """

    owner: str
    project_id: str
    image: Path
    seconds: int
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.time)

    def to_json(self, session_id: str) -> dict[str, Any]:
        """As clients know it; places on this machine are nobody's business."""
        place = f"/medloop/session/{session_id}"
        return {
            "name": session_id,
            "path": place,
            "image": f"{place}/{self.image.name}",
            "meta": {},
            "create_ts": int(self.created),
            "last_access_ts": int(self.used),
            "expiry": self.seconds,
        }


class Sessions:
    """The sessions of a server."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="medloop-sessions-"))
        self._guard = Lock()
        self._open: dict[str, Session] = {}

    def place(self) -> Path:
        """A new folder for what is sent.

        Raises:
            ThrottledError: There are too many sessions.
        """
        with self._guard:
            self._sweep()
            if len(self._open) >= MOST_SESSIONS:
                raise ThrottledError(f"{MOST_SESSIONS} sessions are open", remedy="end some of them", seconds=60.0)
        return Path(tempfile.mkdtemp(dir=self._folder))

    def add(self, owner: str, project_id: str, files: list[Path], seconds: int) -> tuple[str, Session]:
        """A session of files that lie in one `place`; several are one series.

        Raises:
            InputError: No file, or too long a time.
        """
        if not files or not 0 <= seconds <= LONGEST_SECONDS:
            raise InputError(f"A session has files and at most {LONGEST_SECONDS} s, got {len(files)} files and {seconds} s")
        made = Session(owner, project_id, files[0] if len(files) == 1 else files[0].parent, seconds or USUAL_SECONDS)
        session_id = secrets.token_hex(16)
        with self._guard:
            self._open[session_id] = made
        return session_id, made

    def get(self, session_id: str, owner: str, project_id: str, *, use: bool = True) -> Session:
        """A session of one's own.

        Raises:
            NotFoundError: There is none, or it has ended.
        """
        with self._guard:
            self._sweep()
            found = self._open.get(session_id)
            if found is None or (found.owner, found.project_id) != (owner, project_id):
                raise NotFoundError(f"Session ({session_id[:40]}) Not Found", remedy="send the image again")
            if use:
                found.used = time.time()
            return found

    def remove(self, session_id: str) -> None:
        """End a session."""
        with self._guard:
            self._end(session_id)

    def close(self) -> None:
        """End all of them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _sweep(self) -> None:
        for session_id in [i for i, one in self._open.items() if one.used + one.seconds < time.time()]:
            self._end(session_id)

    def _end(self, session_id: str) -> None:
        gone = self._open.pop(session_id, None)
        if gone is not None:
            shutil.rmtree(gone.image if gone.image.is_dir() else gone.image.parent, ignore_errors=True)
