"""The frozen VGG encoder with weights from a file, the cache or the internet."""

from __future__ import annotations

from pathlib import Path

from datnet.networks.vgg import Architecture, VggEncoder
from datnet.zoo.backbones import has_known_values, load_weights
from datnet.zoo.channel_means import channel_means


def vgg_encoder(
    arch: Architecture = "vgg19", weights: str | Path | None = "imagenet", normalized: bool = True
) -> VggEncoder:
    """Build an encoder, load its weights and rescale its channels.

    Args:
        arch: "vgg19" or "vgg16".
        weights: "imagenet" for torchvision's weights, wherever :mod:`datnet.zoo.backbones` finds
            them; a path to a weights file; None for random weights.
        normalized: Whether to rescale; random weights are never rescaled.

    Returns:
        The frozen encoder.

    Raises:
        DatNetError: If the weights cannot be found or do not fit.
        ValueError: If there is no such architecture.
    """
    encoder = VggEncoder(arch, normalized)
    if weights is None:
        return encoder
    tensors = load_weights(arch, None if weights == "imagenet" else Path(weights))
    # Public weights are recorded as "imagenet", wherever this machine has them.
    public = has_known_values(arch, tensors)
    encoder.load(tensors, "imagenet" if public else str(weights))
    if normalized:
        encoder.rescale(channel_means(arch, encoder.layers()))
    return encoder
