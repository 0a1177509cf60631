"""Fast attention, the low-rank products and balanced groups it is made of, and fused kernels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datnet.networks.ops import fast_attention
from datnet.networks.ops.balanced_tree import balanced_groups
from datnet.networks.ops.fast_attention import fast_attention_mean
from datnet.networks.ops.fused_attention import fused_attention_mean
from datnet.networks.ops.low_rank import low_rank_products


def naive(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return value @ torch.softmax(query.mT @ key, dim=2).mT


def inputs(
    queries: int = 300, keys: int = 500, channels: int = 40, rank: int = 40, sharpness: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Two images whose products have the given rank; all queries prefer some keys."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.linalg.qr(torch.randn(channels, rank, generator=generator)).Q
    query = spread @ torch.randn(2, rank, queries, generator=generator) * sharpness
    key = spread @ torch.randn(2, rank, keys, generator=generator)
    offset = torch.randn(1, channels, 1, generator=generator)
    return query + 0.3, key + offset, torch.randn(2, 7, keys, generator=generator)


@pytest.fixture(autouse=True)
def few_keys_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_attention, "FEWEST_KEYS", 64)


def test_with_all_keys_it_is_exact_attention() -> None:
    tensors = inputs()
    torch.testing.assert_close(
        fast_attention_mean(*tensors, share=1), naive(*tensors), rtol=1e-4, atol=1e-5
    )


def test_a_quarter_of_the_keys_suffices_for_sharp_attention_of_low_rank() -> None:
    query, key, value = inputs(queries=1000, keys=2000, rank=5, sharpness=2.5)
    exact = naive(query, key, value)
    error = (fast_attention_mean(query, key, value, share=0.25, rank=8) - exact).norm()
    chosen = torch.randperm(2000, generator=torch.Generator().manual_seed(1))[:500]
    at_random = (naive(query, key[..., chosen], value[..., chosen]) - exact).norm()
    assert error < 0.05 * exact.norm()
    assert error < at_random / 10


def test_more_keys_are_closer_to_exact_attention() -> None:
    tensors = inputs(queries=1000, keys=2000, rank=8)
    exact = naive(*tensors)
    errors = [
        (fast_attention_mean(*tensors, share=share, rank=16) - exact).norm().item()
        for share in (0.05, 0.1, 0.3, 1)
    ]
    assert errors == sorted(errors, reverse=True)


def test_it_is_deterministic_and_treats_images_one_by_one() -> None:
    tensors = inputs()
    both = fast_attention_mean(*tensors, share=0.2)
    assert torch.equal(both, fast_attention_mean(*tensors, share=0.2))
    for index in range(2):
        alone = fast_attention_mean(*(each[index, None] for each in tensors), share=0.2)
        assert torch.equal(alone[0], both[index])


def test_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    fast_attention_mean(*inputs(), share=0.2)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("queries", [1, 2, 127, 128, 129, 300, 1025])
@pytest.mark.parametrize("keys", [1, 63, 65, 200])
def test_every_number_of_positions_works(queries: int, keys: int) -> None:
    query, key, value = inputs(queries, keys)
    result = fast_attention_mean(query, key, value, share=0.5)
    assert result.shape == (2, 7, queries)
    assert result.isfinite().all()
    if keys <= fast_attention.FEWEST_KEYS:
        torch.testing.assert_close(result, naive(query, key, value), rtol=1e-4, atol=1e-5)


def test_a_style_of_one_color_gives_its_value() -> None:
    query, _, _ = inputs()
    key, value = torch.full((2, 40, 500), 3.0), torch.full((2, 7, 500), 0.25)
    result = fast_attention_mean(query, key, value)
    torch.testing.assert_close(result, torch.full_like(result, 0.25))


def test_very_sharp_attention_stays_finite() -> None:
    query, key, value = inputs(sharpness=1000)
    result = fast_attention_mean(query, key, value, share=0.2)
    assert result.isfinite().all()
    assert result.abs().max() <= value.abs().max() + 1e-5


def test_many_keys_are_scored_in_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best clusters of copies of a key are those that hold the best keys."""
    query, key, value = inputs(keys=128)
    copies = torch.randperm(3 * 128, generator=torch.Generator().manual_seed(2)) % 128
    scored = []
    best_clusters = fast_attention._best_clusters

    def watch(queries: Tensor, clusters: Tensor, count: int, memory: Tensor) -> Tensor:
        scored.append((len(clusters), count))
        return best_clusters(queries, clusters, count, memory)

    monkeypatch.setattr(fast_attention, "_best_clusters", watch)
    monkeypatch.setattr(fast_attention, "MOST_CLUSTERS", 128)
    monkeypatch.setattr(fast_attention, "FEWEST_KEYS", 1)
    apart = fast_attention_mean(query, key, value, share=0.25)
    together = fast_attention_mean(query, key[..., copies], value[..., copies], share=0.25)
    assert set(scored) == {(128, 32)}  # 32 keys, 32 clusters of 3
    torch.testing.assert_close(together, apart, rtol=1e-3, atol=1e-4)


def test_keys_that_fill_up_a_cluster_do_not_count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = inputs(keys=150)
    monkeypatch.setattr(fast_attention, "MOST_CLUSTERS", 64)  # of 3 keys, 42 of them again
    result = fast_attention_mean(query, key, value, share=1)
    torch.testing.assert_close(result, naive(query, key, value), rtol=1e-3, atol=1e-4)


def test_clusters_are_scored_by_what_they_hold() -> None:
    """Keys that fill up a cluster change neither its mean nor its weight."""
    scored, held = torch.rand(3, 5), torch.rand(3)
    clusters = torch.tensor([[0, 1], [2, 0]])
    biases = torch.stack([held[:2], torch.stack([held[2], held.new_tensor(-torch.inf)])])
    result = fast_attention._scored_clusters(scored, clusters, biases)
    torch.testing.assert_close(result[:, :5], torch.stack([scored[:2].mean(0), scored[2]]))
    torch.testing.assert_close(
        result[:, 5].exp(), torch.stack([held[:2].exp().sum(), held[2].exp()])
    )
    assert (result[:, 6] == 1).all()


def test_no_more_than_so_many_keys_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = inputs(keys=150)
    monkeypatch.setattr(fast_attention, "FEWEST_KEYS", 1)
    expected = fast_attention_mean(query, key, value, share=0.1)
    monkeypatch.setattr(fast_attention, "MOST_KEYS", 15)
    assert torch.equal(fast_attention_mean(query, key, value, share=1), expected)


def test_low_rank_products_are_the_best_there_are() -> None:
    """Compared with the singular values of the product of the second moments' roots."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.linspace(3, 0.01, 30, dtype=torch.double)
    queries = torch.randn(400, 30, generator=generator, dtype=torch.double) * scale
    keys = torch.randn(500, 30, generator=generator, dtype=torch.double) * scale.sqrt()
    exact = queries @ keys.T
    small_queries, small_keys = low_rank_products(queries, keys, 10)
    error = (small_queries @ small_keys.T - exact).norm()
    _, singular, _ = torch.linalg.svd(exact)
    assert error < 1.1 * singular[10:].norm()  # nothing of rank 10 is nearer than 1.0
    moments = [(each.T @ each / len(each)) for each in (small_queries, small_keys)]
    torch.testing.assert_close(moments[0].diagonal(), moments[1].diagonal(), rtol=0.1, atol=0)
    full = low_rank_products(queries, keys, 100)
    torch.testing.assert_close(full[0] @ full[1].T, exact)


@pytest.mark.parametrize(("points", "groups"), [(64, 8), (61, 8), (100, 1), (5, 4), (9, 8)])
def test_groups_have_equal_sizes_and_every_point_once(points: int, groups: int) -> None:
    members = balanced_groups(
        torch.randn(points, 6, generator=torch.Generator().manual_seed(0)), groups
    )
    assert members.shape == (groups, -(-points // groups))
    assert sorted(members.flatten().tolist()) == list(range(members.numel()))


def test_groups_are_separated_along_the_main_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    clusters = torch.randn(4, 1, 6, generator=generator) * 10
    points = (clusters + torch.randn(4, 16, 6, generator=generator)).flatten(0, 1)
    shuffled = torch.randperm(64, generator=generator)
    groups = shuffled[balanced_groups(points[shuffled], 4)] // 16
    assert sorted(groups[:, 0].tolist()) == [0, 1, 2, 3]
    assert (groups == groups[:, :1]).all()


@pytest.mark.parametrize("rank", [40, 100])
def test_fused_kernels_give_the_same_as_exact_attention(rank: int) -> None:
    """In up to 127 dimensions nothing is lost; values come in slices of 128 channels."""
    query, key, _ = inputs(channels=200, rank=rank, sharpness=0.5)
    value = torch.randn(2, 150, 500, generator=torch.Generator().manual_seed(1))
    result = fused_attention_mean(query, key, value)
    torch.testing.assert_close(result, naive(query, key, value), rtol=1e-3, atol=1e-4)
