"""Every error medloop raises on purpose, as one tree.

    MedloopError                  the root: message = rule and value, remedy = what to do next
    ├── InputError (ValueError)   a value from outside breaks a rule
    │   ├── ShapeError            an array has the wrong number or length of axes
    │   │   └── GridSizeError     one image would need a working grid too large to compute on
    │   ├── GeometryError         grids differ, or an affine is not usable
    │   ├── LabelError            a label value or name the task does not know
    │   ├── FormatError           a file is not what it claims to be, or is damaged
    │   └── SettingError          an option or setting outside its allowed values
    ├── NotFoundError (LookupError)   an id or path that does not exist
    ├── ConflictError             the request was right a moment ago: stale revision, duplicate
    │   ├── StateError            a verb that the current state does not allow
    │   ├── ReplacesError         an annotation would be replaced that the sender did not say to replace
    │   └── ReturnedError         a reviewer returned the case to its annotator, who had it open
    ├── IntegrityError            stored bytes or the event chain do not match their hash
    │   └── BlobError             the bytes of one name: `DamagedBlobError`, or gone (`MissingBlobError`, a NotFoundError too)
    │                             or removed by the retention rule (`ImageRemovedError`, one of the latter)
    ├── StorageError (OSError)    the disk or database refused: full, read only, locked
    ├── UnavailableError          a part that is not running or not installed
    ├── SignInError               nobody is signed in, or the name and password do not fit
    ├── ForbiddenError            who is signed in may not do this
    ├── ThrottledError            too many tries; carries the seconds to wait
    └── CancelledError            a job was asked to stop

Each class carries a stable `code` for the REST interface. An error is raised where a value enters
(file, request, command line); inner code trusts its arguments.
"""

from typing import ClassVar


class MedloopError(Exception):
    """Root of all deliberate errors.

    Args:
        message: The rule and the offending value, one line, no trailing full stop needed.
        remedy: What the user can do about it; empty when the message already says so.
    """

    code: ClassVar[str] = "error"

    def __init_subclass__(cls, *, code: str | None = None) -> None:
        super().__init_subclass__()
        cls.code = code or cls.code

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class InputError(MedloopError, ValueError, code="invalid_input"):
    """A value from outside breaks a rule."""


class ShapeError(InputError, code="wrong_shape"):
    """An array has the wrong number or length of axes."""


class GridSizeError(ShapeError, code="grid_too_large"):
    """One image would need a working grid too large to compute on: its voxel size is not that of the others."""


class GeometryError(InputError, code="wrong_geometry"):
    """Two grids differ where they must agree, or an affine is not usable."""


class LabelError(InputError, code="unknown_label"):
    """A label value or name that the task does not know."""


class FormatError(InputError, code="bad_file"):
    """A file is not what it claims to be, or is damaged."""


class SettingError(InputError, code="bad_setting"):
    """An option or setting outside its allowed values."""


class NotFoundError(MedloopError, LookupError, code="not_found"):
    """An id or path that does not exist."""


class ConflictError(MedloopError, code="conflict"):
    """The request was right a moment ago: a stale revision or a duplicate."""


class StateError(ConflictError, code="wrong_state"):
    """A verb that the current state does not allow."""


class ReplacesError(ConflictError, code="replaces_annotation"):
    """An annotation in force would be replaced, and nobody said that it shall be."""


class ReturnedError(ConflictError, code="returned"):
    """A reviewer returned the case to its annotator while they had it open, so that they have not seen why."""


class IntegrityError(MedloopError, code="integrity"):
    """Stored bytes or the event chain do not match their hash."""


class BlobError(IntegrityError):
    """The bytes of one name cannot be had as they were stored; `blob` is the name, 64 hexadecimal digits, "" when not known here."""

    def __init__(self, message: str, *, remedy: str = "", blob: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.blob = blob


class DamagedBlobError(BlobError):
    """The bytes are there and differ from what was stored."""


class MissingBlobError(BlobError, NotFoundError, code="not_found"):
    """The bytes are gone."""


class ImageRemovedError(MissingBlobError, code="image_removed"):
    """The image of a case was removed on purpose, by the retention rule; nothing else of the case is lost."""


class StorageError(MedloopError, OSError, code="storage"):
    """The disk or the database refused: full, read only, locked."""


class UnavailableError(MedloopError, code="unavailable"):
    """A part that is not running or not installed."""


class SignInError(MedloopError, code="sign_in"):
    """Nobody is signed in, or what was given to sign in with does not fit; it never says which part of it."""


class ForbiddenError(MedloopError, code="forbidden"):
    """Who is signed in may not do this."""


class ThrottledError(MedloopError, code="throttled"):
    """Too many tries in too short a time.

    Args:
        message: As for every error.
        remedy: Likewise.
        seconds: How long to wait.
    """

    def __init__(self, message: str, *, remedy: str = "", seconds: float = 1.0) -> None:
        super().__init__(message, remedy=remedy)
        self.seconds = seconds


class CancelledError(MedloopError, code="cancelled"):
    """A job was asked to stop."""
