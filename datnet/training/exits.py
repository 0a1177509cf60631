"""How a training process exits: a one-line message and a status instead of a traceback."""

from __future__ import annotations

import errno
import logging
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datnet.errors import DatNetError, in_words
from datnet.training.stopping import Stopped

NOT_WRITABLE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),  # no room
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EIO, errno.ESTALE),  # a disk or its server has gone
)


@contextmanager
def exits_of_training(run_dir: Path | str) -> Iterator[None]:
    """Exit with a message and a status if a training ends early.

    Args:
        run_dir: The run folder, for the message.

    Raises:
        SystemExit: For a stop, a Ctrl-C, a DatNetError and the errors of files.
    """
    try:
        yield
    except Stopped as stopped:
        if stopped.exit_code:
            say(str(stopped))
        sys.exit(stopped.exit_code)
    except KeyboardInterrupt:  # before the first step or after the last one
        say("interrupted; the same command with ckpt_path=last goes on from the last checkpoint")
        sys.exit(128 + signal.SIGINT)
    except DatNetError as error:
        # An error in a data loading process arrives preceded by that process's traceback.
        message = str(error).rpartition("DatNetError: ")[2].strip()
        say(f"error: {message}")
        sys.exit(1)
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            say(
                f"error: {run_dir} cannot be written to: {error.strerror}. Checkpoints are "
                "untouched: make room or fix it, and go on with ckpt_path=last"
            )
        elif error.filename:
            say(f"error: {in_words(error)}")
        else:
            raise
        sys.exit(1)


def say(message: str) -> None:
    """Print a line to standard error; do nothing if the terminal is closed."""
    with suppress(OSError, ValueError, AttributeError):
        print(message, file=sys.stderr, flush=True)


def quieten() -> None:
    """Silence library messages that no user can act on."""
    logging.raiseExceptions = False  # a closed terminal cannot show log messages
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*module.s. in eval mode.*",  # frozen encoders
        ".*`ModelCheckpoint.*",
        ".*lr_scheduler.step.*before `optimizer.step.*",
    ):
        warnings.filterwarnings("ignore", message=message)
