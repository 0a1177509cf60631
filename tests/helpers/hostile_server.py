"""A web server of tests, and a pickle that must never be executed."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from pathlib import Path


class Server:
    """Answers every GET on 127.0.0.1 with ``answer`` and counts them."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.release = threading.Event()
        self.answer: Callable[[http.server.BaseHTTPRequestHandler], None]
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.path)
                server.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def reply(self, body: bytes, code: int = 200, length: int | None = None) -> None:
        """Send ``body``, claiming that it has ``length`` bytes."""
        self.answer = lambda request: self.send(request, body, code, length)

    @staticmethod
    def send(
        request: http.server.BaseHTTPRequestHandler,
        body: bytes,
        code: int = 200,
        length: int | None = None,
    ) -> None:
        """Answer one request."""
        request.send_response(code)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    def stall(self, body: bytes) -> None:
        """Send half of ``body`` and then nothing until the test ends."""

        def answer(request: http.server.BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.release.wait(60)

        self.answer = answer


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)
