"""Memory of freed tensors is kept for new ones."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PAGES_OF_NEW_MEMORY = """
import resource, sys
import torch
from datnet.devices import keep_freed_memory

if sys.argv[1] == "kept":
    keep_freed_memory()
for turn in range(60):
    if turn == 50:  # blocks of other alignment than was asked for are passed over at first
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_of_new_memory(what: str) -> int:
    command = [sys.executable, "-c", PAGES_OF_NEW_MEMORY, what]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")
def test_freed_memory_is_kept() -> None:
    assert pages_of_new_memory("kept") < 1000
    assert pages_of_new_memory("given back") > 10_000
