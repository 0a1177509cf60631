from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from datnet.commands.main import main
from datnet.zoo.network_file import NetworkDescription, save_network
from tests.helpers.pixel_network import PixelNetwork
from tests.helpers.visitor import GRADIO, Visitor, free_port, image_bytes, wait_for, write_network


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["datnet", "serve", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "nowhere.invalid"), "cannot listen on --host nowhere.invalid"),
        (("--checkpoint", "nothing.safetensors"), "nothing.safetensors does not exist"),
    ],
)
def test_bad_options_get_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr("datnet.errors.find_spec", lambda name: object())
    assert call(monkeypatch, "--port", free_port(), *arguments) == 1
    assert message in capsys.readouterr().err


def test_missing_gradio_is_named_with_the_cure(monkeypatch, capsys):
    monkeypatch.setattr("datnet.errors.find_spec", lambda name: None)
    assert call(monkeypatch) == 1
    assert "pip install 'datnet[serve]'" in capsys.readouterr().err


def test_clips_without_pyav_are_refused_with_the_cure(monkeypatch, capsys):
    monkeypatch.setattr("datnet.errors.find_spec", lambda name: None if name == "av" else object())
    assert call(monkeypatch, "--clips", 10) == 1
    assert "pip install 'datnet[video]'" in capsys.readouterr().err


@GRADIO
@pytest.mark.slow
def test_a_closed_terminal_ends_the_command_cleanly(tmp_path_factory, tmp_path):
    network = write_network("tiny", 0, tmp_path_factory.mktemp("network") / "network.safetensors")
    command_line = [sys.executable, "-m", "datnet", "serve", "--checkpoint", str(network)]
    with subprocess.Popen(
        [*command_line, "--port", str(free_port()), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as server:
        assert server.stdout is not None
        assert "The page is at http://127.0.0.1:" in server.stdout.readline()
        server.send_signal(signal.SIGHUP)
        try:
            output, errors = server.communicate(timeout=60)
        finally:
            server.kill()  # or the test would wait for ever where it fails
    assert (server.returncode, output) == (0, "stopped\n"), errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


ENDLESS_NETWORK = """
from pathlib import Path
import torch
from tests.helpers.pixel_network import PixelNetwork

class EndlessNetwork(PixelNetwork):
    def generate_mixed(self, *arguments, **settings):
        Path("painting").touch()
        while True:
            torch.rand(500, 500) @ torch.rand(500, 500)
"""


@GRADIO
@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopping_while_a_picture_is_stylized_is_as_clean(stop, tmp_path):
    (tmp_path / "endless_network.py").write_text(ENDLESS_NETWORK)
    target = {"_target_": "endless_network.EndlessNetwork"}
    network = tmp_path / "network.safetensors"
    save_network(PixelNetwork(), NetworkDescription("endless", target, {}), network)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    port = free_port()
    command_line = [sys.executable, "-m", "datnet", "serve", "--checkpoint", str(network)]
    with subprocess.Popen(
        [*command_line, "--port", str(port), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)]),
            "TMPDIR": str(temporary),
        },
    ) as server:
        try:
            assert server.stdout is not None
            assert "The page is at" in server.stdout.readline()
            visitor = Visitor(f"http://127.0.0.1:{port}")
            picture = visitor.upload("picture.png", image_bytes(80, 64))
            visitor.join(picture, picture, network="endless")
            wait_for((tmp_path / "painting").exists)
            server.send_signal(stop)
            output, errors = server.communicate(timeout=60)
        finally:
            server.kill()  # or the test would wait for ever where it fails
    assert (server.returncode, output) == (0, "stopped\n"), errors
    assert errors == ""
    assert not list(temporary.iterdir())
