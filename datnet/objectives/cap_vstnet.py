"""The objective of CAP-VSTNet (Wen, Gao and Zou, CVPR 2023), as in its published code."""

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
"""Regularization of the slope in :func:`matting_energy`, which makes it unique in flat windows."""

LARGEST_MATTING_GRADIENT = 0.1
"""Limit of the weighted matting loss's gradient per color value of an image.

See :class:`CAPVSTNetObjective`.
"""


class CAPVSTNetObjective(Objective[CAPVSTNet]):
    """Style loss at relu1_1 … relu4_1, matting Laplacian loss and cycle consistency loss.

    Matting: in each small window the result's colors should be a linear combination of the
    content's colors, see :func:`matting_energy`. The weighted gradient is clamped for each color
    value, since otherwise a few windows at hard edges would dominate. The published code sums
    energies and gradients over a batch of 2, with a weight of 1500 (photorealistic) or 1 (artistic)
    and a limit of 0.05. As means over a batch of any size, these are 3000, 2 and 0.1.

    Cycle: the result, transferred back to its content's mean and covariance, should be the content.
    This keeps the padding channels that :class:`~datnet.networks.ops.reversible.ReversibleNetwork`
    drops free of information.

    The published code also uses photographs as styles for the photorealistic network, and trains
    its video model for 10 000 more steps with a temporal loss, which is not implemented here.

    Args:
        encoder: The frozen loss encoder.
        global_style: Weight of the style loss.
        matting: Weight of the matting loss.
        cycle: Weight of the cycle loss, a mean absolute difference of pixels.
        content: Weight of a content loss at relu4_1, 0 in the published settings.
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
        """Stylize the content, and transfer the result back to the content's statistics.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``global_style``, ``matting``, ``cycle`` and ``content``, unweighted scalars; terms of
            weight 0 are left out.
        """
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
    """Mean of :func:`matting_energy` over the images, with a clamped gradient.

    Args:
        output: Stylized images ``(B, 3, H, W)``.
        content: Their content images ``(B, 3, H, W)``.
        limit: Maximum absolute gradient of an image's energy with respect to a color value.

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
    """Distance of 3 × 3 windows from linear combinations of the guide's colors.

    The quadratic form of the matting Laplacian (Levin, Lischinski and Weiss, A Closed-Form Solution
    to Natural Image Matting, TPAMI 2008), summed over the channels and divided by the number of
    pixels. The Laplacian matrix, of 81 entries per pixel, is never built. The contribution of a
    window ``w`` is the residual of the least-squares problem that defines it,

        min over a, b of  Σ_{i in w} (x_i - a · g_i - b)² + ε |a|²  =  x̃ · r  with  r = x̃ - G̃ a,
        a = (G̃ᵀG̃ + ε I)⁻¹ G̃ᵀx̃,

    where x̃ and G̃ are the window's values and the guide's colors minus their means. Since a and b
    are at the minimum, the gradient is 2 r.

    Args:
        images: ``(B, C, H, W)``.
        guide: ``(B, 3, H, W)``.

    Returns:
        Energies ``(B,)`` and their gradients with respect to the images ``(B, C, H, W)``, float64,
        since both are small differences of larger values.
    """
    size = images.shape[2:]
    values, colors = centered_windows(images), centered_windows(guide)
    identity = torch.eye(colors.shape[-1]).to(colors)
    gram = colors.mT @ colors + MATTING_EPSILON * identity
    residuals = values - colors @ torch.linalg.solve(gram, colors.mT @ values)
    energies = (values * residuals).sum(dim=(1, 2, 3)) / size.numel()
    gradients = F.fold(residuals.permute(0, 3, 2, 1).flatten(1, 2), size, 3)
    return energies, 2 * gradients / size.numel()


def centered_windows(images: Tensor) -> Tensor:
    """All 3 × 3 windows minus their means: ``(B, C, H, W)`` to ``(B, N, 9, C)``."""
    windows = F.unfold(images.double(), 3).unflatten(1, (-1, 9)).permute(0, 3, 2, 1)
    return windows - windows.mean(dim=2, keepdim=True)
