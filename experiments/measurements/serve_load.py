"""Load test of `datnet serve`: does each visitor get a result or "busy", is memory constant?

    python -m experiments.measurements.serve_load --checkpoint microast

Starts the page on 127.0.0.1. 16 visitors upload images and stylize, again as soon as they have a
result. Prints memory over time, files on disk and latencies relative to a single visitor's. Exits
with 1 if an answer was neither a result nor "busy". Needs Linux, for /proc.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
import numpy as np
from PIL import Image


class Visitors:
    """Visitors of one page; counts answers and watches the server's memory."""

    def __init__(self, address: str, server: int, size: str) -> None:
        self.client = httpx.Client(base_url=address, trust_env=False, timeout=300)
        self.server = server
        page = self.client.get("config").json()
        self.function = next(
            each["id"] for each in page["dependencies"] if each["api_name"] == "paint"
        )
        network, colors = (self._default(page, label) for label in ("Network", "Colors"))
        self.settings = [None, 0.5, 1, colors, size, network]
        self.answers: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.memory: list[int] = []
        self.lock = Lock()

    @staticmethod
    def _default(page: dict[str, Any], label: str) -> str:
        return next(
            each["props"]["value"]
            for each in page["components"]
            if each["props"].get("label") == label
        )

    def upload(self, seed: int, side: int) -> dict[str, Any]:
        """Upload a new random image.

        Args:
            seed: Makes it different from others.
            side: Side in pixels.

        Returns:
            The page's description of the file.
        """
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG")
        answer = self.client.post(
            "gradio_api/upload", files={"files": (f"{seed}.jpg", file.getvalue())}
        )
        answer.raise_for_status()
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def visit(self, number: int) -> None:
        """Upload a photograph and a painting, stylize and download the result."""
        started = time.perf_counter()
        try:
            answer = self._decode(number)
        except (httpx.HTTPError, KeyError, ValueError) as error:
            answer = f"failed: {error!r}"
        with self.lock:
            self.answers[answer] += 1
            if answer == "stylized":
                self.seconds.append(time.perf_counter() - started)
            self.memory.append(resident_megabytes(self.server))

    def _decode(self, number: int) -> str:
        pictures = [self.upload(2 * number, 400), self.upload(2 * number + 1, 300)]
        session = f"visit-{number}"
        joined = self.client.post(
            "gradio_api/queue/join",
            json={
                "data": [*pictures, *self.settings],
                "fn_index": self.function,
                "session_hash": session,
            },
        )
        if joined.status_code == 503:
            return "busy"
        joined.raise_for_status()
        last = None
        with self.client.stream(
            "GET", "gradio_api/queue/data", params={"session_hash": session}
        ) as events:
            for line in events.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line else {}
                if message.get("msg") == "process_generating":
                    last = message
                if message.get("msg") == "process_completed":
                    if not message["success"]:
                        return f"failed: {message['output']}"
                    break
        if last is None:
            return "failed: no result"
        result = self.client.get(last["output"]["data"][1]["value"]["url"])
        Image.open(io.BytesIO(result.content)).load()
        return "stylized"


def resident_megabytes(process: int) -> int:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1000


def main() -> int:
    """Run the load test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="microast")
    parser.add_argument("--visitors", type=int, default=16, help="at the same time")
    parser.add_argument("--visits", type=int, default=200, help="in all")
    parser.add_argument("--queue", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--port", type=int, default=7869)
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "datnet", "serve"]
    for option in ("checkpoint", "queue", "jobs", "port"):
        command += [f"--{option}", str(getattr(arguments, option))]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            announced = server.stdout.readline()
            if "http" not in announced:
                return 1
            print(f"ready after {time.perf_counter() - started:.1f} s")
            address = announced.split()[4]
            visitors = Visitors(address, server.pid, "256 (quick)")
            print(f"memory at the start: {resident_megabytes(server.pid)} MB")
            for number in range(5):
                visitors.visit(-number - 1 + 10**6)
            alone = statistics.median(visitors.seconds)
            visitors.seconds.clear()
            visitors.memory.clear()
            with ThreadPoolExecutor(arguments.visitors) as pool:
                list(pool.map(visitors.visit, range(arguments.visits)))
            report(visitors, alone)
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate()
    print(f"the server ended with exit code {server.returncode}")
    return int(any(answer.startswith("failed") for answer in visitors.answers))


def report(visitors: Visitors, alone: float) -> None:
    """Print answers, memory, latencies and files.

    Args:
        visitors: After all visits.
        alone: Seconds for a single visitor.
    """
    print("answers:", dict(visitors.answers))
    tenths = np.array_split(visitors.memory, 10)
    print("memory, mean of every tenth, in MB:", [round(each.mean()) for each in tenths])
    if visitors.seconds:
        waits = np.percentile(visitors.seconds, [50, 95, 100]) / alone
        print("latency against one visitor alone, median, 95 %, longest:", waits.round(1))
    folders = Path(os.environ.get("TMPDIR", "/tmp")).glob("datnet-serve-*")
    for folder in folders:
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        print(f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:.0f} MB")


if __name__ == "__main__":
    sys.exit(main())
