from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.statistics import normalize_channels
from datnet.networks.stytr2 import StyTr2
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.stytr2 import StyTr2Objective


@pytest.fixture
def network() -> StyTr2:
    torch.manual_seed(1)
    return StyTr2().eval()


def images(seed: int, height: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 4, 4, generator=generator)
    return F.interpolate(small, (height, 40), mode="bicubic").clamp(0, 1)


@torch.no_grad()
def test_terms(network: StyTr2, encoder: VggEncoder) -> None:
    """The formulas, with the weights of the published code, for a style of another size."""
    objective = StyTr2Objective(encoder)
    assert objective.weights == {
        **{"content": 7.0, "global_style": 10.0},
        **{"identity_pixels": 70.0, "identity_features": 1.0},
    }
    content, style = images(0), images(1, height=48)

    def paint(one: Tensor, other: Tensor) -> Tensor:
        return network.generate(
            network.encode_content(one), network.encode_style(other), one.shape[2:]
        )

    seen_content, seen_style = encoder(content), encoder(style)
    output = encoder(paint(content, style))
    expected = {
        "content": sum(
            F.mse_loss(normalize_channels(output[i]), normalize_channels(seen_content[i]))
            for i in (3, 4)
        ),
        "global_style": terms.global_style(output, seen_style, (1, 2, 3, 4, 5)),
        "identity_pixels": torch.zeros(()),
        "identity_features": torch.zeros(()),
    }
    for image, features in ((content, seen_content), (style, seen_style)):
        same = paint(image, image)
        expected["identity_pixels"] += F.mse_loss(same, image)
        for ours, theirs in zip(encoder(same), features, strict=True):
            expected["identity_features"] += F.mse_loss(ours, theirs)
    result = objective.terms(network, content, style)
    assert result.keys() == expected.keys()
    for name, value in result.items():
        torch.testing.assert_close(value, expected[name], msg=name)


@torch.no_grad()
def test_unwanted_identity_is_not_painted(
    network: StyTr2, encoder: VggEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    paintings = []
    generate = network.generate

    def watch(*arguments: object) -> Tensor:
        paintings.append(arguments)
        return generate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(network, "generate", watch)
    objective = StyTr2Objective(encoder, identity_pixels=0, identity_features=0)
    assert objective.terms(network, images(0), images(1)).keys() == {"content", "global_style"}
    assert len(paintings) == 1
    objective = StyTr2Objective(encoder, identity_pixels=0)
    assert "identity_pixels" not in objective.terms(network, images(0), images(1))
    assert len(paintings) == 1 + 3


def test_identity_teaches_every_part(network: StyTr2, encoder: VggEncoder) -> None:
    result = StyTr2Objective(encoder).terms(network, images(0), images(1))
    result["identity_features"].backward()
    for name, part in network.named_children():
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters()), name
    assert not any(p.requires_grad for p in encoder.parameters())


@pytest.mark.slow
def test_training_lowers_the_loss(encoder: VggEncoder) -> None:
    torch.manual_seed(1)
    network = StyTr2().train()
    objective = StyTr2Objective(encoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)
    losses = []
    for _ in range(8):
        loss = objective.total(objective.terms(network, images(0), images(1)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]
