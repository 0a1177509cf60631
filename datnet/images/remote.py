"""Files on other machines, by address: ``https://…``, ``s3://…`` and others that fsspec supports.

Buckets need their fsspec package (``s3fs``, ``gcsfs``, …) and its credentials.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from urllib.parse import quote, unquote

import fsspec

from datnet.errors import DatNetError
from datnet.images.folders import is_of_system
from datnet.images.formats import suffix_of

WAITS = (0.5, 2.0, 8.0, 30.0)
"""Seconds between attempts."""
SILENCE_SECONDS = 60.0
"""A web server that sends nothing for this long is asked again."""


def is_remote(location: object) -> bool:
    """Whether a location is an address, not a path."""
    return "://" in str(location)


def read(address: str, start: int | None = None, end: int | None = None) -> bytes:
    """Read a file or a range of its bytes.

    Network errors are retried, then stop the run. They must not count as a damaged file: another
    image in its place would make the run depend on the network.

    Args:
        address: Address of the file.
        start: First byte of the range; None for the beginning.
        end: End of the range, exclusive; None for the end of the file.

    Returns:
        The bytes.

    Raises:
        FileNotFoundError: If there is no such file.
        DatNetError: If it cannot be read, or the server does not support ranges.
    """
    for wait in (*WAITS, None):
        try:
            system, path = fsspec.core.url_to_fs(address, **_options(address))
            content: bytes = system.cat_file(path, start, end)
            break
        except FileNotFoundError:
            raise
        except Exception as error:  # every storage has its own exceptions
            if wait is None or isinstance(error, (ImportError, ValueError)):
                raise _failure(address, error) from error
        time.sleep(wait)
    if start is not None and end is not None and len(content) > end - start:
        raise DatNetError(
            f"{address}: this server sends whole files when a part is requested; use another, or "
            "copy the folder to this machine"
        )
    return content


def list_names(address: str, suffixes: Collection[str]) -> list[str]:
    """List the files below an address that have one of the suffixes.

    Hidden files and those in system folders are left out. Web servers must have a page that lists
    the folder.

    Args:
        address: Address of the folder.
        suffixes: Suffixes of wanted files, lower case with the dot.

    Returns:
        Paths below the address, sorted.

    Raises:
        DatNetError: If the address cannot be listed.
    """
    try:
        system, path = fsspec.core.url_to_fs(address, **_options(address))
        found = system.find(path)
    except Exception as error:
        raise _failure(address, error) from error
    start = path.rstrip("/") + "/"
    names = [file.removeprefix(start) for file in found if file.startswith(start)]
    if _is_web(address):
        names = [unquote(name) for name in names]
    return [
        name
        for name in sorted(names)
        if suffix_of(name) in suffixes and not any(map(is_of_system, name.split("/")))
    ]


def join(address: str, name: str) -> str:
    """Return the address of a file that :func:`list_names` found.

    Args:
        address: Address of the folder.
        name: Path below it.

    Returns:
        Address of the file, quoted for web servers.
    """
    return f"{address}/{quote(name) if _is_web(address) else name}"


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _options(address: str) -> dict[str, object]:
    if not _is_web(address):
        return {}
    import aiohttp  # takes a third of a second, so it is imported only if needed

    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS
    )
    return {"client_kwargs": {"timeout": timeout}}


def _failure(address: str, error: Exception) -> DatNetError:
    return DatNetError(f"{address} cannot be read: {str(error) or type(error).__name__}")
