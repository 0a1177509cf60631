"""The preview of a tuning: photographs stylized with its paintings, and how near they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from datnet.images.embedded import sample_images
from datnet.images.resizing import fit_square
from datnet.images.saving import save_image
from datnet.images.tensors import read_square, to_image, to_tensor
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.vgg import VggEncoder
from datnet.objectives.terms import global_style

PHOTOGRAPHS = ("chelsea.webp", "coffee.webp")
LEVELS = (1, 2, 3, 4, 5)
MOST_PAINTINGS = 3


class Preview:
    """Draws content | painting | result for two photographs and up to three paintings.

    Args:
        paintings: The paintings.
        side: Side of the squares in pixels.
        path: The picture to write.
        encoder: VGG that measures the style distance.

    Attributes:
        time: When it was drawn.
        distances: Style distances of all previews: mean over levels of the error of channel means
            plus that of standard deviations, mean over the pairs.
        changed: Mean change of a color value, of 255, since the previous one.
    """

    def __init__(
        self, paintings: Sequence[Image.Image], side: int, path: Path, encoder: VggEncoder
    ) -> None:
        folder = sample_images().eval_content
        contents = [read_square(folder / name, side) for name in PHOTOGRAPHS]
        styles = [to_tensor(fit_square(each, side))[None] for each in paintings[:MOST_PAINTINGS]]
        self.content = torch.cat([each for each in contents for _ in styles])
        self.style = torch.cat(styles * len(contents))
        self.path = path
        self.encoder = encoder
        self.time = 0.0
        self.distances: list[float] = []
        self.changed = 0.0
        self.result: Tensor | None = None

    def __str__(self) -> str:
        text = f"style distance {self.distances[-1]:.3f}"
        if len(self.distances) > 1:
            text += f" (at first {self.distances[0]:.3f}), changed by {self.changed:.1f} of 255"
        return f"{text}, {self.path}"

    @torch.no_grad()
    def draw(self, network: StyleTransferNetwork, time: float) -> float:
        """Stylize the pairs and write the picture.

        Args:
            network: The network, in evaluation mode.
            time: The time in seconds.

        Returns:
            Mean change of a color value, of 255, since the previous one; 255 for the first.

        Raises:
            UnwritableFileError: If the picture cannot be written.
        """
        device = next(network.parameters()).device
        pairs = list(zip(self.content.split(1), self.style.split(1), strict=True))
        results, distances = [], []
        for content, style in pairs:
            result = network(content.to(device), style.to(device))
            ours, theirs = self.encoder(result), self.encoder(style.to(device))
            distances.append(global_style(ours, theirs, LEVELS).item() / len(LEVELS))
            results.append(result.cpu())
        result = torch.cat(results)
        self.changed = 255.0
        if self.result is not None:
            self.changed = 255 * (result - self.result).abs().mean().item()
        self.result, self.time = result, time
        self.distances.append(sum(distances) / len(distances))
        rows = torch.stack([self.content, self.style, result], dim=1).flatten(0, 1)
        save_image(to_image(make_grid(rows, nrow=3, padding=4, pad_value=1.0)), self.path)
        return self.changed
