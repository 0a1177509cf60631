"""Style transfer as data augmentation: train classifiers that look at shapes more than at texture.

Source of the idea: Geirhos et al., ImageNet-trained CNNs are biased towards texture, ICLR 2019,
arXiv 1811.12231; as an augmentation with random strength: Jackson et al., 2019, arXiv 1809.05375.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from datnet.devices import choose_device
from datnet.errors import DatNetError
from datnet.images.finding import find_images
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from datnet.images.tensors import to_image, to_tensor
from datnet.networks.base import SMALLEST_SIDE
from datnet.networks.training_free import OptimizationMethod
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network

STYLE_SIDE = 128


class StyleAugment(v2.Transform):
    """Stylizes images with random paintings and random strength, as a torchvision v2 transform.

    Takes PIL images, and tensors ``(C, H, W)`` or batches ``(B, C, H, W)`` of uint8 or of floats in
    [0, 1], in RGB with sides of at least 32. Each image of a batch gets its own painting and
    strength. Labels, boxes and masks stay as they are: stylization moves nothing.

    Random numbers are those of torch, so ``torch.manual_seed`` repeats them, and a DataLoader gives
    each worker its own. Can be pickled. In workers of a DataLoader use the CPU; on a GPU, apply it
    to whole batches in the training loop.

    >>> augment = StyleAugment("paintings/", probability=0.5)  # doctest: +SKIP
    >>> transform = v2.Compose([v2.RandomResizedCrop(224), augment])  # doctest: +SKIP

    Args:
        paintings: A folder of paintings, or files. They are encoded once, as squares of
            ``style_side`` pixels.
        checkpoint: The network, as for :class:`~datnet.stylize.stylizer.Stylizer`.
        probability: Share of the images that are stylized, in [0, 1].
        alpha: Smallest and largest strength, in [0, 1].
        style_side: Side of the paintings in pixels. For AdaIN a painting of 128 pixels takes 8 MB.
        device: Device of the network; "cpu" by default, as workers need.

    Raises:
        DatNetError: If the network or a painting cannot be used, or a value is out of range.
    """

    _transformed_types = (Image.Image, tv_tensors.Image, v2.functional.is_pure_tensor)

    @torch.inference_mode(False)
    def __init__(
        self,
        paintings: str | Path | Sequence[str | Path],
        checkpoint: str | Path = "adain",
        *,
        probability: float = 0.5,
        alpha: tuple[float, float] = (0.3, 1.0),
        style_side: int = STYLE_SIDE,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__()
        if not 0 <= probability <= 1:
            raise DatNetError(f"probability is {probability}; it must be between 0 and 1")
        if not 0 <= alpha[0] <= alpha[1] <= 1:
            raise DatNetError(f"alpha is {alpha}; give two values with 0 ≤ smallest ≤ largest ≤ 1")
        if style_side < SMALLEST_SIDE:
            raise DatNetError(f"style_side is {style_side}; it must be at least {SMALLEST_SIDE}")
        files = (
            find_images(paintings)
            if isinstance(paintings, str | Path)
            else [Path(each) for each in paintings]
        )
        if not files:
            raise DatNetError("no paintings are given; give at least one")
        self.device = choose_device(device)
        self.network = load_network(find_network(checkpoint)).to(self.device)
        if isinstance(self.network, OptimizationMethod):
            raise DatNetError(f"{checkpoint} takes minutes per image; use adain or microast")
        self.probability = probability
        self.alpha = alpha
        with torch.no_grad():
            self.bank = [
                [
                    feature.clone()
                    for feature in self.network.encode_style(
                        to_tensor(fit_square(read_image(file), style_side))[None].to(self.device)
                    )
                ]
                for file in files
            ]

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Stylize images; called by torchvision.

        Args:
            inpt: A PIL image, or a tensor ``(3, H, W)`` or ``(B, 3, H, W)``.
            params: Unused: each image has its own random numbers.

        Returns:
            The same kind, shape, dtype and device.

        Raises:
            ValueError: If an image is not RGB or has a side below 32.
        """
        if isinstance(inpt, Image.Image):
            return to_image(self._stylize(to_tensor(inpt.convert("RGB"))[None])[0])
        images = inpt.as_subclass(Tensor)
        if images.ndim not in (3, 4) or images.shape[-3] != 3:
            raise ValueError(f"expected (3, H, W) or (B, 3, H, W), not {tuple(images.shape)}")
        batch = images if images.ndim == 4 else images[None]
        pixels = v2.functional.to_dtype(batch, torch.float32, scale=True)
        result = self._stylize(pixels).reshape(images.shape)
        if images.dtype == torch.uint8:
            result = result.mul(255).round().to(torch.uint8)
        else:
            result = result.to(images.dtype)
        return tv_tensors.wrap(result, like=inpt) if isinstance(inpt, tv_tensors.Image) else result

    @torch.no_grad()
    def _stylize(self, images: Tensor) -> Tensor:
        """Stylize some of the images ``(B, 3, H, W)`` in [0, 1]."""
        if min(images.shape[2:]) < SMALLEST_SIDE:
            raise ValueError(
                f"the images have {images.shape[3]} × {images.shape[2]} pixels; both sides must be "
                f"at least {SMALLEST_SIDE}"
            )
        result = images.clone()
        for index in (torch.rand(len(images)) < self.probability).nonzero().flatten().tolist():
            style = self.bank[int(torch.randint(len(self.bank), ()))]
            alpha = float(torch.empty(()).uniform_(*self.alpha))
            image = images[index : index + 1].to(self.device)
            stylized = self.network.generate(
                self.network.encode_content(image), style, image.shape[2:], alpha
            )
            result[index] = stylized[0].float().clamp(0, 1).to(images.device)
        return result
