"""The errors and warnings that users are shown without a traceback."""


class DatNetError(Exception):
    """A problem that the user can mend.

    The message names the file or setting at fault and says what to do. The command line prints it
    as one line and exits with status 1; Python callers catch it like any exception.
    """


class DatNetWarning(UserWarning):
    """Something that a user should know of and need not mend; one line on the command line."""
