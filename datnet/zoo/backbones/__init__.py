"""Where pretrained ImageNet convolution weights come from, verified.

``find_weights`` gives a file and ``load_weights`` its tensors, from a file of the user's, the
cache or the network. Nothing here imports torchvision, so that finding weights is quick.
"""

from __future__ import annotations

from datnet.zoo.backbones.cache import cache_dir
from datnet.zoo.backbones.contents import BACKBONES, has_known_values
from datnet.zoo.backbones.resolve import WeightStatus, find_weights, load_weights, status

__all__ = [
    "BACKBONES",
    "WeightStatus",
    "cache_dir",
    "find_weights",
    "has_known_values",
    "load_weights",
    "status",
]
