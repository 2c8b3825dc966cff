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
    │   └── ReplacesError         an annotation would be replaced that the sender did not say to replace
    ├── IntegrityError            stored bytes or the event chain do not match their hash
    │   └── BlobError             the bytes of one name: `DamagedBlobError`, or gone (`MissingBlobError`, a NotFoundError too)
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

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class InputError(MedloopError, ValueError):
    """A value from outside breaks a rule."""

    code = "invalid_input"


class ShapeError(InputError):
    """An array has the wrong number or length of axes."""

    code = "wrong_shape"


class GridSizeError(ShapeError):
    """One image would need a working grid too large to compute on: its voxel size is not that of the others."""

    code = "grid_too_large"


class GeometryError(InputError):
    """Two grids differ where they must agree, or an affine is not usable."""

    code = "wrong_geometry"


class LabelError(InputError):
    """A label value or name that the task does not know."""

    code = "unknown_label"


class FormatError(InputError):
    """A file is not what it claims to be, or is damaged."""

    code = "bad_file"


class SettingError(InputError):
    """An option or setting outside its allowed values."""

    code = "bad_setting"


class NotFoundError(MedloopError, LookupError):
    """An id or path that does not exist."""

    code = "not_found"


class ConflictError(MedloopError):
    """The request was right a moment ago: a stale revision or a duplicate."""

    code = "conflict"


class StateError(ConflictError):
    """A verb that the current state does not allow."""

    code = "wrong_state"


class ReplacesError(ConflictError):
    """An annotation in force would be replaced, and nobody said that it shall be."""

    code = "replaces_annotation"


class IntegrityError(MedloopError):
    """Stored bytes or the event chain do not match their hash."""

    code = "integrity"


class BlobError(IntegrityError):
    """The bytes of one name cannot be had as they were stored.

    Args:
        message: As for every error.
        remedy: Likewise.
        blob: The name, 64 hexadecimal digits; "" when it is not known here.
    """

    def __init__(self, message: str, *, remedy: str = "", blob: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.blob = blob


class DamagedBlobError(BlobError):
    """The bytes are there and differ from what was stored."""


class MissingBlobError(BlobError, NotFoundError):
    """The bytes are gone."""

    code = "not_found"


class StorageError(MedloopError, OSError):
    """The disk or the database refused: full, read only, locked."""

    code = "storage"


class UnavailableError(MedloopError):
    """A part that is not running or not installed."""

    code = "unavailable"


class SignInError(MedloopError):
    """Nobody is signed in, or what was given to sign in with does not fit; it never says which part of it."""

    code = "sign_in"


class ForbiddenError(MedloopError):
    """Who is signed in may not do this."""

    code = "forbidden"


class ThrottledError(MedloopError):
    """Too many tries in too short a time.

    Args:
        message: As for every error.
        remedy: Likewise.
        seconds: How long to wait.
    """

    code = "throttled"

    def __init__(self, message: str, *, remedy: str = "", seconds: float = 1.0) -> None:
        super().__init__(message, remedy=remedy)
        self.seconds = seconds


class CancelledError(MedloopError):
    """A job was asked to stop."""

    code = "cancelled"
