"""No test reaches another machine by accident."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

ADDRESS = "192.0.2.1"  # of nobody, RFC 5737


def test_other_machines_are_refused_and_this_one_is_not() -> None:
    with pytest.raises(OSError, match=r"may not reach 192\.0\.2\.1"):
        socket.create_connection((ADDRESS, 80), timeout=1)
    with pytest.raises(OSError, match=r"may not reach example\.org"):
        socket.getaddrinfo("example.org", 80)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=10).close()


def test_nor_do_processes_that_tests_start() -> None:
    code = f"import socket; socket.create_connection(('{ADDRESS}', 80), timeout=1)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert f"may not reach {ADDRESS}" in result.stderr


@pytest.mark.network
def test_what_is_marked_may() -> None:
    with socket.socket() as trial:
        trial.setblocking(False)
        with pytest.raises(OSError) as error:  # noqa: PT011  # whichever this machine's network gives
            trial.connect((ADDRESS, 80))
    assert "may not reach" not in str(error.value)
    assert os.environ["DATNET_TESTS_ONLINE"]
