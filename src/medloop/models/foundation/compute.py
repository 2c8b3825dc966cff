"""Where and how precisely networks run: device, threads, mixed precision."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


def choose_device() -> torch.device:
    """The first CUDA device if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes bf16 natively (emulation is slower than float32)."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    found = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # no public question exists for CPUs
    return bool(found and found())


def mixed_precision(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The autocast context for a recipe's `precision`: auto, float32 or bfloat16."""
    if precision == "float32" or (precision == "auto" and not has_bfloat16(device)):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Run torch on this many CPU threads, then restore: without a limit it spins on cores that others need."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
