r"""Whether the converted weights of johnson and cin balance style and content as published.

    python -m experiments.measurements.perceptual_balance PHOTO PAINTING -o balance.png

The pixels of a photograph are optimized, from the photograph on, with the weights of
conf/model/johnson.yaml, those of cin.yaml and those of the common PyTorch port of Johnson et al.:
1e5 for the content at relu2_2 and 1e10 for Gram matrices, with torchvision's VGG-16 as it is. Each
result is then measured with all of them. Printed is the weighted style loss relative to the
weighted content loss, and the share of each layer in it. A network has other limits than pixels,
so this shows the balance of the losses, not the look of a trained network.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.utils import make_grid

from datnet.evaluation.markdown import aligned
from datnet.images.saving import save_image
from datnet.images.tensors import read_square, to_image
from datnet.networks.gatys import gram_matrix
from datnet.networks.vgg import VggEncoder
from datnet.objectives.perceptual import CONTENT_LAYER, layers_of, squared_differences
from datnet.objectives.terms import squared_error
from datnet.zoo.configs import model_config
from datnet.zoo.encoder import vgg_encoder

LEARNING_RATE = 0.03


@dataclass(frozen=True)
class Weights:
    """Weights of a perceptual loss and what they belong to.

    Attributes:
        encoder: The loss encoder.
        content: Weight of the content loss.
        style: Weight of the style loss.
        total_variation: Weight of the squared differences of neighbors.
        per_channel: Whether Gram matrices are divided by their numbers of channels.
        style_layers: Weights of the layers within the style loss.
        content_layer: Index of the content layer among those of the style.
    """

    encoder: VggEncoder
    content: float
    style: float
    total_variation: float
    per_channel: bool
    style_layers: Sequence[float] = (1.0, 1.0, 1.0, 1.0)
    content_layer: int = CONTENT_LAYER

    @torch.no_grad()
    def targets(self, content: Tensor, style: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features of the content at its layer, and Gram matrices of the style."""
        of_content = layers_of(self.encoder, content)[self.content_layer]
        return of_content, self.grams(layers_of(self.encoder, style))

    def grams(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Gram matrices of the four layers."""
        return [gram_matrix(maps) / (maps.shape[1] if self.per_channel else 1) for maps in features]

    def losses(
        self, image: Tensor, of_content: Tensor, of_style: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Weighted content loss, and weighted style loss of each layer."""
        features = layers_of(self.encoder, image)
        errors = [
            weight * squared_error(ours, theirs)
            for weight, ours, theirs in zip(
                self.style_layers, self.grams(features), of_style, strict=True
            )
        ]
        error = squared_error(features[self.content_layer], of_content)
        return self.content * error, self.style * torch.stack(errors)

    def optimized(self, content: Tensor, style: Tensor, steps: int) -> Tensor:
        """The content's pixels after some steps of Adam, ``(1, 3, H, W)`` in [0, 1]."""
        image = content.clone().requires_grad_()
        optimizer = torch.optim.Adam([image], LEARNING_RATE)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
        targets = self.targets(content, style)
        for _ in range(steps):
            seen = image.clamp(0, 1)
            of_content, of_style = self.losses(seen, *targets)
            variation = self.total_variation * squared_differences(seen)
            optimizer.zero_grad()
            (of_content + of_style.sum() + variation).div(self.content).backward()
            optimizer.step()
            schedule.step()
        return image.detach().clamp(0, 1)


def all_weights() -> dict[str, Weights]:
    """The weights by name."""
    encoder = vgg_encoder("vgg16")
    port = Weights(vgg_encoder("vgg16", normalized=False), 1e5, 1e10, 0.0, True, content_layer=1)
    weights = {}
    for name in ("johnson", "cin"):
        model = model_config(name)
        assert model is not None
        settings = {key: value for key, value in model["objective"].items() if key != "_target_"}
        weights[name] = Weights(encoder, **settings)
    return {**weights, "port": port}


def main() -> None:
    """Optimize, measure and print."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.perceptual_balance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photo", type=Path)
    parser.add_argument("painting", type=Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("-o", "--output", type=Path, default=Path("balance.png"))
    arguments = parser.parse_args()
    content, style = (
        read_square(path, arguments.size) for path in (arguments.photo, arguments.painting)
    )
    weights = all_weights()
    rows = [["optimized with", "measured with", "content", "style : content", "shares of layers"]]
    results = []
    for name, each in weights.items():
        results.append(each.optimized(content, style, arguments.steps))
        for other, measure in weights.items():
            with torch.no_grad():
                targets = measure.targets(content, style)
                of_content, of_style = measure.losses(results[-1], *targets)
            total = of_style.sum()
            shares = " ".join(f"{share:.2f}" for share in (of_style / total).tolist())
            ratio = (total / of_content).item()
            rows.append([name, other, f"{of_content.item():.3g}", f"{ratio:.2f}", shares])
            print(" | ".join(rows[-1]), flush=True)
    save_image(to_image(make_grid(torch.cat([content, *results, style]))), arguments.output)
    print(f"\n{aligned(rows)}")


if __name__ == "__main__":
    main()
