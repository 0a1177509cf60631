"""What a run writes after its last step, one function per file."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace

from datnet import provenance
from datnet.images.files import write_text
from datnet.training.building import Run
from datnet.training.final_metrics import final_metrics
from datnet.zoo.card import NetworkFile, model_card
from datnet.zoo.network_file import save_network

log = logging.getLogger(__name__)


def finish(run: Run, started: float) -> dict[str, float]:
    """Validate the trained network and write it with its card, metrics and `finished.json`.

    Args:
        run: The run, after its last step.
        started: When its training started or was resumed, by `time.perf_counter`, in seconds.

    Returns:
        Metrics by names such as "validation/loss"; "final/…" in the first process only.
    """
    metrics = validate(run)
    if not run.trainer.is_global_zero:
        return metrics
    write_network(run, metrics["validation/loss"])
    if run.config.final_metrics:
        metrics |= final_metrics(run.module, run.data)
    log_last(run, metrics)
    write_finished(run, metrics, time.perf_counter() - started)
    log.info("wrote %s", run.folder.network)
    return metrics


def validate(run: Run) -> dict[str, float]:
    """Return the losses on the validation pairs, measured unless the last step was validated."""
    trainer = run.trainer
    validated = trainer.global_step % run.config.trainer.val_check_interval == 0
    if not validated or "validation/loss" not in trainer.callback_metrics:  # resumed after it
        loggers, trainer.loggers = trainer.loggers, []  # they would log it after the last step
        trainer.validate(run.module, datamodule=run.data, verbose=False)
        trainer.loggers = loggers
    return {
        name: float(value)
        for name, value in trainer.callback_metrics.items()
        if name.startswith("validation/")
    }


def write_network(run: Run, validation_loss: float) -> None:
    """Write network.safetensors and its model card.

    Args:
        run: The run, after its last step.
        validation_loss: Recorded in the description.
    """
    facts = {"steps": run.trainer.global_step, "validation_loss": validation_loss}
    description = replace(run.description, training={**run.description.training, **facts})
    save_network(run.module.network, description, run.folder.network)
    write_text(run.folder.model_card, model_card(NetworkFile.read(run.folder.network)))


def log_last(run: Run, metrics: dict[str, float]) -> None:
    """Log the final metrics at the last step and close all loggers.

    Args:
        run: The run, after its last step.
        metrics: Values by name.
    """
    for logger in run.trainer.loggers:
        logger.log_metrics(metrics, run.trainer.global_step - 1)
        logger.finalize("success")


def write_finished(run: Run, metrics: dict[str, float], seconds: float) -> None:
    """Write finished.json, which marks a run as finished.

    Args:
        run: The run, after its last step.
        metrics: Values by name.
        seconds: Time since the training started or was resumed.
    """
    facts = {
        "steps": run.trainer.global_step,
        "metrics": metrics,
        "seconds_since_start_or_resume": round(seconds, 1),
        "commit": provenance.commit(),
    }
    write_text(run.folder.finished, json.dumps(facts, indent=2) + "\n")
