"""Features of one encoder, shared by several metrics.

It is always VGG-16, whatever encoder a network was trained with, so that networks with different
encoders can be compared.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from datnet.evaluation.metrics.metric import Picture
from datnet.networks.statistics import channel_mean_std
from datnet.zoo import vgg_encoder

ENCODER = {"encoder": lambda: vgg_encoder("vgg16")}
"""Value for :attr:`~datnet.evaluation.metrics.metric.Column.networks`. The encoder maps images to
the five feature maps relu1_1 … relu5_1."""


def maps(picture: Picture) -> list[Tensor]:
    """Return the encoder's feature maps relu1_1 … relu5_1."""
    return picture.networks["encoder"](picture.pixels)


def statistics(picture: Picture) -> list[tuple[Tensor, Tensor]]:
    """Return channel means and standard deviations, each ``(1, C, 1, 1)``, of :func:`maps`."""
    return [channel_mean_std(level) for level in picture.once(maps)]


def embedding(picture: Picture) -> np.ndarray:
    """Return the features at relu5_1, averaged over positions: ``(C,)``, float32."""
    mean, _ = picture.once(statistics)[-1]
    return mean.flatten().cpu().numpy()
