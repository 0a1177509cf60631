"""Runs two processes without training and records what each saw; see test_distribution.py.

It is a separate program because processes that fork must not have threads, as tests do.

    python distributed_run.py FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
import warnings
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from datnet.data.datamodule import ContentStyleDataModule
from datnet.data.pairs import Batch

STEPS, CHECKPOINT = 6, 4


class Recorder(LightningModule):
    """Learns nothing and writes each step's pairs to a file of its process."""

    def __init__(self, record: Path) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.record = record

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        pairs = [
            (
                *(Path(path).name for path in (batch.content_path[i], batch.style_path[i])),
                hashlib.sha256(torch.stack([batch.content[i], batch.style[i]]).numpy()).hexdigest(),
            )
            for i in range(len(batch.content))
        ]
        with Path(f"{self.record}.{self.global_rank}").open("a") as file:
            file.write(json.dumps([self.global_step, pairs]) + "\n")
        return self.layer(batch.content.mean().view(1, 1)).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def run(top: Path, images: str, workers: int, devices: int, resume: bool) -> None:
    """Train from the start, or from the checkpoint in the middle of a pass."""
    name = f"{images}_{workers}_{devices}"
    Trainer(
        max_steps=STEPS,
        max_epochs=-1,
        accelerator="cpu",
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=top,
        limit_val_batches=0,
        callbacks=[
            ModelCheckpoint(top / name, "{step}", every_n_train_steps=CHECKPOINT, save_top_k=-1)
        ],
    ).fit(
        Recorder(top / f"{name}{'_resumed' if resume else ''}"),
        ContentStyleDataModule(
            content_dir=top / images,
            style_dir=top / images,
            short_side=48,
            crop_size=32,
            horizontal_flip=True,
            batch_size=4 // devices,
            num_workers=workers,
            seed=5,
        ),
        ckpt_path=top / name / f"step={CHECKPOINT}.ckpt" if resume else None,
    )


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for workers, devices in ((0, 2), (2, 2), (0, 1)):
        for images in ("photos", "shards"):
            for resume in (False, True):
                run(Path(sys.argv[1]), images, workers, devices, resume)
