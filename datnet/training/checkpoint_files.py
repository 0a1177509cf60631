"""Which checkpoint of a run to go on from: files alone, without torch, which is slow to import."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

from datnet.errors import DatNetError
from datnet.training.processes import is_first_process
from datnet.zoo.run_files import LAST, PREVIOUS

log = logging.getLogger(__name__)


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint file; None if it is whole.

    Every byte is read and compared with the checksums that the file holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        return str(error)
    return f"wrong checksum of {broken}" if broken else None


def newest_whole_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of a run to go on from: the last, or if that is damaged an earlier one.

    Args:
        folder: The run's checkpoints.

    Returns:
        None if the folder has no checkpoint.

    Raises:
        DatNetError: If all that there are are damaged.
    """
    kept = sorted(folder.glob("step_*.ckpt"), reverse=True)
    candidates = [path for path in (folder / LAST, folder / PREVIOUS, *kept) if path.exists()]
    reasons: list[str] = []
    for path in candidates:
        reason = damage(path)
        if reason is None:
            if reasons:
                log.warning("%s; going on from %s", "; ".join(reasons), path)
            return path
        reasons.append(f"{path} is damaged ({reason})")
        if path.name == LAST and len(candidates) > 1 and is_first_process():
            path.replace(path.with_suffix(".damaged"))  # lest it becomes the previous one
    if candidates:
        raise DatNetError(
            f"{'; '.join(reasons)}. Remove {folder.parent} to start anew, or choose another "
            "run_dir=…"
        )
    return None
