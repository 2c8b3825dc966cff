"""Weights in a file that others wrote, as tensors by name; nothing in the file is run.

    *.safetensors            read as they are
    *.pt, *.pth, *.bin, …    a state dict of PyTorch, read by `torch.load(weights_only=True)`, also under a usual key of a checkpoint
                             (`state_dict`, `model`, …)
    *.pt, *.ts               a TorchScript archive: its tensors are read, its code is not
    a folder                 a MONAI bundle: models/model.safetensors, models/model.pt or models/model.ts in it

A TorchScript archive keeps its attributes as a pickle of which PyTorch's C++ reader allows few instructions. Here the same is read by an
unpickler that knows tensors, plain containers and stand-ins for the archive's classes, and refuses every other name.
"""

import io
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from medloop.core.errors import FormatError, InputError, NotFoundError

BUNDLE = ("models/model.safetensors", "models/model.pt", "models/model.ts", "model.safetensors", "model.pt", "model.ts")
"""Where a bundle has its weights, the first that is there."""

KEYS = ("state_dict", "model_state_dict", "network_weights", "network", "net", "model", "student", "teacher", "weights", "ema")
"""Under which a checkpoint keeps the weights of its network."""

STORAGES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16,
        "LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16, "CharStorage": torch.int8,
        "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
    }
)  # fmt: skip
"""How archives call the numbers of a storage."""

_DAMAGED = (RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, ImportError, MemoryError, OverflowError)
"""What reading a damaged file may raise."""

MOST_BYTES = 4_000_000_000
DEEPEST = 3
MOST_TENSORS = 100_000
REMEDY = "give safetensors, a state dict saved with torch.save, a TorchScript archive or the folder of a MONAI bundle"


def read_weights(source: Path) -> dict[str, Tensor]:
    """The floating-point tensors of a file or a bundle's folder, by name, on the CPU, in 32 bit.

    Raises:
        NotFoundError: No such file, or a folder without weights.
        FormatError: A file that is none of these, or is damaged.
        InputError: A file that is too large.
    """
    file = _file_of(source)
    if (size := file.stat().st_size) > MOST_BYTES:
        raise InputError(
            f"A file of weights may have {MOST_BYTES / 1e9:.0f} GB, {file.name} has {size / 1e9:.1f}", remedy="give a smaller network"
        )
    found = _read(file)
    tensors = {
        name: tensor.detach().float().contiguous() for name, tensor in found.items() if tensor.is_floating_point() and tensor.numel()
    }
    if not tensors:
        raise FormatError(f"{file.name} holds no weights", remedy=REMEDY)
    return tensors


def _file_of(source: Path) -> Path:
    if source.is_dir():
        found = next((source / name for name in BUNDLE if (source / name).is_file()), None)
        if found is None:
            rule = f"A folder must be a medloop project or a MONAI bundle with {BUNDLE[1]} or {BUNDLE[2]}, {source.name} is neither"
            raise NotFoundError(rule, remedy="name the file of the weights")
        return found
    if not source.is_file():
        raise NotFoundError(f"There is no file or folder {source}", remedy="check the path")
    return source


def _read(file: Path) -> Mapping[str, Tensor]:
    if file.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(file)
        except (SafetensorError, OSError, ValueError) as error:
            raise FormatError(f"{file.name} is no safetensors file: {_one_line(error)}", remedy=REMEDY) from error
    return _read_script(file) if _is_script(file) else _read_state(file)


def _read_state(file: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        rule = f"{file.name} holds more than weights, or is no file of PyTorch; nothing of it was run"
        raise FormatError(rule, remedy="save the state dict alone: torch.save(network.state_dict(), PATH)") from error
    except _DAMAGED as error:
        raise FormatError(f"{file.name} is no file of weights: {_one_line(error)}", remedy=REMEDY) from error
    return _tensors(found)


def _tensors(found: object, depth: int = 0) -> dict[str, Tensor]:
    """The state dict in what a checkpoint holds: itself, or under one of `KEYS`."""
    if not isinstance(found, Mapping) or depth > DEEPEST:
        return {}
    own = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if own:
        return own
    return next((inner for key in KEYS if key in found and (inner := _tensors(found[key], depth + 1))), {})


def _is_script(file: Path) -> bool:
    """Whether a file is an archive that holds code, as TorchScript does and a state dict does not."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any("/code/" in name or name.endswith("/constants.pkl") for name in archive.namelist())


def _read_script(file: Path) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(file) as archive:
            (name,) = [one for one in archive.namelist() if one.count("/") == 1 and one.endswith("/data.pkl")]
            root = _Attributes(archive, name.removesuffix("data.pkl")).load()
    except (pickle.UnpicklingError, zipfile.BadZipFile, *_DAMAGED) as error:
        raise FormatError(f"{file.name} is a TorchScript archive that cannot be read: {_one_line(error)}", remedy=REMEDY) from error
    found: dict[str, Tensor] = {}
    _collect(root, "", found, set())
    return found


class _Module:
    """Stands for any class of the archive: its attributes, and nothing that it does."""

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update({str(name): value for name, value in state.items()})


class _Attributes(pickle.Unpickler):
    """Reads the attributes of a TorchScript archive: only names of a short list are resolved, all others are refused."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{prefix}data.pkl")))
        self._archive, self._prefix = archive, prefix

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the archive stands for.

        Raises:
            UnpicklingError: A name that no archive of weights needs.
        """
        if module.startswith("__torch__"):
            return type(name, (_Module,), {})
        known: dict[tuple[str, str], Any] = {
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild, ("torch._utils", "_rebuild_parameter"): _parameter,
            ("collections", "OrderedDict"): OrderedDict,
        }  # fmt: skip
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if module == "torch.jit._pickle":
            return _plain
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        """The numbers of a storage, flat."""
        _, kind, key, _, count = pid
        kept = torch.frombuffer(bytearray(self._archive.read(f"{self._prefix}data/{key}")), dtype=kind)
        return kept[: int(count)]


def _plain(value: Any, *_: Any) -> Any:
    """Lists and dicts of one type, as the archive writes them."""
    return value


def _rebuild(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset).clone()


def _parameter(data: Tensor, *_: Any) -> Tensor:
    return data


def _collect(value: Any, name: str, found: dict[str, Tensor], seen: set[int]) -> None:
    """Put the tensors under a module's attributes into `found`, by dotted names."""
    if isinstance(value, Tensor) and len(found) < MOST_TENSORS:
        found[name] = value
    elif isinstance(value, _Module) and id(value) not in seen:
        seen.add(id(value))
        for key, inner in vars(value).items():
            _collect(inner, f"{name}.{key}" if name else key, found, seen)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
