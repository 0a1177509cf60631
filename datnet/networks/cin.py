"""One network for several styles: A Learned Representation for Artistic Style.

Vincent Dumoulin, Jonathon Shlens and Manjunath Kudlur, ICLR 2017, arXiv 1610.07629.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from datnet.networks.ops.convolution import Convolution
from datnet.networks.transformer_net import TransformerNet

INITIAL_STD = 0.01


class CIN(TransformerNet):
    """The image transformation network with conditional instance normalization.

    All paintings share the convolutions. A painting has an embedding of 3206 numbers: scale and
    shift of each channel of each normalization, also of the output's. Styles mix by mixing
    embeddings, and a new painting is learnt by training its embedding alone.

    Args:
        paintings: Names of the paintings.
        embeddings_only: Whether only embeddings are trained, for new paintings of a network that
            knows others.
    """

    def __init__(
        self, paintings: Sequence[str] = ("painting",), embeddings_only: bool = False
    ) -> None:
        super().__init__(paintings, normalize_output=True)
        for module in self.modules():
            if isinstance(module, Convolution):
                nn.init.normal_(module.weight, std=INITIAL_STD)
                nn.init.zeros_(module.bias)
                module.requires_grad_(not embeddings_only)
