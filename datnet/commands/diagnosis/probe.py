"""A first import of every package, in a process of its own, which may die of it."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from datnet.commands.diagnosis.finding import one_line

IMPORT_NAMES = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "scikit-image": "skimage",
}
"""Modules of those packages whose module has another name."""

PROBE_SECONDS = 300


def requirements() -> dict[str, str]:
    """The packages that DatNet always needs, with their version ranges such as ">=2.8,<3"."""
    ranges = {}
    for line in importlib.metadata.requires("datnet") or []:
        requirement, _, marker = line.partition(";")
        parts = re.match(r"([\w.-]+)(?:\[.*\])?([^;]*)", requirement)
        if parts and "extra ==" not in marker:
            ranges[parts[1].lower()] = parts[2].strip(" ()")
    return ranges


def run_probe() -> dict[str, dict[str, Any]]:
    """Import every package in a process of its own, which may die of it.

    Returns:
        For every package {"version"} or {"error"}; beside them "devices" and "tracking".
    """
    code = "import sys; from datnet.commands.diagnosis.probe import probe; probe(sys.argv[1:])"
    command = [sys.executable, "-P", "-c", code, *requirements()]
    try:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            check=False,
        )
        lines, death = finished.stdout, f"the import ended Python (status {finished.returncode})"
    except subprocess.TimeoutExpired as error:
        lines = error.stdout.decode(errors="replace") if error.stdout else ""
        death = f"the import was not done after {PROBE_SECONDS} s"
    probed: dict[str, dict[str, Any]] = {}
    for line in lines.splitlines():
        if line.startswith('{"probe"'):  # packages print what they like
            result = json.loads(line)
            probed[result.pop("probe")] = result
    return {
        name: {"error": death} if result.get("started") else result
        for name, result in probed.items()
    }


def probe(packages: list[str]) -> None:
    """Import packages one after the other and print what comes of it, a line of JSON each."""

    def attempt(name: str, look: Callable[[], dict[str, Any]]) -> None:
        print(json.dumps({"probe": name, "started": True}), flush=True)
        try:
            result = look()
        except BaseException as error:  # packages have called sys.exit when imported
            result = {"error": one_line(error)}
        print(json.dumps({"probe": name, **result}), flush=True)

    for package in packages:
        attempt(package, partial(import_package, package))
    attempt("devices", look_at_devices)
    attempt("tracking", look_at_tracking)


def import_package(package: str) -> dict[str, Any]:
    """Import a package and tell its version, with the build if it says so ("+cu126")."""
    module = importlib.import_module(IMPORT_NAMES.get(package, package))
    version = getattr(module, "__version__", None)
    return {"version": str(version or importlib.metadata.version(package))}


def look_at_devices() -> dict[str, Any]:
    """Devices that torch can compute on."""
    import torch

    from datnet.devices import usable_cores

    devices = [f"cpu: {torch.get_num_threads()} threads on {len(usable_cores())} cores"]
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(number)
        gigabytes = properties.total_memory / 2**30
        # A kernel is run, since a driver that is too old is found out only then.
        torch.ones(2, device=f"cuda:{number}").sum().item()
        devices.append(f"cuda:{number}: {properties.name}, {gigabytes:.0f} GiB")
    if torch.backends.mps.is_available():
        devices.append("mps: Apple GPU")
    return {"devices": devices}


def look_at_tracking() -> dict[str, Any]:
    """How a training with logger=wandb would run."""
    from datnet.training.wandb_logger import wandb_mode

    return {"mode": wandb_mode(None)}
