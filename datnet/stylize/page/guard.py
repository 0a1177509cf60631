"""What the page's server refuses before Gradio looks at it."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from datnet.stylize.page.folder import is_full

# Gradio fetches any public address for whoever asks; converts films; and reads files into memory
# for functions that the page does not have.
UNUSED = re.compile(
    r"/gradio_api/(file[=/]https?:|process_recording|component_server)", re.IGNORECASE
)
"""Paths of Gradio that the page never asks for and that cost the server's network or memory."""

FORM_BYTES = 2**20
"""What a form may have beside its file: more than Gradio's names and boundaries ever are."""


class Guard:
    """Refuses requests in front of Gradio's application.

    Args:
        app: Gradio's application.
        folder: The page's folder, where uploads are written.
        most_bytes: Size of an uploaded file.
    """

    def __init__(self, app: ASGIApp, folder: Path, most_bytes: int) -> None:
        self.app = app
        self.folder = folder
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        refusal = await self.refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    async def refusal(self, scope: Scope) -> PlainTextResponse | None:
        """Why a request is not passed on: 403, 413 or 507; None if it is."""
        path = scope["path"]  # percent-decoded
        if UNUSED.search(path):
            return PlainTextResponse("The page has no use for this.", 403)
        if path.endswith("/gradio_api/upload"):
            # A request can bring a thousand files, of which Gradio limits each.
            size = Headers(scope=scope).get("content-length")
            if size is None or int(size) > self.most_bytes + FORM_BYTES:
                return PlainTextResponse("This is too large. Add one picture at a time.", 413)
            if await run_in_threadpool(is_full, self.folder):
                return PlainTextResponse("There are too many pictures. Try again later.", 507)
        return None
