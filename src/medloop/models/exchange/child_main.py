"""The child's side of `child`: load one network, then answer its inputs with its outputs.

Started as `python -m medloop.models.exchange.child_main MEMORY_BYTES CPU_SECONDS THREADS`. The first request names the file; ends when
its input does. Before anything of the file is read, the process gives up what it does not need: memory beyond the bound, and writing to
files. A TorchScript program that names an operator which reads or writes files, or is no operator of PyTorch's own, is not run.
"""

import json
import os
import resource
import struct
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from medloop.core.errors import FormatError, MedloopError, UnavailableError
from medloop.images.sandbox_child import allow_cpu, limit_memory

HEAD = struct.Struct("<Q")
FORBIDDEN = ("aten::save", "aten::from_file", "aten::load", "aten::set_", "aten::_from_file")
"""Operators of TorchScript that reach files or foreign memory."""
NAMESPACES = ("aten", "prim", "quantized", "torchvision")
NETS = (
    "UNet",
    "BasicUNet",
    "DynUNet",
    "SegResNet",
    "VNet",
    "AttentionUnet",
    "UNETR",
    "SwinUNETR",
    "DenseNet121",
    "EfficientNetBN",
    "ResNet",
)
"""Networks of MONAI that a bundle may name; they are built from plain numbers and text."""

Arrays: TypeAlias = list[npt.NDArray[Any]]
Network: TypeAlias = Callable[[Arrays], npt.NDArray[np.float32]]


def main(memory_bytes: int, cpu_seconds: int, threads: int, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the input ends."""
    import torch

    torch.set_num_threads(threads)
    network: Network | None = None
    told = ""
    while (line := requests.readline()) != b"":
        request = json.loads(line)
        allow_cpu(cpu_seconds)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if network is None:
                    network, told = _open(request, threads, memory_bytes)
                    found: npt.NDArray[Any] = np.zeros(0, dtype=np.float32)
                else:
                    found = network([_received(one, requests) for one in request["arrays"]])
            record: dict[str, Any] = {"shape": list(found.shape), "bytes": found.nbytes, "told": told if request.get("kind") else ""}
        except MedloopError as error:
            found, record = np.zeros(0), {"error": [error.message, error.remedy], "code": error.code, "bytes": 0}
        except MemoryError:
            found, record = np.zeros(0), {"error": ["it needs more memory than allowed", "allow more with --memory"], "bytes": 0}
        except Exception as error:  # the boundary to a program of somebody else: whatever it raises is that file's fault
            words = (str(error).strip().splitlines() or [""])[-1][:200]
            found, record = np.zeros(0), {"error": [f"it cannot be run ({type(error).__name__}: {words})", "export it again"], "bytes": 0}
        body = json.dumps(record).encode()
        answers.write(HEAD.pack(len(body)) + body)
        if record["bytes"]:
            answers.write(np.ascontiguousarray(found, dtype=np.float32).tobytes())
        answers.flush()


def _open(request: dict[str, Any], threads: int, memory_bytes: int) -> tuple[Network, str]:
    """The network of a file, of the kind that the request says, and the description in it; "" without one."""
    kind = request["kind"]
    if kind == "onnx":
        _import_onnx()
    if kind == "monai":
        import monai.networks.nets  # noqa: F401 - before memory and files are given up
    limit_memory(memory_bytes)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if kind == "onnx":
        return _onnx(request["path"], threads)
    return _torchscript(request["path"]) if kind == "torchscript" else (_monai(request["path"], request["network"]), "")


def _import_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        raise UnavailableError(
            "Reading ONNX needs onnx and onnxruntime, which are not installed", remedy="pip install 'medloop[onnx]'"
        ) from None


def _onnx(path: str, threads: int) -> tuple[Network, str]:
    import onnx
    import onnxruntime

    graph = onnx.load(path, load_external_data=False)
    outside = [one.name for one in graph.graph.initializer if one.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise FormatError(f"weights must lie in the file itself, {len(outside)} lie in another", remedy="save it as one file")
    strange = sorted({one.domain for one in graph.opset_import} - {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
    if strange:
        raise FormatError(f"operators must be ONNX's own, got some of {strange[0]!r:.40}", remedy="export it with standard operators")
    told = next((one.value for one in graph.metadata_props if one.key == "medloop"), "")
    del graph
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(arrays: Arrays) -> npt.NDArray[np.float32]:
        if len(names) != len(arrays):
            raise FormatError(f"it must take {len(arrays)} inputs, got {len(names)}", remedy="export the network alone")
        found: npt.NDArray[np.float32] = session.run(None, dict(zip(names, arrays, strict=True)))[0]
        return found

    return run, told


def _torchscript(path: str) -> tuple[Network, str]:
    import torch

    extra: dict[str, Any] = {"medloop.json": ""}
    module = torch.jit.load(path, map_location="cpu", _extra_files=extra).eval()  # type: ignore[no-untyped-call]
    _require_harmless(module)

    def run(arrays: Arrays) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            return _first(module(*(torch.from_numpy(one) for one in arrays)))

    told = extra["medloop.json"]
    return run, told.decode() if isinstance(told, bytes) else told


def _require_harmless(module: Any) -> None:
    """Refuse operators that reach beyond numbers.

    Raises:
        FormatError: Naming the first.
    """
    for graph in (method.graph for part in module.modules() for method in _methods(part)):
        for node in _nodes(graph):
            kind: str = node.kind()
            if kind.startswith(FORBIDDEN) or kind.split("::")[0] not in NAMESPACES:
                raise FormatError(f"a program must only compute, this one has the operator {kind}", remedy="export the network alone")


def _methods(part: Any) -> list[Any]:
    return [getattr(part._c, "_get_method")(name) for name in part._c._method_names()]  # noqa: B009 - of PyTorch's own class


def _nodes(graph: Any) -> list[Any]:
    found = []
    for node in graph.nodes():
        found.append(node)
        for block in node.blocks():
            found += _nodes(block)
    return found


def _monai(path: str, wanted: dict[str, Any]) -> Network:
    from pathlib import Path

    import torch
    from monai.networks import nets

    from medloop.models.foundation.weight_files import read_weights

    name = str(wanted.get("_target_", "")).rsplit(".", 1)[-1]
    if name not in NETS:
        raise FormatError(f"a network must be one of {', '.join(NETS)}, got {name!r:.60}", remedy="export the bundle with models/model.ts")
    network = getattr(nets, name)(**{key: value for key, value in wanted.items() if key != "_target_"}).eval()
    network.load_state_dict(read_weights(Path(path)), strict=True)

    def run(arrays: Arrays) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            return _first(network(*(torch.from_numpy(one) for one in arrays)))

    return run


def _first(found: Any) -> npt.NDArray[np.float32]:
    """The tensor that counts: a network of deep supervision gives its finest answer first."""
    while isinstance(found, Sequence) and not hasattr(found, "numpy") and len(found):
        found = found[0]
    answer: npt.NDArray[np.float32] = found.float().numpy()
    return answer


def _received(one: dict[str, Any], requests: BinaryIO) -> npt.NDArray[Any]:
    data = requests.read(int(one["bytes"]))
    return np.frombuffer(bytearray(data), dtype=one["dtype"]).reshape(one["shape"])


if __name__ == "__main__":
    # Networks may print; only this copy of the pipe carries answers.
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.stdin.buffer, pipe)
