"""Names of the files in a training's folder; does not import torch, which is slow.

config.yaml             the resolved settings
checkpoints/last.ckpt   the state to resume from, rewritten every `checkpoint_every` steps
checkpoints/previous.ckpt  the one before it, in case the last is damaged
description.json        description of the network and its training, for its checkpoints
metrics.csv             all logged values
images/                 content | style | result at every validation
network.safetensors     the trained network, written at the end
model_card.md           its model card
finished.json           steps, seconds and last metrics, written last of all
.lock                   held by the training process
"""

from __future__ import annotations

from pathlib import Path

RUNS = Path("runs")
"""Where `datnet train` puts runs, relative to the working folder."""

NETWORK = "network.safetensors"
LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"


class RunFiles:
    """Paths of the files of one training.

    Args:
        path: The run's folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.checkpoints = path / "checkpoints"
        self.description = path / "description.json"
        self.network = path / NETWORK
        self.model_card = path / "model_card.md"
        self.finished = path / "finished.json"


def trained_networks(folder: Path) -> list[Path]:
    """Return the networks of all finished trainings below a folder, sorted."""
    return sorted(folder.rglob(NETWORK))
