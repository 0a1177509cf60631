from __future__ import annotations

import pytest
import torch

from datnet.networks.ops import attention_map
from datnet.networks.ops.attention_map import attention_statistics, attention_weights


@pytest.mark.parametrize("heads", [1, 3])
def test_statistics_equal_those_of_the_whole_matrix(
    heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed in blocks of a few queries, which do not divide their number."""
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(heads, 6, 5, 7, generator=generator)
    keys = torch.randn(heads, 6, 4, 3, generator=generator)
    monkeypatch.setattr(attention_map, "WEIGHTS_PER_BLOCK", 8 * heads * 12)
    found = attention_statistics(queries, keys)

    logits = torch.einsum("hkn,hkm->hnm", queries.flatten(2), keys.flatten(2)).double()
    weights = logits.softmax(dim=2).mean(dim=0)  # (35, 12)
    rows = torch.arange(12).div(3, rounding_mode="floor").double()
    columns = torch.arange(12).remainder(3).double()
    strongest = weights.argmax(dim=1)
    expected = torch.stack([rows[strongest], columns[strongest]], dim=1).view(5, 7, 2)
    assert torch.equal(found.strongest, expected.long())
    means = torch.stack([weights @ rows, weights @ columns], dim=1).view(5, 7, 2)
    torch.testing.assert_close(found.mean.double(), means, rtol=1e-4, atol=1e-5)
    entropy = -(weights * weights.log2()).sum(dim=1).view(5, 7)
    torch.testing.assert_close(found.entropy.double(), entropy, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        found.share.double(), weights.mean(dim=0).view(4, 3), rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(
        attention_weights(queries.flatten(2)[:, :, [3, 9]], keys).double(),
        weights[[3, 9]].view(2, 4, 3),
        rtol=1e-4,
        atol=1e-6,
    )


def test_limits_of_entropy() -> None:
    """0 for one-hot attention, whose weights underflow; the logarithm for equal weights."""
    one_hot = attention_statistics(
        1e4 * torch.eye(4)[None].view(1, 4, 2, 2), torch.eye(4)[None].view(1, 4, 2, 2)
    )
    assert torch.equal(one_hot.entropy, torch.zeros(2, 2))
    assert torch.equal(one_hot.strongest[1, 0], torch.tensor([1, 0]))
    equal = attention_statistics(torch.ones(1, 4, 2, 2), torch.ones(1, 4, 2, 8))
    torch.testing.assert_close(equal.entropy, torch.full((2, 2), 4.0))
