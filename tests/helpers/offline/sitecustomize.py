"""Refuses connections to other machines; Python imports it when it starts, if it is on its path."""

from __future__ import annotations

import os
import socket
from typing import Any

ONLINE = "DATNET_TESTS_ONLINE"
"""Environment variable that lifts the refusal."""

LOOPBACK = ("localhost", "127.", "::1", "0.0.0.0", "::ffff:127.")
EVERY_ADDRESS_OF_THIS_MACHINE = "::"


def check(family: int, host: Any) -> None:
    """Refuse another machine's address or name."""
    if os.environ.get(ONLINE) or family not in (socket.AF_INET, socket.AF_INET6):
        return
    name = host.decode() if isinstance(host, bytes) else host
    if not name or name == EVERY_ADDRESS_OF_THIS_MACHINE:
        return
    if not str(name).startswith(LOOPBACK):
        raise OSError(f"a test may not reach {name}; mark it with pytest.mark.network")


def refuse_other_machines() -> None:
    """Let sockets of this process connect to this machine alone."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    getaddrinfo = socket.getaddrinfo

    def checked_connect(self: socket.socket, address: Any) -> None:
        check(self.family, address[0])
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        check(self.family, address[0])
        return connect_ex(self, address)

    def checked_getaddrinfo(host: Any, *arguments: Any, **settings: Any) -> Any:
        check(socket.AF_INET, host)
        return getaddrinfo(host, *arguments, **settings)

    socket.socket.connect = checked_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = checked_connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = checked_getaddrinfo


refuse_other_machines()
