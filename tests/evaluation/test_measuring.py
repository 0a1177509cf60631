from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from datnet.errors import DatNetError
from datnet.evaluation.measuring import Metrics, round_to_8_bits
from datnet.evaluation.metrics import METRICS, SET_METRICS
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from datnet.images.saving import save_image
from datnet.images.tensors import to_image, to_tensor
from tests.helpers.measuring import random_picture


def test_columns_that_files_of_before_have_are_still_measured() -> None:
    of_before = {
        **{"ssim": "↑", "psnr": "↑", "lpips_alex": "↓", "lpips_vgg": "↓"},
        **{"content_distance": "↓", "style_distance": "↓", "edge_agreement": "↑"},
        **{"new_edges": "↓", "frechet_vgg": "↓", "art_fid_vgg": "↓"},
    }
    columns = {column.key: column.arrow for column in (*METRICS, *SET_METRICS)}
    assert columns.items() >= of_before.items()
    assert len(columns) == len(METRICS) + len(SET_METRICS), "a key is there twice"


def test_controls_win_their_own_side(measuring: Metrics) -> None:
    content, style = random_picture(1), random_picture(2)
    copy_of_content = measuring(content, content, style)
    copy_of_style = measuring(style, content, style)
    assert copy_of_content["psnr"] == math.inf
    assert copy_of_content["ssim"] == pytest.approx(1, abs=1e-6)
    assert copy_of_content["content_distance"] == copy_of_content["lpips_alex"] == 0
    assert copy_of_content["edge_agreement"] == 1 > copy_of_style["edge_agreement"]
    assert copy_of_content["new_edges"] == 0 < copy_of_style["new_edges"]
    assert copy_of_content["style_distance"] > 0
    assert copy_of_style["style_distance"] == 0
    assert copy_of_style["content_distance"] > 0


def test_the_result_is_measured_as_it_would_be_saved(measuring: Metrics, tmp_path: Path) -> None:
    content, style = random_picture(1), random_picture(2)
    generator = torch.Generator().manual_seed(3)
    output = content + 0.3 * torch.randn(content.shape, generator=generator)
    save_image(to_image(output[0]), tmp_path / "saved.png")
    saved = to_tensor(read_image(tmp_path / "saved.png"))[None]
    assert torch.equal(round_to_8_bits(output), saved)
    assert measuring(output, content, style) == measuring(saved, content, style)
    # Differences that are lost by saving do not count; those that are kept do.
    assert measuring(content + 0.4 / 255, content, style)["psnr"] == math.inf
    assert measuring(content + 0.6 / 255, content, style)["psnr"] < 60


def test_prepared_targets_give_the_same_values_and_spare_the_encoder(measuring: Metrics) -> None:
    content, style = random_picture(1), random_picture(2)
    content_target, style_target = measuring.content_target(content), measuring.style_target(style)
    measuring.networks.encoder.calls = 0
    measurement = measuring.measure(random_picture(0), content_target, style_target)
    assert measuring.networks.encoder.calls == 1
    assert measurement.values == measuring(random_picture(0), content, style)


def test_embeddings_are_means_over_positions(measuring: Metrics) -> None:
    content, style = (
        measuring.content_target(random_picture(1)),
        measuring.style_target(random_picture(2, size=64)),
    )
    for embedding, picture in (
        (measuring.measure(random_picture(0), content, style).embedding, random_picture(0)),
        (style.embedding, random_picture(2, size=64)),
    ):
        assert embedding.dtype == np.float32
        expected = measuring.networks.encoder(picture)[4][0].double().mean((1, 2))
        assert embedding == pytest.approx(expected.numpy(), rel=1e-5)
    broken = measuring.measure(random_picture(0) * math.nan, content, style).embedding
    assert broken.shape == (4,)
    assert np.isnan(broken).all()


def test_a_result_with_nan_has_no_metrics(measuring: Metrics) -> None:
    output = random_picture(0)
    output[0, 1, 2, 3] = math.nan
    values = measuring(output, random_picture(1), random_picture(2))
    assert values.keys() == {metric.key for metric in METRICS}
    assert all(math.isnan(value) for value in values.values())


def test_results_of_another_shape_are_refused(measuring: Metrics) -> None:
    content, style = random_picture(1), random_picture(2)
    for output in (content[0], content[..., 1:], content.repeat(2, 1, 1, 1)):
        with pytest.raises(ValueError, match="shape"):
            measuring(output, content, style)


def test_precision_does_not_depend_on_the_caller(measuring: Metrics) -> None:
    output, content, style = random_picture(0), random_picture(1), random_picture(2)
    expected = measuring(output, content, style)
    allowed_before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            values = measuring(output, content, style)
        assert measuring.networks.encoder.tf32_allowed is False
        assert torch.backends.cudnn.allow_tf32 is True
    finally:
        torch.backends.cudnn.allow_tf32 = allowed_before
    assert values == expected


@pytest.mark.network
@pytest.mark.slow
def test_pretrained_metrics_order_a_photograph_and_its_damaged_copies(shared: Path) -> None:
    try:
        metrics = Metrics.pretrained()
    except DatNetError as error:
        pytest.skip(f"weights are not here: {error}")
    content, style = (
        to_tensor(fit_square(read_image(shared / "data" / "eval" / name), 128))[None]
        for name in ("content/00.jpg", "style/00.jpg")
    )
    generator = torch.Generator().manual_seed(0)
    noisy = content + 0.05 * torch.randn(content.shape, generator=generator)
    same, near, far = (metrics(output, content, style) for output in (content, noisy, style))
    for key in ("ssim", "psnr", "edge_agreement"):
        assert far[key] < near[key] < same[key]
    for key in ("lpips_alex", "lpips_vgg", "content_distance", "new_edges"):
        assert far[key] > near[key] > same[key]
    assert far["style_distance"] == 0 < same["style_distance"]
