from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from datnet import Stylizer
from datnet.errors import DatNetError
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.server import check_address, is_loopback, served
from tests.helpers.visitor import GRADIO, Visitor, free_port, image_bytes


def test_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DatNetError, match=f"port {port} is in use"):
            check_address("127.0.0.1", port)
    check_address("127.0.0.1", port)


def test_only_loopback_addresses_go_without_warning():
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "example.org")))


def ipv6() -> bool:
    """Whether this machine has it."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@GRADIO
@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6_addresses(host, stylizer, examples):
    port = free_port()
    check_address(host, port)
    with served({"tiny": stylizer}, Limits(), examples, host, port) as address:
        assert address == f"http://[{host}]:{port}/"
        assert "paint" in Visitor(f"http://[::1]:{port}/").functions


class Patient:
    """A Stylizer that waits until it may go on."""

    def __init__(self, stylizer: Stylizer) -> None:
        self.description = stylizer.description
        self.network = stylizer.network
        self.own_paintings = stylizer.own_paintings
        self.stylizer = stylizer
        self.may_go_on = threading.Event()
        self.running = threading.Semaphore(0)

    def stylize(self, *arguments: Any, **settings: Any) -> Image.Image:
        self.running.release()
        assert self.may_go_on.wait(60)
        return self.stylizer.stylize(*arguments, **settings)


@GRADIO
def test_full_queue_says_busy_and_files_go_when_the_page_does(stylizer, examples):
    patient = Patient(stylizer)
    limits = Limits(waiting=2)
    with served({"tiny": patient}, limits, examples, "127.0.0.1", free_port()) as address:  # type: ignore[dict-item]
        visitor = Visitor(address)
        picture = visitor.upload("picture.png", image_bytes(80, 64))
        accepted = [visitor.join(picture, picture)]
        assert patient.running.acquire(timeout=60)  # one is processed, the next two wait
        accepted += [visitor.join(picture, picture) for _ in range(2)]
        assert [status for status, _ in accepted] == [200] * 3
        assert visitor.join(picture, picture)[0] == 503
        assert not patient.running.acquire(blocking=False)
        patient.may_go_on.set()
        assert all("url" in visitor.outcome(session) for _, session in accepted)
        assert Path(picture["path"]).exists()
    assert not Path(picture["path"]).exists()
    assert not Path(picture["path"]).parents[1].exists()


@GRADIO
def test_the_time_left_is_told_while_a_picture_is_made(stylizer, examples):
    patient = Patient(stylizer)
    with served({"tiny": patient}, Limits(), examples, "127.0.0.1", free_port()) as address:  # type: ignore[dict-item]
        visitor = Visitor(address)
        picture = visitor.upload("picture.png", image_bytes(80, 64))
        for number in range(2):
            patient.may_go_on.clear()
            _, session = visitor.join(picture, picture)
            told = ""
            for message in visitor.messages(session):
                for part in message.get("progress_data") or ():
                    told = part["desc"]
                if "so far" in told or "left" in told:
                    patient.may_go_on.set()
            assert message["success"]
            assert told.startswith("tiny: ")
            assert ("time left is unknown before its first result" in told) == (number == 0)
