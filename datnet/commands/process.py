"""Common frame of all commands: standard streams, signals, error messages and exit status."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from datnet.errors import DatNetError, DatNetWarning, extra_with, in_words

INTERNAL_ERROR = 70
"""Exit status of internal errors of DatNet; EX_SOFTWARE of sysexits.h."""

TRACEBACK = "DATNET_TRACEBACK"
"""Environment variable: if set to any value, internal errors are shown with their traceback."""


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end; handled like Ctrl-C, so that the same cleanup runs.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


def run_command(command: Callable[[], int | None]) -> NoReturn:
    """Run a command and exit with its status, or with a one-line message and an error status.

    Status 1: an error that the user can fix. 70: an internal error. 128 + N: signal N.
    """
    open_missing_streams()
    escape_what_cannot_be_shown()
    warnings.showwarning = show_warning
    with end_by_signals():
        status = status_of(command)
    sys.exit(flushed(status))


def status_of(command: Callable[[], int | None]) -> int:
    """Run a command and return its status; an exception becomes a line on stderr and a status."""
    try:
        check_working_folder()
        return command() or 0
    except SystemExit as end:  # from argparse, or with a message
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        say(str(end.code))
        return 1
    except Terminated as end:
        say(f"ended by {end.number.name}")
        return 128 + end.number
    except KeyboardInterrupt:
        say("interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `datnet doctor | head`: the reader is gone
        return 128 + signal.SIGPIPE
    except Exception as error:
        words = in_plain_words(error)
        if words is not None:
            say(f"error: {words}")
            return 1
        if os.environ.get(TRACEBACK):
            say(traceback.format_exc().rstrip())
        say(f"internal error: {where(error)}; please report it with the output of {TRACEBACK}=1")
        return INTERNAL_ERROR


def in_plain_words(error: Exception) -> str | None:
    """Return the message of an error that the user can fix; None for an internal error."""
    if isinstance(error, DatNetError):
        return str(error)
    if isinstance(error, OSError):
        return in_words(error)
    if isinstance(error, ModuleNotFoundError) and not (error.name or "datnet").startswith("datnet"):
        package = str(error.name).partition(".")[0]
        extra = extra_with(package)
        wanted = f"'datnet[{extra}]'" if extra else package
        return f"the package {package} is missing; install it: pip install {wanted}"
    if isinstance(error, ImportError) and error.name is None:  # from a native library
        return f"a package does not fit this machine: {error}; `datnet doctor` tells more"
    if isinstance(error, UnicodeEncodeError) and any(
        "\ud800" <= c <= "\udfff" for c in error.object
    ):
        return f"the name {error.object!r} is not UTF-8; rename the file or folder"
    if is_out_of_memory(error):
        return "there is not enough memory; choose smaller sizes"
    if isinstance(error, RecursionError):
        return "the input is nested too deeply to be read"
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Return whether Python or torch ran out of memory, without importing torch."""
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from datnet.devices import ran_out_of_memory

    return ran_out_of_memory(error)


def where(error: Exception) -> str:
    """Describe an error in one line, with its location in the code."""
    words = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.relpath(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{f': {words}' if words else ''}{place}"


def check_working_folder() -> None:
    """Check that the current folder still exists; without it every relative path fails.

    Raises:
        DatNetError: If it was removed.
    """
    try:
        os.getcwd()  # noqa: PTH109
    except OSError as error:
        raise DatNetError("the current folder no longer exists; change to another one") from error


# ------------------------------------------------------------------------------------- signals


@contextmanager
def end_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise :class:`Terminated` once within the block.

    Ignored signals stay ignored; `nohup` ignores SIGHUP.

    Raises:
        Terminated: When a signal arrives.
    """
    numbers = [
        number
        for name in ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP
        if (number := getattr(signal, name, None)) is not None
        and signal.getsignal(number) == signal.SIG_DFL
        and threading.current_thread() is threading.main_thread()
    ]

    def end(number: int, frame: FrameType | None) -> None:
        for each in numbers:  # only Ctrl-C can interrupt the cleanup
            signal.signal(each, signal.SIG_IGN)
        raise Terminated(number)

    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


# ------------------------------------------------------------------------------------- streams


def open_missing_streams() -> None:
    """Redirect closed standard streams (``>&-``) to the null device.

    Their file descriptors are occupied too. Otherwise the next opened file would get such a number,
    and output of libraries and other processes would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w" if number else "r")  # noqa: SIM115
            setattr(sys, name, stream)


class ForgivingFile(io.FileIO):
    """File that drops messages that cannot be written, so that the work continues."""

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Write, or drop the data if the disk is full, the pipe broken or the terminal closed."""
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def escape_what_cannot_be_shown() -> None:
    """Let stdout and stderr escape characters that they cannot encode, instead of failing."""
    if sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.flush()
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(ForgivingFile(2, "w", closefd=False)),
            encoding=sys.stderr.encoding,
            line_buffering=True,
            write_through=True,
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print a line on stderr if possible."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def flushed(status: int) -> int:
    """Flush stdout and return the status, which a failure can change.

    Afterwards Python has nothing left to write that could fail when the process ends.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError) or error.errno == errno.EPIPE:
            return status or 128 + signal.SIGPIPE
        say(f"error: standard output: {error.strerror}")
        return status or 1
    return status


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show warnings of DatNet in one line, and all others as Python does.

    Args:
        message: The warning.
        category: Its class.
        filename: File that raised it.
        lineno: Line in that file.
        file: Stream to write to; None for stderr.
        line: Source code of that line.
    """
    if issubclass(category, DatNetWarning):
        text = f"note: {message}\n"
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
    (file or sys.stderr).write(text)
