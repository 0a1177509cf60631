"""What the page's server refuses before Gradio looks at it."""

from __future__ import annotations

import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

# Gradio fetches any public address for whoever asks; converts films; and reads files into memory
# for functions that the page does not have.
UNUSED = re.compile(
    r"/gradio_api/(file[=/]https?:|process_recording|component_server)", re.IGNORECASE
)
"""Paths of Gradio that the page never asks for and that cost the server's network or memory."""


class Guard:
    """Answers 403 to what the page never asks for, in front of Gradio's application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it; its path comes percent-decoded."""
        if scope["type"] == "http" and UNUSED.search(scope["path"]):
            await PlainTextResponse("The page has no use for this.", 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)
