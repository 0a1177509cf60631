from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from datnet.commands.weights import add_parser
from datnet.errors import DatNetError
from datnet.zoo.backbones import cache_dir
from tests.helpers.backbones import TinyVgg19
from tests.helpers.hostile_server import Server

pytestmark = pytest.mark.usefixtures("own_cache")


def run_command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["weights", *words])
    return args.run(args)


def test_command_lists_fetches_and_locates(
    tiny: TinyVgg19, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("list") == 0
    listed = capsys.readouterr().out
    assert "vgg16    missing: 64 MB" in listed
    assert "vgg19    missing: 548 MB" in listed
    with pytest.raises(DatNetError, match="datnet weights fetch vgg19"):
        run_command("path", "vgg19")
    assert server.requests == []

    server.reply(tiny.file)
    assert run_command("fetch", "vgg19") == 0
    assert run_command("path", "vgg19") == 0
    path = str(cache_dir() / "weights" / "vgg19.safetensors")
    assert capsys.readouterr().out.split() == ["vgg19", path, path]
    assert run_command("list") == 0
    assert path in capsys.readouterr().out


def test_command_checks_all_names_before_it_fetches(tiny: TinyVgg19, server: Server) -> None:
    server.reply(tiny.file)
    with pytest.raises(DatNetError, match="'vgg91'"):
        run_command("fetch", "vgg19", "vgg91")
    assert server.requests == []


def test_command_fetches_the_default_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    monkeypatch.setattr("datnet.zoo.backbones.find_weights", asked.append)
    assert run_command("fetch") == 0
    assert asked == ["vgg16", "alexnet"]
    assert "548 MB" in capsys.readouterr().out


def test_list_tells_of_a_damaged_file(
    weights_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights_folder.mkdir(parents=True)
    (weights_folder / "alexnet.safetensors").write_bytes(b"damaged")
    assert run_command("list") == 0
    assert "damaged, will be fetched again" in capsys.readouterr().out
