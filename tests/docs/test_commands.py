"""Every command and every example of README and docs, run on small pictures."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from datnet.commands.main import main
from datnet.networks.vgg import VggEncoder
from datnet.training.command_line import read_command
from datnet.training.config import check_classes
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


def write_clip(path: Path) -> None:
    """Three frames of noise, as a phone's clip."""
    with av.open(str(path), "w") as clip:
        stream = clip.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for seed in range(3):
            pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        clip.mux(stream.encode(None))


@pytest.mark.parametrize("command", [each for each in commands() if "datnet train" not in each])
def test_command(command: str, sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command)[1:]
    arguments = ["network.safetensors" if word in NETWORKS else word for word in words]
    if "clip.mp4" in arguments:
        write_clip(sandbox / "clip.mp4")
    if words[0] in ("stylize", "attention"):
        arguments += [] if "--checkpoint" in words else ["--checkpoint", "network.safetensors"]
        arguments += ["--size", "32"]  # the last one counts
    assert call(monkeypatch, arguments) == 0


@pytest.mark.parametrize("command", [each for each in commands() if "datnet train" in each])
def test_training_command(command: str, sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings exist, fit each other and name what can be built; tests/training trains."""
    words = shlex.split(command)[2:]
    if "--help" in words or "--cfg" in words:
        monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
        outcome = subprocess.run(
            [sys.executable, "-m", "datnet", "train", *words], capture_output=True, check=False
        )
        assert outcome.returncode == 0
        return
    read = read_command(words)
    assert read.configs
    for config in read.configs:
        check_classes(config)


def examples() -> list[tuple[str, str]]:
    """Examples in Python of README and docs that use nothing but what is there."""
    return [(page, code) for page, code in blocks("python") if "class MyNet" not in code]


@pytest.mark.parametrize(("page", "code"), examples())
def test_python_example(
    page: str, code: str, sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(sandbox / "clip.mp4")
    for name in NETWORKS[:4]:
        code = code.replace(f'"{name}"', '"network.safetensors"')
    code = code.replace("Stylizer()", 'Stylizer("network.safetensors")')
    exec(compile(code, page, "exec"), {})


def test_the_network_of_the_guide_stylizes(encoder: VggEncoder) -> None:
    (code,) = [code for _, code in blocks("python") if "class MyNet" in code]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/extending.md", "exec"), names)
    images = torch.rand(2, 1, 3, 32, 40)
    assert names["MyNet"](encoder)(*images).shape == (1, 3, 32, 40)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#][^)]*)\)", page.read_text(encoding="utf-8")):
        file, _, section = target.partition("#")
        if "://" in file:
            continue
        there = page.parent / file
        assert there.exists(), target
        if section:
            titles = re.findall(r"^#+ (.*)", there.read_text(encoding="utf-8"), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert section in anchors, target


def test_readme_is_read_in_two_minutes() -> None:
    assert len((CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
