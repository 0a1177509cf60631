"""Python interface for stylizing with a trained network.

>>> from datnet import Stylizer
>>> stylizer = Stylizer("microast")  # doctest: +SKIP
>>> stylizer("photo.jpg", "painting.jpg").save("result.png")  # doctest: +SKIP

See :class:`Stylizer` for examples that run. The file is long because of them and of the
descriptions of every argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from datnet.devices import DTYPES, choose_device, enough_memory, precision
from datnet.errors import DatNetError
from datnet.images.colors import is_gray, keep_chroma, match_colors
from datnet.images.opening import (
    Picture,
    open_mask,
    open_picture,
    open_style,
    resize_short_side,
    visible,
)
from datnet.images.tensors import to_image, to_tensor
from datnet.networks.attention import AttentionWay, attention_way
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.ops.convolution import circular_borders
from datnet.networks.own_paintings import OwnPaintings
from datnet.networks.training_free import OptimizationMethod
from datnet.networks.vgg import VggEncoder
from datnet.stylize.attention import (
    Attention,
    ChannelGates,
    attention_of,
    channel_gates,
    open_pair,
)
from datnet.stylize.options import StylizeOptions, check_side
from datnet.stylize.prepared import EncodedContent, EncodedStyle, as_list, visible_colors
from datnet.stylize.regions import RegionMaps, generate_by_region, open_region_maps
from datnet.stylize.strength import find_strength
from datnet.stylize.suitable import check_known, check_tiles, own_picture
from datnet.zoo import vgg_encoder
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network, own_paintings, read_description
from datnet.zoo.shipped import shipped_file, shipped_names

DEFAULT_NETWORK = "datnet_full"

DEFAULT_CONTENT_SIDE = 512
"""Default shorter side, in pixels, of the contents that a style is encoded for."""


class Stylizer:
    """Stylizes photographs with paintings.

    Takes files, Pillow images, arrays and tensors. Returns a Pillow image in sRGB, of mode RGB, or
    RGBA if the content has transparency. Results are deterministic. One Stylizer can be called from
    many threads.

    >>> from datnet import Stylizer
    >>> stylizer = Stylizer("microast")  # doctest: +SKIP

    The examples use generated pictures; file names such as "photo.jpg" work as well:

    >>> from PIL import Image
    >>> photo = Image.radial_gradient("L").resize((64, 48)).convert("RGB")
    >>> painting = Image.linear_gradient("L").resize((96, 96)).convert("RGB")

    Stylize a photograph with a painting, at full and at half strength:

    >>> stylizer(photo, painting).size == photo.size
    True
    >>> subtle = stylizer(photo, painting, alpha=0.5)

    Set the shorter side of the result, and that of the painting, which sets the stroke size:

    >>> stylizer(photo, painting, size=48, style_size=96).size
    (64, 48)

    Mix two styles, three parts to one:

    >>> mixed = stylizer(photo, [painting, photo.rotate(180)], weights=[3, 1])

    Keep the colors of the photograph: its chroma, or with a recolored painting:

    >>> own_chroma = stylizer(photo, painting, keep_colors="luminance")
    >>> own_palette = stylizer(photo, painting, keep_colors="histogram")

    Stylize the left half only; a blurred mask would give a soft edge:

    >>> import numpy as np
    >>> mask = np.zeros((48, 64))
    >>> mask[:, :32] = 1
    >>> half = stylizer(photo, painting, mask=mask)
    >>> half.getpixel((63, 0)) == photo.getpixel((63, 0))
    True

    Encode a style once and use it for many contents:

    >>> style = stylizer.encode_style(painting)
    >>> results = [stylizer(content, style) for content in (photo, photo.rotate(90))]

    Look where in the painting a pixel of the photograph attends to, see
    :class:`datnet.stylize.attention.Attention`:

    >>> attention = stylizer.attention(photo, painting)
    >>> weights = attention.levels[0].weights([(10, 20)])
    >>> strongest = attention.levels[0].correspondence().strongest

    Errors are described in one line:

    >>> stylizer(photo, painting, alpha=2)
    Traceback (most recent call last):
    datnet.errors.DatNetError: alpha is 2; it must be between 0 and 1

    Args:
        checkpoint: A ``network.safetensors`` written by `datnet train` or its run folder, a
            published network such as "microast", or a training-free method such as "gatys", see
            :func:`datnet.zoo.lookup.find_network`; by default the network that comes with DatNet.
        device: Device such as "cpu" or "cuda:1"; by default a GPU if available.
        dtype: Precision of the convolutions: "float32", "bfloat16" or "float16"; recent GPUs are
            much faster in 16 bits. Attention and statistics stay in float32.
        steps: Number of steps of a method that optimizes the pixels, such as "gatys"; None for its
            default.

    Attributes:
        description: Description of the network and its training.
        network: The network.
        device: Its device.
        own_paintings: The paintings that it was trained for; None if it takes any.

    Raises:
        DatNetError: If the network or the weights of its encoder cannot be found, the device does
            not exist or lacks the dtype, or the network takes no steps.
    """

    @torch.inference_mode(False)  # parameters moved to a device must be normal tensors
    def __init__(
        self,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str = "float32",
        steps: int | None = None,
    ) -> None:
        if checkpoint is None and DEFAULT_NETWORK not in shipped_names():
            raise DatNetError(
                "no trained network comes with this version of DatNet; give one with "
                "--checkpoint (Stylizer(checkpoint) in Python). `make reproduce-table3` and "
                "`datnet train` write RUN_DIR/network.safetensors"
            )
        if checkpoint is not None and not str(checkpoint):
            raise DatNetError("checkpoint is an empty name; give a network, or leave it out")
        path = find_network(checkpoint) if checkpoint else shipped_file(DEFAULT_NETWORK)
        self.description = read_description(path)
        self.device = choose_device(device)
        if dtype not in DTYPES:
            raise DatNetError(f"dtype is {dtype}; it can be {', '.join(DTYPES)}")
        self.dtype = dtype
        self.network: StyleTransferNetwork = load_network(path).to(self.device)
        own = own_paintings(path)
        self.own_paintings = OwnPaintings.of(own) if own else None
        if steps is not None:
            if not isinstance(self.network, OptimizationMethod):
                raise DatNetError(
                    f"{self.description.name} is a feed-forward network; leave steps out"
                )
            if steps < 1:
                raise DatNetError(f"steps is {steps}; it must be at least 1")
            self.network.steps = steps

    @torch.inference_mode()
    def encode_style(
        self,
        painting: Picture,
        size: int | None = None,
        *,
        content_side: int = DEFAULT_CONTENT_SIDE,
    ) -> EncodedStyle:
        """Encode a painting once for many contents.

        Args:
            painting: The painting. Transparent parts become white.
            size: Shorter side in pixels to which it is resized. By default it keeps its size, but
                is reduced to that of the contents if it is larger, so that strokes keep their
                proportion to the picture.
            content_side: Shorter side of the contents in pixels; unused if ``size`` is given.

        Returns:
            The encoded style for :meth:`__call__`. It can be shared between threads.

        Raises:
            DatNetError: If the file cannot be read, the picture is too small or memory runs out.
        """
        check_side("style_size", size)
        with enough_memory():
            return self._encode(self._open_style(painting, size, content_side))

    @torch.inference_mode()
    def encode_content(
        self, content: Picture, size: int | None = None, *, tileable: bool = False
    ) -> EncodedContent:
        """Encode a photograph once for many styles.

        Args:
            content: The photograph.
            size: Shorter side of the results in pixels; by default that of the photograph.
            tileable: Whether results are to be tiled.

        Returns:
            The encoded photograph for :meth:`stylize` with the same ``tileable``.

        Raises:
            DatNetError: If the file cannot be read, the picture is too small or memory runs out.
        """
        with enough_memory():
            photograph = self._open_content(content, size)
            if tileable:
                check_tiles(self.network, self.description.name, photograph.size)
            pixels = to_tensor(visible(photograph)).to(self.device)
            with circular_borders(tileable), precision(self.device, self.dtype):
                features = tuple(self.network.encode_content(pixels[None]))
        return EncodedContent(photograph, features, self.network)

    def __call__(
        self,
        content: Picture,
        style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
        alpha: float | str = 1.0,
        size: int | None = None,
        **settings: Any,
    ) -> Image.Image:
        """Stylize one content.

        Args:
            content: The photograph. Its transparency is kept; the network sees invisible pixels as
                white.
            style: The painting, or a list of paintings to mix; each can be encoded already.
            alpha: Strength of the style in [0, 1], or "auto".
            size: Shorter side of the result in pixels; by default that of the content.
            **settings: The other fields of :class:`~datnet.stylize.options.StylizeOptions`:
                weights, style_size, keep_colors, mask, regions, tileable,
                attention.

        Returns:
            The stylized photograph in sRGB without metadata, of mode RGB, or RGBA if a pixel of the
            content is transparent.

        Raises:
            DatNetError: If a file cannot be read, a picture is too small, a value is out of range
                or memory runs out.
        """
        return self.stylize(content, style, StylizeOptions(alpha=alpha, size=size, **settings))

    @torch.inference_mode()
    def stylize(
        self,
        content: Picture | EncodedContent,
        style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
        options: StylizeOptions,
    ) -> Image.Image:
        """Stylize one content with a :class:`~datnet.stylize.options.StylizeOptions`.

        Args:
            content: The photograph, which can be encoded already.
            style: The painting, or a list of paintings to mix; each can be encoded already.
            options: The settings.

        Returns:
            The stylized photograph, see :meth:`__call__`.

        Raises:
            DatNetError: As for :meth:`__call__`.
        """
        styles = as_list(style)
        options.check_styles(len(styles))
        known = content if isinstance(content, EncodedContent) else None
        if isinstance(content, EncodedContent):
            content.check(self.network, options.size)
            content = content.picture
        if isinstance(options.alpha, str):
            found = find_strength(self, content, styles, options)
            options = replace(options, alpha=found.alpha)
        assert not isinstance(options.alpha, str)
        regions = options.regions and open_region_maps(
            self.network, self.description.name, options.regions
        )
        with enough_memory(), attention_way(cast("AttentionWay", options.attention)):
            photograph = self._open_content(content, options.size)
            opacity = photograph.getchannel("A") if photograph.mode == "RGBA" else None
            pixels = to_tensor(visible(photograph)).to(self.device)
            if options.keep_colors == "histogram" and self.own_paintings is not None:
                raise DatNetError(
                    f"{self.description.name} knows its paintings in their own colors only; use "
                    "keep_colors=luminance"
                )
            colors = visible_colors(pixels, opacity) if options.keep_colors == "histogram" else None
            encoded = [
                self._style_for(each, options.style_size, min(photograph.size), colors)
                for each in styles
            ]
            # A network may add a tint even if photograph and painting are gray.
            gray = options.keep_colors is not None and is_gray(pixels)
            chroma_of = pixels if options.keep_colors == "luminance" or gray else None
            if options.tileable:
                check_tiles(self.network, self.description.name, photograph.size)
            with circular_borders(options.tileable):
                if known is None:
                    with precision(self.device, self.dtype):
                        features = self.network.encode_content(pixels[None])
                else:
                    features = list(known.features)
                generate = partial(
                    self._generate, features, pixels.shape[1:], options.alpha, chroma_of, regions
                )
                if options.mask is None:
                    result = generate(encoded, options.shares(len(encoded)))
                else:
                    white = generate(encoded[:1], [1.0])
                    black = generate(encoded[1:], [1.0]) if len(encoded) == 2 else pixels
                    mask = open_mask(options.mask)
                    mask = mask.resize(photograph.size, Image.Resampling.BILINEAR)
                    result = torch.lerp(
                        black, white, torch.from_numpy(np.array(mask)).to(self.device) / 255
                    )
            image = to_image(result)
            if opacity is not None:
                image.putalpha(opacity)
            return image

    def attention(
        self,
        content: Picture,
        style: Picture,
        size: int | None = None,
        style_size: int | None = None,
    ) -> Attention:
        """Compute where in the painting each position of the photograph attends to.

        Args:
            content: The photograph. Transparent parts become white.
            style: The painting.
            size: Shorter side of the photograph in pixels; by default its own, but at most 512.
            style_size: Shorter side of the painting; by default its own, but at most the
                photograph's.

        Returns:
            The attention, level by level, and the result.

        Raises:
            DatNetError: If a file cannot be read, a picture is too small, memory runs out or the
                network has no attention from photograph to painting.
        """
        with enough_memory():
            return attention_of(self.network, *open_pair(content, style, size, style_size))

    def channel_gates(
        self,
        content: Picture,
        style: Picture,
        size: int | None = None,
        style_size: int | None = None,
    ) -> list[ChannelGates]:
        """Compute the gates of the channel attention (ECA), for pictures as in :meth:`attention`.

        Raises:
            DatNetError: As for :meth:`attention`, or if the network has no channel attention.
        """
        with enough_memory():
            return channel_gates(self.network, *open_pair(content, style, size, style_size))

    def _open_style(self, painting: Picture, size: int | None, content_side: int) -> Image.Image:
        """Open a painting; of a network for certain paintings, only one of them."""
        if self.own_paintings is None:
            return open_style(painting, size, content_side)
        picture = open_style(own_picture(self.own_paintings, painting), size, content_side)
        check_known(self.own_paintings, painting, picture)
        return picture

    @cached_property
    def encoder(self) -> VggEncoder:
        """The network's VGG or, if it has none, a VGG-16 with ImageNet weights."""
        own = getattr(self.network, "encoder", None)
        return own if isinstance(own, VggEncoder) else vgg_encoder("vgg16").to(self.device)

    def _open_content(self, content: Picture, size: int | None) -> Image.Image:
        photograph, _ = open_picture(content, "content", size)
        return photograph if size is None else resize_short_side(photograph, size)

    def _encode(self, picture: Image.Image) -> EncodedStyle:
        pixels = to_tensor(picture)[None].to(self.device)
        with precision(self.device, self.dtype):
            return EncodedStyle(picture, tuple(self.network.encode_style(pixels)), self.network)

    def _style_for(
        self,
        style: Picture | EncodedStyle,
        style_size: int | None,
        content_side: int,
        colors: Tensor | None,
    ) -> EncodedStyle:
        """Return the encoded style, recolored with ``colors`` ``(3, N)`` of a content if given.

        A style that is encoded already must be encoded again for the colors of each content.
        """
        if isinstance(style, EncodedStyle):
            style.check(self.network, style_size)
            if colors is None:
                return style
            picture = style.picture
        else:
            picture = self._open_style(style, style_size, content_side)
        if colors is not None:
            picture = to_image(match_colors(to_tensor(picture), colors))
        return self._encode(picture)

    def _generate(
        self,
        content_features: list[Tensor],
        size: Sequence[int],
        alpha: float,
        chroma_of: Tensor | None,
        regions: RegionMaps | None,
        styles: list[EncodedStyle],
        shares: list[float],
    ) -> Tensor:
        """Generate RGB ``(3, H, W)`` in [0, 1], with the chroma of ``chroma_of`` if given."""
        features = [style.features for style in styles]
        with precision(self.device, self.dtype):
            if regions is None:
                stylized = self.network.generate_mixed(
                    content_features, features, shares, size, alpha
                )
            else:
                stylized = generate_by_region(
                    self.network, content_features, styles[0].picture, regions, size, alpha
                )
        if not stylized.isfinite().all():
            raise DatNetError(
                f"the network {self.description.name} returned values that are not finite; "
                "its training has diverged, use another one"
            )
        result = stylized[0].float().clamp(0, 1)
        return result if chroma_of is None else keep_chroma(result, chroma_of)
