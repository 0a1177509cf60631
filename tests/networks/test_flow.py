from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from datnet.networks.flow import ActNorm, AdditiveCoupling, Flow, FlowStep, InvertibleMixing


@torch.no_grad()
def disturbed(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module with parameters other than those it starts with, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.add_(noise, alpha=0.02)
    return module.eval()


def small_flow() -> Flow:
    torch.manual_seed(0)
    return Flow(channels=3, blocks=2, steps=2)


@torch.no_grad()
@pytest.mark.parametrize(
    ("make", "channels"),
    [(ActNorm, 12), (InvertibleMixing, 12), (AdditiveCoupling, 12), (FlowStep, 12), (Flow, 3)],
)
def test_inverse_undoes_forward(make, channels: int) -> None:
    torch.manual_seed(0)
    layer = disturbed(make(channels))
    features = torch.randn(2, channels, 8, 12)
    assert (layer(features).flatten() - features.flatten()).abs().max() > 0.05
    torch.testing.assert_close(layer.inverse(layer(features)), features, rtol=0, atol=1e-4)
    layer.double()
    features = features.double()
    torch.testing.assert_close(layer.inverse(layer(features)), features, rtol=0, atol=1e-11)


@torch.no_grad()
def test_mixing_starts_as_a_rotation_and_stays_invertible() -> None:
    torch.manual_seed(0)
    layer = InvertibleMixing(12)
    identity = torch.eye(12)[:, :, None, None]
    matrix = layer(identity).flatten(1)
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(12))
    assert (matrix - torch.eye(12)).abs().max() > 0.1
    determinant = disturbed(layer)(identity).flatten(1).det().abs()
    torch.testing.assert_close(determinant, layer.log_diagonal.sum().exp())
    assert (determinant - 1).abs() > 0.01


def test_only_the_triangles_of_the_mixing_are_trained() -> None:
    layer = InvertibleMixing(12)
    layer(torch.randn(1, 12, 4, 4)).square().mul(torch.randn(1, 12, 4, 4)).sum().backward()
    assert torch.equal(layer.lower.grad, layer.lower.grad.tril(-1))
    assert torch.equal(layer.upper.grad, layer.upper.grad.triu(1))
    assert layer.lower.grad.tril(-1).count_nonzero() == layer.upper.grad.count_nonzero() == 66
    assert layer.log_diagonal.grad.count_nonzero() == 12


@torch.no_grad()
def test_coupling_starts_as_the_identity_and_keeps_the_first_half() -> None:
    features = torch.randn(1, 12, 8, 8)
    layer = AdditiveCoupling(12)
    assert torch.equal(layer(features), features)
    shifted = disturbed(layer)(features)
    assert torch.equal(shifted[:, :6], features[:, :6])
    assert not torch.equal(shifted[:, 6:], features[:, 6:])


def spread_out(seed: int) -> Tensor:
    """Features whose channels have means of -3 … 4 and standard deviations of 0.5 … 4."""
    generator = torch.Generator().manual_seed(seed)
    channel = torch.arange(8.0)[:, None, None]
    return torch.randn(4, 8, 6, 10, generator=generator) * (channel + 1) / 2 + channel - 3


@torch.no_grad()
def test_norm_is_initialised_by_the_first_training_batch_alone() -> None:
    layer = ActNorm(8)
    first, second = spread_out(0), 2 * spread_out(1) + 1

    layer.eval()
    assert torch.equal(layer(first), first)
    assert not layer.initialized

    output = layer.train()(first)
    torch.testing.assert_close(output.mean((0, 2, 3)), torch.zeros(8), rtol=0, atol=1e-5)
    torch.testing.assert_close(output.var((0, 2, 3), correction=0), torch.ones(8))

    state = copy.deepcopy(layer.state_dict())
    layer(second)
    assert all(torch.equal(layer.state_dict()[name], value) for name, value in state.items())

    loaded = ActNorm(8).train()
    loaded.load_state_dict(state)
    assert torch.equal(loaded(second), layer(second))
    assert torch.equal(loaded.loc, layer.loc)


def test_every_norm_of_a_flow_is_initialised() -> None:
    flow = small_flow()
    seen = {}
    for name, module in flow.named_modules():
        if isinstance(module, ActNorm):
            module.register_forward_hook(
                lambda m, i, output, name=name: seen.update({name: output})
            )
    flow(torch.rand(2, 3, 16, 16))
    assert len(seen) == 4
    for output in seen.values():
        assert output.mean((0, 2, 3)).abs().max() < 1e-5
        torch.testing.assert_close(
            output.var((0, 2, 3)), torch.ones(output.shape[1]), rtol=0.05, atol=0
        )


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_constant_channels_do_not_explode(level: float) -> None:
    flow = small_flow()
    images = torch.full((2, 3, 16, 16), level, requires_grad=True)
    latent = flow(images)
    for module in flow.modules():
        if isinstance(module, ActNorm):
            assert module.initialized
            assert torch.equal(module.scale, torch.ones_like(module.scale))
    latent.square().sum().backward()
    assert latent.abs().max() < 1e-5
    assert images.grad.isfinite().all()

    mixed = ActNorm(2)
    features = torch.stack([torch.full((4, 4), level), torch.arange(16.0).view(4, 4)])[None]
    output = mixed(features)
    assert mixed.scale.flatten()[0] == 1
    assert output[:, 1].var(correction=0).item() == pytest.approx(1)


def initialise_in_a_process(rank: int, batches: list[Tensor], folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=len(batches)
    )
    flow = nn.parallel.DistributedDataParallel(small_flow())
    flow(batches[rank]).square().sum().backward()
    torch.save(flow.module.state_dict(), folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_initialise_as_one_does_with_all_batches(tmp_path: Path) -> None:
    torch.manual_seed(1)
    batches = [torch.rand(2, 3, 16, 16), 3 * torch.rand(2, 3, 16, 16) - 1]
    multiprocessing.spawn(initialise_in_a_process, (batches, tmp_path), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    together = small_flow()
    together(torch.cat(batches))
    for name, expected in together.state_dict().items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], expected, rtol=1e-4, atol=1e-5)
    assert first["blocks.1.steps.1.norm.initialized"]
