"""The objective of MANet (Deng et al., ACM Multimedia 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datnet.errors import DatNetError
from datnet.networks.manet import MANet
from datnet.objectives import terms
from datnet.objectives.base import Objective
from datnet.objectives.identity import ALL_LEVELS, ComparedResult, stylize_and_compare

DISENTANGLEMENT_LIMIT = 10.0
"""The disentanglement losses are 0 while the weighted content + style loss is at least this."""


class MANetObjective(Objective[MANet]):
    """SANet's losses and two disentanglement losses.

    Disentanglement: one content stylized with all styles of the batch should give the same content
    in all results, and one style on all contents the same style. Each result is compared with its
    neighbor in the batch, with gradients on both sides. The published script draws full batches
    instead of one content or one style, so it pulls unrelated images together, and it compares
    random permutations, which pair some images with themselves. Here the one content or style is
    the first image of the batch, and no image is compared with itself.

    Both losses are 0 in each batch whose weighted content and style losses sum to
    ``DISENTANGLEMENT_LIMIT`` or more, as published. They are 0 for a batch of one pair, which has
    no neighbor: this is allowed in validation and an error in training.

    Only results of one micro-batch in one process are compared: two processes with 4 pairs each are
    not equivalent to one with 8.

    Args:
        content: Weight of the content loss at normalized relu4_1 and relu5_1.
        global_style: Weight of the style loss at relu1_1 … relu5_1.
        identity_pixels: Weight of the pixel distance between an image and its reconstruction with
            itself as style, for content and style images.
        identity_features: Weight of the same distance in features of all levels.
        disentangled_content: Weight of the content distance between results of one content.
        disentangled_style: Weight of the style distance between results with one style.
    """

    compares_pairs = frozenset({"disentangled_content", "disentangled_style"})

    def __init__(
        self,
        content: float = 1.0,
        global_style: float = 5.0,
        identity_pixels: float = 50.0,
        identity_features: float = 1.0,
        disentangled_content: float = 1.0,
        disentangled_style: float = 1.0,
    ) -> None:
        super().__init__(
            {
                "content": content,
                "global_style": global_style,
                "identity_pixels": identity_pixels,
                "identity_features": identity_features,
                "disentangled_content": disentangled_content,
                "disentangled_style": disentangled_style,
            }
        )

    def terms(self, network: MANet, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """SANet's terms, and those of one content and of one style over the batch.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``content``, ``global_style``, ``identity_pixels``, ``identity_features``,
            ``disentangled_content`` and ``disentangled_style``, unweighted scalars; terms of weight
            0 are left out.

        Raises:
            DatNetError: If a training batch has a single pair.
        """
        disentangles = self.weights.keys() & {"disentangled_content", "disentangled_style"}
        if disentangles and network.training and len(content) == 1:
            raise DatNetError(
                "data.batch_size is 1, but MANet's disentanglement losses compare the results of "
                "a batch: set data.batch_size to 2 or more, or "
                "model.objective.disentangled_content and model.objective.disentangled_style to 0"
            )
        painting = stylize_and_compare(network, content, style, self.weights)
        result = dict(painting.terms)
        progress = sum(
            self.weights.get(name, 0.0) * result[name].detach()
            for name in ("content", "global_style")
        )
        active = torch.as_tensor(progress, device=content.device) < DISENTANGLEMENT_LIMIT
        # A GPU would have to wait for the losses: there both terms are computed in each step.
        on_cpu = content.device.type == "cpu"
        at_rest = len(content) == 1 or (on_cpu and not active)
        nothing = 0 * result["content"]
        for name, distance in (
            ("disentangled_content", disentangled_content),
            ("disentangled_style", disentangled_style),
        ):
            if name in self.weights:
                result[name] = (
                    nothing
                    if at_rest
                    else torch.where(active, distance(network, painting), nothing)
                )
        return {name: result[name] for name in self.weights}


def disentangled_content(network: MANet, painting: ComparedResult) -> Tensor:
    """Content distance between results of the first content with neighboring styles.

    Args:
        network: The network.
        painting: The stylized batch, for its encoded images.

    Returns:
        MSE of normalized relu4_1 and relu5_1, summed, a scalar.
    """
    content = [level[:1].expand_as(level) for level in painting.content_features]
    output = network.generate(content, painting.style_features, painting.output.shape[2:])
    features = network.encoder(output)
    return terms.normalized_content(features, _neighbors(features))


def disentangled_style(network: MANet, painting: ComparedResult) -> Tensor:
    """Style distance between results of neighboring contents with the first style.

    Args:
        network: The network.
        painting: The stylized batch, for its encoded images.

    Returns:
        Distance of channel means and standard deviations of all levels, a scalar.
    """
    style = [level[:1].expand_as(level) for level in painting.style_features]
    output = network.generate(painting.content_features, style, painting.output.shape[2:])
    features = network.encoder(output)
    return terms.global_style(features, _neighbors(features), ALL_LEVELS)


def _neighbors(features: Sequence[Tensor]) -> list[Tensor]:
    return [level.roll(1, dims=0) for level in features]
