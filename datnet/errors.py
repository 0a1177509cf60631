"""The errors and warnings that users are shown without a traceback."""

from __future__ import annotations

from importlib.util import find_spec


class DatNetError(Exception):
    """A problem that the user can mend.

    The message names the file or setting at fault and says what to do. The command line prints it
    as one line and exits with status 1; Python callers catch it like any exception.
    """


class MissingExtraError(DatNetError):
    """Packages of one of DatNet's extras are not installed."""


def require_extra(extra: str, *packages: str, purpose: str) -> None:
    """Refuse what needs packages of one of DatNet's extras, before anything slow begins.

    Args:
        extra: As in ``pip install 'datnet[extra]'``.
        *packages: The modules that it brings.
        purpose: What needs them, for the message.

    Raises:
        MissingExtraError: If one of them is not installed.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        names = ", ".join(missing)
        raise MissingExtraError(f"{purpose} needs {names}: pip install 'datnet[{extra}]'")


def in_words(error: OSError) -> str:
    """The file at fault and what the operating system says of it, such as a full disk."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


class DatNetWarning(UserWarning):
    """Something that a user should know of and need not mend; one line on the command line."""
