"""What every style transfer network of this project offers to its users."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops.convolution import reflect_sides
from datnet.networks.vgg import VggEncoder

SMALLEST_SIDE = 32


def weighted_sum(maps: Sequence[Tensor], weights: Sequence[float | Tensor]) -> Tensor:
    """Add maps of one shape, each times its weight; one map of weight 1 stays as it is."""
    total = weights[0] * maps[0]
    for each, weight in zip(maps[1:], weights[1:], strict=True):
        total = total + weight * each
    return total


def extend_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Reflect ``(B, C, H, W)`` at the right and at the bottom, to sides that are multiples.

    Pixel (0, 0) stays where it is, so a crop of what is painted undoes it.
    """
    # Not -side % multiple, which torch.export cannot trace for all sizes.
    below, right = ((multiple - side % multiple) % multiple for side in images.shape[2:])
    if torch.compiler.is_exporting():  # for all sizes at once
        return F.pad(images, (0, right, 0, below), mode="reflect")
    if below == right == 0:
        return images
    return reflect_sides(images, left=0, right=right, above=0, below=below)


class StyleTransferNetwork(nn.Module, ABC):
    """Any network that paints a content image in the manner of a style image.

    Encoding is apart from painting, so that losses share features with the network and a style is
    encoded once for many contents.
    """

    attention_parts: tuple[str, ...] = ()
    """Names of the submodules that are attention: a recipe can clip their gradients alone."""

    @abstractmethod
    def encode_content(self, images: Tensor) -> list[Tensor]:
        """What the network needs to know of content images ``(B, 3, H, W)`` in [0, 1]."""

    @abstractmethod
    def encode_style(self, images: Tensor) -> list[Tensor]:
        """What the network needs to know of style images ``(B, 3, Hs, Ws)`` in [0, 1]."""

    @abstractmethod
    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint from encoded images, in a mixture of styles.

        What is mixed are the maps that the network paints from, never finished images. A style
        that is mixed with itself is that style.

        Args:
            content_features: From :meth:`encode_content`.
            styles: One or more of :meth:`encode_style`, of images of any size.
            weights: The share of every style; their sum is 1.
            size: Height and width of the content images.
            alpha: Strength of the style, 0 to 1; a tensor of one number if it shall be an input
                of an exported network, which then always blends.

        Returns:
            Images ``(B, 3, *size)``, not clamped, so that training sees every gradient.
        """

    def generate(
        self,
        content_features: Sequence[Tensor],
        style_features: Sequence[Tensor],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint from encoded images, in one style, see :meth:`generate_mixed`."""
        return self.generate_mixed(content_features, [style_features], [1.0], size, alpha)

    def forward(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """Paint content images in the manner of style images.

        Args:
            content: ``(B, 3, H, W)``, float RGB in [0, 1], sides of at least 32.
            style: ``(B, 3, Hs, Ws)``, likewise, of any size.
            alpha: 1 for the full style, 0 for the content as the network paints it.

        Returns:
            ``(B, 3, H, W)``, float RGB in [0, 1].

        Raises:
            ValueError: If a shape or ``alpha`` is not as described.
        """
        for name, images in (("content", content), ("style", style)):
            if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < SMALLEST_SIDE:
                raise ValueError(
                    f"{name} has shape {tuple(images.shape)}; "
                    f"it must be (B, 3, H, W) with H and W of at least {SMALLEST_SIDE}"
                )
        if content.shape[0] != style.shape[0]:
            raise ValueError(f"{content.shape[0]} content and {style.shape[0]} style images differ")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}; it must be in [0, 1]")
        images = self.generate(
            self.encode_content(content), self.encode_style(style), content.shape[2:], alpha
        )
        return images.float().clamp(0, 1)


class EncoderDecoderNetwork(StyleTransferNetwork):
    """A frozen encoder, a transfer of style between its features, and a decoder.

    A network defines :meth:`transfer` and :meth:`decode`; encoding, blending and the handling of
    sizes are the same for all.

    Args:
        encoder: The frozen encoder whose features the network works on.
    """

    encoder_depth = 5
    """How many levels of the encoder :meth:`encode` computes."""

    def __init__(self, encoder: VggEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def encode(self, images: Tensor) -> list[Tensor]:
        """Features relu1_1 … of images ``(B, 3, H, W)`` in [0, 1], shallow to deep."""
        return self.encoder(images, depth=self.encoder_depth)

    def transfer_inputs(
        self, features: Iterable[Tensor], image_size: Sequence[int]
    ) -> list[Tensor]:
        """What :meth:`transfer` takes, from features that are computed already.

        Args:
            features: From :meth:`encode`.
            image_size: Height and width of the images.

        Returns:
            The same as :meth:`encode_content` and :meth:`encode_style` of those images.
        """
        return list(features)

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """Content and style are encoded alike."""
        return self.encode(images)

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Content and style are encoded alike."""
        return self.encode(images)

    @abstractmethod
    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Fuse content and style features into the maps that :meth:`decode` paints from."""

    @abstractmethod
    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Paint images from fused maps; they may be up to 7 pixels larger than the content."""

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint from encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The fused maps of all styles are averaged, as in AdaIN's eq. (15). Below an ``alpha`` of 1
        they are blended with those of the content transferred to itself.
        """
        of_each_style = [self.transfer(content_features, style) for style in styles]
        fused = [weighted_sum(maps, weights) for maps in zip(*of_each_style, strict=True)]
        if isinstance(alpha, Tensor) or alpha < 1:
            plain = self.transfer(content_features, content_features)
            fused = [torch.lerp(p, f, alpha) for p, f in zip(plain, fused, strict=True)]
        # Ceil-mode pooling counts pixel (0, 0) as the corner of every level, so the surplus of
        # sizes that are no multiple of 16 lies at the right and at the bottom.
        return self.decode(fused)[:, :, : size[0], : size[1]]
