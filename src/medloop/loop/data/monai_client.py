"""A server of MONAI Label as a model: an image goes to its `/infer/{model}`, and its mask comes back.

What is sent are voxels and where they lie in space, as a NIfTI of a constant name whose header has no words: no name of a case, patient or
file, and no other header of the source. What comes back is bounded before it is unpacked, must lie on the image's grid, and its values are
matched with names. Redirects are not followed: only the host that was allowed is contacted.

Source: the REST API of MONAI Label 0.8.5 (`/info/`, `/model/info/{model}`, `/infer/{model}`).
"""

import base64
import http.client
import json
import secrets
import socket
import ssl
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import FormatError, MedloopError, NotFoundError, SettingError, StateError, UnavailableError
from medloop.core.image import Image
from medloop.core.names import folded
from medloop.core.records import Json
from medloop.images.nifti import write_image
from medloop.images.read import read_mask
from medloop.loop.foundation.model_servers import ModelServer

SENT_NAME = "image.nii.gz"
MOST_TEXT = 4 << 20
BYTES_PER_VOXEL, BYTES_BESIDE = 8, 16 << 20
"""A mask comes back in at most so many bytes for each voxel, and so many for everything beside it; also once it is unpacked."""

MOST_PARTS = 16
"""Of a response; it has two."""

BACKGROUND = "background"
_INTERACTIVE = ("deepgrow", "deepedit", "scribbles")
_PARAMS = {"result_extension": ".nii.gz", "result_dtype": "uint8", "result_compress": True, "device": None}
Reply: TypeAlias = tuple[Mapping[str, str], bytes]


class MonaiLabelModel:
    """One model of a server; it is looked up at once.

    Args:
        server: Allowed already.
        model: Its name there; "" takes the only segmentation.

    Attributes:
        name: Of the model.
        labels: Name → value, without the background.
        checksum: Of its weights, as the server says; "" where it does not.

    Raises:
        UnavailableError: The server does not answer, or takes no credentials.
        NotFoundError: It has no such model.
        SettingError: The model needs clicks, or gives no masks.
        StateError: It refuses a request.
        FormatError: It answers with something else than MONAI Label.
    """

    def __init__(self, server: ModelServer, model: str = "") -> None:
        self._server, self._place = server, urlsplit(server.url)
        models = self._object("GET", "/info/").get("models")
        if not isinstance(models, dict):
            raise self._odd("/info/ lists no models")
        self.name, entry = self._chosen(models, model)
        self.labels = self._labels(entry.get("labels"))
        self.checksum = self._version()

    def predict(self, image: Image) -> MaskArray:
        """The model's mask of an image, in the values of `labels`.

        Raises:
            UnavailableError: The server does not answer, or takes no credentials.
            StateError: It refuses this image.
            FormatError: Something else comes back than a mask with names for its values.
            GeometryError: The mask lies on another grid.
        """
        limit = BYTES_BESIDE + BYTES_PER_VOXEL * image.grid.voxels
        with tempfile.TemporaryDirectory() as folder:
            sent = Path(folder) / SENT_NAME
            write_image(sent, image)
            kind, body = _form({key: value for key, value in _PARAMS.items() if value is not None}, sent.read_bytes())
            head, answer = self._call("POST", f"/infer/{quote(self.name, safe='')}?output=all", limit, body, kind)
            facts, name, content = self._parts(head.get("content-type", ""), answer)
            mask = self._read(Path(folder), name, content, limit, image)
        return self._named(mask, facts)

    def _chosen(self, models: Mapping[str, Any], wanted: str) -> tuple[str, Mapping[str, Any]]:
        fitting = {
            name: one for name, one in models.items() if isinstance(one, dict) and one.get("type") not in (*_INTERACTIVE, "classification")
        }
        if wanted and wanted not in models:
            raise NotFoundError(f"The server {self._server.name} has no model {wanted!r:.40}", remedy=f"use one of: {_brief(models)}")
        if wanted and wanted not in fitting:
            raise SettingError(
                f"The model {wanted!r:.40} of {self._server.name} needs clicks or gives no masks", remedy=f"use: {_brief(fitting)}"
            )
        if not wanted and len(fitting) != 1:
            rule = f"The server {self._server.name} has {len(fitting)} models that segment, one must be named"
            raise NotFoundError(rule, remedy=f"use one of: {_brief(fitting)}")
        name = wanted or next(iter(fitting))
        return name, fitting[name]

    def _labels(self, found: Any) -> dict[str, int]:
        """Labels as the server lists them: names with values, or names in the order of their values."""
        named = dict(zip(found, range(1, len(found) + 1), strict=True)) if isinstance(found, list) else found
        whole = isinstance(named, dict) and all(isinstance(n, str) and type(v) is int and 0 <= v <= 255 for n, v in named.items())
        labels = {name: value for name, value in named.items() if value and folded(name) != BACKGROUND} if whole else {}
        if not labels or len(set(labels.values())) < len(labels):
            raise self._odd(f"the model {self.name!r:.40} has no labels with values of their own")
        return labels

    def _version(self) -> str:
        try:
            found = self._object("GET", f"/model/info/{quote(self.name, safe='')}").get("checksum", "")
        except NotFoundError:
            return ""
        return found[:100] if isinstance(found, str) and found.isprintable() else ""

    def _named(self, mask: MaskArray, facts: Mapping[str, Any]) -> MaskArray:
        """The mask with the values of `labels`, by the names that came with it."""
        names = facts.get("label_names")
        given = names if isinstance(names, dict) and names else self.labels
        table, known = np.full(256, -1, dtype=np.int16), {folded(name): value for name, value in self.labels.items()}
        table[0] = 0
        for name, value in given.items():
            if not isinstance(name, str) or type(value) is not int or not 0 <= value <= 255:
                raise self._odd("label_names are names with values from 0 to 255")
            table[value] = 0 if folded(name) == BACKGROUND or not value else known.get(folded(name), -1)
        odd = [int(value) for value in np.unique(mask) if table[value] < 0]
        if odd:
            raise self._odd(f"the mask holds {odd[0]}, which is none of the model's labels ({_brief(self.labels)})")
        found: MaskArray = table[mask].astype(np.uint8)
        return found

    def _parts(self, kind: str, body: bytes) -> tuple[Mapping[str, Any], str, bytes]:
        """Facts, the name of the mask's file, and its bytes."""
        boundary = next((part.split("=", 1)[1].strip().strip('"') for part in kind.split(";") if part.strip().startswith("boundary=")), "")
        if not kind.startswith("multipart/") or not boundary:
            raise self._odd(f"/infer/ responds with {kind[:40] or 'nothing'}, a mask with its facts is needed")
        facts, name, content = b"{}", "", b""
        for part in body.split(b"--" + boundary.encode("latin-1"), MOST_PARTS)[1:]:
            head, _, rest = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            words = head.decode("latin-1")
            if 'filename="' in words:
                name, content = words.split('filename="', 1)[1].split('"', 1)[0], rest.removesuffix(b"\r\n")
            elif 'name="params"' in words:
                facts = rest
        if not content:
            raise self._odd("/infer/ responds without a mask")
        return self._json(facts), name, content

    def _read(self, folder: Path, name: str, content: bytes, limit: int, image: Image) -> MaskArray:
        """The mask in a file; only its ending is believed."""
        ending = next((one for one in (".nii.gz", ".nii", ".seg.nrrd", ".nrrd") if name.lower().endswith(one)), "")
        if not ending:
            raise self._odd(f"/infer/ responds with a file called {name[-20:]!r}, .nii.gz or .nrrd is needed")
        if ending == ".nii.gz":
            unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
            try:
                content, ending = unpack.decompress(content, limit), ".nii"
            except zlib.error:
                raise self._odd("the mask is no gzip") from None
            if unpack.unconsumed_tail or not unpack.eof:
                raise self._odd(
                    f"the mask unpacks to more than {limit >> 20} MiB" if unpack.unconsumed_tail else "the mask is no whole gzip"
                )
        path = folder / f"mask{ending}"
        path.write_bytes(content)
        return read_mask(path, image.grid).array

    def _object(self, method: str, path: str) -> Json:
        return self._json(self._call(method, path, MOST_TEXT)[1])

    def _json(self, body: bytes) -> Json:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise self._odd("it responds with no JSON") from None
        if not isinstance(found, dict):
            raise self._odd("it responds with JSON that is no object")
        return found

    def _call(self, method: str, path: str, limit: int, body: bytes | None = None, kind: str = "") -> Reply:
        """One request on a connection of its own; status 200 only."""
        head = {"Accept": "*/*", **self._signed_in(), **({"Content-Type": kind} if kind else {})}
        connection = self._connection()
        try:
            connection.request(method, self._place.path + path, body, head)
            with _ended_after(connection.sock, self._server.timeout_seconds):
                reply = connection.getresponse()
                content = _bounded(reply, limit, time.monotonic() + self._server.timeout_seconds)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error)[:120] or type(error).__name__
            raise UnavailableError(
                f"The server {self._server.name} does not respond ({reason})", remedy="start it, or check its address"
            ) from error
        finally:
            connection.close()
        if reply.status == 404:
            raise NotFoundError(f"The server {self._server.name} knows no {path.partition('?')[0]}", remedy="check its address")
        refusal = f"The server {self._server.name} refuses ({reply.status} {_detail(content)})"
        if reply.status in (401, 403):
            raise UnavailableError(refusal, remedy="give it a user or a token in model-servers.toml")
        if reply.status != 200:
            raise StateError(refusal, remedy="see its log")
        if len(content) > limit:
            raise self._odd(f"it responds with more than {limit >> 20} MiB")
        return {name.lower(): value for name, value in reply.getheaders()}, content

    def _connection(self) -> http.client.HTTPConnection:
        host, seconds = self._place.hostname or "", self._server.timeout_seconds
        if self._place.scheme != "https":
            return http.client.HTTPConnection(host, self._place.port, timeout=seconds)
        trusted = ssl.create_default_context(cafile=self._server.ca_file or None)
        return http.client.HTTPSConnection(host, self._place.port, timeout=seconds, context=trusted)

    def _signed_in(self) -> dict[str, str]:
        token, user = self._server.secrets.token(), self._server.secrets.user
        if token:
            return {"Authorization": f"Bearer {token}"}
        words = base64.b64encode(f"{user}:{self._server.secrets.password()}".encode()).decode() if user else ""
        return {"Authorization": f"Basic {words}"} if words else {}

    def _odd(self, what: str) -> MedloopError:
        return FormatError(
            f"The server {self._server.name} speaks otherwise than MONAI Label: {what}", remedy="check its address and version"
        )


@contextmanager
def _ended_after(line: socket.socket, seconds: float) -> Iterator[None]:
    """End a line after some time: a server that drips its status, headers or trailers never lets a single read wait too long.

    Raises:
        TimeoutError: It was ended.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError("its response takes too long")


def _bounded(reply: http.client.HTTPResponse, limit: int, deadline: float) -> bytes:
    """What comes, up to one byte more than a limit, and until a moment: a server that drips is no reason to wait for ever.

    Raises:
        TimeoutError: The moment has come.
    """
    content = bytearray()
    while len(content) <= limit and (part := reply.read1(min(1 << 20, limit + 1 - len(content)))):
        content += part
        if time.monotonic() > deadline:
            raise TimeoutError("its response takes too long")
    return bytes(content)


def _form(params: Mapping[str, Any], image: bytes) -> tuple[str, bytes]:
    """A multipart form of parameters and an image: its content type, and its bytes."""
    mark = secrets.token_hex(16)
    image_head = f'Content-Disposition: form-data; name="file"; filename="{SENT_NAME}"'
    lines = [f"--{mark}", 'Content-Disposition: form-data; name="params"', "Content-Type: application/json", "", json.dumps(params)]
    lines += [f"--{mark}", image_head, "Content-Type: application/octet-stream", "", ""]
    return f"multipart/form-data; boundary={mark}", "\r\n".join(lines).encode() + image + f"\r\n--{mark}--\r\n".encode()


def _detail(content: bytes) -> str:
    """What a server said of a refusal, in one line."""
    text = content[:2000].decode("utf-8", "replace")
    with suppress(ValueError, LookupError, TypeError):
        text = str(json.loads(text)["detail"])
    return "".join(one if one.isprintable() else " " for one in " ".join(text.split()))[:160]


def _brief(names: Mapping[str, Any]) -> str:
    return ", ".join(str(name)[:40] for name in list(names)[:8]) or "none"
