"""Peak memory of stylizing an image, beyond the network's weights.

On the CPU that is the growth of the resident set. It must be measured in a new process: memory that
an earlier, larger image left allocated would be reused without being counted.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from datnet.devices import precision, ran_out_of_memory
from datnet.evaluation.candidates import Candidate, random_pictures
from datnet.networks.attention import attention_way
from datnet.networks.base import SMALLEST_SIDE, StyleTransferNetwork

OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class Peak:
    """Peak memory of stylizing one image.

    Attributes:
        bytes: Peak minus the level before; None if it could not be measured.
        source: What was read: "VmHWM", "ru_maxrss" or "torch.cuda.max_memory_allocated".
        problem: Why there is no result, in a few words; None if there is one.
    """

    bytes: int | None = None
    source: str | None = None
    problem: str | None = None


def peak_in_new_process(
    candidate: Candidate, size: int, dtype: str = "float32", threads: int | None = None
) -> Peak:
    """Stylize one image on the CPU in a new process and measure how much its memory grows.

    Args:
        candidate: The network.
        size: Side of content and style in pixels.
        dtype: See :func:`~datnet.devices.precision`.
        threads: CPU threads; None for torch's default.

    Returns:
        The peak; one with a problem if the process is killed or fails.
    """
    task = {"candidate": asdict(candidate), "size": size, "dtype": dtype, "threads": threads}
    finished = subprocess.run(
        [sys.executable, "-P", "-m", "datnet.evaluation.peak_memory", json.dumps(task)],
        capture_output=True,
        text=True,
        # So that it can import the same modules, such as a user's own network.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    if finished.returncode == 0:
        return Peak(**json.loads(finished.stdout.splitlines()[-1]))
    if finished.returncode == -signal.SIGKILL:
        return Peak(problem=f"{OUT_OF_MEMORY} (killed)")
    if finished.returncode < 0:
        return Peak(problem=f"ended by {signal.Signals(-finished.returncode).name}")
    return Peak(problem=f"failed: {(finished.stderr.strip().splitlines() or ['?'])[-1]}")


def main() -> None:
    """Entry point of the new process."""
    with suppress(OSError):
        # If memory runs out, the kernel must end this process and no other.
        Path("/proc/self/oom_score_adj").write_text("1000")
    task = json.loads(sys.argv[1])
    if task["threads"]:
        torch.set_num_threads(task["threads"])
    try:
        candidate = Candidate(**task["candidate"])
        network = candidate.build()
        with attention_way(candidate.attention):
            peak = peak_of_stylizing(network, task["size"], torch.device("cpu"), task["dtype"])
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        peak = Peak(problem=OUT_OF_MEMORY)
    print(json.dumps(asdict(peak)))


@torch.inference_mode()
def peak_of_stylizing(
    network: StyleTransferNetwork, size: int, device: torch.device, dtype: str = "float32"
) -> Peak:
    """Stylize one image in this process and measure how much its memory grows.

    Args:
        network: In evaluation mode, on the device.
        size: Side of content and style in pixels.
        device: Where the network is; the peak on an Apple GPU is unknown.
        dtype: See :func:`~datnet.devices.precision`.

    Returns:
        The peak.
    """
    with precision(device, dtype):
        # The smallest image first, so that code and libraries are already in memory.
        network(*random_pictures(SMALLEST_SIDE, device))
        content, style = random_pictures(size, device)
        return peak_of(lambda: network(content, style), device)


def peak_of(work: Callable[[], object], device: torch.device) -> Peak:
    """Call a function and measure how much the memory of this process, or of its GPU, grows.

    Args:
        work: The function.
        device: Where it computes.

    Returns:
        The peak; without bytes on devices other than CPU and CUDA.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        level = torch.cuda.memory_allocated(device)
        work()
        growth = torch.cuda.max_memory_allocated(device) - level
        return Peak(growth, "torch.cuda.max_memory_allocated")
    if device.type != "cpu":
        work()
        return Peak()
    resident = ResidentPeak()
    work()
    return Peak(resident.growth(), resident.source)


class ResidentPeak:
    """Measures the peak resident set size of this process.

    Only Linux can reset the peak. Elsewhere the peak is counted from the start of the process, and
    only growth beyond the earlier peak is seen.

    Attributes:
        source: "VmHWM" or "ru_maxrss".
    """

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
            self.source = "VmHWM"
        except OSError:
            self.source = "ru_maxrss"
        self._level = self._peak()

    def growth(self) -> int:
        """Return how many bytes the peak is above the level at the start."""
        return self._peak() - self._level

    def _peak(self) -> int:
        if self.source == "VmHWM":
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
        import resource  # not on every system

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
