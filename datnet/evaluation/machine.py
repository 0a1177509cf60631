"""Describes the machine of a measurement."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import datnet
from datnet import provenance
from datnet.devices import memory_bytes, usable_cores


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return processor, GPU, versions, commit and date; nothing that identifies the owner.

    Args:
        device: The device that computes; if it is a GPU its name and memory are included.
    """
    gpu = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    return {
        "device": str(device),
        "cpu": cpu_name(),
        "cores": len(usable_cores()),
        "threads": torch.get_num_threads(),
        "memory_bytes": memory_bytes(),
        "gpu": gpu and gpu.name,
        "gpu_memory_bytes": gpu and gpu.total_memory,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "datnet": datnet.__version__,
        "commit": provenance.commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def cpu_name() -> str:
    """Return the processor's model name, or its architecture if the system does not give one."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def sentence_of_machine(machine: dict[str, Any]) -> str:
    """Return a one-line description of the machine."""
    threads = machine["threads"]
    where = machine["gpu"] or f"{machine['cpu']}, {threads} thread{'s' if threads > 1 else ''}"
    return (
        f"{where} · torch {machine['torch']} · DatNet {machine['datnet']}, commit "
        f"{machine['commit']} · {machine['date'][:10]}"
    )
