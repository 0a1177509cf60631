"""Selects the checkpoint to resume from. No torch, which is slow to import."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

from datnet.errors import DatNetError
from datnet.training.processes import is_first_process
from datnet.zoo.run_files import LAST, PREVIOUS

log = logging.getLogger(__name__)


def damage(path: Path) -> str | None:
    """Reason why a checkpoint file is damaged; None if it is intact.

    Reads every byte and compares the checksums stored in the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        return str(error)
    return f"wrong checksum of {broken}" if broken else None


def newest_whole_checkpoint(folder: Path) -> Path | None:
    """Newest intact checkpoint of a run.

    A damaged last checkpoint is renamed to ``.damaged``.

    Args:
        folder: The run's checkpoints.

    Returns:
        The checkpoint; None if the folder has none.

    Raises:
        DatNetError: If all checkpoints are damaged.
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
            path.replace(path.with_suffix(".damaged"))  # so that it does not become PREVIOUS
    if candidates:
        raise DatNetError(
            f"{'; '.join(reasons)}. Remove {folder.parent} to start again, or choose another "
            "run_dir=…"
        )
    return None
