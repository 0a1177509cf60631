"""Common frame of all commands: streams, signals, error messages and exit status."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from datnet.commands import main as command_line
from datnet.commands.process import run_command
from datnet.errors import DatNetError


def ended(command: Callable[[], int | None], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and final message of a command."""
    with pytest.raises(SystemExit) as stop:
        run_command(command)
    return int(stop.value.code or 0), capsys.readouterr().err


def failing(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (DatNetError("no such thing"), 1, "error: no such thing\n"),
        (PermissionError(13, "Permission denied", "runs"), 1, "error: runs: Permission denied\n"),
        (
            ModuleNotFoundError("No module named 'gradio'", name="gradio.themes"),
            1,
            "error: the package gradio is missing; install it: pip install 'datnet[serve]'\n",
        ),
        (
            ModuleNotFoundError("No module named 'av'", name="av"),
            1,
            "error: the package av is missing; install it: pip install 'datnet[video]'\n",
        ),
        (
            ImportError("libGL.so.1: cannot open shared object file"),
            1,
            "error: a package does not fit this machine: libGL.so.1: cannot open shared object "
            "file; `datnet doctor` tells more\n",
        ),
        (
            UnicodeEncodeError("utf-8", "a\udcff.mp4", 1, 2, "surrogates not allowed"),
            1,
            "error: the name 'a\\udcff.mp4' is not UTF-8; rename the file or folder\n",
        ),
        (MemoryError(), 1, "error: there is not enough memory; choose smaller sizes\n"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …"),
            1,
            "error: there is not enough memory; choose smaller sizes\n",
        ),
        (RecursionError("maximum"), 1, "error: the input is nested too deeply to be read\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (SystemExit("some words"), 1, "some words\n"),
        (SystemExit(2), 2, ""),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
    ],
)
def test_ends_have_words_and_a_status(
    error: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(failing(error), capsys) == (status, words)


def test_an_internal_error_is_one_line_that_can_be_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATNET_TRACEBACK", raising=False)
    status, words = ended(failing(KeyError("what\never")), capsys)
    assert status == 70
    assert words.startswith("internal error: KeyError: 'what\\never' (")
    assert "test_process.py:" in words
    assert words.count("\n") == 1
    assert "DATNET_TRACEBACK=1" in words
    monkeypatch.setenv("DATNET_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in ended(failing(KeyError("x")), capsys)[1]


def test_a_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert ended(lambda: 0, capsys)[1].startswith("error: the current folder no longer exists")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_clean_up_like_ctrl_c_once(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """A closed terminal sends SIGHUP more than once; the second one does not stop the cleanup."""
    cleaned = []

    def command() -> int:
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            cleaned.append(True)
        return 0

    assert ended(command, capsys) == (128 + number, f"ended by {number.name}\n")
    assert cleaned == [True]
    assert signal.getsignal(number) == signal.SIG_DFL


def test_what_nohup_ignores_stays_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert ended(lambda: os.kill(os.getpid(), signal.SIGHUP), capsys) == (0, "")
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_what_a_terminal_cannot_show_is_escaped(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)

    def command() -> int:
        print(os.fsdecode(b"odd\xff.png"), "−")
        raise DatNetError(os.fsdecode(b"odd\xff.png"))

    with pytest.raises(SystemExit) as stop:
        run_command(command)
    assert stop.value.code == 1
    assert out.buffer.getvalue().startswith(b"odd\\udcff.png ")
    assert err.buffer.getvalue() == b"error: odd\\udcff.png\n"


def test_a_full_standard_output_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        status, words = ended(lambda: print("lost"), capsys)
        assert (status, words) == (1, "error: standard output: No space left on device\n")
        full.flush()  # as Python does when the process ends


def test_a_training_starts_with_streams_that_show_every_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    monkeypatch.setattr(os, "execve", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(sys, "argv", ["datnet", "train", "seed=2"])
    with pytest.raises(SystemExit):
        command_line.main()
    ((_, command, environment),) = calls
    assert command[1:] == ["-m", "datnet.training", "seed=2"]
    assert environment["PYTHONIOENCODING"] == ":backslashreplace"


COMMAND = """
import contextlib, os, sys
from datnet.commands.process import run_command

def command():
    with open("result", "w") as file:
        os.system("echo of another process; echo likewise >&2")
        with contextlib.suppress(OSError):
            os.write(2, b"of a library")
        print("of this one", file=sys.stderr)
        print("wrote result", flush=True)
        file.write("result")
        sys.stdin.read()

run_command(command)
"""


@pytest.mark.parametrize(
    ("streams", "status"),
    [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 1)],
)
def test_streams_that_are_missing_or_full(streams: str, status: int, tmp_path: Path) -> None:
    """No message ends up in the file, which would get the missing stream's number."""
    (tmp_path / "command.py").write_text(COMMAND)
    result = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} command.py {streams}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == status, result
    assert "Traceback" not in result.stderr
    assert "Exception" not in result.stderr
    if status == 0:
        assert (tmp_path / "result").read_text() == "result"
