"""Callback that shows attention and channel gates at every validation."""

from __future__ import annotations

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from PIL import Image
from torchvision.utils import make_grid

from datnet.data.pairs import Batch
from datnet.images.tensors import to_image, to_tensor
from datnet.networks.base import SMALLEST_SIDE, StyleTransferNetwork
from datnet.networks.datnet import DatNet
from datnet.stylize.attention import attention_of, channel_gates
from datnet.stylize.attention_pictures import (
    correspondence_map,
    gate_strips,
    legend,
)
from datnet.training.callbacks import (
    ATTENTION_PANEL,
    GATES_PANEL,
    GRID_ROWS,
    ImagePanel,
    log_picture,
)
from datnet.training.module import StyleTransferModule

STRIP = (512, 32)
"""Width and height of the gates of a pair at one level, in pixels."""


class AttentionPanel(ImagePanel):
    """Logs the correspondence maps of the first validation pairs at every validation.

    Columns: content, the style in its position colors, and a correspondence map per level. For a
    network with channel attention a second picture has the gates: a row per pair and level. The
    entropy of attention is logged as a metric, in bits.

    The pictures go to every logger that shows images and to ``folder/attention_000500.png`` and
    ``folder/gates_000500.png``.
    """

    title = ATTENTION_PANEL

    def on_fit_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Refuse a network without attention before the training starts.

        Raises:
            DatNetError: If the network has no attention from content to style.
        """
        assert isinstance(module, StyleTransferModule)
        tiny = Image.new("RGB", (SMALLEST_SIDE, SMALLEST_SIDE))
        attention_of(module.network, tiny, tiny)

    def draw(self, trainer: Trainer, module: LightningModule) -> None:
        """Compute the attention of the remembered pairs, save the pictures and log them."""
        assert isinstance(module, StyleTransferModule)
        batch: Batch = self.pairs(trainer)
        pairs = [
            (to_image(content), to_image(style))
            for content, style in zip(batch.content, batch.style, strict=True)
        ][:GRID_ROWS]
        rows = [attention_row(module.network, *pair) for pair in pairs]
        levels = list(rows[0][1])
        pictures = [to_tensor(picture) for row, _ in rows for picture in row]
        panel = make_grid(pictures, nrow=2 + len(levels), padding=4, pad_value=1.0)
        log_picture(trainer, self.title, panel, self.path(trainer))
        metrics = {
            f"attention/entropy_{level}": float(
                np.mean([entropies[level] for _, entropies in rows])
            )
            for level in levels
        }
        for logger in trainer.loggers:
            logger.log_metrics(
                metrics, max(0, trainer.global_step - 1)
            )  # the index of the last step
        if isinstance(module.network, DatNet) and module.network.channel_attention is not None:
            strips = [
                to_tensor(strip)
                for pair in pairs
                for strip in gate_strips(channel_gates(module.network, *pair), STRIP)
            ]
            panel = make_grid(strips, nrow=1, padding=4, pad_value=1.0)
            log_picture(trainer, GATES_PANEL, panel, self.path(trainer, GATES_PANEL))


def attention_row(
    network: StyleTransferNetwork, content: Image.Image, style: Image.Image
) -> tuple[list[Image.Image], dict[str, float]]:
    """Make the pictures of one pair, all of the content's size.

    Args:
        network: The network.
        content: The content, RGB.
        style: The style, RGB.

    Returns:
        Content, style in its position colors and a correspondence map per level; and the mean
        entropy of each level in bits.
    """
    attention = attention_of(network, content, style)
    pictures, entropies = [content, legend(style).resize(content.size)], {}
    for level in attention.levels:
        found = level.correspondence()
        pictures.append(correspondence_map(content, level, found))
        entropies[level.name] = float(found.entropy.mean())
    return pictures, entropies
