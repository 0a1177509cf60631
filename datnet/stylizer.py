"""The Python way to use a trained network.

>>> from datnet import Stylizer
>>> stylizer = Stylizer("microast")  # doctest: +SKIP
>>> stylizer("photo.jpg", "painting.jpg").save("result.png")  # doctest: +SKIP

See :class:`Stylizer` for examples that run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import datnet
from datnet.colors import is_gray, keep_chroma, match_colors
from datnet.data.images import UnreadableImageError, over, to_image, to_tensor
from datnet.data.pictures import Origin, read_mask, read_picture, to_mask, to_picture
from datnet.devices import DTYPES, choose_device, precision, ran_out_of_memory
from datnet.errors import DatNetError
from datnet.networks.base import SMALLEST_SIDE, StyleTransferNetwork
from datnet.published import network_file
from datnet.saved_network import load_network, read_description

SHIPPED_NETWORK = Path(datnet.__file__).parents[1] / "pretrained" / "datnet_full.safetensors"

Picture = str | Path | Image.Image | np.ndarray | Tensor
"""A file, a Pillow image, an array ``(H, W, 3)`` or ``(H, W, 4)``, or a tensor ``(3, H, W)``.

Arrays and tensors are sRGB, of integers from 0 to 255 (uint8) or of floats from 0 to 1.
"""

DEFAULT_CONTENT_SIDE = 512
"""Shorter side of the contents that a style is encoded for, unless something else is said."""

MOST_PIXELS = 180_000_000

KEEP_COLORS = ("luminance", "histogram")


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
        checkpoint: A ``network.safetensors`` that `datnet train` wrote, or a published network,
            such as "microast", see :func:`datnet.published.network_file`; by default the network
            that comes with DatNet.
        device: Where to compute, such as "cpu" or "cuda:1"; by default a GPU if there is one.
        dtype: "float32", or "bfloat16" or "float16" for the convolutions, which new GPUs compute
            much faster in 16 bits. Attention and statistics stay in float32.

    Attributes:
        description: What the network is and how it was trained.
        network: The network itself.
        device: Where it is.

    Raises:
        DatNetError: If the network or its encoder's weights cannot be found, or the device is none
            of this machine or has no such dtype.
    """

    def __init__(
        self,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str = "float32",
    ) -> None:
        if checkpoint is None and not SHIPPED_NETWORK.exists():
            raise DatNetError(
                "no trained network comes with this version of DatNet; name one with "
                "--checkpoint (Stylizer(checkpoint) in Python). `make reproduce-table3` and "
                "`datnet train` write RUN_DIR/network.safetensors"
            )
        path = network_file(checkpoint or SHIPPED_NETWORK)
        self.description = read_description(path)
        self.device = choose_device(device)
        if dtype not in DTYPES:
            raise DatNetError(f"dtype is {dtype}; it can be {', '.join(DTYPES)}")
        self.dtype = dtype
        self.network: StyleTransferNetwork = load_network(path).to(self.device)

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

    @torch.inference_mode()
    def __call__(
        self,
        content: Picture,
        style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
        alpha: float = 1.0,
        size: int | None = None,
        *,
        weights: Sequence[float] | None = None,
        style_size: int | None = None,
        keep_colors: str | None = None,
        mask: Picture | None = None,
    ) -> Image.Image:
        """Paint one photograph.

        Args:
            content: The photograph. Its transparency is kept; what cannot be seen is white to the
                network.
            style: The painting, or a list of paintings to be mixed; each may be encoded already.
            alpha: Strength of the style in [0, 1].
            size: Shorter side of the result; by default that of the content.
            weights: A positive number for every painting of a list, of any sum; by default all
                count the same.
            style_size: Shorter side of the paintings, see :meth:`encode_style`. Larger gives larger
                strokes and patterns.
            keep_colors: "luminance" gives the result the content's chroma
                (:func:`datnet.colors.keep_chroma`), "histogram" gives the painting the content's
                colours before it is used (:func:`datnet.colors.match_colors`). With both a gray
                content gives a gray result.
            mask: Where to paint: white takes the first painting, black the second one, or leaves
                the content as it is if there is one painting, and gray blends the two results. It
                may be an array ``(H, W)``. It is stretched to the size of the result, and what is
                transparent in it counts as black.

        Returns:
            The painted photograph, sRGB, of mode RGB, or RGBA if a pixel of the content is
            transparent, without metadata.

        Raises:
            DatNetError: If a file cannot be read, a picture is too small, a value is out of range
                or there is not enough memory.
        """
        styles = as_list(style)
        check_settings(
            len(styles),
            alpha=alpha,
            size=size,
            weights=weights,
            style_size=style_size,
            keep_colors=keep_colors,
            mask=mask,
        )
        with enough_memory():
            photograph, _ = open_picture(content, "content", size)
            if size is not None:
                photograph = resize_short_side(photograph, size)
            opacity = photograph.getchannel("A") if photograph.mode == "RGBA" else None
            pixels = to_tensor(visible(photograph)).to(self.device)
            colors = None
            if keep_colors == "histogram":
                colors = pixels.cpu().flatten(1)
                if opacity is not None and opacity.getextrema() != (0, 0):
                    colors = colors[:, torch.from_numpy(np.array(opacity).ravel() > 0)]
            encoded = [
                self._style_for(each, style_size, min(photograph.size), colors) for each in styles
            ]
            # A network may give tints to a gray painting of a gray photograph.
            gray = keep_colors is not None and is_gray(pixels)
            chroma_of = pixels if keep_colors == "luminance" or gray else None
            with precision(self.device, self.dtype):
                features = self.network.encode_content(pixels[None])
            paint = partial(self._paint, features, pixels.shape[1:], alpha, chroma_of)
            if mask is None:
                shares = [1.0] * len(encoded) if weights is None else weights
                result = paint(encoded, [share / sum(shares) for share in shares])
            else:
                white = paint(encoded[:1], [1.0])
                black = paint(encoded[1:], [1.0]) if len(encoded) == 2 else pixels
                resized = open_mask(mask).resize(photograph.size, Image.Resampling.BILINEAR)
                shares_of_white = torch.from_numpy(np.array(resized)).to(self.device) / 255
                result = torch.lerp(black, white, shares_of_white)
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

    def _paint(
        self,
        content_features: list[Tensor],
        size: Sequence[int],
        alpha: float,
        chroma_of: Tensor | None,
        styles: list[EncodedStyle],
        shares: list[float],
    ) -> Tensor:
        """Paint RGB ``(3, *size)`` in [0, 1], with the chroma of ``chroma_of`` if it is given."""
        features = [style.features for style in styles]
        with precision(self.device, self.dtype):
            painted = self.network.generate_mixed(content_features, features, shares, size, alpha)
        if not painted.isfinite().all():
            raise DatNetError(
                f"the network {self.description.name} paints values that are no numbers; "
                "its training has failed, use another one"
            )
        result = painted[0].float().clamp(0, 1)
        return result if chroma_of is None else keep_chroma(result, chroma_of)


def as_list(
    style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
) -> list[Picture | EncodedStyle]:
    """One style, or several, as a list."""
    if isinstance(style, str | Path | Image.Image | np.ndarray | Tensor | EncodedStyle):
        return [style]
    return list(style)


def check_settings(
    styles: int,
    *,
    alpha: float = 1.0,
    size: int | None = None,
    weights: Sequence[float] | None = None,
    style_size: int | None = None,
    keep_colors: str | None = None,
    mask: Picture | None = None,
) -> None:
    """Refuse settings of :meth:`Stylizer.__call__` before anything is computed.

    Args:
        styles: How many there are.
        alpha: As for the Stylizer, and likewise all others.
        size: Shorter side of the result.
        weights: Of the styles.
        style_size: Shorter side of the paintings.
        keep_colors: None, "luminance" or "histogram".
        mask: Only whether there is one counts.

    Raises:
        DatNetError: If one is out of range, or two do not go together.
    """
    if styles < 1:
        raise DatNetError("no style is given; name at least one painting")
    if not 0 <= alpha <= 1:
        raise DatNetError(f"alpha is {alpha}; it must be between 0 and 1")
    check_side("size", size)
    check_side("style_size", style_size)
    if keep_colors is not None and keep_colors not in KEEP_COLORS:
        raise DatNetError(f'keep_colors is "{keep_colors}"; it can be {" or ".join(KEEP_COLORS)}')
    if mask is not None and styles > 2:
        raise DatNetError(f"a mask places one or two styles, not {styles}")
    if weights is None:
        return
    if len(weights) != styles:
        raise DatNetError(f"there are {styles} styles and {len(weights)} weights; give each one")
    for weight in weights:
        if not (weight > 0 and math.isfinite(weight)):
            raise DatNetError(
                f"the weight of a style is {weight:g}; it must be a positive number (leave a style "
                "out rather than give it 0)"
            )
    if mask is not None and styles == 2:
        raise DatNetError("a mask places the two styles, so they cannot have weights as well")


def check_side(name: str, side: int | None) -> None:
    """Refuse a shorter side that no network can paint.

    Raises:
        DatNetError: If it is below 32.
    """
    if side is not None and side < SMALLEST_SIDE:
        raise DatNetError(f"{name} is {side}; it must be at least {SMALLEST_SIDE}")


def open_picture(
    picture: Picture, role: str, at_least: int | None = None
) -> tuple[Image.Image, Origin]:
    """Read a file, or take what is given, see :func:`datnet.data.pictures.read_picture`.

    Args:
        picture: The picture.
        role: What it is used as, for messages.
        at_least: Shorter side that is needed; None for all pixels.

    Returns:
        An upright sRGB image of mode RGB or RGBA, and what its results are to keep.

    Raises:
        DatNetError: If it cannot be read, is no picture or has a side below 32.
    """
    name = f"the given {role}"
    if isinstance(picture, str | Path):
        name = str(picture)
        image, origin = read_picture(picture, at_least=at_least)
    else:
        image, origin = to_picture(as_pillow(picture, role))
    if min(image.size) < SMALLEST_SIDE:
        raise UnreadableImageError(
            name,
            f"it has {image.width} × {image.height} pixels; "
            f"both sides must be at least {SMALLEST_SIDE}",
        )
    return image, origin


def open_style(painting: Picture, size: int | None, content_side: int) -> Image.Image:
    """Read a painting at the size at which it is encoded, see :meth:`Stylizer.encode_style`.

    Raises:
        DatNetError: If it cannot be read, is no picture or has a side below 32.
    """
    picture, _ = open_picture(painting, "style", size or content_side)
    if picture.mode == "RGBA":
        picture = over(picture, "white")
    if size is not None or min(picture.size) > content_side:
        picture = resize_short_side(picture, size or content_side)
    return picture


def open_mask(mask: Picture) -> Image.Image:
    """Read a file, or take what is given, as a mask of mode L.

    Raises:
        DatNetError: If it cannot be read or is no picture.
    """
    return read_mask(mask) if isinstance(mask, str | Path) else to_mask(as_pillow(mask, "mask"))


def as_pillow(picture: Image.Image | np.ndarray | Tensor, role: str) -> Image.Image:
    """Turn an array or a tensor into an image; a mask may have one channel, or none.

    Raises:
        DatNetError: If it has another shape or type, or values out of range.
    """
    if isinstance(picture, Image.Image):
        picture.load()
        return picture
    if isinstance(picture, Tensor):
        values = picture.detach().cpu().float() if picture.is_floating_point() else picture.cpu()
        channels_last = values.movedim(0, -1) if values.ndim == 3 else values
        array, expected = channels_last.numpy(), "(3, H, W)"
    elif isinstance(picture, np.ndarray):
        array, expected = picture, "(H, W, 3) or (H, W, 4)"
    else:
        raise DatNetError(
            f"the {role} is of type {type(picture).__name__}; it must be a path, a Pillow image, "
            "an array or a tensor"
        )
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else 0
    if channels not in ((1, 3, 4) if role == "mask" else (3, 4)) or 0 in array.shape:
        raise DatNetError(
            f"the {role} has the shape {tuple(picture.shape)}; it must be {expected}"
            + (" or (H, W)" if role == "mask" else "")
        )
    if array.ndim == 3 and channels == 1:
        array = array[:, :, 0]
    if np.issubdtype(array.dtype, np.floating):
        # A comparison with NaN is false, so this refuses it as well.
        if not (array.min() >= 0 and array.max() <= 1):
            raise DatNetError(
                f"the {role} has values from {array.min():g} to {array.max():g}; "
                "floats must lie between 0 and 1 (divide by 255?)"
            )
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype == np.bool_ and role == "mask":
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        raise DatNetError(
            f"the {role} has values of type {array.dtype}; they must be uint8, 0 to 255, "
            "or floats, 0 to 1"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def visible(image: Image.Image) -> Image.Image:
    """The colours of an image of mode RGB or RGBA, white where it cannot be seen at all."""
    if image.mode == "RGB":
        return image
    seen = image.getchannel("A").point(lambda opacity: 255 if opacity else 0)
    return Image.composite(image.convert("RGB"), Image.new("RGB", image.size, "white"), seen)


def resize_short_side(image: Image.Image, short_side: int) -> Image.Image:
    """Resize with antialiasing, aspect kept.

    Raises:
        DatNetError: If the result would be too large for any machine.
    """
    scale = short_side / min(image.size)
    width, height = (max(short_side, round(side * scale)) for side in image.size)
    if width * height > MOST_PIXELS:
        raise DatNetError(
            f"a picture of {image.width} × {image.height} pixels would become {width} × {height}; "
            f"at most {MOST_PIXELS / 1e6:g} million pixels can be made, choose a smaller size"
        )
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


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
