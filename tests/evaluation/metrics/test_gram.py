from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from datnet.evaluation.metrics import Picture
from datnet.evaluation.metrics.gram import GramDistance, gram_matrix


class Twice(nn.Module):
    """The image as a feature map, two times."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, images]


def picture(pixels: Tensor) -> Picture:
    return Picture(pixels, {"encoder": Twice()})


def test_gram_matrix_by_hand() -> None:
    features = torch.tensor([[1.0, 2.0], [0.0, 3.0]]).reshape(1, 2, 1, 2)
    expected = torch.tensor([[5.0, 6.0], [6.0, 9.0]]) / 2
    torch.testing.assert_close(gram_matrix(features), expected)


def test_the_loss_of_gatys() -> None:
    """1 / (4 N² M²) Σ (G − A)² with sums over M positions of N channels, in a loop."""
    metric = GramDistance()
    result, style = torch.rand(2, 1, 3, 5, 4)
    channels, positions = 3, 20
    total = 0.0
    for i in range(channels):
        for j in range(channels):
            of_result, of_style = (
                sum(image[0, i].flatten()[k] * image[0, j].flatten()[k] for k in range(positions))
                for image in (result, style)
            )
            total += float(of_result - of_style) ** 2
    expected = total / (4 * channels**2 * positions**2)
    measured = metric.measure(picture(result), None, metric.prepare_style(picture(style)))
    assert measured == pytest.approx(expected, rel=1e-4)


def test_channels_that_go_together_count() -> None:
    """Equal means and deviations, opposite correlation: the style distance sees no difference."""
    ramp = torch.linspace(0, 1, 16).reshape(1, 1, 4, 4)
    together = torch.cat([ramp, ramp, ramp], 1)
    opposite = torch.cat([ramp, 1 - ramp, ramp], 1)
    metric = GramDistance()
    assert metric.measure(picture(together), None, metric.prepare_style(picture(opposite))) > 1e-3
