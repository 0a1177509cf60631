from __future__ import annotations

import torch

from datnet.networks.adain import adaptive_instance_norm
from tests.helpers import naive


def test_adaptive_instance_norm_against_its_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    content = torch.randn(2, 3, 5, 7, generator=generator) * 4 + 1
    style = torch.randn(2, 3, 6, 4, generator=generator) - 2
    content[:, 1], style[:, 2] = 0.5, 3.0  # a constant channel of each
    output = adaptive_instance_norm(content, style)
    for image in range(2):
        ours, theirs = naive.maps([content, style], image)
        expected = torch.from_numpy(naive.adain(ours, theirs)).float()
        torch.testing.assert_close(output[image], expected, rtol=1e-4, atol=1e-5)
