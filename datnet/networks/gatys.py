"""Gatys' method: Image Style Transfer Using Convolutional Neural Networks.

Leon A. Gatys, Alexander S. Ecker and Matthias Bethge, CVPR 2016. No network generates the image:
its pixels are optimized for each content–style pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from tqdm import tqdm

from datnet.networks.base import weighted_sum
from datnet.networks.training_free import OptimizationMethod
from datnet.networks.vgg import CHANNELS, VggEncoder

STEPS = 300

STYLE_WEIGHT = 1e6
"""Weight of the style loss relative to the content loss; divided by C² at a level of C channels.

The published code uses 1e3, with Caffe's VGG-19 on pixel values up to 255. Activations scaled by s
scale the style loss by s⁴ and the content loss by s². With s² = 1000 the losses start and end where
those of the published code do.
"""

HISTORY = 20
"""History size of L-BFGS; each step takes the memory of two images."""


class Gatys(OptimizationMethod):
    """Optimize an image for the content's features at relu4_2 and the style's Gram matrices.

    The content loss is the mean squared error at relu4_2, the style loss that of the Gram matrices
    of relu1_1 … relu5_1, with the relative weights of the authors' code. L-BFGS starts from the
    content image, so nothing is random. The computation is in float32, also under autocast.

    For ``alpha`` between 0 and 1 the target Gram matrices are interpolated between the content's
    and the style's; with 0 the result is the content. The images of a batch are optimized one after
    the other.

    Args:
        encoder: The frozen encoder, VGG-19 in the paper.
        steps: Optimization steps per image; the authors' code uses 500.
        style_weight: See :data:`STYLE_WEIGHT`.
    """

    def __init__(
        self, encoder: VggEncoder, steps: int = STEPS, style_weight: float = STYLE_WEIGHT
    ) -> None:
        super().__init__(encoder, steps)
        self.style_weight = style_weight

    def encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features and Gram matrices of images.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1].

        Returns:
            Features of relu4_2, and the Gram matrices of relu1_1 … relu5_1.
        """
        maps, grams = images, []
        with torch.autocast(images.device.type, enabled=False):
            for stage in self.encoder.stages[:4]:
                maps = stage(maps)
                grams.append(gram_matrix(maps))
            to_relu5_1 = list(self.encoder.stages[4].children())
            relu4_2 = nn.Sequential(*to_relu5_1[:2])(maps)
            grams.append(gram_matrix(nn.Sequential(*to_relu5_1[2:])(relu4_2)))
        return relu4_2, grams

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[images, relu4_2, Gram matrices of relu1_1 … relu5_1]."""
        relu4_2, grams = self.encode(images)
        return [images, relu4_2, *grams]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Gram matrices of relu1_1 … relu5_1."""
        _, grams = self.encode(images)
        return grams

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Stylize encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The Gram matrices of all styles are averaged.
        """
        contents, relu4_2, *own = content_features
        mixed = [weighted_sum(grams, weights) for grams in zip(*styles, strict=True)]
        grams = [torch.lerp(a, b, alpha) for a, b in zip(own, mixed, strict=True)]
        paintings = []
        for index in range(len(contents)):
            one = slice(index, index + 1)
            paintings.append(
                self.optimize(contents[one], relu4_2[one], [gram[one] for gram in grams])
            )
        return torch.cat(paintings)

    def optimize(self, content: Tensor, relu4_2: Tensor, grams: Sequence[Tensor]) -> Tensor:
        """Optimize the pixels of an image for target features.

        Args:
            content: The initial image, ``(1, 3, H, W)``.
            relu4_2: Target features of relu4_2.
            grams: Target Gram matrices of relu1_1 … relu5_1.

        Returns:
            ``(1, 3, H, W)``, not clamped.
        """
        # The caller has disabled gradients, perhaps by inference mode, whose tensors never get
        # gradients; clones made outside of it do.
        with torch.inference_mode(False), torch.enable_grad():
            picture = content.detach().float().clone().requires_grad_()
            targets = [target.detach().clone() for target in (relu4_2, *grams)]
            optimizer = torch.optim.LBFGS(
                [picture],
                max_iter=self.steps,
                max_eval=self.steps,
                tolerance_grad=0,
                tolerance_change=0,
                history_size=HISTORY,
                line_search_fn="strong_wolfe",
            )
            # disable=None: no progress bar without a terminal.
            with tqdm(total=self.steps, unit="step", leave=False, disable=None) as bar:

                def evaluate() -> Tensor:
                    optimizer.zero_grad()
                    loss = self.loss(picture, targets[0], targets[1:])
                    loss.backward()
                    bar.update()
                    return loss

                optimizer.step(evaluate)
        return picture.detach()

    def loss(self, picture: Tensor, relu4_2: Tensor, grams: Sequence[Tensor]) -> Tensor:
        """Weighted sum of content and style loss.

        Args:
            picture: The image being optimized, ``(B, 3, H, W)``.
            relu4_2: Target features of relu4_2.
            grams: Target Gram matrices of relu1_1 … relu5_1.

        Returns:
            A scalar.
        """
        own_relu4_2, own_grams = self.encode(picture)
        content = mse_loss(own_relu4_2, relu4_2)
        style = sum(
            mse_loss(own, gram) / channels**2
            for own, gram, channels in zip(own_grams, grams, CHANNELS, strict=True)
        )
        return content + self.style_weight * style


def gram_matrix(maps: Tensor) -> Tensor:
    """Gram matrix of the channels, divided by the number of positions.

    Args:
        maps: ``(B, C, H, W)``.

    Returns:
        ``(B, C, C)``.
    """
    flat = maps.flatten(2)
    return flat @ flat.mT / flat.shape[2]
