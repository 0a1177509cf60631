"""Loss terms that the objectives are built from.

All functions take lists of encoder features, relu1_1 first, and count levels from 1. Errors are
averaged over batch, channels and positions, and summed over levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.attention import Resize, adaptive_attention_norm, attention_inputs
from datnet.networks.statistics import channel_mean_std, full_precision, normalize_channels

SMALLEST_BOUND = 1e-8
"""Added to the bound of :func:`style_aware`, which is 0 for pictures without any features."""


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error in at least float32, also under autocast.

    Args:
        output: A tensor of any shape.
        target: A tensor of the same shape.

    Returns:
        A scalar.
    """
    if output.is_contiguous(memory_format=torch.channels_last):
        # The mean does not depend on the order; in memory order it is five times as fast on a CPU.
        output, target = output.movedim(1, -1), target.movedim(1, -1)
    return F.mse_loss(full_precision(output), full_precision(target))


def global_style(
    output: Sequence[Tensor], style: Sequence[Tensor], levels: Sequence[int] = (2, 3, 4, 5)
) -> Tensor:
    """Distance of channel means and standard deviations, DatNet eq. (9), AdaIN eq. (13).

    Args:
        output: Features of the stylized image, each ``(B, C, H, W)``.
        style: Features of the style image, of any size.
        levels: Levels of the loss.

    Returns:
        Σ over levels of MSE(mean) + MSE(std), a scalar.
    """
    total = output[0].new_zeros((), dtype=torch.float32)
    for level in levels:
        output_mean, output_std = channel_mean_std(output[level - 1])
        style_mean, style_std = channel_mean_std(style[level - 1])
        total = total + squared_error(output_mean, style_mean)
        total = total + squared_error(output_std, style_std)
    return total


def style_aware(
    output: Sequence[Tensor], style: Sequence[Tensor], levels: Sequence[int] = (2, 3, 4, 5)
) -> Tensor:
    """Style distance relative to its upper bound for the pair (Cheng et al., CVPR 2021).

    Means and standard deviations of features after a ReLU are not negative, so their squared
    distance is at most the sum of their squared norms, which depends on the painting. Divided by
    it, every painting counts alike (arXiv 2104.10064, "style-aware normalized loss"; there with
    Gram matrices). The bound is a weight: it has no gradient.

    Args:
        output: Features of the stylized image, each ``(B, C, H, W)``.
        style: Features of the style image, of any size.
        levels: Levels of the loss.

    Returns:
        Σ over levels of the relative distances of means and of standard deviations, each in [0, 1]
        and averaged over the batch, a scalar.
    """
    relative = []
    for level in levels:
        of_output, of_style = (channel_mean_std(each[level - 1]) for each in (output, style))
        for ours, theirs in zip(of_output, of_style, strict=True):
            distance = (ours - theirs).square().sum(dim=(1, 2, 3))
            bound = (ours.detach().square() + theirs.square()).sum(dim=(1, 2, 3))
            relative.append((distance / (bound + SMALLEST_BOUND)).mean())
    return torch.stack(relative).sum()


def local_feature(
    output: Sequence[Tensor],
    content: Sequence[Tensor],
    style: Sequence[Tensor],
    levels: Sequence[int] = (3, 4, 5),
    resize: Resize = "bilinear",
) -> Tensor:
    """Distance to AdaAttN without learnable kernels, DatNet eq. (10).

    Args:
        output: Features of the stylized image, each ``(B, C, H, W)``.
        content: Features of the content image, before channel attention.
        style: Features of the style image, before channel attention.
        levels: Levels of the loss: (3, 4, 5) in the papers, (2, 3, 4, 5) in AdaAttN's code.
        resize: Downsampling of shallow features in the attention keys, see
            :func:`~datnet.networks.attention.attention_key`.

    Returns:
        Σ over levels of MSE(output, AdaAttN*(content, style)), a scalar. The target has no
        gradient.
    """
    targets = local_feature_targets(content, style, levels, resize)
    return torch.stack(errors_of_levels(output, targets, levels)).sum()


def errors_of_levels(
    output: Sequence[Tensor], targets: Sequence[Tensor], levels: Sequence[int]
) -> list[Tensor]:
    """Mean squared error of each level.

    Args:
        output: Features relu1_1 …, each ``(B, C, H, W)``.
        targets: Targets of the given levels only.
        levels: Levels of the targets.

    Returns:
        One scalar for each level.
    """
    return [
        squared_error(output[level - 1], target)
        for level, target in zip(levels, targets, strict=True)
    ]


@torch.no_grad()
def local_feature_targets(
    content: Sequence[Tensor],
    style: Sequence[Tensor],
    levels: Sequence[int] = (3, 4, 5),
    resize: Resize = "bilinear",
) -> list[Tensor]:
    """AdaAttN*(content, style): attention on the features themselves, without learnable kernels.

    Args:
        content: Features of the content image, before channel attention.
        style: Features of the style image, before channel attention.
        levels: Levels to return.
        resize: Downsampling of shallow features in the attention keys.

    Returns:
        Features of the content's shape for each level, without gradients.
    """
    of_content, of_style = (
        attention_inputs(
            features[: max(levels)],
            {level: features[level - 1].shape[2:] for level in levels},
            resize,
        )
        for features in (content, style)
    )
    return [
        adaptive_attention_norm(content_maps, query, key, style_maps)
        for (content_maps, query), (style_maps, key) in zip(of_content, of_style, strict=True)
    ]


def content_restoration(
    restored: Sequence[Tensor],
    content: Sequence[Tensor],
    levels: Sequence[int] = (1, 2, 3, 4, 5),
) -> Tensor:
    """Distance of features between an image and its reconstruction, DatNet eq. (11).

    Args:
        restored: Features of network(content, content).
        content: Features of the content image.
        levels: Levels of the loss.

    Returns:
        Σ over levels of MSE, a scalar.
    """
    targets = [content[level - 1] for level in levels]
    return torch.stack(errors_of_levels(restored, targets, levels)).sum()


def normalized_content(
    output: Sequence[Tensor], content: Sequence[Tensor], levels: Sequence[int] = (4, 5)
) -> Tensor:
    """Distance of normalized features, the content loss of SANet, MANet, MCCNet and StyTr².

    Args:
        output: Features of the stylized image, each ``(B, C, H, W)``.
        content: Features of the content image.
        levels: Levels of the loss.

    Returns:
        Σ over levels of MSE(Norm(output), Norm(content)), a scalar.
    """
    total = output[0].new_zeros((), dtype=torch.float32)
    for level in levels:
        total = total + squared_error(
            normalize_channels(output[level - 1]), normalize_channels(content[level - 1])
        )
    return total
