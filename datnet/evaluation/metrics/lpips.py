"""LPIPS, the perceptual distance of two images by features of a classification network.

Zhang, Isola, Efros, Shechtman, Wang, *The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric*, CVPR 2018, version 0.1 as in the package ``lpips``, which contains the learned
channel weights. The backbone's ImageNet weights come from ``datnet.zoo.backbones``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from datnet.evaluation.metrics import shared_vgg
from datnet.evaluation.metrics.features import ENCODER, maps
from datnet.evaluation.metrics.metric import Metric, Picture
from datnet.networks.vgg import VggEncoder
from datnet.zoo.backbones import load_weights

_BACKBONES = {"alex": "alexnet", "vgg": "vgg16"}


class PerceptualDistance(nn.Module):
    """LPIPS 0.1 of image pairs: 0 for equal images, about 0.1 to 0.8 for style transfer results.

    The network is frozen and stays in evaluation mode; gradients reach the images. It computes in
    float32, also under autocast.

    Args:
        network: ``"alex"`` (AlexNet, the usual choice for reporting) or ``"vgg"`` (VGG-16).
        weights: File with the backbone's weights; by default ``datnet.zoo.backbones`` finds or
            downloads ``alexnet`` or ``vgg16``.

    Raises:
        ValueError: If ``network`` is neither.
        DatNetError: If the weights are missing and cannot be downloaded.
    """

    def __init__(self, network: str = "alex", weights: Path | str | None = None) -> None:
        super().__init__()
        if network not in _BACKBONES:
            raise ValueError(f"network must be 'alex' or 'vgg', got {network!r}")
        self.network = network
        self.metric = _build_lpips(network, load_weights(_BACKBONES[network], weights))
        self.requires_grad_(False)
        self.eval()

    def forward(self, images: Tensor, references: Tensor) -> Tensor:
        """Measure the distance of each image to its reference.

        Args:
            images: RGB in [0, 1], shape ``(B, 3, H, W)``, H and W at least 32.
            references: Same shape and range.

        Returns:
            Distances, at least 0, shape ``(B,)``, float32.

        Raises:
            ValueError: If a shape or a value range is another.
        """
        if images.shape != references.shape or images.ndim != 4:
            raise ValueError(
                "images and references must both have shape (B, 3, H, W), "
                f"got {tuple(images.shape)} and {tuple(references.shape)}"
            )
        return self.between(self.features(images), self.features(references))

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of five layers, normalized to unit length at each position.

        They take most of the time, so that keeping them for reuse pays off.

        Args:
            images: RGB in [0, 1], shape ``(B, 3, H, W)``, H and W at least 32.

        Raises:
            ValueError: If a shape or a value range is another.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must have shape (B, 3, H, W), got {tuple(images.shape)}")
        if min(images.shape[2:]) < 32:
            raise ValueError(f"images must be at least 32 × 32, got {tuple(images.shape[2:])}")
        low, high = torch.stack(images.detach().aminmax()).tolist()
        if not (low >= 0 and high <= 1):  # NaN fails both
            raise ValueError(f"images must lie in [0, 1], got [{low:g}, {high:g}]")
        with torch.autocast(images.device.type, enabled=False):
            return [_unit_length(features) for features in self.metric.net(self.normalize(images))]

    def features_with(
        self, encoder: nn.Module, images: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Feature maps of an encoder along with :meth:`features`, in little more than one pass.

        Args:
            encoder: If it is a :class:`VggEncoder` with the weights of this VGG-16, both share a
                pass.
            images: As for :meth:`features`.

        Returns:
            The encoder's maps, which are exactly its own, and the features, to about 1e-5 of the
            largest one.
        """
        convolutions = tuple(
            layer for layer in self.metric.net.modules() if isinstance(layer, nn.Conv2d)
        )
        scales = shared_vgg.channel_scales(encoder, convolutions)
        if scales is None or not shared_vgg.fits(images):
            return encoder(images), self.features(images)
        assert isinstance(encoder, VggEncoder)  # else it has no scales
        maps, features = shared_vgg.shared_features(
            encoder, convolutions, scales, images, self.normalize(images)
        )
        return maps, [_unit_length(each) for each in features]

    def normalize(self, images: Tensor) -> Tensor:
        """Return images ``(B, 3, H, W)`` in [0, 1] as the first convolution takes them."""
        return self.metric.scaling_layer(2 * images.float() - 1)

    def between(self, features: Sequence[Tensor], references: Sequence[Tensor]) -> Tensor:
        """Compute the distances of images to references from their features.

        Args:
            features: From :meth:`features`, of the images.
            references: From :meth:`features`, of the references.

        Returns:
            Distances, at least 0, shape ``(B,)``, float32.
        """
        with torch.autocast(features[0].device.type, enabled=False):
            # The mean over positions before the weighted sum over channels: both are linear.
            distances = [
                weigh((of_image - of_reference).square().mean((2, 3), keepdim=True)).flatten()
                for weigh, of_image, of_reference in zip(
                    self.metric.lins, features, references, strict=True
                )
            ]
            return torch.stack(distances).sum(0)

    def train(self, mode: bool = True) -> PerceptualDistance:
        """Stay in evaluation mode: dropout would make the metric random."""
        return super().train(False)


def _unit_length(features: Tensor) -> Tensor:
    length = features.square().sum(dim=1, keepdim=True).sqrt()
    return features / (length + 1e-10)


def _build_lpips(network: str, backbone: dict[str, Tensor]) -> Any:  # lpips has no types
    """Build the package's network from the given convolutions and the package's channel weights."""
    import lpips  # imports torchvision, which takes a second

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # calls torchvision in a deprecated way
        # On the meta device the classifier, 0.5 GB that LPIPS never uses, takes neither memory
        # nor time. All other tensors get their values below; load_state_dict checks that.
        with torch.device("meta"):
            metric = lpips.LPIPS(net=network, pretrained=False, pnet_rand=True, verbose=False)
    state = torch.load(
        Path(lpips.__file__).parent / "weights" / "v0.1" / f"{network}.pth",
        map_location="cpu",
        weights_only=True,
    )
    for key in list(state):  # the package registers each "lin0" a second time as "lins.0"
        state[key.replace("lin", "lins.", 1)] = state[key]
    for key, value in lpips.ScalingLayer().state_dict().items():
        state[f"scaling_layer.{key}"] = value
    for key in metric.net.state_dict():  # "slice2.3.weight" is torchvision's "features.3.weight"
        state[f"net.{key}"] = backbone["features." + key.partition(".")[2]]
    metric.load_state_dict(state, assign=True)
    return metric


class Lpips(Metric):
    """LPIPS of result and content.

    Args:
        network: As in :class:`PerceptualDistance`.
    """

    better = "low"
    decimals = 4
    source = "Zhang et al., CVPR 2018"

    def __init__(self, network: str) -> None:
        self.network = network
        name = {"alex": "AlexNet", "vgg": "VGG"}[network]
        self.key = f"lpips_{network}"
        self.label = f"LPIPS ({name})"
        backbone = {"alex": "AlexNet", "vgg": "VGG-16"}[network]
        self.words = f"LPIPS v0.1 with {backbone} against the content image"
        self.networks = {self.key: lambda: PerceptualDistance(network)}
        if network == "vgg":  # also alone, so that its last digits do not depend on other metrics
            self.networks |= ENCODER

    def features(self, picture: Picture) -> list[Tensor]:
        """Return :meth:`PerceptualDistance.features` of a picture."""
        network = picture.networks[self.key]
        if not (self.network == "vgg" and isinstance(network, PerceptualDistance)):
            return cast(PerceptualDistance, network).features(picture.pixels)
        of_encoder, features = network.features_with(picture.networks["encoder"], picture.pixels)
        picture.keep(maps, of_encoder)
        return features

    def prepare_content(self, content: Picture) -> list[Tensor]:
        return content.once(self.features)

    def measure(self, result: Picture, content: list[Tensor], style: None) -> float:
        network = cast(PerceptualDistance, result.networks[self.key])
        return network.between(result.once(self.features), content).item()
