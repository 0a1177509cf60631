"""Checks that packages are installed, in the required versions, and fit each other."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datnet.commands.diagnosis.finding import Finding
from datnet.commands.diagnosis.probe import requirements
from datnet.errors import EXTRAS


def check_packages(probed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Check the versions of Python, DatNet and its dependencies."""
    python = f"{platform.python_version()} on {platform.platform(terse=True)}"
    yield Finding("packages", "python", "ok", python)
    yield Finding("packages", "datnet", "ok", importlib.metadata.version("datnet"))
    for package, version_range in requirements().items():
        result = probed.get(package, {"error": "it was not checked"})
        try:
            installed = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            cure = f"pip install '{package}{version_range}'"
            yield Finding("packages", package, "broken", "not installed", cure)
            continue
        if package == "torchvision":
            torch = probed.get("torch", {})
            yield check_torchvision(torch.get("version"), installed, result)
        elif "error" in result:
            cure = f"pip install --force-reinstall '{package}{version_range}'"
            text = f"{installed} cannot be imported: {result['error']}"
            yield Finding("packages", package, "broken", text, cure)
        elif not fits(installed, version_range):
            text = f"{installed} is installed, but {version_range} is required"
            cure = f"pip install '{package}{version_range}'"
            yield Finding("packages", package, "broken", text, cure)
        else:
            yield Finding("packages", package, "ok", result["version"])


def check_torchvision(torch: str | None, installed: str, result: dict[str, Any]) -> Finding:
    """Check that torch and torchvision belong together.

    Wheels of torchvision contain code compiled for one version and one build (cpu, cu126, …) of
    torch. With another one `import torchvision` fails, often with "operator torchvision::nms does
    not exist".

    Args:
        torch: Version of torch, None if it cannot be imported.
        installed: Version of torchvision.
        result: Result of :func:`probe` for torchvision.

    Returns:
        The finding.
    """
    version = torchvision_version() or installed
    torch_build = (torch or "").partition("+")[2]
    build = version.partition("+")[2]
    needed = next(
        (
            match[1].strip(" ()")
            for line in importlib.metadata.requires("torchvision") or []
            if (match := re.match(r"torch\b([^;]*)", line))
        ),
        "",
    )
    reasons = []
    if torch and not fits(torch.partition("+")[0], needed):
        reasons.append(f"torchvision {version} is built for torch {needed}, but torch is {torch}")
    if torch_build and build and torch_build != build:
        reasons.append(f"torchvision is the build {build}, but torch the build {torch_build}")
    if "error" in result:
        reasons.append(f"torchvision {version} cannot be imported: {result['error']}")
    if not reasons:
        return Finding("packages", "torchvision", "ok", version)
    cure = (
        "reinstall both in one command from one package index: "
        "pip install --force-reinstall torch torchvision"
    )
    if torch:
        cure += f" (torch {torch.partition('+')[0]} goes with torchvision {partner(torch)})"
    if torch_build == "cpu":
        cure += "; an index with CPU builds of torch only has no matching torchvision"
    return Finding("packages", "torchvision", "broken", "; ".join(reasons), cure)


def torchvision_version() -> str | None:
    """Return the version of torchvision with its build, read from a file without an import."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "version.py"
    found = re.search(r"__version__ = '([^']+)'", file.read_text()) if file.exists() else None
    return found[1] if found else None


def partner(torch: str) -> str:
    """Return the torchvision version that matches a torch version, such as "0.23" for 2.8.

    Up to torch 2.13 each minor version has its own; torchvision 0.29 also accepts later ones.
    """
    minor = int(torch.split(".")[1])
    return f"0.{minor + 15}" if minor < 14 else "0.29 or newer"


def fits(version: str, version_range: str) -> bool:
    """Return whether a version is in a range.

    Args:
        version: A version, such as "2.10.1".
        version_range: A range, such as ">=2.8,<3".

    Returns:
        True also if this cannot be decided.
    """
    try:
        from packaging.specifiers import SpecifierSet

        return SpecifierSet(version_range).contains(version, prereleases=True)
    except Exception:  # packaging is missing, or the range is in no known form
        return True


def check_extras() -> Iterator[Finding]:
    """Check the packages of optional features."""
    for name, extra in EXTRAS.items():
        for package in extra.packages:
            try:
                version = importlib.metadata.version(package)
                yield Finding("packages", package, "ok", f"{version} ({extra.purpose})")
            except importlib.metadata.PackageNotFoundError:
                text = f"missing; {extra.purpose} needs it"
                cure = f"pip install 'datnet[{name}]'"
                yield Finding("packages", package, "note", text, cure)
