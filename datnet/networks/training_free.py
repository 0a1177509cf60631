"""What methods that need no training have in common."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from datnet.networks.base import StyleTransferNetwork
from datnet.networks.vgg import VggEncoder


class TrainingFreeNetwork(StyleTransferNetwork):
    """A method that paints with a frozen encoder alone, or with what follows from it directly.

    Args:
        encoder: The frozen encoder.
    """

    def __init__(self, encoder: VggEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def prepare(self, photographs: Iterable[Tensor]) -> None:
        """Find, once, what the method needs beside the encoder; most need nothing.

        Args:
            photographs: Each ``(1, 3, H, W)`` in [0, 1], with sides of at least 64.
        """


class OptimisationMethod(TrainingFreeNetwork):
    """A method that paints by changing the pixels, step by step, until a loss is small.

    A painting costs as many passes through the encoder, forward and backward, as there are steps,
    and no gradient leads from the result to the encoded images.

    Args:
        encoder: The frozen encoder.
        steps: How many steps a painting takes.

    Raises:
        ValueError: If ``steps`` is not positive.
    """

    def __init__(self, encoder: VggEncoder, steps: int) -> None:
        super().__init__(encoder)
        if steps < 1:
            raise ValueError(f"steps is {steps}; it must be at least 1")
        self.steps = steps
