"""Files on other machines, by address: ``https://…``, ``s3://…`` and whatever else fsspec knows.

Buckets need fsspec's package for them (``s3fs``, ``gcsfs``, …) and the access that it is given.
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
"""Seconds between tries."""
SILENCE_SECONDS = 60.0
"""A web server that sends nothing for so long is asked again."""


def is_remote(location: object) -> bool:
    """Whether a place is named by an address and not by a path."""
    return "://" in str(location)


def read(address: str, start: int | None = None, end: int | None = None) -> bytes:
    """Read a file or the bytes ``start`` to ``end`` of it.

    A fault of the network is no fault of the file: another image in its place would make a run
    depend on the network's mood, so the run stops when trying again has not helped.

    Raises:
        FileNotFoundError: If there is no such file.
        DatNetError: If it cannot be read.
    """
    for wait in (*WAITS, None):
        try:
            system, path = fsspec.core.url_to_fs(address, **_options(address))
            content: bytes = system.cat_file(path, start, end)
            break
        except FileNotFoundError:
            raise
        except Exception as error:  # every kind of storage has its own
            if wait is None or isinstance(error, (ImportError, ValueError)):
                raise _failure(address, error) from error
        time.sleep(wait)
    if start is not None and end is not None and len(content) > end - start:
        raise DatNetError(
            f"{address}: this server sends whole files where a part is asked for; use another, or "
            "copy the folder to this machine"
        )
    return content


def list_names(address: str, suffixes: Collection[str]) -> list[str]:
    """The files below an address that have one of the suffixes, sorted: paths inside it.

    Hidden ones and those in folders of the system are left out. Web servers are asked for their
    page that lists a folder.

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
    """The address of a file that :func:`list_names` found."""
    return f"{address}/{quote(name) if _is_web(address) else name}"


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _options(address: str) -> dict[str, object]:
    if not _is_web(address):
        return {}
    import aiohttp  # a third of a second, which only those wait who need it

    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS
    )
    return {"client_kwargs": {"timeout": timeout}}


def _failure(address: str, error: Exception) -> DatNetError:
    return DatNetError(f"{address} cannot be read: {str(error) or type(error).__name__}")
