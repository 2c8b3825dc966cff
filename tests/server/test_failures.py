"""Every error has one shape and the right status."""

import errno

import pytest
from fastapi import FastAPI

from medloop.core import errors
from medloop.server.web.failures import StaleRevisionError, install_failures, status_of
from medloop.server.web.security import Gate
from medloop.server.web.settings import ServerSettings


def _full_disk() -> errors.StorageError:
    error = errors.StorageError("The blob could not be written")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    return error


EXPECTED = [
    (errors.NotFoundError("No case c"), 404, "not_found"),
    (errors.ConflictError("Twice"), 409, "conflict"),
    (errors.StateError("Closed"), 409, "wrong_state"),
    (errors.ReplacesError("Theirs"), 409, "replaces_annotation"),
    (errors.ReturnedError("Theirs"), 409, "returned"),
    (StaleRevisionError("Old", remedy="read again", revision=7), 409, "stale_revision"),
    (errors.ShapeError("Shape"), 422, "wrong_shape"),
    (errors.GridSizeError("Huge"), 422, "grid_too_large"),
    (errors.GeometryError("Grid"), 422, "wrong_geometry"),
    (errors.LabelError("Label"), 422, "unknown_label"),
    (errors.FormatError("File"), 422, "bad_file"),
    (errors.SettingError("Setting"), 422, "bad_setting"),
    (errors.InputError("Value"), 422, "invalid_input"),
    (errors.SignInError("Nobody"), 401, "sign_in"),
    (errors.ForbiddenError("Not you"), 403, "forbidden"),
    (errors.ThrottledError("Too often", seconds=3.2), 429, "throttled"),
    (errors.UnavailableError("No assistant"), 503, "unavailable"),
    (errors.StorageError("database is locked"), 503, "storage"),
    (errors.StorageError("database or disk is full"), 507, "storage"),
    (_full_disk(), 507, "storage"),
    (errors.IntegrityError("Hash"), 500, "integrity"),
    (errors.BlobError("Bytes", blob="0" * 64), 500, "integrity"),
    (errors.DamagedBlobError("Bytes", blob="0" * 64), 500, "integrity"),
    (errors.MissingBlobError("Bytes", blob="0" * 64), 404, "not_found"),
    (errors.ImageRemovedError("Removed", blob="0" * 64), 404, "image_removed"),
    (errors.CancelledError("Stopped"), 409, "cancelled"),
    (errors.MedloopError("Something"), 500, "error"),
    (RuntimeError("secret /home/someone"), 500, "internal"),
]


@pytest.fixture
def client_raising(client_of):
    """A client of an application that fails with a given error at /fail."""
    return lambda error: client_of(_failing(error))


def _failing(error: Exception) -> FastAPI:
    app = FastAPI()
    install_failures(app)
    app.add_middleware(Gate, settings=ServerSettings())

    @app.get("/fail")
    def fail() -> None:
        raise error

    return app


@pytest.mark.parametrize(("error", "status", "code"), EXPECTED, ids=lambda value: str(value)[:30])
def test_each_error_answers_with_its_status_and_the_one_shape(error: Exception, status: int, code: str, client_raising) -> None:
    answer = client_raising(error).get("/fail")
    body = answer.json()
    assert answer.status_code == status
    assert set(body) == {"error"}
    assert {"code", "message", "remedy"} <= set(body["error"])
    assert body["error"]["code"] == code


def test_every_error_class_of_the_core_has_been_considered() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, errors.MedloopError)]
    considered = {type(e) for e, _, _ in EXPECTED}
    assert [k.__name__ for k in kinds if k not in considered] == []
    assert all(400 <= status_of(k("x")) < 600 for k in kinds)


def test_an_unforeseen_error_keeps_its_text_and_trace_to_itself(client_raising) -> None:
    text = client_raising(RuntimeError("secret /home/someone")).get("/fail").text
    assert "secret" not in text
    assert "Traceback" not in text


def test_a_stale_revision_tells_the_current_one(client_raising) -> None:
    error = client_raising(StaleRevisionError("Old", remedy="read again", revision=7)).get("/fail").json()["error"]
    assert error["revision"] == 7


def test_an_unknown_address_and_a_wrong_method_have_the_shape_too(client_raising) -> None:
    client = client_raising(RuntimeError("never"))
    assert client.get("/nowhere").json()["error"]["code"] == "not_found"
    answer = client.put("/fail", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
