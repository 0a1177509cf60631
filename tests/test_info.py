from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pixel_network import PixelNetwork

from datnet.model_card import NetworkFile, model_card
from datnet.saved_network import NetworkDescription, save_network


def datnet(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datnet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def trained(path: Path) -> Path:
    description = NetworkDescription(
        "pixels",
        {"_target_": "pixel_network.PixelNetwork"},
        {"arch": "vgg16"},
        {"steps": 7, "images_per_step": 2, "seed": 1, "commit": "abc1234"},
    )
    save_network(PixelNetwork(), description, path)
    return path


def test_the_card_names_steps_commit_and_parameters(tmp_path: Path) -> None:
    card = model_card(NetworkFile.read(trained(tmp_path / "network.safetensors")))
    assert card.startswith("# pixels")
    assert "abc1234" in card
    assert "7 of 2 pairs, 14 pairs in all" in card
    assert "| parameters | 3" in card


def test_what_is_no_network_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.safetensors").write_text("no tensors")
    for path in (tmp_path / "notes.safetensors", tmp_path / "missing.safetensors"):
        result = datnet("info", str(path))
        assert result.returncode == 1
        assert str(path) in result.stderr
        assert "Traceback" not in result.stderr
