"""Base classes of methods without training."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from datnet.networks.base import StyleTransferNetwork
from datnet.networks.vgg import VggEncoder


class TrainingFreeNetwork(StyleTransferNetwork):
    """A method that needs a frozen encoder only, or what follows from it in closed form.

    Args:
        encoder: The frozen encoder.
    """

    def __init__(self, encoder: VggEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def prepare(self, photographs: Iterable[Tensor]) -> None:
        """Compute, once, what the method needs besides the encoder; by default nothing.

        Args:
            photographs: Each ``(1, 3, H, W)`` in [0, 1], with sides of at least 64.
        """


class OptimizationMethod(TrainingFreeNetwork):
    """A method that optimizes the pixels of each output image.

    Each step takes a forward and a backward pass through the encoder. No gradient flows from the
    result to the encoded images.

    Args:
        encoder: The frozen encoder.
        steps: Optimization steps per image.

    Raises:
        ValueError: If ``steps`` is not positive.
    """

    def __init__(self, encoder: VggEncoder, steps: int) -> None:
        super().__init__(encoder)
        if steps < 1:
            raise ValueError(f"steps is {steps}; it must be at least 1")
        self.steps = steps
