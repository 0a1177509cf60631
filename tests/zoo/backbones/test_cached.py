from __future__ import annotations

import errno
import functools
import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import safetensors.torch

from datnet.errors import DatNetError
from datnet.zoo.backbones import find_weights, load_weights
from tests.helpers.backbones import TINY_KERNELS, TinyVgg19, same
from tests.helpers.hostile_server import Server

pytestmark = pytest.mark.usefixtures("own_cache")


def test_full_disk_is_an_error_of_its_own(
    tiny: TinyVgg19, server: Server, weights_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server.reply(tiny.file)
    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(DatNetError, match=r"Cannot write .*No space left on device.*DATNET_CACHE"):
        find_weights("vgg19")
    assert [path.name for path in weights_folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("damage", ["flip", "truncate", "foreign"])
def test_damaged_cache_is_repaired(
    tiny: TinyVgg19, server: Server, weights_folder: Path, damage: str
) -> None:
    server.reply(tiny.file)
    path = find_weights("vgg19")
    sound = path.read_bytes()
    damaged = {
        "flip": sound[:-1] + bytes([sound[-1] ^ 1]),
        "truncate": sound[:-8],
        "foreign": safetensors.torch.save(tiny.tensors),  # no SHA-256 noted: cannot be trusted
    }
    path.write_bytes(damaged[damage])
    (weights_folder / ".unfinished").mkdir()  # as a killed process leaves it
    with pytest.warns(UserWarning, match="vgg19.safetensors .*damaged.*will be replaced|cannot"):
        assert same(load_weights("vgg19"), tiny.tensors)
    assert path.read_bytes() == sound
    assert len(server.requests) == 2
    assert not (weights_folder / ".unfinished").exists()


@pytest.mark.slow
def test_two_processes_fetch_once(tiny: TinyVgg19, server: Server) -> None:
    code = (
        "import sys, dataclasses\n"
        "from datnet.zoo.backbones import BACKBONES, find_weights, sources\n"
        "sources.TORCHVISION_URL = sys.argv[1]\n"
        "BACKBONES['vgg19'] = dataclasses.replace(\n"
        f"    BACKBONES['vgg19'], kernels={TINY_KERNELS}, torchvision_file=sys.argv[2])\n"
        "print('ready', flush=True)\n"
        "input()\n"
        "print(find_weights('vgg19'))\n"
    )
    start = functools.partial(
        subprocess.Popen,
        [sys.executable, "-c", code, server.url, tiny.file_name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server.reply(tiny.file)
    send, asked = server.answer, threading.Event()

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.set()
        server.release.wait(60)
        send(request)

    server.answer = answer
    with start() as first, start() as second:
        for process in (first, second):
            assert process.stdout.readline() == "ready\n"
        print(file=first.stdin, flush=True)
        assert asked.wait(60)  # the first process now holds the lock
        print(file=second.stdin, flush=True)
        assert "Waiting for another process" in second.stderr.readline()
        server.release.set()
        outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0
    assert outputs[0] == outputs[1] != ""
    assert len(server.requests) == 1
