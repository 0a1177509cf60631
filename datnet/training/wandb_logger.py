"""Weights & Biases: offline unless a user is logged in and the server answers.

A run never waits for the server: what cannot be sent stays in the run folder, and `wandb sync`
sends it later.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger

import datnet
from datnet import provenance
from datnet.data.datamodule import ContentStyleDataModule
from datnet.errors import DatNetError
from datnet.images.files import write_text
from datnet.training.callbacks import PANELS, panel_files
from datnet.training.config import TrainConfig
from datnet.training.processes import is_first_process
from datnet.training.run_folder import RunFolder
from datnet.zoo.configs import plain_values

log = logging.getLogger(__name__)

MODES = ("online", "offline", "disabled")
SECONDS_TO_ANSWER = 5
SECONDS_TO_START = 30
SECONDS_TO_FINISH = 60


def wandb_mode(configured: str | None) -> str:
    """Mode of a run: as configured, else $WANDB_MODE, else online if a user is logged in.

    Raises:
        DatNetError: If the mode does not exist.
    """
    mode = configured or os.environ.get("WANDB_MODE")
    if mode is None:
        mode = "online" if logged_in() else "offline"
    if mode not in MODES:
        raise DatNetError(f"logger.wandb.mode is {mode}; it can be {', '.join(MODES)}")
    if mode == "online" and not logged_in():
        log.warning("nobody is logged in to wandb: this run is recorded offline")
        return "offline"
    return mode


def logged_in() -> bool:
    """Whether this machine has an API key; never asks for one."""
    return wandb.login(prompt=False, verify=False)


def server_url() -> str:
    """Return the address of the wandb server, from $WANDB_BASE_URL or wandb's settings."""
    return wandb.setup().settings.base_url


def server_problem(url: str) -> str | None:
    """Return why a wandb server cannot be used; None if it answers a request in time."""
    try:
        question = urllib.request.Request(
            f"{url}/graphql",
            data=b'{"query": "{ serverInfo { cliVersionInfo } }"}',
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(question, timeout=SECONDS_TO_ANSWER):
            return None
    except urllib.error.HTTPError as error:
        return None if error.code < 500 else f"it answers {error.code}"
    except (OSError, ValueError) as error:
        return str(error)


def close_wandb(seconds: float = SECONDS_TO_FINISH) -> None:
    """End the run and wait for wandb's helper process to end.

    The helper sometimes does not end. It is then left running: it watches this process and ends
    with it.

    Args:
        seconds: How long to wait.
    """
    wandb.finish()
    ending = threading.Thread(target=wandb.teardown, daemon=True)
    ending.start()
    ending.join(seconds)
    if ending.is_alive():
        log.warning("wandb's helper process does not end; it is left to itself")


def wandb_logger(
    config: TrainConfig,
    data: ContentStyleDataModule,
    folder: RunFolder,
    earlier: Mapping[int, Mapping[str, Any]],
) -> WandbLogger:
    """Build a logger whose wandb run continues when the training is resumed.

    Args:
        config: The resolved configuration, which the run records.
        data: The data module; the run records the counts and fingerprints of its images.
        folder: The run folder, for the run's id and wandb's files.
        earlier: The rows of metrics.csv before the training was resumed, by step.

    Returns:
        The logger; offline if the server cannot be used.
    """
    logger = _start_logger(config, data, folder)
    if earlier and is_first_process() and logger.experiment and not logger.experiment.resumed:
        log_earlier(logger, folder, earlier)
    return logger


def log_earlier(
    logger: WandbLogger, folder: RunFolder, rows: Mapping[int, Mapping[str, Any]]
) -> None:
    """Log the rows of metrics.csv and the panels of a resumed training again.

    Parts of a run that were recorded offline share its id, and each part that is synced replaces
    the history on the server (wandb's issue 5865). So every part has all of it, and the one that
    is synced last is whole.

    Args:
        logger: The logger of the new part.
        folder: The run folder, for the panels.
        rows: Values by name, by step.
    """
    panels = {title: panel_files(folder.path / "images", title) for title in PANELS}
    for step, row in sorted(rows.items()):
        logger.log_metrics({name: float(value) for name, value in row.items()}, step - 1)
        for title, files in panels.items():
            if step in files:
                logger.log_image(title, [str(files[step])], step=step)


def _start_logger(
    config: TrainConfig, data: ContentStyleDataModule, folder: RunFolder
) -> WandbLogger:
    assert config.logger.wandb is not None
    id_file = folder.path / "wandb_id.txt"
    if is_first_process() and not id_file.exists():  # other processes log nothing
        write_text(id_file, secrets.token_hex(4))
    mode = wandb_mode(config.logger.wandb.mode)
    settings: dict[str, Any] = {
        "project": config.logger.wandb.project,
        "entity": config.logger.wandb.entity,
        "name": f"{config.name},seed={config.seed}",
        "group": config.group,
        "tags": list(config.tags),
        "id": id_file.read_text().strip() if is_first_process() else None,
        "save_dir": folder.path,
        "resume": "allow",
        "job_type": "train",
        "config": plain_values(config)
        | {
            "images": data.image_counts(),
            "image_fingerprints": data.fingerprints(),
            "commit": provenance.commit(),
            "datnet_version": datnet.__version__,
        },
        "settings": wandb.Settings(
            init_timeout=SECONDS_TO_START, finish_timeout=SECONDS_TO_FINISH, console="off"
        ),
    }
    logger = WandbLogger(**settings, mode=mode)
    if mode != "online" or not is_first_process():
        return logger
    url = server_url()
    problem = server_problem(url)
    if problem is None:
        try:
            _ = logger.experiment  # contacts the server
            return logger
        except wandb.Error as error:
            problem = str(error)
    log.warning(
        "%s cannot be used (%s): this run is recorded offline. Send it later: wandb sync %s",
        url,
        problem,
        folder.path / "wandb" / "offline-run-*",
    )
    wandb.teardown()
    return WandbLogger(**settings, mode="offline")
