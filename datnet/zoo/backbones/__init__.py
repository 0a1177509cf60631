"""Finds, fetches and verifies pretrained ImageNet convolution weights.

``find_weights`` returns a file and ``load_weights`` its tensors, from a file of the user, the
cache or the internet. Nothing here imports torchvision, which is slow.
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
