"""Base classes of the style transfer networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops.attention_map import QueriesAndKeys
from datnet.networks.ops.convolution import reflect_sides
from datnet.networks.vgg import VggEncoder

SMALLEST_SIDE = 32

TILE_MULTIPLE = 16
"""The largest stride of a network: content sides that tile are multiples of this."""


def weighted_sum(maps: Sequence[Tensor], weights: Sequence[float | Tensor]) -> Tensor:
    """Sum of tensors of the same shape, each times its weight.

    Args:
        maps: One or more tensors of the same shape.
        weights: One weight for each.

    Returns:
        A tensor of that shape.
    """
    total = weights[0] * maps[0]
    for each, weight in zip(maps[1:], weights[1:], strict=True):
        total = total + weight * each
    return total


def extend_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad by reflection, on the right and at the bottom, to sides that are multiples.

    Pixel (0, 0) stays in place, so cropping the network's output undoes the padding.

    Args:
        images: ``(B, C, H, W)``.
        multiple: The sides of the result are multiples of this.

    Returns:
        ``(B, C, ⌈H/multiple⌉ · multiple, ⌈W/multiple⌉ · multiple)``.
    """
    # torch.export cannot trace -side % multiple for dynamic sizes.
    below, right = ((multiple - side % multiple) % multiple for side in images.shape[2:])
    if torch.compiler.is_exporting():  # no branch: the graph is for all sizes
        return F.pad(images, (0, right, 0, below), mode="reflect")
    if below == right == 0:
        return images
    return reflect_sides(images, left=0, right=right, above=0, below=below)


class StyleTransferNetwork(nn.Module, ABC):
    """A network that renders a content image in the style of a style image.

    Encoding and generation are separate, so losses can share features with the network, and a style
    is encoded once for many contents.
    """

    attention_parts: tuple[str, ...] = ()
    """Names of the attention submodules, whose gradients a recipe can clip separately."""

    seam: str | None = None
    """Why results would not tile in ``circular_borders``; None if they do.

    They tile for sides that are multiples of :data:`TILE_MULTIPLE`.
    """

    @abstractmethod
    def encode_content(self, images: Tensor) -> list[Tensor]:
        """Encode content images; returns the features that :meth:`generate` takes.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1].

        Returns:
            A list of tensors, which depends on the network.
        """

    @abstractmethod
    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Encode style images; returns the features that :meth:`generate` takes.

        Args:
            images: ``(B, 3, Hs, Ws)`` in [0, 1].

        Returns:
            A list of tensors, which depends on the network.
        """

    @abstractmethod
    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Stylize encoded content images with a weighted mixture of encoded styles.

        Mixing takes place on features, never on output images. A style mixed with itself is that
        style.

        Args:
            content_features: From :meth:`encode_content`.
            styles: One or more results of :meth:`encode_style`, for images of any size.
            weights: Weight of each style; they sum to 1.
            size: Height and width of the content images.
            alpha: Style strength in [0, 1]. For an input of an exported network, a tensor with one
                element; the network then always blends.

        Returns:
            Images ``(B, 3, *size)``, not clamped, so that training gets all gradients.
        """

    def attention_levels(
        self,
        content_features: Sequence[Tensor],
        style_features: Sequence[Tensor],
        style_size: Sequence[int],
    ) -> Iterator[QueriesAndKeys]:
        """Yield queries and keys of each attention from content to style positions.

        For looking at attention; :meth:`generate` does not use it. A network without such
        attention yields nothing.

        Args:
            content_features: From :meth:`encode_content`, of one image.
            style_features: From :meth:`encode_style`, of one image.
            style_size: Height and width of the style image.

        Yields:
            The levels, from shallow to deep.
        """
        yield from ()

    def generate(
        self,
        content_features: Sequence[Tensor],
        style_features: Sequence[Tensor],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Stylize encoded content images with one encoded style.

        Args:
            content_features: From :meth:`encode_content`.
            style_features: From :meth:`encode_style`, for images of any size.
            size: Height and width of the content images.
            alpha: Style strength in [0, 1], see :meth:`generate_mixed`.

        Returns:
            Images ``(B, 3, *size)``, not clamped.
        """
        return self.generate_mixed(content_features, [style_features], [1.0], size, alpha)

    def forward(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """Stylize content images with style images.

        Args:
            content: ``(B, 3, H, W)``, float RGB in [0, 1], sides of at least 32.
            style: ``(B, 3, Hs, Ws)``, likewise, of any size.
            alpha: Style strength: 1 for the full style, 0 for the content as the network
                reconstructs it.

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
            raise ValueError(
                f"{content.shape[0]} content and {style.shape[0]} style images; "
                "their numbers must be equal"
            )
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}; it must be in [0, 1]")
        images = self.generate(
            self.encode_content(content), self.encode_style(style), content.shape[2:], alpha
        )
        return images.float().clamp(0, 1)


class EncoderDecoderNetwork(StyleTransferNetwork):
    """Frozen VGG encoder, style transfer between its features, and a decoder.

    Subclasses define :meth:`transfer` and :meth:`decode`. Encoding, blending and the handling of
    sizes are shared.

    Args:
        encoder: The frozen encoder whose features the network uses.
    """

    encoder_depth = 5
    """Number of encoder levels that :meth:`encode` computes."""

    def __init__(self, encoder: VggEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def encode(self, images: Tensor) -> list[Tensor]:
        """Features relu1_1 … of images ``(B, 3, H, W)`` in [0, 1], from shallow to deep."""
        return self.encoder(images, depth=self.encoder_depth)

    def transfer_inputs(
        self, features: Iterable[Tensor], image_size: Sequence[int]
    ) -> list[Tensor]:
        """The inputs of :meth:`transfer`, from encoder features that are already computed.

        Args:
            features: From :meth:`encode`.
            image_size: Height and width of the images.

        Returns:
            The same as :meth:`encode_content` and :meth:`encode_style` of those images.
        """
        return list(features)

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """Encoder features; content and style are encoded in the same way."""
        return self.encode(images)

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Encoder features; content and style are encoded in the same way."""
        return self.encode(images)

    @abstractmethod
    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Fuse content and style features.

        Args:
            content_features: From :meth:`encode_content` or :meth:`transfer_inputs`.
            style_features: From :meth:`encode_style` or :meth:`transfer_inputs`.

        Returns:
            The fused features that :meth:`decode` takes.
        """

    @abstractmethod
    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Decode fused features to images, which may be up to 7 pixels larger than the content."""

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Stylize encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The fused features of all styles are averaged, as in AdaIN's eq. (15). With ``alpha`` below
        1 they are blended with those of the content transferred to itself.
        """
        of_each_style = [self.transfer(content_features, style) for style in styles]
        fused = [weighted_sum(maps, weights) for maps in zip(*of_each_style, strict=True)]
        if isinstance(alpha, Tensor) or alpha < 1:
            plain = self.transfer(content_features, content_features)
            fused = [torch.lerp(p, f, alpha) for p, f in zip(plain, fused, strict=True)]
        # Ceil-mode pooling keeps pixel (0, 0) at the corner of each level, so for sizes that are
        # not multiples of 16 the extra pixels are on the right and at the bottom.
        return self.decode(fused)[:, :, : size[0], : size[1]]
