from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from datnet.errors import DatNetError
from datnet.evaluation.measuring import Metrics, round_to_8_bits
from datnet.evaluation.metrics import METRICS, SET_METRICS
from datnet.evaluation.metrics.psnr import peak_signal_to_noise_ratio
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from datnet.images.saving import save_image
from datnet.images.tensors import to_image, to_tensor
from tests.helpers.mean_difference import metrics_with


class SmallEncoder(nn.Module):
    """Five maps of halving size, like VGG's; counts its calls and notes whether TF32 was on."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.mixing = [torch.randn(4, 3, 1, 1, generator=generator) for _ in range(5)]
        self.calls = 0
        self.tf32_allowed: bool | None = None

    def forward(self, images: Tensor) -> list[Tensor]:
        self.calls += 1
        self.tf32_allowed = torch.backends.cudnn.allow_tf32
        return [
            functional.conv2d(functional.avg_pool2d(images, 2**level), mixing).relu()
            for level, mixing in enumerate(self.mixing)
        ]


@pytest.fixture
def metrics() -> Metrics:
    return metrics_with(SmallEncoder(), embedding_size=4)


def image(seed: int, size: int = 48) -> Tensor:
    """Random 8-bit picture with some structure."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, size // 8, size // 8, generator=generator)
    fine = torch.rand(1, 3, size, size, generator=generator)
    smooth = functional.interpolate(coarse, scale_factor=8, mode="bilinear")
    return round_to_8_bits(0.7 * smooth + 0.3 * fine)


def slow_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of Wang et al. (2004), equation 13, window by window, with reflected borders."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = 0.01**2, 0.03**2
    total = 0.0
    for channel in range(3):
        a, b = (np.pad(image[channel], 5, mode="reflect") for image in (x, y))
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
                mean_p, mean_q = (window * p).sum(), (window * q).sum()
                var_p = (window * (p - mean_p) ** 2).sum()
                var_q = (window * (q - mean_q) ** 2).sum()
                covariance = (window * (p - mean_p) * (q - mean_q)).sum()
                total += ((2 * mean_p * mean_q + c1) * (2 * covariance + c2)) / (
                    (mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2)
                )
    return total / x.size


def test_columns_that_files_of_before_have_are_still_measured() -> None:
    of_before = {
        **{"ssim": "↑", "psnr": "↑", "lpips_alex": "↓", "lpips_vgg": "↓"},
        **{"content_distance": "↓", "style_distance": "↓", "edge_agreement": "↑"},
        **{"new_edges": "↓", "frechet_vgg": "↓", "art_fid_vgg": "↓"},
    }
    columns = {column.key: column.arrow for column in (*METRICS, *SET_METRICS)}
    assert columns.items() >= of_before.items()
    assert len(columns) == len(METRICS) + len(SET_METRICS), "a key is there twice"


def test_ssim_agrees_with_the_formula(metrics: Metrics) -> None:
    output, content = image(0), image(1)
    output = round_to_8_bits(0.6 * content + 0.4 * output)
    expected = slow_ssim(output[0].double().numpy(), content[0].double().numpy())
    assert 0.2 < expected < 0.95
    assert metrics(output, content, image(2))["ssim"] == pytest.approx(expected, abs=1e-5)


def test_psnr_by_hand(metrics: Metrics) -> None:
    content = torch.full((1, 3, 32, 32), 100 / 255)
    output = content.clone()
    output[:, :, :16] += 51 / 255  # half of the pixels are off by 0.2: mean squared error 0.02
    values = metrics(output, content, content)
    assert values["psnr"] == pytest.approx(10 * math.log10(1 / 0.02), abs=1e-5)
    assert peak_signal_to_noise_ratio(torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)) == 0


def test_distances_agree_with_loops_over_channels(metrics: Metrics) -> None:
    output, content, style = image(0), image(1), image(2, size=64)
    of_output, of_content, of_style = (
        metrics.networks.encoder(x) for x in (output, content, style)
    )
    content_distance = np.mean(
        [(of_output[level] - of_content[level]).square().mean() for level in (3, 4)]
    )
    style_distance = 0.0
    for a, b in zip(of_output, of_style, strict=True):
        for channel in range(4):
            p, q = (x[0, channel].double().numpy().ravel() for x in (a, b))
            std_p, std_q = (math.sqrt(x.var(ddof=1) + 1e-5) for x in (p, q))
            style_distance += ((p.mean() - q.mean()) ** 2 + (std_p - std_q) ** 2) / 4 / 5
    values = metrics(output, content, style)
    assert values["content_distance"] == pytest.approx(float(content_distance), rel=1e-5)
    assert values["style_distance"] == pytest.approx(style_distance, rel=1e-4)


def test_lpips_compares_with_the_content(metrics: Metrics) -> None:
    output, content = image(0), image(1)
    values = metrics(output, content, image(2))
    expected = (output - content).abs().mean().item()
    assert values["lpips_alex"] == pytest.approx(expected, rel=1e-6)
    assert values["lpips_vgg"] == pytest.approx(expected, rel=1e-6)


def test_controls_win_their_own_side(metrics: Metrics) -> None:
    content, style = image(1), image(2)
    copy_of_content = metrics(content, content, style)
    copy_of_style = metrics(style, content, style)
    assert copy_of_content["psnr"] == math.inf
    assert copy_of_content["ssim"] == pytest.approx(1, abs=1e-6)
    assert copy_of_content["content_distance"] == copy_of_content["lpips_alex"] == 0
    assert copy_of_content["edge_agreement"] == 1 > copy_of_style["edge_agreement"]
    assert copy_of_content["new_edges"] == 0 < copy_of_style["new_edges"]
    assert copy_of_content["style_distance"] > 0
    assert copy_of_style["style_distance"] == 0
    assert copy_of_style["content_distance"] > 0


def test_the_result_is_measured_as_it_would_be_saved(metrics: Metrics, tmp_path: Path) -> None:
    content, style = image(1), image(2)
    generator = torch.Generator().manual_seed(3)
    output = content + 0.3 * torch.randn(content.shape, generator=generator)
    save_image(to_image(output[0]), tmp_path / "saved.png")
    saved = to_tensor(read_image(tmp_path / "saved.png"))[None]
    assert torch.equal(round_to_8_bits(output), saved)
    assert metrics(output, content, style) == metrics(saved, content, style)
    # Differences that are lost by saving do not count; those that are kept do.
    assert metrics(content + 0.4 / 255, content, style)["psnr"] == math.inf
    assert metrics(content + 0.6 / 255, content, style)["psnr"] < 60


def test_prepared_targets_give_the_same_values_and_spare_the_encoder(metrics: Metrics) -> None:
    content, style = image(1), image(2)
    content_target, style_target = metrics.content_target(content), metrics.style_target(style)
    metrics.networks.encoder.calls = 0
    measurement = metrics.measure(image(0), content_target, style_target)
    assert metrics.networks.encoder.calls == 1
    assert measurement.values == metrics(image(0), content, style)


def test_embeddings_are_means_over_positions(metrics: Metrics) -> None:
    content, style = metrics.content_target(image(1)), metrics.style_target(image(2, size=64))
    for embedding, picture in (
        (metrics.measure(image(0), content, style).embedding, image(0)),
        (style.embedding, image(2, size=64)),
    ):
        assert embedding.dtype == np.float32
        expected = metrics.networks.encoder(picture)[4][0].double().mean((1, 2))
        assert embedding == pytest.approx(expected.numpy(), rel=1e-5)
    broken = metrics.measure(image(0) * math.nan, content, style).embedding
    assert broken.shape == (4,)
    assert np.isnan(broken).all()


def test_set_metrics_by_hand() -> None:
    # On a line: means 0 and 3, variances 2 and 8, so (0 - 3)² + (√2 - √8)² = 11.
    results, styles = (np.array(x, np.float32)[:, None] for x in ([-1, 1], [1, 5]))

    def measured(results: np.ndarray, styles: np.ndarray, *lpips: float) -> list[float | None]:
        return [metric.measure(results, styles, {"lpips_alex": lpips}) for metric in SET_METRICS]

    assert measured(results, styles, 0.25, 0.75) == pytest.approx([11, 1.5 * 12])
    assert measured(results[:1], styles[:1], 0.25) == [None, None]
    assert measured(results * np.nan, styles, math.nan, math.nan) == [None, None]


def test_a_result_with_nan_has_no_metrics(metrics: Metrics) -> None:
    output = image(0)
    output[0, 1, 2, 3] = math.nan
    values = metrics(output, image(1), image(2))
    assert values.keys() == {metric.key for metric in METRICS}
    assert all(math.isnan(value) for value in values.values())


def test_results_of_another_shape_are_refused(metrics: Metrics) -> None:
    content, style = image(1), image(2)
    for output in (content[0], content[..., 1:], content.repeat(2, 1, 1, 1)):
        with pytest.raises(ValueError, match="shape"):
            metrics(output, content, style)


def test_precision_does_not_depend_on_the_caller(metrics: Metrics) -> None:
    output, content, style = image(0), image(1), image(2)
    expected = metrics(output, content, style)
    allowed_before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            values = metrics(output, content, style)
        assert metrics.networks.encoder.tf32_allowed is False
        assert torch.backends.cudnn.allow_tf32 is True
    finally:
        torch.backends.cudnn.allow_tf32 = allowed_before
    assert values == expected


@pytest.mark.network
@pytest.mark.slow
def test_pretrained_metrics_order_a_photograph_and_its_damaged_copies() -> None:
    folder = Path(__file__).parents[2] / "../shared/data/eval"
    if not folder.exists():
        pytest.skip("../shared/data is not here")
    try:
        metrics = Metrics.pretrained()
    except DatNetError as error:
        pytest.skip(f"weights are not here: {error}")
    content, style = (
        to_tensor(fit_square(read_image(folder / name), 128))[None]
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
