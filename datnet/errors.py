"""The errors and warnings that users are shown without a traceback."""


class DatNetError(Exception):
    """A problem that the user can mend.

    The message names the file or setting at fault and says what to do. The command line prints it
    as one line and exits with status 1; Python callers catch it like any exception.
    """


def in_words(error: OSError) -> str:
    """The file at fault and what the operating system says of it, such as a full disk."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


class DatNetWarning(UserWarning):
    """Something that a user should know of and need not mend; one line on the command line."""
