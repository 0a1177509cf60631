"""Features of AlexNet, a network that no method here is trained with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from datnet.evaluation.metrics.metric import Picture
from datnet.networks.vgg import IMAGENET_MEAN, IMAGENET_STD
from datnet.zoo.backbones import load_weights

Statistics = list[tuple[Tensor, Tensor]]
"""Mean and standard deviation of each channel, ``(C,)`` each, by layer."""


class AlexNet(nn.Module):
    """The convolutions of torchvision's AlexNet with ImageNet weights (Krizhevsky, 2014), frozen.

    Args:
        weights: ``features.I.weight`` and ``features.I.bias`` of its convolutions.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )
        self.load_state_dict(weights)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Encode images.

        Args:
            images: ``(B, 3, H, W)``, float RGB in [0, 1], sides of at least 32.

        Returns:
            Features after each of the five ReLUs: 64, 192, 384, 256, 256 channels at strides of
            about 4, 8, 16, 16, 16.
        """
        features = (images - self.mean) / self.std
        levels = []
        for layer in self.features:
            features = layer(features)
            if isinstance(layer, nn.ReLU):
                levels.append(features)
        return levels


ALEXNET = {"alexnet": lambda: AlexNet(load_weights("alexnet"))}
"""Value for :attr:`~datnet.evaluation.metrics.metric.Column.networks`."""


def maps(picture: Picture) -> list[Tensor]:
    """Return AlexNet's features of a picture, see :class:`AlexNet`."""
    return picture.networks["alexnet"](picture.pixels)


def statistics(picture: Picture) -> Statistics:
    """Return mean and standard deviation of each channel of :func:`maps`.

    The deviation is the population's: the deepest maps of small pictures have a single position.
    """
    return [
        (features.mean((0, 2, 3)), features.std((0, 2, 3), correction=0))
        for features in picture.once(maps)
    ]
