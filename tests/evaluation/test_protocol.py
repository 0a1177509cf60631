from __future__ import annotations

import csv
import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from datnet.errors import DatNetError
from datnet.evaluation.frechet import frechet_distance
from datnet.evaluation.metrics import Metrics
from datnet.evaluation.protocol import (
    evaluate,
    every_pair,
    histogram_match,
    identity,
    protocol_sentence,
    style_copy,
)
from datnet.evaluation.summary import Summary
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from datnet.images.tensors import to_tensor
from tests.helpers.full_disk import files_end_at
from tests.helpers.mean_difference import MeanDifference

SIZE = 32
HEADER = (
    "content,style,ssim,psnr,lpips_alex,lpips_vgg,content_distance,style_distance,edge_agreement,"
    "new_edges"
)


class CountingEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, images: Tensor) -> list[Tensor]:
        self.calls += 1
        return [functional.avg_pool2d(images, 2**level) for level in range(5)]


class Blend:
    """A network that mixes content and style, notes its calls and can fail at one of them."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.calls = 0
        self.fail_at = fail_at

    def __call__(self, content: Tensor, style: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        return 0.6 * content + 0.4 * style


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(
        lpips_alex=MeanDifference(),
        lpips_vgg=MeanDifference(),
        encoder=CountingEncoder(),
        embedding_size=3,
    )


def make_image(path: Path, seed: int, width: int = 40, height: int = 36) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def contents(tmp_path: Path) -> list[Path]:
    return [
        make_image(tmp_path / "content" / f"{name}.png", seed) for seed, name in enumerate("abc")
    ]


@pytest.fixture
def styles(tmp_path: Path) -> list[Path]:
    return [
        make_image(tmp_path / "style" / f"{name}.jpg", 9 + seed) for seed, name in enumerate("xy")
    ]


@pytest.fixture
def run(tmp_path: Path, metrics: Metrics, contents: list[Path], styles: list[Path]) -> Callable:
    """Evaluate 3 contents × 2 styles into the folder "out", unless told otherwise."""

    def run_evaluation(stylize: Callable[[Tensor, Tensor], Tensor], **changes: object) -> Summary:
        arguments: dict = {
            "pairs": every_pair(contents, styles),
            "output_dir": tmp_path / "out",
            "metrics": metrics,
            "description": "blend",
            "size": SIZE,
        }
        return evaluate(stylize, **(arguments | changes))

    return run_evaluation


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


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
    assert (out / "results.csv").read_text().splitlines()[0] == HEADER
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
    assert Summary.load(out / "summary.json") == summary
    assert set(summary.versions) == {"datnet", "torch", "torchmetrics", "lpips", "scikit-image"}
    assert summary.protocol.startswith("3 contents × 2 styles = 6 results at 32×32 pixels")


def test_targets_are_encoded_once_per_image(run: Callable, metrics: Metrics) -> None:
    run(Blend())
    assert metrics.encoder.calls == 6 + 3 + 2


@pytest.mark.parametrize("torn", ["", "c.png,x.j", "c.png,x.jpg,0.5,12.25,0.1,0.1,0.3,0.1,0.5"])
def test_goes_on_after_an_interruption(run: Callable, tmp_path: Path, torn: str) -> None:
    whole = run(Blend(), output_dir=tmp_path / "whole", save_images=True)
    with pytest.raises(KeyboardInterrupt):
        run(Blend(fail_at=5), save_images=True)
    out = tmp_path / "out"
    assert len(rows_of(out)) == 4
    assert not (out / "summary.json").exists()
    with (out / "results.csv").open("a") as file:
        file.write(torn)
    rest = Blend()
    assert run(rest, save_images=True) == whole
    assert rest.calls == 2
    for name in ("results.csv", "embeddings.npy", "pairs.csv", "summary.json", "protocol.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert len(list((out / "images").iterdir())) == 6


def test_a_finished_evaluation_is_not_computed_again(run: Callable, metrics: Metrics) -> None:
    first = run(Blend())
    metrics.encoder.calls = 0
    again = Blend()
    assert run(again) == first
    assert again.calls == metrics.encoder.calls == 0


def test_every_row_is_on_disk_before_the_next_pair(run: Callable, tmp_path: Path) -> None:
    rows, embeddings = [], []

    def stylize(content: Tensor, style: Tensor) -> Tensor:
        rows.append(len(rows_of(tmp_path / "out")))
        stored = np.load(tmp_path / "out" / "embeddings.npy")
        embeddings.append(np.isfinite(stored).all((1, 2)).tolist())
        return content

    run(stylize)
    assert rows == [0, 1, 2, 3, 4, 5]
    assert embeddings == [[True] * done + [False] * (6 - done) for done in range(6)]


def test_a_pair_is_done_only_with_row_and_embedding(run: Callable, tmp_path: Path) -> None:
    whole = run(Blend())
    path = tmp_path / "out" / "embeddings.npy"
    stored = np.load(path)
    lacking = stored.copy()
    lacking[[1, 4]] = np.nan
    np.save(path, lacking)
    again = Blend()
    assert run(again) == whole
    assert again.calls == 2
    assert np.array_equal(np.load(path), stored)
    path.unlink()
    again = Blend()
    assert run(again) == whole
    assert again.calls == 6
    for damaged in (b"", path.read_bytes()[:-4]):
        path.write_bytes(damaged)
        with pytest.raises(DatNetError, match=r"embeddings\.npy is damaged.*delete it"):
            run(Blend())
    np.save(path, stored[:, :, :2])
    with pytest.raises(DatNetError, match=r"embeddings\.npy is damaged.*shape \(6, 2, 2\)"):
        run(Blend())


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
    single = run(
        Blend(), pairs=every_pair(contents[:1], styles[:1]), output_dir=tmp_path / "single"
    )
    assert single.set_metrics == {"frechet_vgg": None, "art_fid_vgg": None}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": 48}, "size is 32 there and 48 now"),
        ({"description": "other"}, "description is 'blend' there and 'other' now"),
        ({"save_images": True}, "save_images is False there and True now"),
    ],
)
def test_other_settings_are_refused(
    run: Callable, tmp_path: Path, changes: dict, reason: str
) -> None:
    run(Blend())
    untouched = (tmp_path / "out" / "results.csv").read_bytes()
    with pytest.raises(DatNetError, match="delete or rename") as error:
        run(Blend(), **changes)
    assert str(tmp_path / "out") in str(error.value)
    assert reason in str(error.value)
    assert (tmp_path / "out" / "results.csv").read_bytes() == untouched


def test_other_pictures_are_refused_even_with_the_same_names(
    run: Callable, contents: list[Path], styles: list[Path]
) -> None:
    run(Blend())
    with pytest.raises(DatNetError, match="other contents; other pairs"):
        run(Blend(), pairs=every_pair(contents[:2], styles))
    with pytest.raises(DatNetError, match=r"\(other pairs\)"):
        run(Blend(), pairs=every_pair(contents, styles)[::-1])
    make_image(styles[0], seed=77)
    with pytest.raises(DatNetError, match=r"\(other styles\)"):
        run(Blend())


def test_damaged_folders_are_refused(run: Callable, tmp_path: Path) -> None:
    run(Blend())
    results = tmp_path / "out" / "results.csv"
    good = results.read_text()
    results.write_text(good.replace("b.png,x.jpg,", "b.png,"))
    with pytest.raises(DatNetError, match=r"results\.csv, line 4 is damaged"):
        run(Blend())
    results.write_text(good.replace("psnr", "snr"))
    with pytest.raises(DatNetError, match="other columns"):
        run(Blend())
    results.write_text(good)
    (tmp_path / "out" / "pairs.csv").unlink()
    with pytest.raises(DatNetError, match="cannot be continued"):
        run(Blend())
    (tmp_path / "out" / "protocol.json").unlink()
    with pytest.raises(DatNetError, match=r"without the protocol\.json"):
        run(Blend())


def test_controls(run: Callable, tmp_path: Path) -> None:
    same = run(identity, output_dir=tmp_path / "identity", description="identity")
    text = (tmp_path / "identity" / "summary.json").read_text()
    psnr = json.loads(text, parse_constant=refuse)["metrics"]["psnr"]
    assert psnr == {
        "mean": None,
        "ci95": [None, None],
        "count": 6,
        "infinite": 6,
        "undefined": 0,
    }
    assert same.metrics["psnr"].mean == math.inf
    assert same.metrics["content_distance"].mean == same.metrics["lpips_vgg"].mean == 0
    assert same.metrics["style_distance"].mean > 0
    # Read back from the file: the second run computes nothing.
    assert run(Blend(), output_dir=tmp_path / "identity", description="identity") == same
    copied = run(style_copy, output_dir=tmp_path / "copy", description="style copy")
    assert copied.metrics["style_distance"].mean == 0
    assert copied.metrics["content_distance"].mean > 0
    assert copied.set_metrics["frechet_vgg"] == 0 < same.set_metrics["frechet_vgg"]
    assert same.metrics["edge_agreement"].mean == 1 > copied.metrics["edge_agreement"].mean
    assert copied.pictures == same.pictures
    assert copied.protocol == same.protocol


def test_histogram_match_takes_the_colours_and_keeps_their_order() -> None:
    generator = torch.Generator().manual_seed(0)
    content = torch.rand(1, 3, 32, 32, generator=generator)
    style = torch.rand(1, 3, 32, 32, generator=generator) ** 3 / 2
    result = histogram_match(content, style)
    assert result.dtype == torch.float32
    # Random floats are all different, so ranks and sorted values must agree exactly.
    for of_result, of_content, of_style in zip(result[0], content[0], style[0], strict=True):
        assert torch.equal(of_result.flatten().argsort(), of_content.flatten().argsort())
        assert torch.equal(of_result.flatten().sort()[0], of_style.flatten().sort()[0])
    torch.testing.assert_close(histogram_match(content, content), content)
    black = torch.zeros(1, 3, 32, 32)
    assert torch.equal(histogram_match(content, black), black)


def test_an_unreadable_image_stops_before_the_first_pair(
    run: Callable, tmp_path: Path, styles: list[Path]
) -> None:
    styles[1].write_bytes(styles[1].read_bytes()[:400])
    stylize = Blend()
    with pytest.raises(DatNetError, match=r"y\.jpg"):
        run(stylize)
    assert stylize.calls == 0
    assert not (tmp_path / "out").exists()


def test_explicit_pairs(run: Callable, contents: list[Path], styles: list[Path]) -> None:
    a, b, _ = contents
    x, y = styles
    summary = run(Blend(), pairs=[(a, x), (b, y), (a, y)])
    assert summary.metrics["ssim"].count == 3
    assert summary.protocol.startswith("3 results from 2 contents and 2 styles at")
    with pytest.raises(DatNetError, match=r"a\.png, x\.jpg is in the list twice"):
        run(Blend(), pairs=[(a, x), (b, y), (a, x)])
    with pytest.raises(DatNetError, match="at least one content"):
        run(Blend(), pairs=[])


def test_files_of_the_same_name_are_told_apart(
    run: Callable, tmp_path: Path, styles: list[Path]
) -> None:
    files = ("photos/1/a.png", "photos/2/a.png", "photos/2/a.jpg", "photos/2/a__x.jpg")
    contents = [make_image(tmp_path / file, seed) for seed, file in enumerate(files)]
    clashing = make_image(tmp_path / "style" / "X__X.png", 5)
    pairs = [*every_pair(contents, [styles[0], clashing]), (contents[0], styles[1])]
    run(Blend(), pairs=pairs, save_images=True)
    out = tmp_path / "out"
    named = {row["content"] for row in rows_of(out)}
    assert named == {"1/a.png", "2/a.png", "2/a.jpg", "2/a__x.jpg"}
    names = [path.name.lower() for path in (out / "images").iterdir()]
    assert len(names) == len(set(names)) == len(pairs)
    assert {"a__x.png", "a__x-2.png", "a__x-3.png", "a__x__x.png"} < set(names)


def test_long_and_odd_file_names(run: Callable, tmp_path: Path, styles: list[Path]) -> None:
    names = ["é" * 110 + ".png", 'a, "quoted" name.png']
    contents = [make_image(tmp_path / "odd" / name, seed) for seed, name in enumerate(names)]
    interrupted = {"pairs": every_pair(contents, styles), "save_images": True}
    with pytest.raises(KeyboardInterrupt):
        run(Blend(fail_at=4), **interrupted)
    rest = Blend()
    run(rest, **interrupted)
    assert rest.calls == 1
    assert [row["content"] for row in rows_of(tmp_path / "out")] == [names[0]] * 2 + [names[1]] * 2
    for name in ("a\nb.png", "a\udce9.png"):
        odd = make_image(tmp_path / "odd" / name, 0)
        with pytest.raises(DatNetError, match="line break in it or is not UTF-8"):
            run(Blend(), pairs=[(odd, styles[0])], output_dir=tmp_path / "other")


def test_a_full_disk_names_the_file_and_what_is_measured_is_kept(
    run: Callable, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Blend(fail_at=3))
    size = (tmp_path / "out" / "results.csv").stat().st_size
    with files_end_at(size + 10), pytest.raises(OSError, match="File too large") as error:
        run(Blend())
    assert error.value.filename == str(tmp_path / "out" / "results.csv")
    rest = Blend()
    run(rest)
    assert rest.calls == 4
    assert len(rows_of(tmp_path / "out")) == 6


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
    assert run(in_place, output_dir=tmp_path / "in_place").metrics == expected.metrics


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
    with pytest.warns(UserWarning, match=r"a\.png with style x\.jpg is a single colour") as caught:
        run(constant, output_dir=tmp_path / "constant")
    assert len([warning for warning in caught if warning.category is UserWarning]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(Blend(), output_dir=tmp_path / "good")


def test_results_of_the_wrong_shape_are_refused(run: Callable) -> None:
    with pytest.raises(ValueError, match="shape"):
        run(lambda content, style: content[..., :16])
    with pytest.raises(DatNetError, match="size is 16"):
        run(Blend(), size=16)


def test_half_precision_results_are_measured(run: Callable, tmp_path: Path) -> None:
    summary = run(lambda content, style: content.bfloat16())
    exact = run(identity, output_dir=tmp_path / "identity")
    assert summary.metrics["ssim"].mean == pytest.approx(exact.metrics["ssim"].mean, abs=0.01)


def test_protocol_sentence_says_how_in_one_line() -> None:
    pairs = every_pair([Path(f"{i}.jpg") for i in range(50)], [Path(f"{i}.jpg") for i in range(20)])
    sentence = protocol_sentence(pairs, 512, "an ImageNet VGG-16")
    assert sentence.startswith("50 contents × 20 styles = 1000 results at 512×512 pixels")
    for fact in (
        "8 bits",
        "11×11 Gaussian window, σ 1.5, RGB, data range 1",
        "per image, then averaged",
        "LPIPS v0.1 (AlexNet and VGG-16)",
        "an ImageNet VGG-16",
        "95% bootstrap",
        "Canny edges of result and content, σ 2, thresholds 0.1 and 0.2, tolerance 2 px",
        "not comparable with published FID and ArtFID",
    ):
        assert fact in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
