"""Every command and every example of README and docs, run on small pictures."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet.commands.main import main
from tests.helpers.clip import write_clip
from tests.helpers.pixel_network import write_pixel_network

CHECKOUT = Path(__file__).parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]

NOT_RUN = "<!-- not run by tests:"
"""Before a block of a page, with the reason."""

PICTURES = ("photo.jpg", "painting.jpg", "monet.jpg", "hokusai.jpg", "sky.png")
FOLDERS = ("photos", "paintings", "PHOTOS", "PAINTINGS")
NETWORKS = ("datnet_full", "adain", "microast", "sanet", "runs/*/seed_1/network.safetensors")


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """The blocks of code that are to be run, each with its page's name."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(rf"^```{language}\n(.*?)^```", text, re.S | re.M):
            before = text[: block.start()].rstrip().rpartition("\n")[2]
            if not before.startswith(NOT_RUN):
                yield str(page.relative_to(CHECKOUT)), block[1]


def commands() -> list[str]:
    """`datnet …` of all pages, each once."""
    found: dict[str, None] = {}
    for _, code in blocks("console"):
        for line in code.replace("\\\n", " ").splitlines():
            command = re.sub(r"\s+#.*", "", line.removeprefix("$ ")).strip()
            if command.startswith("datnet "):
                found[" ".join(command.split())] = None
    return list(found)


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages name."""
    noise = np.random.default_rng(0)
    for name in PICTURES:
        picture = Image.fromarray(noise.integers(0, 256, (40, 48, 3), dtype=np.uint8))
        picture.convert("L" if name == "sky.png" else "RGB").save(tmp_path / name)
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        for number in "12":
            shutil.copy(tmp_path / "photo.jpg", tmp_path / name / f"{name}_{number}.jpg")
    write_pixel_network(tmp_path / "network.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> int:
    monkeypatch.setattr(sys, "argv", ["datnet", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize(
    "command", [each for each in commands() if not each.startswith("datnet train")]
)
def test_command(command: str, sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command)[1:]
    arguments = ["network.safetensors" if word in NETWORKS else word for word in words]
    if "clip.mp4" in arguments:
        write_clip(sandbox / "clip.mp4")
    if words[0] in ("stylize",) and "--checkpoint" not in words:
        arguments += ["--checkpoint", "network.safetensors"]
    if words[0] == "stylize" and "--size" not in words:
        arguments += ["--size", "32"]
    if words[0] == "evaluate":
        arguments += ["--size", "32"]
    assert call(monkeypatch, arguments) == 0


@pytest.mark.parametrize(
    "command", [each for each in commands() if each.startswith("datnet train")]
)
def test_training_command_composes(
    command: str, sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings of a training exist and fit each other; nothing is trained."""
