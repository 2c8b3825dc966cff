"""How an error crosses processes: as its kind and its words, never as an object."""

from dataclasses import dataclass

from medloop.core.errors import BlobError, InputError, MedloopError


@dataclass(frozen=True)
class Failure:
    """What went wrong in a task.

    Attributes:
        kind: Name of the error's class.
        message, remedy: Its words.
        blob: Of a `BlobError`.
    """

    kind: str
    message: str
    remedy: str = ""
    blob: str = ""

    def raised(self, key: str) -> MedloopError:
        """The error in this process, its one line naming the task; one that medloop did not raise on purpose as `MedloopError`."""
        found = _named(self.kind)
        words = self.message if found else f"{self.kind}: {self.message}"
        line = " ".join((words if words.startswith(key) else f"{key}: {words}").split())
        error = (found or MedloopError)(line, remedy=self.remedy)
        if isinstance(error, BlobError):
            error.blob = self.blob
        return error


def failure_of(error: BaseException) -> Failure:
    """An error in words."""
    if isinstance(error, MedloopError):
        return Failure(type(error).__name__, error.message, error.remedy, getattr(error, "blob", ""))
    return Failure(type(error).__name__, str(error) or "no message")


def unsendable(what: str, error: BaseException) -> Failure:
    """That something cannot be sent between processes."""
    return Failure(InputError.__name__, f"its {what} cannot be sent between processes ({type(error).__name__}: {error})")


def _named(name: str) -> type[MedloopError] | None:
    found: list[type[MedloopError]] = [MedloopError]
    for kind in found:
        if kind.__name__ == name:
            return kind
        found += kind.__subclasses__()
    return None
