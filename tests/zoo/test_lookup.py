"""Lookup of networks by name, and errors for unknown names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.zoo.lookup import SOURCES, find_network
from datnet.zoo.shipped import shipped_names
from tests.helpers.pixel_network import write_pixel_network


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_goes_before_a_name(folder: Path) -> None:
    shipped = find_network("adain")
    assert shipped.parent != folder / "adain"
    (folder / "adain").mkdir()
    assert find_network("adain") == shipped, "an empty folder is no network"
    write_pixel_network(folder / "adain" / "network.safetensors")
    assert find_network("adain") == Path("adain/network.safetensors")
    assert "tint" in load_file(find_network(Path("adain")))


def test_an_unknown_name_is_answered_with_what_every_source_has(folder: Path) -> None:
    write_pixel_network(folder / "runs" / "birds" / "seed_1" / "network.safetensors")
    with pytest.raises(DatNetError) as failure:
        find_network("runs/birds/seed_2")
    message = str(failure.value)
    assert "did you mean runs/birds/seed_1?" in message
    assert "\n" not in message
    for name in ("microast", "gatys_vgg19", "runs/birds/seed_1", *shipped_names()):
        assert re.search(rf"[ ,]{name}([,;]|$)", message), name


def test_no_name_is_of_two_sources() -> None:
    names = [name for source in SOURCES for name in source.names()]
    assert len(set(names)) == len(names)
