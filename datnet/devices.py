"""Device and autocast selection, processor cores and memory."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import torch

from datnet.errors import DatNetError

DTYPES = ("float32", "bfloat16", "float16")


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Return the requested device; by default the first GPU, else the CPU.

    Raises:
        DatNetError: If the device cannot be used on this machine.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise DatNetError(f"device {device} cannot be used here: {reason}") from error


def precision(device: torch.device, dtype: str) -> AbstractContextManager[None]:
    """Return a context manager that applies autocast.

    Args:
        device: The device of the computation.
        dtype: "bfloat16" or "float16"; "float32" disables autocast.

    Returns:
        The context manager.
    """
    return torch.autocast(device.type, dtype=getattr(torch, dtype), enabled=dtype != "float32")


def usable_cores() -> set[int]:
    """Return the indices of the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def keep_freed_memory() -> None:
    """Keep the memory of freed tensors in this process for reuse (glibc only).

    By default glibc returns large blocks to Linux, which fills new ones with zeros: ten percent of
    a training step on a CPU.
    """
    trim_threshold, most_mapped_blocks = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    with suppress(OSError, AttributeError, TypeError):
        c_library = ctypes.CDLL(None)
        c_library.gnu_get_libc_version  # noqa: B018  # only glibc has it
        c_library.mallopt(trim_threshold, 2**31 - 1)
        c_library.mallopt(most_mapped_blocks, 0)


def memory_bytes() -> int | None:
    """Return the size of the machine's memory in bytes; None if unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a device or the machine ran out of memory."""
    words = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in words or "can't allocate memory" in words)
    )


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn out-of-memory errors within the block into a DatNetError.

    Raises:
        DatNetError: If memory runs out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch's own errors are RuntimeErrors
        if not ran_out_of_memory(error):
            raise
        raise DatNetError(
            "there is not enough memory for pictures of this size; choose a smaller size or "
            "style_size"
        ) from error
