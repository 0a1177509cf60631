from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datnet.evaluation.metrics.edges import canny_edges, edge_agreement, new_edges, tolerance


def step(column: int, height: float = 1.0, size: int = 64) -> Tensor:
    """Gray image that is brighter from a column on."""
    image = torch.full((3, size, size), 0.2)
    image[:, :, column:] += height
    return image


def lines(*columns: int, size: int = 512) -> np.ndarray:
    """Edges along whole columns."""
    edges = np.zeros((size, size), dtype=bool)
    edges[:, list(columns)] = True
    return edges


def test_an_edge_is_found_where_it_is_and_thin() -> None:
    image = step(30, 0.5)
    image[:, :, 30] -= 0.1  # the steepest place is nearer to column 30 than to 29
    edges = canny_edges(image)
    assert edges.shape == (64, 64)
    assert edges.dtype == bool
    assert edges[2:-2, 30].all()
    assert not np.delete(edges, 30, axis=1).any()


def test_the_threshold_is_an_eighth_of_the_range() -> None:
    assert canny_edges(step(30, 0.14)).any()
    assert not canny_edges(step(30, 0.11)).any()
    assert not canny_edges(torch.full((3, 64, 64), 0.5)).any()


def test_colours_count_by_luminance() -> None:
    blue, green = torch.zeros(3, 64, 64), torch.zeros(3, 64, 64)
    blue[2, :, 32:] = 1
    green[1, :, 32:] = 1
    assert canny_edges(green).any()
    assert not canny_edges(blue).any()


def test_a_batch_of_one_is_an_image_and_a_larger_one_is_refused() -> None:
    image = step(20)
    assert np.array_equal(canny_edges(image[None]), canny_edges(image))
    for shape in ((2, 3, 64, 64), (64, 64), (1, 64, 64), (1, 1, 3, 64, 64)):
        with pytest.raises(ValueError, match="shape"):
            canny_edges(torch.zeros(shape))


def test_agreement_within_the_tolerance() -> None:
    content = lines(100)
    assert edge_agreement(content, content) == 1
    assert edge_agreement(lines(102), content) == 1
    assert edge_agreement(lines(103), content) == 0


def test_agreement_by_hand() -> None:
    # Two of three lines of the result are right, two of four of the content are found.
    result, content = lines(10, 101, 300), lines(10, 100, 200, 400)
    precision, recall = 2 / 3, 2 / 4
    expected = 2 * precision * recall / (precision + recall)
    assert edge_agreement(result, content) == pytest.approx(expected)
    assert edge_agreement(content, result) == pytest.approx(expected)


def test_new_edges() -> None:
    content = lines(10, 100, 200, 400)
    assert new_edges(content, content) == 0
    assert new_edges(lines(10), content) == 0  # edges that are lost are not new
    assert new_edges(lines(12), content) == 0
    assert new_edges(lines(13), content) == 1
    assert new_edges(lines(10, 101, 300), content) == pytest.approx(1 / 3)
    none = lines()
    assert new_edges(none, content) == new_edges(none, none) == 0
    assert new_edges(content, none) == 1
    with pytest.raises(ValueError, match="shapes"):
        new_edges(content, content[:, 1:])


def test_the_tolerance_is_a_distance_in_all_directions() -> None:
    content = np.zeros((512, 512), dtype=bool)
    content[100, 100] = True
    for offset, agreement in (((0, 2), 1), ((1, 1), 1), ((2, 1), 0), ((2, 2), 0)):
        result = np.roll(content, offset, axis=(0, 1))
        assert edge_agreement(result, content) == agreement


def test_the_tolerance_scales_with_the_short_side() -> None:
    assert tolerance(512, 512) == tolerance(512, 900) == 2
    assert tolerance(1024, 1024) == 4
    assert tolerance(64, 64) == 1
    assert edge_agreement(lines(103, size=1024), lines(100, size=1024)) == 1
    assert edge_agreement(lines(22, size=64), lines(20, size=64)) == 0


def test_images_without_edges() -> None:
    none, some = lines(), lines(7)
    assert edge_agreement(none, none) == 1
    assert edge_agreement(some, none) == edge_agreement(none, some) == 0
    with pytest.raises(ValueError, match="shapes"):
        edge_agreement(some, some[:, 1:])
