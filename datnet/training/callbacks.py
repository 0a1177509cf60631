"""Callbacks for image panels, throughput and the progress bar."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.loggers import TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torchvision.utils import make_grid

from datnet.data.pairs import Batch
from datnet.images.saving import save_image
from datnet.images.tensors import to_image
from datnet.training.module import StyleTransferModule

GRID_ROWS = 4
PANEL = "content | style | result"
ATTENTION_PANEL = "content | positions in the style | attention at each level"
GATES_PANEL = "channel gates"

PANELS = {PANEL: "step", ATTENTION_PANEL: "attention", GATES_PANEL: "gates"}
"""Beginnings of the file names of pictures, by their titles in loggers."""


def panel_files(folder: Path, title: str = PANEL) -> dict[int, Path]:
    """Return the pictures that a run wrote to a folder, by step.

    Args:
        folder: The folder.
        title: A key of :data:`PANELS`.
    """
    name = PANELS[title]
    return {int(path.stem[-6:]): path for path in folder.glob(f"{name}_??????.png")}


class ImagePanel(Callback):
    """Logs content | style | result of the first validation pairs at every validation.

    The panel goes to every logger that shows images and to ``folder/step_000500.png``.

    Args:
        folder: Where to write the panels.
    """

    title = PANEL
    """Title in loggers, a key of :data:`PANELS`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.batch: Batch | None = None

    def on_validation_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_index: int, *_: Any
    ) -> None:
        """Remember the pairs, which are the same at every validation."""
        if batch_index == 0:
            self.batch = batch

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Draw the panel."""
        if not trainer.sanity_checking:
            self.draw(trainer, module)

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Draw the last panel, unless a validation after the last step did."""
        module.eval()
        if not self.path(trainer).exists():
            self.draw(trainer, module)

    def path(self, trainer: Trainer, title: str | None = None) -> Path:
        """Return the file of the panel, or of another picture, after the current step."""
        return self.folder / f"{PANELS[title or self.title]}_{trainer.global_step:06d}.png"

    def pairs(self, trainer: Trainer) -> Batch:
        """Return the first validation batch."""
        if self.batch is None:
            batch: Batch = next(iter(trainer.datamodule.val_dataloader()))  # type: ignore[attr-defined]
            return batch
        return self.batch

    @torch.no_grad()
    def draw(self, trainer: Trainer, module: LightningModule) -> None:
        """Stylize the remembered pairs, save the panel and log it.

        Args:
            trainer: Lightning's trainer.
            module: The module; its network stylizes up to ``GRID_ROWS`` pairs.
        """
        assert isinstance(module, StyleTransferModule)
        batch = self.pairs(trainer)
        content = batch.content[:GRID_ROWS].to(next(module.network.parameters()))
        style = batch.style[:GRID_ROWS].to(content)
        result = module.network(content, style)
        columns = torch.stack([content, style, result], dim=1).flatten(0, 1).cpu()
        panel = make_grid(columns, nrow=3, padding=4, pad_value=1.0)
        log_picture(trainer, PANEL, panel, self.path(trainer))


def log_picture(trainer: Trainer, title: str, picture: Tensor, path: Path) -> None:
    """Write a picture to a file and to every logger that shows images.

    Args:
        trainer: Lightning's trainer.
        title: Its title in the loggers.
        picture: ``(3, H, W)`` in [0, 1].
        path: The file.
    """
    save_image(to_image(picture), path)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(title, [to_image(picture)], step=trainer.global_step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(title, picture, trainer.global_step)


class Throughput(Callback):
    """Logs images per second over all processes and the peak GPU memory since the last log."""

    def __init__(self) -> None:
        self.time = 0.0
        self.images = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self.time = time.perf_counter()
        self.images = 0

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Count, and log where the other metrics are logged."""
        self.images += len(batch.content) * trainer.world_size
        if trainer.global_step and trainer.global_step % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            now = time.perf_counter()
            module.log("train/images_per_second", self.images / (now - self.time))
            if module.device.type == "cuda":
                peak = torch.cuda.max_memory_allocated(module.device)
                module.log("train/gpu_memory_gib", peak / 2**30)
                torch.cuda.reset_peak_memory_stats(module.device)
            self.time, self.images = now, 0

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Remember when the training paused."""
        self.paused = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Leave the pause out."""
        self.time += time.perf_counter() - self.paused


class StepProgressBar(TQDMProgressBar):
    """A progress bar over all steps of the training rather than over epochs."""

    @property
    def total_train_batches(self) -> int:
        """Batches until the last step."""
        return self.trainer.max_steps * self.trainer.accumulate_grad_batches

    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        """Show the steps that a resumed run has done."""
        super().on_train_start()
        self.train_progress_bar.reset(self.total_train_batches)
        self.train_progress_bar.initial = trainer.global_step * trainer.accumulate_grad_batches
        self.train_progress_bar.n = self.train_progress_bar.initial
        self.train_progress_bar.set_description("Training")

    def on_train_epoch_start(self, *_: Any) -> None:
        """Leave the bar alone: all steps are one epoch, and a resumed run does not start it."""

    def get_metrics(self, trainer: Trainer, module: LightningModule) -> dict[str, Any]:
        """Return the loss only, without the logger's version number."""
        metrics = super().get_metrics(trainer, module)
        metrics.pop("v_num", None)
        return {name.removeprefix("train/"): value for name, value in metrics.items()}
