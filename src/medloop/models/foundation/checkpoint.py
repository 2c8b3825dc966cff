"""Checkpoints and weights on disk: safetensors beside a JSON manifest, never pickle.

The tensors are written first (temporary name, fsync, rename), then the manifest that names them with their
SHA-256: a crash leaves the previous checkpoint or an orphan file, never a manifest without its tensors. The
manifest carries its own SHA-256, so that a single flipped byte in either file is refused.
"""

import fcntl
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from medloop.core.errors import FormatError, IntegrityError
from medloop.core.records import Json
from medloop.images.files import claimed

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Tensors by name and the facts that belong to them."""

    tensors: dict[str, Tensor]
    facts: Json


def write_checkpoint(stem: Path, checkpoint: Checkpoint, *, mark: str) -> Path:
    """Write `STEM.MARK.safetensors` and then `STEM.json` that points to it; older tensors of the stem are removed.

    Args:
        stem: Path without suffix.
        checkpoint: What to write; facts must survive JSON.
        mark: Tells this checkpoint's file, which is returned, from the previous one's, for example the step.
    """
    data = encode_weights(checkpoint.tensors)
    file = stem.with_name(f"{stem.name}.{mark}.safetensors")
    _write_durably(file, data)
    body = {"format": FORMAT, "file": file.name, "sha256": hashlib.sha256(data).hexdigest(), "facts": dict(checkpoint.facts)}
    _write_durably(_manifest(stem), json.dumps(body | {"digest": _digest(body)}, indent=1).encode())
    for old in stem.parent.glob(f"{stem.name}.*.safetensors"):
        if old != file:
            old.unlink()
    return file


def read_checkpoint(stem: Path) -> Checkpoint | None:
    """The last checkpoint of a stem, or None when there is none.

    Raises:
        IntegrityError: When a byte of the manifest or of the tensors changed, or the tensors are gone.
    """
    _sweep(stem)
    if not _manifest(stem).exists():
        return None
    body = _read_manifest(_manifest(stem))
    file = stem.with_name(body["file"])
    data = file.read_bytes() if file.exists() else b""
    if hashlib.sha256(data).hexdigest() != body["sha256"]:
        raise IntegrityError(f"{file.name}: the checkpoint does not match its SHA-256", remedy=_remedy(stem))
    return Checkpoint(decode_weights(data), body["facts"])


def _sweep(stem: Path) -> None:
    """Remove what a killed writer of this checkpoint left half written."""
    for left in stem.parent.glob(f"{stem.name}.*.tmp"):
        with left.open("rb") as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink(missing_ok=True)


def checkpoint_file(stem: Path) -> Path:
    """The tensors' file that the manifest of a stem names.

    Raises:
        IntegrityError: When a byte of the manifest changed.
    """
    return stem.with_name(_read_manifest(_manifest(stem))["file"])


def encode_weights(tensors: dict[str, Tensor]) -> bytes:
    """Tensors as safetensors bytes."""
    return safetensors.torch.save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})


def decode_weights(data: bytes) -> dict[str, Tensor]:
    """Inverse of `encode_weights`.

    Raises:
        FormatError: When the bytes are not safetensors.
    """
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(data)
    except SafetensorError as error:
        raise FormatError(f"Weights must be safetensors: {error}", remedy="train the model again") from error
    return tensors


def _manifest(stem: Path) -> Path:
    return stem.with_name(f"{stem.name}.json")


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(path.read_bytes())
        digest = body.pop("digest")
    except (ValueError, KeyError, AttributeError) as error:
        raise IntegrityError(f"{path.name}: not a checkpoint manifest ({error})", remedy=_remedy(path)) from error
    if digest != _digest(body):
        raise IntegrityError(f"{path.name}: the manifest does not match its own SHA-256", remedy=_remedy(path))
    if body["format"] != FORMAT:
        raise IntegrityError(f"{path.name}: format {body['format']} is not {FORMAT}", remedy=_remedy(path))
    return body


def _digest(body: Json) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _remedy(path: Path) -> str:
    return f"delete the folder {path.parent.name} to train again from the start"


def _write_durably(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with claimed(temporary, 0o600) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
