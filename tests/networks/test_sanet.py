from __future__ import annotations

import torch

from datnet.networks.sanet import StyleAttention, merge_levels
from tests.helpers import naive


@torch.no_grad()
def test_style_attention_against_its_formula() -> None:
    """Keys are normalized, values are not, and products have no scale, SANet eq. (6)."""
    torch.manual_seed(0)
    module = StyleAttention(4)
    content, style = torch.randn(2, 4, 3, 5) * 3 + 1, torch.randn(2, 4, 6, 2) - 1
    output = module(content, style)
    for image in range(2):
        ours, theirs = naive.maps([content, style], image)
        projected = [
            naive.conv1x1(features, layer.weight, layer.bias)
            for features, layer in (
                (naive.normalize(ours), module.query),
                (naive.normalize(theirs), module.key),
                (theirs, module.value),
            )
        ]
        mean, _ = naive.attend(*projected)
        expected = naive.conv1x1(mean, module.out.weight, module.out.bias) + ours
        torch.testing.assert_close(
            output[image].double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-5
        )


def test_levels_merge_where_sides_are_odd() -> None:
    level4, level5 = torch.zeros(1, 1, 3, 4), torch.arange(4.0).view(1, 1, 2, 2)
    merged = merge_levels(level4, level5)
    assert merged.tolist() == [[[[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3]]]]
