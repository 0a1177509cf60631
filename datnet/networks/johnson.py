"""One network per style: Perceptual Losses for Real-Time Style Transfer and Super-Resolution.

Justin Johnson, Alexandre Alahi and Li Fei-Fei, ECCV 2016, arXiv 1603.08155; with the instance
normalization of Dmitry Ulyanov, Andrea Vedaldi and Victor Lempitsky, arXiv 1607.08022.
"""

from __future__ import annotations

from collections.abc import Sequence

from datnet.networks.transformer_net import TransformerNet


class Johnson(TransformerNet):
    """The image transformation network, trained for a single painting. 1 679 235 parameters.

    Differences from the authors' code: every convolution pads by reflection, where theirs pads the
    image by 40 pixels and lets the residual blocks shrink it; resize-convolutions in place of
    fractionally strided ones, which leave checkerboards; the output, a scaled tanh in pixels of
    Caffe, is a sigmoid, the same curve in [0, 1].

    Args:
        paintings: Name of the painting.
    """

    most_paintings = 1

    def __init__(self, paintings: Sequence[str] = ("painting",)) -> None:
        super().__init__(paintings, normalize_output=False)
