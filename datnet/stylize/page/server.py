"""Serve the page until it is stopped; its files are in a folder that is removed at the end."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from datnet.errors import DatNetError
from datnet.images.embedded import SampleImages
from datnet.stylize.page.folder import tidied
from datnet.stylize.page.limits import Limits
from datnet.stylize.stylizer import Stylizer

MOST_SESSIONS = 100
"""Number of sessions whose state Gradio keeps; this bounds memory."""


def serve(
    stylizers: Mapping[str, Stylizer],
    limits: Limits,
    examples: SampleImages,
    *,
    host: str,
    port: int,
    open_browser: bool = False,
) -> None:
    """Serve the page until a KeyboardInterrupt; SIGTERM and SIGHUP arrive as one, too.

    Args:
        stylizers: Stylizers by the names that users choose from.
        limits: Limits of the page.
        examples: Example pictures.
        host: Address to listen on. 127.0.0.1 can be reached only from this machine.
        port: Port to listen on.
        open_browser: Whether to open the page in a browser on this machine.

    Raises:
        DatNetError: If the address or the port cannot be used.
    """
    check_address(host, port)
    if not is_loopback(host):
        print(
            f"warning: with --host {host} anyone who can reach this machine can use the page; "
            "it has no password",
            file=sys.stderr,
        )
    try:
        with served(stylizers, limits, examples, host, port) as address:
            print(f"The page is at {address} (Ctrl-C stops it)", flush=True)
            if open_browser:
                webbrowser.open(address)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        print("stopped")


@contextmanager
def served(
    stylizers: Mapping[str, Stylizer],
    limits: Limits,
    examples: SampleImages,
    host: str,
    port: int,
) -> Iterator[str]:
    """Serve the page from threads of this process within the block.

    Gradio reads its folder from an environment variable, so a process can serve one page at a time.

    Args:
        stylizers: Stylizers by the names that users choose from.
        limits: Limits of the page.
        examples: Example pictures.
        host: Address to listen on.
        port: Port to listen on.

    Yields:
        The URL of the page.
    """
    keep_off_proxies(host)
    with tempfile.TemporaryDirectory(prefix="datnet-serve-") as folder:
        before = os.environ.get("GRADIO_TEMP_DIR")
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            # Gradio also reads the folder when it is imported.
            from starlette.middleware import Middleware

            from datnet.stylize.page.guard import Guard
            from datnet.stylize.page.look import CSS, HEAD, theme
            from datnet.stylize.page.page import build_page

            page = build_page(stylizers, limits, examples)
            with tidied(Path(folder), limits):
                _, address, _ = page.launch(
                    server_name=f"[{host}]" if ":" in host else host,  # IPv6, as in a URL
                    server_port=port,
                    max_file_size=limits.upload_bytes,
                    prevent_thread_lock=True,
                    quiet=True,
                    share=False,
                    ssr_mode=False,
                    pwa=False,
                    enable_monitoring=False,
                    run_history=False,
                    footer_links=[],
                    app_kwargs={
                        "middleware": [Middleware(Guard, folder=Path(folder), limits=limits)]
                    },
                    state_session_capacity=MOST_SESSIONS,
                    theme=theme(),
                    css=CSS,
                    head=HEAD,
                )
                try:
                    yield address
                finally:
                    page.close(verbose=False)
        finally:
            if before is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = before


def check_address(host: str, port: int) -> None:
    """Check that an address can be listened on.

    Args:
        host: The address.
        port: The port.

    Raises:
        DatNetError: If it cannot.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise DatNetError(f"port {port} is in use; choose another one with --port") from error
        reason = error.strerror or error
        raise DatNetError(
            f"cannot listen on --host {host} --port {port}: {reason}; --host is an address of this "
            "machine, such as 127.0.0.1, or 0.0.0.0 for all"
        ) from error


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached only from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def keep_off_proxies(host: str) -> None:
    """Keep Gradio's request to its own page at startup away from a configured proxy."""
    for variable in ("NO_PROXY", "no_proxy"):
        exceptions = os.environ.get(variable)
        os.environ[variable] = ",".join(filter(None, [exceptions, "127.0.0.1", "localhost", host]))
