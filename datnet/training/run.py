"""Runs one training from a composed configuration, as `datnet train` does."""

from __future__ import annotations

import json
import logging
import math
import signal
import time
from dataclasses import asdict
from pathlib import Path

from omegaconf import OmegaConf

from datnet.data.datamodule import ContentStyleDataModule
from datnet.errors import DatNetError
from datnet.images.files import write_text
from datnet.training.building import Run, build_run
from datnet.training.config import TrainConfig, check
from datnet.training.finish import finish
from datnet.training.own_paintings import add_paintings
from datnet.training.run_folder import RunFolder
from datnet.training.stopping import Stopped
from datnet.zoo.instantiate import build

log = logging.getLogger(__name__)


def train(config: TrainConfig) -> float:
    """Train a network and write it to ``run_dir/network.safetensors``.

    A finished run is left unchanged.

    Args:
        config: The composed and resolved configuration.

    Returns:
        The run's `search_metric`, by default the validation loss, after the last step.

    Raises:
        DatNetError: If a setting is wrong; the folder holds another run, is in use by another
            process or cannot be written to; the loss is not finite; or a checkpoint cannot be
            written.
        Stopped: If a signal or a time limit stopped the training; a checkpoint is written.
    """
    check(config)
    folder = RunFolder(Path(config.run_dir))
    with folder.reserved():
        data: ContentStyleDataModule = build(config.data)
        data.check()
        add_paintings(config, data, folder)
        folder.check_same_training({"image_fingerprints": data.fingerprints()})
        if folder.is_finished(config):
            log.info("%s is finished already; nothing to do", folder.path)
            return folder.finished_metric(config.search_metric)
        try:
            run = build_run(config, data, folder)
            started = time.perf_counter()
            fit(run)
            metrics = finish(run, started)
        finally:
            if config.logger.wandb is not None:
                from datnet.training.wandb_logger import close_wandb  # takes seconds to import

                close_wandb()
    return metrics.get(config.search_metric, math.inf)  # only rank 0 has final/…


def fit(run: Run) -> None:
    """Train to the last step, from the run's checkpoint if it has one.

    Raises:
        Stopped: If the training is stopped before its last step.
        DatNetError: If Lightning ends the training before its last step.
    """
    trainer = run.trainer
    if trainer.is_global_zero:
        write_text(run.folder.config, OmegaConf.to_yaml(run.config, resolve=True))
        write_text(run.folder.description, json.dumps(asdict(run.description), indent=2) + "\n")
    try:
        trainer.fit(run.module, datamodule=run.data, ckpt_path=run.checkpoint, weights_only=True)
    except Stopped:
        raise  # the other processes stop, too
    except SystemExit as ended:  # raised by Lightning on a second Ctrl-C
        raise Stopped(
            "interrupted; the same command with ckpt_path=last goes on from the last checkpoint",
            128 + signal.SIGINT,
        ) from ended
    except Exception:
        if trainer.strategy.launcher is not None:  # the other processes would wait for this one
            trainer.strategy.launcher.kill(signal.SIGKILL)
        raise
    if trainer.global_step < trainer.max_steps:
        raise DatNetError(
            f"the training ended at step {trainer.global_step} of {trainer.max_steps}, for reasons "
            "that Lightning does not tell. Check the settings under trainer., and go on with "
            "ckpt_path=last"
        )
