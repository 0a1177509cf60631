from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from datnet.errors import DatNetError
from datnet.evaluation.controls import identity
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics import METRICS, SET_METRICS
from datnet.evaluation.metrics.frechet import frechet_distance
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.protocol import protocol_text
from datnet.evaluation.summary import EvaluationSummary
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from datnet.images.tensors import to_tensor
from tests.helpers.evaluations import SIZE, Blend, rows_of


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_writes_one_row_per_pair_in_frozen_columns(
    run: Callable, tmp_path: Path, metrics: Metrics, contents: list[Path], styles: list[Path]
) -> None:
    summary = run(Blend())
    out = tmp_path / "out"
    assert sorted(file.name for file in out.iterdir()) == [
        "embeddings.npy",
        "pairs.csv",
        "protocol.json",
        "results.csv",
        "summary.json",
    ]
    names = [(c, s) for c in ("a.png", "b.png", "c.png") for s in ("x.jpg", "y.jpg")]
    assert (out / "pairs.csv").read_text() == "content,style\n" + "".join(
        f"{content},{style}\n" for content, style in names
    )
    keys = [metric.key for metric in METRICS]
    header = (out / "results.csv").read_text().splitlines()[0]
    assert header.split(",") == ["content", "style", *keys]
    rows = rows_of(out)
    assert [(row["content"], row["style"]) for row in rows] == names

    def prepared(path: Path) -> Tensor:
        return to_tensor(fit_square(read_image(path), SIZE))[None]

    content, style = prepared(contents[1]), prepared(styles[1])
    expected = metrics(0.6 * content + 0.4 * style, content, style)
    assert {key: float(rows[3][key]) for key in expected} == expected
    for key, estimate in summary.metrics.items():
        assert estimate.mean == pytest.approx(np.mean([float(row[key]) for row in rows]))
        assert estimate.count == 6
        assert estimate.ci95[0] <= estimate.mean <= estimate.ci95[1]
    assert EvaluationSummary.load(out / "summary.json") == summary
    packages = {"datnet", "torch", "torchmetrics", "lpips", "scikit-image"}
    assert set(summary.versions) == packages | {"commit"}
    assert summary.protocol.startswith("3 contents × 2 styles = 6 results at 32×32 pixels")


def test_targets_are_encoded_once_per_image(run: Callable, metrics: Metrics) -> None:
    run(Blend())
    assert metrics.networks.encoder.calls == 6 + 3 + 2


def test_set_metrics_compare_results_with_the_style_of_each_pair(
    run: Callable, tmp_path: Path, contents: list[Path], styles: list[Path]
) -> None:
    summary = run(Blend())

    def embedding(pixels: Tensor) -> np.ndarray:
        return functional.avg_pool2d(pixels, 16).mean((2, 3))[0].numpy()

    def prepared(path: Path) -> Tensor:
        return to_tensor(fit_square(read_image(path), SIZE))[None]

    pairs = [(prepared(c), prepared(s)) for c, s in every_pair(contents, styles)]
    results = np.stack([embedding(((0.6 * c + 0.4 * s) * 255).round() / 255) for c, s in pairs])
    of_styles = np.stack([embedding(s) for _, s in pairs])
    expected = frechet_distance(results, of_styles)
    assert summary.set_metrics["frechet_vgg"] == pytest.approx(expected, rel=1e-3)
    stored = np.load(tmp_path / "out" / "embeddings.npy")
    assert stored[:, 0] == pytest.approx(results, rel=1e-5)
    assert stored[:, 1] == pytest.approx(of_styles, rel=1e-5)
    lpips = summary.metrics["lpips_alex"].mean
    assert summary.set_metrics["art_fid_vgg"] == pytest.approx(
        (1 + lpips) * (1 + summary.set_metrics["frechet_vgg"])
    )
    single = run(Blend(), pairs=every_pair(contents[:1], styles[:1]), folder=tmp_path / "single")
    assert single.set_metrics == {"frechet_vgg": None, "art_fid_vgg": None}


def test_an_unreadable_image_stops_before_the_first_pair(
    run: Callable, tmp_path: Path, styles: list[Path]
) -> None:
    styles[1].write_bytes(styles[1].read_bytes()[:400])
    stylize = Blend()
    with pytest.raises(DatNetError, match=r"y\.jpg"):
        run(stylize)
    assert stylize.calls == 0
    assert not (tmp_path / "out").exists()


def test_saved_images_are_what_was_measured(
    run: Callable, tmp_path: Path, metrics: Metrics
) -> None:
    run(Blend(), save_images=True)
    folder = tmp_path / "out" / "images"
    row = rows_of(tmp_path / "out")[5]

    def tensor(path: Path) -> Tensor:
        return to_tensor(fit_square(read_image(path), SIZE))[None]

    content, style = tmp_path / "content" / "c.png", tmp_path / "style" / "y.jpg"
    values = metrics(tensor(folder / "c__y.png"), tensor(content), tensor(style))
    assert {key: float(row[key]) for key in values} == values


def test_a_network_that_works_in_place_spoils_nothing(run: Callable, tmp_path: Path) -> None:
    def in_place(content: Tensor, style: Tensor) -> Tensor:
        return content.mul_(0.6).add_(style.mul_(0.4))

    expected = run(Blend())
    assert run(in_place, folder=tmp_path / "in_place").metrics == expected.metrics


def test_broken_results_are_named_once(run: Callable, tmp_path: Path) -> None:
    def broken(content: Tensor, style: Tensor) -> Tensor:
        return content * math.nan

    def constant(content: Tensor, style: Tensor) -> Tensor:
        return torch.full_like(content, 0.5)

    with pytest.warns(UserWarning, match=r"a\.png with style x\.jpg holds NaN") as caught:
        summary = run(broken, save_images=True)
    assert len([warning for warning in caught if warning.category is UserWarning]) == 1
    assert math.isnan(summary.metrics["ssim"].mean)
    assert summary.metrics["ssim"].undefined == 6
    assert summary.set_metrics == {"frechet_vgg": None, "art_fid_vgg": None}
    again = Blend()
    run(again, save_images=True)
    assert again.calls == 0  # a broken result is a result
    json.loads((tmp_path / "out" / "summary.json").read_text(), parse_constant=refuse)
    assert np.asarray(Image.open(tmp_path / "out" / "images" / "a__x.png")).max() == 0
    with pytest.warns(UserWarning, match=r"a\.png with style x\.jpg is a single color") as caught:
        run(constant, folder=tmp_path / "constant")
    assert len([warning for warning in caught if warning.category is UserWarning]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(Blend(), folder=tmp_path / "good")


def test_results_of_the_wrong_shape_are_refused(run: Callable) -> None:
    with pytest.raises(ValueError, match="shape"):
        run(lambda content, style: content[..., :16])
    with pytest.raises(DatNetError, match="size is 16"):
        run(Blend(), size=16)


def test_half_precision_results_are_measured(run: Callable, tmp_path: Path) -> None:
    summary = run(lambda content, style: content.bfloat16())
    exact = run(identity, folder=tmp_path / "identity")
    assert summary.metrics["ssim"].mean == pytest.approx(exact.metrics["ssim"].mean, abs=0.01)


def test_protocol_text_says_how_in_one_line() -> None:
    pairs = every_pair([Path(f"{i}.jpg") for i in range(50)], [Path(f"{i}.jpg") for i in range(20)])
    sentence = protocol_text(pairs, 512, "an ImageNet VGG-16")
    assert sentence.startswith("50 contents × 20 styles = 1000 results at 512×512 pixels")
    for fact in (
        "8 bits",
        "11×11 Gaussian window, σ 1.5, RGB, data range 1",
        "per image, then averaged",
        *(metric.words for metric in (*METRICS, *SET_METRICS)),
        "an ImageNet VGG-16",
        "95% bootstrap",
        "Canny edges of result and content, σ 2, thresholds 0.1 and 0.2, tolerance 2 px",
        "not comparable with published FID",
    ):
        assert fact in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
