"""The objective of CAP-VSTNet (Wen, Gao and Zou, CVPR 2023), as its published code has it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.cap_vstnet import CAPVSTNet
from datnet.networks.ops.whitening import cholesky_moments
from datnet.networks.statistics import full_precision
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.base import Objective

LEVELS = (1, 2, 3, 4)
"""Levels of the loss encoder."""

MATTING_EPSILON = 1e-7
"""Price of a slope in :func:`matting_energy`, which is what makes it unique in flat windows."""

LARGEST_MATTING_GRADIENT = 0.1
"""What the weighted matting loss may at most ask of a colour value of an image, see
:class:`CAPVSTNetObjective`."""


class CAPVSTNetObjective(Objective[CAPVSTNet]):
    """Style loss on relu1_1 … relu4_1, matting loss and cycle loss.

    Matting: in every small window, the painting's colours shall be the content's in another linear
    combination, see :func:`matting_energy`. Its weighted gradient is clamped for every colour value
    of an image, without which few windows at hard edges would rule. The published code sums
    energies and gradients over a batch of 2, with a weight of 1500 (photorealistic) or 1 (artistic)
    and a limit of 0.05; as means over the batch, whatever its size, these are 3000, 2 and 0.1.

    Cycle: a painting that is given its content's means and covariance back shall be the content,
    which keeps the channels that :class:`~datnet.networks.ops.reversible.ReversibleNetwork` drops
    from carrying anything.

    The published code trains on photographs as styles too for the photorealistic network, and goes
    on for 10 000 steps with a temporal loss for its video model; that is not part of this.

    Args:
        encoder: The frozen encoder that content and style loss see with.
        global_style: Weight of the style loss.
        matting: Weight of the matting loss.
        cycle: Weight of the cycle loss, a mean absolute difference of colour values.
        content: Weight of a content loss on relu4_1, which the published settings leave out.
    """

    def __init__(
        self,
        encoder: VggEncoder,
        global_style: float = 1.0,
        matting: float = 3000.0,
        cycle: float = 10.0,
        content: float = 0.0,
    ) -> None:
        super().__init__(
            {"global_style": global_style, "matting": matting, "cycle": cycle, "content": content}
        )
        self.encoder = encoder

    def terms(self, network: CAPVSTNet, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Paint the content with the style, and the painting with the content."""
        with torch.no_grad():
            style_features = self.encoder(style, depth=len(LEVELS))
        size = content.shape[2:]
        content_maps = network.encode_content(content)
        output = network.generate(content_maps, network.encode_style(style), size)
        output_features = self.encoder(output, depth=len(LEVELS))
        result = {"global_style": terms.global_style(output_features, style_features, LEVELS)}
        if "matting" in self.weights:
            limit = LARGEST_MATTING_GRADIENT / self.weights["matting"]
            result["matting"] = matting(output, content, limit)
        if "cycle" in self.weights:
            again = network.generate(
                network.encode_content(output), cholesky_moments(*content_maps), size
            )
            result["cycle"] = F.l1_loss(again, full_precision(content))
        if "content" in self.weights:
            with torch.no_grad():
                content_features = self.encoder(content, depth=len(LEVELS))
            result["content"] = terms.squared_error(output_features[3], content_features[3])
        return {name: result[name] for name in self.weights}


def matting(output: Tensor, content: Tensor, limit: float) -> Tensor:
    """Mean of :func:`matting_energy` over images, with a gradient that is clamped.

    Args:
        output: Painted images ``(B, 3, H, W)``.
        content: Their content images, likewise.
        limit: Largest absolute gradient of an image's energy by one of its colour values.

    Returns:
        A scalar, at least float32.
    """
    output = full_precision(output)
    energy, slope = matting_energy(output, content)
    change = output - output.detach()  # zero, but it carries the gradient
    linear = (slope.to(output.dtype).clamp(-limit, limit) * change).sum(dim=(1, 2, 3))
    return (energy.to(output.dtype) + linear).mean()


@torch.no_grad()
def matting_energy(images: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
    """How far windows of 3 × 3 pixels are from linear combinations of the guide's colours.

    The quadratic form of Levin, Lischinski and Weiss' matting Laplacian (A Closed-Form Solution to
    Natural Image Matting, TPAMI 2008), summed over the channels and divided by the number of
    pixels. The Laplacian itself, of 81 entries for every pixel, is never built: in a window ``w``,
    its share is what remains of the least squares that define it,

        min over a, b of  Σ_{i in w} (x_i - a · g_i - b)² + ε |a|²  =  x̃ · r  with  r = x̃ - G̃ a,
        a = (G̃ᵀG̃ + ε I)⁻¹ G̃ᵀx̃,

    where x̃ and G̃ are the window's values and the guide's colours less their means. Since a and b
    are at the minimum, the gradient is 2 r.

    Args:
        images: ``(B, C, H, W)``.
        guide: ``(B, 3, H, W)``.

    Returns:
        Energies ``(B,)`` and their gradients by the images ``(B, C, H, W)``, float64: both are
        small differences of larger numbers.
    """
    size = images.shape[2:]
    values, colours = centred_windows(images), centred_windows(guide)
    identity = torch.eye(colours.shape[-1]).to(colours)
    gram = colours.mT @ colours + MATTING_EPSILON * identity
    residuals = values - colours @ torch.linalg.solve(gram, colours.mT @ values)
    energies = (values * residuals).sum(dim=(1, 2, 3)) / size.numel()
    gradients = F.fold(residuals.permute(0, 3, 2, 1).flatten(1, 2), size, 3)
    return energies, 2 * gradients / size.numel()


def centred_windows(images: Tensor) -> Tensor:
    """All windows of 3 × 3 pixels, less their means: ``(B, C, H, W)`` to ``(B, N, 9, C)``."""
    windows = F.unfold(images.double(), 3).unflatten(1, (-1, 9)).permute(0, 3, 2, 1)
    return windows - windows.mean(dim=2, keepdim=True)
