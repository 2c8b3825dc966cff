"""Weights of a promptable 2D network (SAM, SAM 2, MedSAM, ScribblePrompt, …) from a file that runs no Python.

The file is a TorchScript archive: a user who has such a network as Python writes it once, in the environment that has
the network's code; medloop needs that code no more. The archive holds a module with two methods

    encode(image) -> embedding                 image (1, channels, size, size) float32
    decode(embedding, points, labels, boxes, previous) -> logits (1, 1, h, w) over the same square
        points (1, n, 2) float32, (column, row) in pixels of the square; labels (1, n) float32, 1 on it, 0 not on it
        boxes (1, m, 4) float32, (left, top, right, bottom), m 0 or 1
        previous (1, 1, previous, previous) float32 logits of an earlier answer, zeros for none

and the extra file `medloop.json`, which is `Description`.

Why TorchScript: `torch.load` runs pickles, and `torch.export.load` (2.13) falls back to them and evaluates expressions
it finds in the file. TorchScript code is text in the archive and is read here before it is loaded: operators that
touch files, operators and classes of extensions, and hooks that run while loading are refused. It is still a program:
it can use time and memory without end.
"""

import json
import re
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from medloop.core.errors import FormatError, NotFoundError

FORMAT = "medloop-promptable-1"
EXTRA = "medloop.json"
MAX_CODE_BYTES = 50_000_000
_FORBIDDEN = re.compile(r"\btorch\.(?:save|load|from_file)\b|\bfrom_file\(|\b__setstate__\b|\btorch\.classes\b")
_EXTENSION = re.compile(r"\bops\.(?!prim\b|aten\b)\w+")


@dataclass(frozen=True)
class Description:
    """How a network wants its pictures.

    Attributes:
        name: For logs, letters, digits and dashes.
        size: Side of the square it encodes, in pixels.
        previous: Side of the logits it takes back.
        channels: Of its pictures: 1, or 3 for colours (grey is repeated).
        low_percentile: Intensity of the image that becomes 0.
        high_percentile: Intensity of the image that becomes 1.
        mean: Subtracted then, for each channel.
        std: Divided by then.
    """

    name: str
    size: int
    previous: int
    channels: int = 3
    low_percentile: float = 0.5
    high_percentile: float = 99.5
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    def to_json(self) -> str:
        """What `medloop.json` holds."""
        return json.dumps({"format": FORMAT, **self.__dict__})

    @classmethod
    def from_json(cls, text: str) -> "Description":
        """Inverse of `to_json`.

        Raises:
            FormatError: Fields that are missing, unknown or out of range.
        """
        try:
            record = json.loads(text)
            _require(isinstance(record, dict) and record.pop("format", None) == FORMAT, f'has "format": "{FORMAT}"')
            for name in ("mean", "std"):
                if name in record:
                    record[name] = tuple(float(v) for v in record[name])
            made = cls(**record)
            made._check()
        except (TypeError, ValueError, RecursionError) as error:
            raise error if isinstance(error, FormatError) else FormatError(f"A promptable network's {EXTRA} is damaged: {error}") from error
        return made

    def _check(self) -> None:
        _require(bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self.name)), "has a name of letters, digits and dashes")
        _require(type(self.size) is int and 8 <= self.size <= 4096, "has a size of 8 to 4096 pixels")
        _require(type(self.previous) is int and 1 <= self.previous <= 4096, "takes back logits of 1 to 4096 pixels a side")
        _require(self.channels in (1, 3), "has 1 or 3 channels")
        _require(0 <= self.low_percentile < self.high_percentile <= 100, "has percentiles from 0 to 100, the low one first")
        _require(len(self.mean) >= self.channels and len(self.std) >= self.channels, "has a mean and std for each channel")
        _require(all(s > 0 for s in self.std), "has a std above 0")


class PromptableNetwork:
    """A network from a file, ready to encode and decode: a module with the two methods, how it wants its pictures, where it is."""

    def __init__(self, module: Any, description: Description, device: torch.device) -> None:
        self._module = module
        self.description = description
        self.device = device

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """Look at a picture, shape (channels, size, size)."""
        with torch.inference_mode():
            embedding: torch.Tensor = self._module.encode(picture[None].to(self.device))
        _require(isinstance(embedding, torch.Tensor), "encodes to one tensor")
        return embedding

    def decode(
        self, embedding: torch.Tensor, points: torch.Tensor, labels: torch.Tensor, boxes: torch.Tensor, previous: torch.Tensor
    ) -> torch.Tensor:
        """Answer prompts on an embedded picture: logits, shape (h, w), on the CPU.

        Points are (n, 2), (column, row), with labels (n,), 1 or 0; boxes (m, 4); the previous logits (previous, previous).

        Raises:
            FormatError: It answers with anything else.
        """
        given = [t[None].to(self.device, torch.float32) for t in (points, labels, boxes, previous[None])]
        with torch.inference_mode():
            logits = self._module.decode(embedding, *given)
        good = isinstance(logits, torch.Tensor) and logits.ndim == 4 and logits.shape[:2] == (1, 1)
        _require(good, "decodes to logits of shape (1, 1, h, w)")
        answer: torch.Tensor = logits[0, 0].float().cpu()
        return answer


def load_promptable(path: Path, *, device: torch.device | None = None) -> PromptableNetwork:
    """Read a network from a TorchScript archive and try it once, on the CPU unless a device is given.

    Raises:
        NotFoundError: No such file.
        FormatError: Not such an archive, one that may touch files, or a network that does not answer as it must.
    """
    if not path.is_file():
        raise NotFoundError(f"{path} is not a file")
    _require_harmless(path)
    extra = {EXTRA: ""}
    where = device or torch.device("cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript; the module's text says why it is used
            module = torch.jit.load(str(path), map_location=where, _extra_files=extra).eval()  # type: ignore[no-untyped-call]  # torch
    except (RuntimeError, ValueError) as error:
        raise FormatError(f"{path.name} is no TorchScript archive that can be read: {str(error).splitlines()[0]}") from error
    raw: Any = extra[EXTRA]
    _require(bool(raw), f"holds the extra file {EXTRA}")
    network = PromptableNetwork(module, Description.from_json(raw.decode() if isinstance(raw, bytes) else raw), where)
    _try(network, path)
    return network


def _require_harmless(path: Path) -> None:
    """Read the archive's code as text; see the module's text for what is refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".py")]
            _require(bool(members), "is a TorchScript archive with code")
            _require(sum(m.file_size for m in members) <= MAX_CODE_BYTES, f"has at most {MAX_CODE_BYTES} bytes of code")
            code = "\n".join(archive.read(m).decode("utf-8", "replace") for m in members)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        remedy = "write it with module.save(path, _extra_files=…) after torch.jit.script or torch.jit.trace_module"
        raise FormatError(f"{path.name} is no TorchScript archive", remedy=remedy) from error
    for pattern, rule in ((_FORBIDDEN, "uses no files and no hooks"), (_EXTENSION, "uses torch's own operators only")):
        found = pattern.search(code)
        _require(found is None, f"{rule}, this one has {found.group() if found else ''!r}")


def _try(network: PromptableNetwork, path: Path) -> None:
    about = network.description
    try:
        embedding = network.encode(torch.zeros(about.channels, about.size, about.size))
        nothing = torch.zeros(about.previous, about.previous)
        network.decode(embedding, torch.zeros(1, 2), torch.ones(1), torch.zeros(0, 4), nothing)
    except (RuntimeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[-1][:200]
        text = f"{path.name} does not respond as a promptable network must: {reason}"
        raise FormatError(text, remedy="see its methods and sizes") from error


def _require(kept: bool, rule: str) -> None:
    if not kept:
        raise FormatError(f"A promptable network {rule}")
