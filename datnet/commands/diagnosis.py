"""What DatNet needs and whether this machine has it.

Nothing here may fail because something is broken: only the standard library is imported at the
top, packages are imported for the first time in a process of their own, and every check that
raises becomes a finding.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

State = Literal["ok", "note", "broken"]

IMPORT_NAMES = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "scikit-image": "skimage",
}
"""Modules of those packages whose module has another name."""

EXTRAS = {
    "export": ("`datnet export`", "onnx", "onnxscript", "onnxruntime"),
    "serve": ("`datnet serve`", "gradio"),
    "video": ("painting clips", "av"),
    "figures": ("drawing plots", "matplotlib"),
    "tensorboard": ("logger=tensorboard", "tensorboard"),
}
"""What only some need, and the packages: `pip install 'datnet[export]'` brings the first three."""

PROBE_SECONDS = 300
SAMPLED_FILES = 24
SMALL_DISK_BYTES = 2 * 10**9
FULL_DISK_BYTES = 2 * 10**8


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: packages, devices, weights, networks, data, tracking or disk.
        name: What was looked at.
        state: "ok"; "note" for what is worth knowing and stops nobody; "broken" for what DatNet
            needs and cannot use.
        text: What was found.
        cure: What to do about it.
    """

    topic: str
    name: str
    state: State
    text: str
    cure: str | None = None


def examine(content: str | None = None, style: str | None = None) -> list[Finding]:
    """Look at everything; nothing is fetched and nothing asked over the network.

    Args:
        content: A folder of photographs or of shards of them to look at, or its address.
        style: Likewise of paintings.
    """
    probed = run_probe()
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("packages", partial(check_packages, probed)),
        ("packages", check_extras),
        ("devices", partial(check_devices, probed)),
    ]
    findings: list[Finding] = []
    if "error" in probed.get("torch", {"error": ""}):
        text = "not looked at, since torch is broken"
        topics = ("weights", "networks", "disk", "data")
        findings = [Finding(topic, topic, "note", text) for topic in topics]
    else:
        checks += [("weights", check_weights), ("networks", check_networks), ("disk", check_disk)]
        for name, folder in (("content", content), ("style", style)):
            if folder is not None:
                checks.append(("data", partial(check_images, name, folder)))
    checks.append(("tracking", partial(check_tracking, probed)))
    for topic, check in checks:
        try:
            findings += check()
        except Exception as error:  # a broken package can raise anything
            findings.append(Finding(topic, topic, "broken", one_line(error)))
    return findings


# ------------------------------------------------------------------------------------ packages


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
    command = [sys.executable, "-P", "-m", "datnet.commands.diagnosis", *requirements()]
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


def check_packages(probed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Versions of Python, DatNet and what it depends on."""
    python = f"{platform.python_version()} on {platform.platform(terse=True)}"
    yield Finding("packages", "python", "ok", python)
    yield Finding("packages", "datnet", "ok", importlib.metadata.version("datnet"))
    for package, version_range in requirements().items():
        result = probed.get(package, {"error": "it was not looked at"})
        try:
            installed = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            cure = f"pip install '{package}{version_range}'"
            yield Finding("packages", package, "broken", "it is not installed", cure)
            continue
        if package == "torchvision":
            torch = probed.get("torch", {})
            yield check_torchvision(torch.get("version"), installed, result)
        elif "error" in result:
            cure = f"pip install --force-reinstall '{package}{version_range}'"
            text = f"{installed} cannot be imported: {result['error']}"
            yield Finding("packages", package, "broken", text, cure)
        elif not fits(installed, version_range):
            text = f"{installed} is installed and {version_range} is needed"
            cure = f"pip install '{package}{version_range}'"
            yield Finding("packages", package, "broken", text, cure)
        else:
            yield Finding("packages", package, "ok", result["version"])


def check_torchvision(torch: str | None, installed: str, result: dict[str, Any]) -> Finding:
    """Whether torch and torchvision belong together.

    Wheels of torchvision hold code that is compiled for one torch and one build of it (cpu, cu126,
    …). With another one `import torchvision` fails, often as "operator torchvision::nms does not
    exist".

    Args:
        torch: Version of torch, None if it cannot be imported.
        installed: Version of torchvision.
        result: What :func:`probe` found of torchvision.
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
        reasons.append(f"torchvision {version} is built for torch {needed}, and torch is {torch}")
    if torch_build and build and torch_build != build:
        reasons.append(f"torchvision is the build {build} and torch the build {torch_build}")
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
        cure += "; an index with CPU builds of torch alone has no torchvision for them"
    return Finding("packages", "torchvision", "broken", "; ".join(reasons), cure)


def torchvision_version() -> str | None:
    """The version with the build, which only a file of the package tells without an import."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "version.py"
    found = re.search(r"__version__ = '([^']+)'", file.read_text()) if file.exists() else None
    return found[1] if found else None


def partner(torch: str) -> str:
    """The torchvision that goes with a torch, such as "0.23" with 2.8.

    Until torch 2.14 every minor version has one of its own; torchvision 0.29 takes later ones too.
    """
    minor = int(torch.split(".")[1])
    return f"0.{minor + 15}" if minor < 14 else "0.29 or newer"


def fits(version: str, version_range: str) -> bool:
    """Whether a version is in a range such as ">=2.8,<3"; True if that cannot be told."""
    try:
        from packaging.specifiers import SpecifierSet

        return SpecifierSet(version_range).contains(version, prereleases=True)
    except Exception:  # packaging is missing, or the range is in no known form
        return True


def check_extras() -> Iterator[Finding]:
    """Packages that only some need."""
    for extra, (purpose, *packages) in EXTRAS.items():
        for package in packages:
            try:
                version = importlib.metadata.version(package)
                yield Finding("packages", package, "ok", f"{version} ({purpose})")
            except importlib.metadata.PackageNotFoundError:
                text = f"missing; {purpose} needs it"
                cure = f"pip install 'datnet[{extra}]'"
                yield Finding("packages", package, "note", text, cure)


# ------------------------------------------------------------------------------------- devices


def look_at_devices() -> dict[str, Any]:
    """Devices that torch can compute on."""
    import torch

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


def usable_cores() -> set[int]:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def check_devices(probed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Processors and GPUs."""
    result = probed.get("devices", {"error": "they were not looked at"})
    if "error" in result:
        cure = "update the GPU's driver, or hide the GPU: CUDA_VISIBLE_DEVICES="
        yield Finding("devices", "devices", "broken", result["error"], cure)
        return
    for device in result["devices"]:
        name, _, text = device.partition(": ")
        yield Finding("devices", name, "ok", text)
    if len(result["devices"]) == 1:
        text = "none that torch can use; training on a processor takes days"
        yield Finding("devices", "gpu", "note", text)


# ------------------------------------------------------------------------ weights and networks


def check_weights() -> Iterator[Finding]:
    """Pretrained encoders and published networks."""
    from datnet.errors import DatNetError
    from datnet.zoo.backbones import BACKBONES, status
    from datnet.zoo.published import PUBLISHED, published_status

    for name in (*BACKBONES, *PUBLISHED):
        try:
            found = published_status(name) if name in PUBLISHED else status(name)
        except DatNetError as error:
            yield Finding("weights", name, "broken", one_line(error))
            continue
        if found.path is None:
            text = f"missing; fetched when first needed, {found.download_megabytes} MB"
            yield Finding("weights", name, "note", text, f"datnet weights fetch {name}")
        else:
            yield Finding("weights", name, "ok", str(found.path))


def check_networks() -> Iterator[Finding]:
    """Trained networks that come with DatNet, and those in runs/ of this folder."""
    from datnet.errors import DatNetError
    from datnet.zoo.network_file import read_description
    from datnet.zoo.shipped import shipped_file, shipped_names

    files = []
    shipped = shipped_names()
    for name in shipped:
        try:
            files.append(shipped_file(name))
        except DatNetError as error:
            yield Finding("networks", name, "broken", one_line(error))
    files += sorted(Path("runs").rglob("network.safetensors"))
    for path in files:
        try:
            description = read_description(path)
        except DatNetError as error:
            yield Finding("networks", str(path), "note", one_line(error))
            continue
        steps = description.training.get("steps")
        text = description.name + (f", {steps} steps" if steps is not None else "")
        yield Finding("networks", str(path), "ok", text)
    if not files and not shipped:
        text = "none comes with this version, and none is in runs/ of this folder"
        cure = "datnet train, or a published one: datnet weights fetch microast"
        yield Finding("networks", "networks", "note", text, cure)


# ------------------------------------------------------------------------ data, tracking, disk


def check_images(name: str, folder: str) -> Iterator[Finding]:
    """Count the images of a training folder and decode some of them, evenly spread.

    Args:
        name: "content" or "style".
        folder: The folder of images or shards, or its address.
    """
    from datnet.data.sets import open_images
    from datnet.errors import DatNetError
    from datnet.images.reading import UnreadableImageError

    try:
        images = open_images(folder)
    except DatNetError as error:
        yield Finding("data", name, "broken", one_line(error))
        return
    count = min(len(images), SAMPLED_FILES)
    unreadable = []
    for number in range(count):
        try:
            images.read(number * len(images) // count, at_least=64)
        except UnreadableImageError as error:
            unreadable.append(error)
    text = f"{len(images)} images in {folder}; {count} were decoded"
    if not unreadable:
        yield Finding("data", name, "ok", text)
        return
    text += f", {len(unreadable)} of them cannot be used, such as {one_line(unreadable[0])}"
    if len(unreadable) == count:
        yield Finding("data", name, "broken", text)
    else:
        yield Finding("data", name, "note", f"{text}; training leaves them out")


def look_at_tracking() -> dict[str, Any]:
    """How a training with logger=wandb would run."""
    from datnet.training.wandb_logger import wandb_mode

    return {"mode": wandb_mode(None)}


def check_tracking(probed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Mode of Weights & Biases."""
    result = probed.get("tracking", {"error": "it was not looked at"})
    if "error" in result:
        yield Finding("tracking", "wandb", "note", f"logger=wandb would fail: {result['error']}")
        return
    texts = {
        "online": "online: logged in, or WANDB_MODE says so",
        "offline": "offline: runs are kept in files; `wandb login` goes online",
    }
    yield Finding("tracking", "wandb", "ok", texts.get(result["mode"], result["mode"]))


def check_disk() -> Iterator[Finding]:
    """Space for the cache and for runs."""
    from datnet.zoo.backbones import cache_dir

    for name, folder in (("cache", cache_dir()), ("this folder", Path.cwd())):
        existing = next(each for each in (folder, *folder.parents) if each.exists())
        free = shutil.disk_usage(existing).free
        text = f"{folder}: {free / 1e9:.1f} GB free"
        if not os.access(existing, os.W_OK):
            state: State = "broken" if name == "cache" else "note"
            text += ", and it cannot be written to"
        else:
            full = free < FULL_DISK_BYTES
            state = "broken" if full else "note" if free < SMALL_DISK_BYTES else "ok"
        cure = None
        if state != "ok":
            cure = "set DATNET_CACHE to another folder" if name == "cache" else "make room"
        yield Finding("disk", name, state, text, cure)


def one_line(error: BaseException) -> str:
    """An error's message, or its kind, as one line."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    probe(sys.argv[1:])
