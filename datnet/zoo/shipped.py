"""Trained networks that come with DatNet: ``pretrained/NAME.safetensors``, checked before use."""

from __future__ import annotations

import hashlib
from pathlib import Path

import datnet
from datnet.errors import DatNetError

PACKAGED = Path(datnet.__file__).parent / "pretrained"
PRETRAINED = PACKAGED if PACKAGED.is_dir() else Path(datnet.__file__).parents[1] / "pretrained"
"""Their folder: inside an installed wheel, or at the top of a checkout."""

CHECKSUMS = "SHA256SUMS"
"""File in the folder, as ``sha256sum`` writes and checks it."""


def shipped_names() -> list[str]:
    """Return the names of the networks that come with this version, as in conf/model."""
    return sorted(path.stem for path in PRETRAINED.glob("*.safetensors"))


def find_shipped(name: str) -> Path | None:
    """Return the verified file of a network that comes with DatNet; None if there is none."""
    return shipped_file(name) if name in shipped_names() else None


def shipped_file(name: str) -> Path:
    """Return the verified file of a network that comes with DatNet.

    Args:
        name: One of :func:`shipped_names`.

    Raises:
        DatNetError: If it is missing or differs from the shipped file, for instance because its
            download is incomplete.
    """
    path = PRETRAINED / f"{name}.safetensors"
    if not path.is_file():
        there = ", ".join(shipped_names()) or "none"
        raise DatNetError(f"no {name} comes with this version of DatNet; networks: {there}")
    expected = checksums().get(path.name)
    if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        raise DatNetError(
            f"{path} ({path.stat().st_size:,} bytes) is not the file that comes with DatNet: its "
            f"SHA-256 differs from that in {CHECKSUMS} beside it. Install DatNet again, or run "
            "`git checkout pretrained` in a checkout; put your own networks elsewhere and name "
            "them with --checkpoint"
        )
    return path


def checksums() -> dict[str, str]:
    """Return the SHA-256 of every file, by name.

    Raises:
        DatNetError: If the list is missing.
    """
    try:
        lines = (PRETRAINED / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DatNetError(f"{PRETRAINED / CHECKSUMS} cannot be read: {error.strerror}") from error
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
