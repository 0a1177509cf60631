"""A network for the page, and a visitor over HTTP, for tests."""

from __future__ import annotations

import io
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datnet.networks.microast import MicroAST
from datnet.zoo.network_file import NetworkDescription, save_network

GRADIO = pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed")


def write_network(name: str, seed: int, path: Path) -> Path:
    """A network of random weights, large enough for photo and painting to show in its results."""
    torch.manual_seed(seed)
    microast = MicroAST()
    with torch.no_grad():
        for parameter in microast.parameters():
            parameter.mul_(2)
    training = {"steps": 3, "images_per_step": 2, "data": {"content_dir": "/secret/birds"}}
    target = {"_target_": "datnet.networks.microast.MicroAST"}
    save_network(microast, NetworkDescription(name, target, {}, training), path)
    return path


def image_bytes(width: int, height: int, image_format: str = "PNG") -> bytes:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format)
    return file.getvalue()


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


class Visitor:
    """Sends the requests of a browser, without a browser."""

    def __init__(self, address: str) -> None:
        import httpx

        self.client = httpx.Client(base_url=address, trust_env=False, timeout=60)
        self.page = self.client.get("config").json()
        functions = self.page["dependencies"]
        self.functions = {each["api_name"]: each["id"] for each in functions}

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        answer = self.client.post("gradio_api/upload", files={"files": (name, content)})
        answer.raise_for_status()
        return self.file(answer.json()[0])

    @staticmethod
    def file(path: str | Path) -> dict[str, Any]:
        return {"path": str(path), "meta": {"_type": "gradio.FileData"}}

    def call(self, function: str, data: list[Any], session: str | None = None) -> tuple[int, str]:
        """Ask for what a control does; the status and the name of the session, by default new."""
        session = session or uuid.uuid4().hex
        body = {"data": data, "fn_index": self.functions[function], "session_hash": session}
        return self.client.post("gradio_api/queue/join", json=body).status_code, session

    def join(
        self,
        *pictures: Any,
        session: str | None = None,
        network: str = "tiny",
        mask: dict[str, Any] | None = None,
    ) -> tuple[int, str]:
        """Press the button with photo, painting and perhaps a second one, like :meth:`call`."""
        second = [] if len(pictures) == 3 else [None]
        controls = [0.5, 1, "The painting's", "256 (quick)", "Exact", "As the painting", network]
        return self.call("paint", [*pictures, *second, *controls, mask, None], session)

    def messages(self, session: str) -> Iterator[dict[str, Any]]:
        """What the page says, up to the end of its work."""
        with self.client.stream(
            "GET", "gradio_api/queue/data", params={"session_hash": session}
        ) as events:
            for line in events.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line else {}
                yield message
                if message.get("msg") == "process_completed":
                    return
        raise AssertionError("the page ended the connection")

    def example(self, session: str | None = None) -> dict[str, Any]:
        """Click on the first example of a photograph."""
        _, session = self.call("load_example", [0], session)
        *_, end = self.messages(session)
        example: dict[str, Any] = end["output"]["data"][0]["value"]
        return example

    def outcome(self, session: str) -> dict[str, Any]:
        """Wait for a picture, {"url": …}, or a message, {"error": …}."""
        *_, end = self.messages(session)
        return end["output"]["data"][1]["value"] if end["success"] else end["output"]

    def stylize(
        self, *pictures: Any, session: str | None = None, mask: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        status, session = self.join(*pictures, session=session, mask=mask)
        assert status == 200
        return self.outcome(session)


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")
