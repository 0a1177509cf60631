"""Errors and warnings that are shown to users without a traceback."""

from __future__ import annotations

from importlib.util import find_spec


class DatNetError(Exception):
    """A problem that the user can fix.

    The message names the file or setting at fault and says what to do. The command line prints it
    on one line and exits with status 1; Python callers can catch it like any exception.
    """


class MissingExtraError(DatNetError):
    """Packages of one of DatNet's extras are not installed."""


def require_extra(extra: str, *packages: str, purpose: str) -> None:
    """Check that the packages of one of DatNet's extras are installed, before anything slow begins.

    Args:
        extra: Name of the extra, as in ``pip install 'datnet[extra]'``.
        *packages: Modules that it provides.
        purpose: What needs them, for the message.

    Raises:
        MissingExtraError: If a package is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        names = ", ".join(missing)
        raise MissingExtraError(f"{purpose} needs {names}: pip install 'datnet[{extra}]'")


def in_words(error: OSError) -> str:
    """Format an OSError as the file at fault and the operating system's reason."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


class DatNetWarning(UserWarning):
    """Something that a user should know but need not fix; one line on the command line."""
