"""Checks of devices, Weights & Biases and disk space."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datnet.commands.diagnosis.finding import Finding, State

SMALL_DISK_BYTES = 2 * 10**9
FULL_DISK_BYTES = 2 * 10**8


def check_devices(probed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Check the CPU and the GPUs."""
    result = probed.get("devices", {"error": "they were not checked"})
    if "error" in result:
        cure = "update the GPU's driver, or hide the GPU: CUDA_VISIBLE_DEVICES="
        yield Finding("devices", "devices", "broken", result["error"], cure)
        return
    for device in result["devices"]:
        name, _, text = device.partition(": ")
        yield Finding("devices", name, "ok", text)
    if len(result["devices"]) == 1:
        text = "none that torch can use; training on a CPU takes days"
        yield Finding("devices", "gpu", "note", text)


def check_tracking(probed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """Check the mode of Weights & Biases."""
    result = probed.get("tracking", {"error": "it was not checked"})
    if "error" in result:
        yield Finding("tracking", "wandb", "note", f"logger=wandb would fail: {result['error']}")
        return
    texts = {
        "online": "online: logged in, or set by WANDB_MODE",
        "offline": "offline: runs are kept in files; use `wandb login` to go online",
    }
    yield Finding("tracking", "wandb", "ok", texts.get(result["mode"], result["mode"]))


def check_disk() -> Iterator[Finding]:
    """Check the free space for the cache and for runs."""
    from datnet.zoo.backbones import cache_dir

    for name, folder in (("cache", cache_dir()), ("this folder", Path.cwd())):
        existing = next(each for each in (folder, *folder.parents) if each.exists())
        free = shutil.disk_usage(existing).free
        text = f"{folder}: {free / 1e9:.1f} GB free"
        if not os.access(existing, os.W_OK):
            state: State = "broken" if name == "cache" else "note"
            text += ", but not writable"
        else:
            full = free < FULL_DISK_BYTES
            state = "broken" if full else "note" if free < SMALL_DISK_BYTES else "ok"
        cure = None
        if state != "ok":
            cure = "set DATNET_CACHE to another folder" if name == "cache" else "free some space"
        yield Finding("disk", name, state, text, cure)
