"""First import of every package, in a separate process that may crash."""

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
"""Module names of packages whose module has another name."""

PROBE_SECONDS = 300


def requirements() -> dict[str, str]:
    """Return the required packages of DatNet with their version ranges, such as ">=2.8,<3"."""
    ranges = {}
    for line in importlib.metadata.requires("datnet") or []:
        requirement, _, marker = line.partition(";")
        parts = re.match(r"([\w.-]+)(?:\[.*\])?([^;]*)", requirement)
        if parts and "extra ==" not in marker:
            ranges[parts[1].lower()] = parts[2].strip(" ()")
    return ranges


def run_probe() -> dict[str, dict[str, Any]]:
    """Import every package in a separate process that may crash.

    Returns:
        ``{"version": …}`` or ``{"error": …}`` for each package; also the entries "devices" and
        "tracking".
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
        lines, death = finished.stdout, f"the import crashed Python (status {finished.returncode})"
    except subprocess.TimeoutExpired as error:
        lines = error.stdout.decode(errors="replace") if error.stdout else ""
        death = f"the import did not finish within {PROBE_SECONDS} s"
    probed: dict[str, dict[str, Any]] = {}
    for line in lines.splitlines():
        if line.startswith('{"probe"'):  # packages may print anything
            result = json.loads(line)
            probed[result.pop("probe")] = result
    return {
        name: {"error": death} if result.get("started") else result
        for name, result in probed.items()
    }


def probe(packages: list[str]) -> None:
    """Import packages one after the other and print each result as a line of JSON."""

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
    """Import a package and return its version, with the build if it has one ("+cu126")."""
    module = importlib.import_module(IMPORT_NAMES.get(package, package))
    version = getattr(module, "__version__", None)
    return {"version": str(version or importlib.metadata.version(package))}


def look_at_devices() -> dict[str, Any]:
    """Return the devices that torch can use."""
    import torch

    from datnet.devices import usable_cores

    threads, cores = torch.get_num_threads(), len(usable_cores())
    devices = [
        f"cpu: {threads} thread{'s' if threads > 1 else ''} on "
        f"{cores} core{'s' if cores > 1 else ''}"
    ]
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        properties = torch.cuda.get_device_properties(number)
        gigabytes = properties.total_memory / 2**30
        # Run a kernel: only this reveals a driver that is too old.
        torch.ones(2, device=f"cuda:{number}").sum().item()
        devices.append(f"cuda:{number}: {properties.name}, {gigabytes:.0f} GiB")
    if torch.backends.mps.is_available():
        devices.append("mps: Apple GPU")
    return {"devices": devices}


def look_at_tracking() -> dict[str, Any]:
    """Return the mode in which a training with logger=wandb would run."""
    from datnet.training.wandb_logger import wandb_mode

    return {"mode": wandb_mode(None)}
