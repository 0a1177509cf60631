"""Refuse unwanted requests before they reach Gradio."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from datnet.stylize.page.folder import is_full
from datnet.stylize.page.limits import Limits

# Gradio would download any public URL for any client, convert videos, and read files into memory
# for functions that the page does not have.
UNUSED = re.compile(
    r"/gradio_api/(file[=/]https?:|process_recording|component_server)", re.IGNORECASE
)
"""Gradio endpoints that the page never uses and that cost network traffic or memory."""

FORM_BYTES = 2**20
"""Allowance for the parts of an upload form other than the file; larger than they ever are."""


class Guard:
    """ASGI middleware in front of Gradio that refuses unwanted requests.

    Args:
        app: Gradio's application.
        folder: Folder of the page, where uploads are written.
        limits: Limits of the page.
    """

    def __init__(self, app: ASGIApp, folder: Path, limits: Limits) -> None:
        self.app = app
        self.folder = folder
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse a request (the ASGI call)."""
        refusal = await self.refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    async def refusal(self, scope: Scope) -> PlainTextResponse | None:
        """Return the response to a refused request: 403, 413 or 507; None if it is allowed."""
        path = scope["path"]  # percent-decoded
        if UNUSED.search(path):
            return PlainTextResponse("This page does not use that address.", 403)
        if path.endswith("/gradio_api/upload"):
            # Gradio limits the size of each file, but not the number of files in a request.
            size = Headers(scope=scope).get("content-length")
            if size is None or int(size) > self.limits.upload_bytes + FORM_BYTES:
                return PlainTextResponse("This is too large. Add one picture at a time.", 413)
            if await run_in_threadpool(is_full, self.folder, self.limits.folder_bytes):
                return PlainTextResponse("The server has too many pictures. Try again later.", 507)
        return None
