"""The Python way to use a trained network.

>>> from datnet import Stylizer
>>> stylizer = Stylizer("microast")  # doctest: +SKIP
>>> stylizer("photo.jpg", "painting.jpg").save("result.png")  # doctest: +SKIP

See :class:`Stylizer` for examples that run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from datnet.devices import DTYPES, choose_device, precision, ran_out_of_memory
from datnet.errors import DatNetError
from datnet.images.colors import is_gray, keep_chroma, match_colors
from datnet.images.opening import (
    Picture,
    open_mask,
    open_picture,
    open_regions,
    open_style,
    region_labels,
    resize_short_side,
    visible,
)
from datnet.images.tensors import to_image, to_tensor
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.cap_vstnet import CAPVSTNet
from datnet.networks.training_free import OptimisationMethod
from datnet.stylize.options import StylizeOptions, check_side
from datnet.zoo.lookup import network_file
from datnet.zoo.network_file import load_network, read_description
from datnet.zoo.shipped import shipped_file, shipped_names

DEFAULT_NETWORK = "datnet_full"

DEFAULT_CONTENT_SIDE = 512
"""Shorter side of the contents that a style is encoded for, unless something else is said."""


@dataclass(frozen=True, eq=False)
class EncodedStyle:
    """A painting as a network sees it, from :meth:`Stylizer.encode_style`; never changed.

    Attributes:
        picture: The painting, sRGB, at the size at which it was encoded.
        features: What the network needs of it.
        network: The network that encoded it, the only one that understands the features.
    """

    picture: Image.Image
    features: tuple[Tensor, ...]
    network: StyleTransferNetwork


class Stylizer:
    """Paints photographs in the manner of paintings.

    Files, Pillow images, arrays and tensors go in. A Pillow image in sRGB comes out, of mode RGB or
    RGBA where the content is transparent. Nothing is random: the same pictures give the same
    result. One Stylizer may be called from many threads.

    >>> from datnet import Stylizer
    >>> stylizer = Stylizer("microast")  # doctest: +SKIP

    Where the examples have generated pictures, "photo.jpg" and "painting.jpg" do as well:

    >>> from PIL import Image
    >>> photo = Image.radial_gradient("L").resize((64, 48)).convert("RGB")
    >>> painting = Image.linear_gradient("L").resize((96, 96)).convert("RGB")

    One photograph in the manner of one painting, and half-way to it:

    >>> stylizer(photo, painting).size == photo.size
    True
    >>> subtle = stylizer(photo, painting, alpha=0.5)

    The shorter side of the result, and that of the painting, which sets the size of the strokes:

    >>> stylizer(photo, painting, size=48, style_size=96).size
    (64, 48)

    Two styles mixed, three parts to one:

    >>> mixed = stylizer(photo, [painting, photo.rotate(180)], weights=[3, 1])

    The photograph's colours kept: its own chroma, or a painting that takes its colours:

    >>> own_chroma = stylizer(photo, painting, keep_colors="luminance")
    >>> own_palette = stylizer(photo, painting, keep_colors="histogram")

    The left half painted, the right half as it was; a blurred mask would give a soft edge:

    >>> import numpy as np
    >>> mask = np.zeros((48, 64))
    >>> mask[:, :32] = 1
    >>> half = stylizer(photo, painting, mask=mask)
    >>> half.getpixel((63, 0)) == photo.getpixel((63, 0))
    True

    A style that is used often is encoded once:

    >>> style = stylizer.encode_style(painting)
    >>> results = [stylizer(content, style) for content in (photo, photo.rotate(90))]

    What is wrong is said in one line:

    >>> stylizer(photo, painting, alpha=2)
    Traceback (most recent call last):
    datnet.errors.DatNetError: alpha is 2; it must be between 0 and 1

    Args:
        checkpoint: A ``network.safetensors`` that `datnet train` wrote or its run's folder, or
            a published network, such as "microast", or a method without training, such as "gatys",
            see :func:`datnet.zoo.lookup.network_file`; by default the network that comes with
            DatNet.
        device: Where to compute, such as "cpu" or "cuda:1"; by default a GPU if there is one.
        dtype: "float32", or "bfloat16" or "float16" for the convolutions, which new GPUs compute
            much faster in 16 bits. Attention and statistics stay in float32.
        steps: Of a method that optimises the pixels, such as "gatys"; by default its own number.

    Attributes:
        description: What the network is and how it was trained.
        network: The network itself.
        device: Where it is.

    Raises:
        DatNetError: If the network or its encoder's weights cannot be found, or the device is none
            of this machine or has no such dtype, or steps do not fit the network.
    """

    @torch.inference_mode(False)  # moving the network to a device makes tensors, too
    def __init__(
        self,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str = "float32",
        steps: int | None = None,
    ) -> None:
        if checkpoint is None and DEFAULT_NETWORK not in shipped_names():
            raise DatNetError(
                "no trained network comes with this version of DatNet; name one with "
                "--checkpoint (Stylizer(checkpoint) in Python). `make reproduce-table3` and "
                "`datnet train` write RUN_DIR/network.safetensors"
            )
        if checkpoint is not None and not str(checkpoint):
            raise DatNetError("checkpoint is an empty name; name a network, or leave it out")
        path = network_file(checkpoint) if checkpoint else shipped_file(DEFAULT_NETWORK)
        self.description = read_description(path)
        self.device = choose_device(device)
        if dtype not in DTYPES:
            raise DatNetError(f"dtype is {dtype}; it can be {', '.join(DTYPES)}")
        self.dtype = dtype
        self.network: StyleTransferNetwork = load_network(path).to(self.device)
        if steps is not None:
            if not isinstance(self.network, OptimisationMethod):
                raise DatNetError(
                    f"{self.description.name} paints in one go, without steps; leave them out"
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
            painting: The painting. Transparency is laid over white.
            size: Shorter side to which it is resized. By default it keeps its size, but where it is
                larger than the contents it is reduced to them, so that its strokes keep their
                proportion to the picture.
            content_side: Shorter side of the contents; without effect if ``size`` is given.

        Returns:
            The style, as :meth:`__call__` takes it. It can be shared between threads.

        Raises:
            DatNetError: If the file cannot be read, the picture is too small or there is not
                enough memory.
        """
        check_side("style_size", size)
        with enough_memory():
            return self._encode(open_style(painting, size, content_side))

    def __call__(
        self,
        content: Picture,
        style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
        alpha: float = 1.0,
        size: int | None = None,
        **settings: Any,
    ) -> Image.Image:
        """Stylize one content.

        Args:
            content: The photograph. Its transparency is kept; what cannot be seen is white to the
                network.
            style: The painting, or a list of paintings to be mixed; each may be encoded already.
            alpha: Strength of the style in [0, 1].
            size: Shorter side of the result; by default that of the content.
            **settings: The other fields of :class:`~datnet.stylize.options.StylizeOptions`:
                weights, style_size, keep_colors, mask, regions.

        Returns:
            The stylized photograph, sRGB, of mode RGB, or RGBA if a pixel of the content is
            transparent, without metadata.

        Raises:
            DatNetError: If a file cannot be read, a picture is too small, a value is out of range
                or there is not enough memory.
        """
        return self.stylize(content, style, StylizeOptions(alpha=alpha, size=size, **settings))

    @torch.inference_mode()
    def stylize(
        self,
        content: Picture,
        style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
        options: StylizeOptions,
    ) -> Image.Image:
        """Stylize one content with settings that are made already, see :meth:`__call__`."""
        styles = as_list(style)
        options.check_styles(len(styles))
        regions = None if options.regions is None else self._open_regions(options.regions)
        with enough_memory():
            photograph, _ = open_picture(content, "content", options.size)
            if options.size is not None:
                photograph = resize_short_side(photograph, options.size)
            opacity = photograph.getchannel("A") if photograph.mode == "RGBA" else None
            pixels = to_tensor(visible(photograph)).to(self.device)
            colors = visible_colors(pixels, opacity) if options.keep_colors == "histogram" else None
            encoded = [
                self._style_for(each, options.style_size, min(photograph.size), colors)
                for each in styles
            ]
            # A network may tint a gray painting of a gray photograph.
            gray = options.keep_colors is not None and is_gray(pixels)
            chroma_of = pixels if options.keep_colors == "luminance" or gray else None
            with precision(self.device, self.dtype):
                features = self.network.encode_content(pixels[None])
            generate = partial(
                self._generate, features, pixels.shape[1:], options.alpha, chroma_of, regions
            )
            if options.mask is None:
                result = generate(encoded, options.shares(len(encoded)))
            else:
                white = generate(encoded[:1], [1.0])
                black = generate(encoded[1:], [1.0]) if len(encoded) == 2 else pixels
                mask = open_mask(options.mask).resize(photograph.size, Image.Resampling.BILINEAR)
                result = torch.lerp(
                    black, white, torch.from_numpy(np.array(mask)).to(self.device) / 255
                )
            image = to_image(result)
            if opacity is not None:
                image.putalpha(opacity)
            return image

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
        """Encode a style unless it is, with the colours ``(3, N)`` of a content if they are given.

        A style that is encoded already has to be encoded again for every content's colours.
        """
        if isinstance(style, EncodedStyle):
            if style.network is not self.network:
                raise DatNetError(
                    "this style was encoded by another Stylizer; encode it with the one that paints"
                )
            if style_size is not None and style_size != min(style.picture.size):
                raise DatNetError(
                    f"style_size is {style_size}, but the style is encoded already, at "
                    f"{min(style.picture.size)}; give the size to encode_style"
                )
            if colors is None:
                return style
            picture = style.picture
        else:
            picture = open_style(style, style_size, content_side)
        if colors is not None:
            picture = to_image(match_colors(to_tensor(picture), colors))
        return self._encode(picture)

    def _generate(
        self,
        content_features: list[Tensor],
        size: Sequence[int],
        alpha: float,
        chroma_of: Tensor | None,
        regions: tuple[Image.Image, Image.Image] | None,
        styles: list[EncodedStyle],
        shares: list[float],
    ) -> Tensor:
        """RGB ``(3, *size)`` in [0, 1], with the chroma of ``chroma_of`` if it is given."""
        features = [style.features for style in styles]
        with precision(self.device, self.dtype):
            if regions is None:
                painted = self.network.generate_mixed(
                    content_features, features, shares, size, alpha
                )
            else:
                painted = self._generate_by_region(
                    content_features, styles[0], regions, size, alpha
                )
        if not painted.isfinite().all():
            raise DatNetError(
                f"the network {self.description.name} paints values that are no numbers; "
                "its training has failed, use another one"
            )
        result = painted[0].float().clamp(0, 1)
        return result if chroma_of is None else keep_chroma(result, chroma_of)

    def _open_regions(self, regions: tuple[Picture, Picture]) -> tuple[Image.Image, Image.Image]:
        """Read pictures of regions, of the content and of the style, that go together."""
        if not isinstance(self.network, CAPVSTNet):
            raise DatNetError(
                f"{self.description.name} cannot paint by regions, only CAP-VSTNet can; a mask "
                "places a style with every network"
            )
        of_content, of_style = map(open_regions, regions)
        labels, others = (region_labels(each, each.size) for each in (of_content, of_style))
        if not torch.isin(labels, others).any():
            raise DatNetError(
                "the content's regions and the style's have no colour in common; a region is "
                "painted like the style's region of the same colour"
            )
        return of_content, of_style

    def _generate_by_region(
        self,
        content_features: list[Tensor],
        style: EncodedStyle,
        regions: tuple[Image.Image, Image.Image],
        size: Sequence[int],
        alpha: float,
    ) -> Tensor:
        """Paint every region like the style's of the same colour, ``(1, 3, *size)``."""
        assert isinstance(self.network, CAPVSTNet)  # _open_regions has seen to that
        of_content, of_style = regions
        painting = to_tensor(style.picture)[None].to(self.device)
        return self.network.generate_by_region(
            content_features,
            self.network.encode(painting),
            region_labels(of_content, (size[1], size[0])).to(self.device),
            region_labels(of_style, style.picture.size).to(self.device),
            size,
            alpha,
        )


def as_list(
    style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
) -> list[Picture | EncodedStyle]:
    """One style, or several, as a list."""
    if isinstance(style, str | Path | Image.Image | np.ndarray | Tensor | EncodedStyle):
        return [style]
    return list(style)


def with_open_pictures(options: StylizeOptions) -> StylizeOptions:
    """The same settings with the mask and the regions read, for many contents.

    Raises:
        DatNetError: If a file cannot be read.
    """
    mask = None if options.mask is None else open_mask(options.mask)
    regions = options.regions and (
        open_regions(options.regions[0]),
        open_regions(options.regions[1]),
    )
    return replace(options, mask=mask, regions=regions)


def visible_colors(pixels: Tensor, opacity: Image.Image | None) -> Tensor:
    """Colors ``(3, N)`` of the pixels that can be seen; of all where none can."""
    colors = pixels.cpu().flatten(1)
    if opacity is None or opacity.getextrema() == (0, 0):
        return colors
    return colors[:, torch.from_numpy(np.array(opacity).ravel() > 0)]


@contextmanager
def enough_memory() -> Iterator[None]:
    """Say in one line that memory ran out.

    Raises:
        DatNetError: If it did.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch's own errors are RuntimeErrors
        if not ran_out_of_memory(error):
            raise
        raise DatNetError(
            "there is not enough memory for pictures of this size; choose a smaller size or "
            "style_size"
        ) from error
