from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from datnet.evaluation.metrics import Picture, structure
from datnet.evaluation.metrics.structure import ContentStructureDistance, structural_distance
from datnet.networks.vgg import VggEncoder


def whole(result: torch.Tensor, content: torch.Tensor) -> float:
    """The definition, with all similarities at once."""
    similar, expected = (
        (image[0].flatten(1).T / image.shape[1]) @ (image[0].flatten(1) / image.shape[1])
        for image in (result, content)
    )
    return functional.kl_div(
        similar.log_softmax(1), expected.softmax(1), reduction="sum"
    ).item()  # fmt: skip


@pytest.mark.parametrize("rows", [7, 1024])
def test_blocks_give_what_the_whole_gives(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "ROWS", rows)
    result, content = torch.rand(2, 1, 6, 4, 5) * 20
    assert structural_distance(result, content) == pytest.approx(whole(result, content), rel=1e-4)
    assert structural_distance(content, content) == 0


def test_a_rotation_of_the_features_does_not_count() -> None:
    """Self-similarity does not depend on the axes of feature space."""
    content = torch.rand(1, 6, 4, 5) * 20
    rotation, _ = torch.linalg.qr(torch.randn(6, 6))
    rotated = torch.einsum("ij,bjhw->bihw", rotation, content)
    assert structural_distance(rotated, content) == pytest.approx(0, abs=1e-4)
    mirrored = content.flip(3)
    assert structural_distance(mirrored, content) > 1e-2


def test_metric_needs_no_style(encoder: VggEncoder) -> None:
    metric = ContentStructureDistance()
    network = {"plain_encoder": encoder}
    content = Picture(torch.rand(1, 3, 32, 32), network)
    other = Picture(torch.rand(1, 3, 32, 32), network)
    prepared = metric.prepare_content(content)
    assert metric.measure(content, prepared, None) == pytest.approx(0, abs=1e-6)
    assert metric.measure(other, prepared, None) > 0
