from __future__ import annotations

import pytest

from datnet.networks.vgg import VggEncoder
from tests.helpers.golden_weights import fill


@pytest.fixture(scope="session")
def vgg19() -> VggEncoder:
    """The encoder of ../shared/golden/networks.npz."""
    encoder = VggEncoder("vgg19")
    fill(encoder, [f"vgg.{i}" for i in (2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42)])
    return encoder
