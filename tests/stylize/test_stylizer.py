"""The Stylizer, with a network whose results can be predicted."""

from __future__ import annotations

import doctest
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from datnet import Stylizer
from datnet.errors import DatNetError
from datnet.images.colors import keep_chroma, luma
from datnet.images.errors import UnreadableImageError
from datnet.images.opening import open_mask, open_picture
from datnet.images.tensors import to_image, to_tensor
from datnet.networks import attention
from datnet.networks.ops.convolution import Convolution
from tests.helpers.pixel_network import PixelNetwork, write_pixel_network


def picture(width: int, height: int, seed: int, low: int = 0, high: int = 256) -> Image.Image:
    generator = np.random.default_rng(seed)
    small = Image.fromarray(generator.integers(low, high, (6, 8, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


PHOTO = picture(64, 48, 0, 60, 200)
FIRST, SECOND = picture(40, 50, 1, 100, 220), picture(56, 40, 2, 20, 160)


@pytest.fixture(scope="module")
def stylizer(tmp_path_factory: pytest.TempPathFactory) -> Stylizer:
    return Stylizer(write_pixel_network(tmp_path_factory.mktemp("network") / "n"), device="cpu")


def values(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def assert_close(one: Image.Image, other: Image.Image) -> None:
    assert one.mode == other.mode
    assert np.abs(values(one) - values(other)).max() <= 1


# ----------------------------------------------------------------------------- what goes in


def test_docstring_runs(stylizer: Stylizer) -> None:
    tests = doctest.DocTestFinder(recurse=False).find(
        Stylizer, "Stylizer", globs={"stylizer": stylizer}
    )
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    results = [runner.run(test) for test in tests]
    assert sum(result.attempted for result in results) > 10
    assert not any(result.failed for result in results)


@pytest.mark.parametrize(
    "convert",
    [
        lambda image, folder: image.save(folder / "a.png") or folder / "a.png",
        lambda image, folder: image.save(folder / "a.png") or str(folder / "a.png"),
        lambda image, folder: np.asarray(image),
        lambda image, folder: np.asarray(image) / 255,
        lambda image, folder: (np.asarray(image) / 255).astype(np.float32)[:, ::-1][:, ::-1],
        lambda image, folder: np.dstack([image, np.full((48, 64), 255, np.uint8)]),
        lambda image, folder: to_tensor(image),
        lambda image, folder: to_tensor(image).half().requires_grad_(),
        lambda image, folder: to_tensor(image).mul(255).byte(),
        lambda image, folder: image.convert("RGBA"),
    ],
)
def test_whatever_a_picture_is(
    stylizer: Stylizer, tmp_path: Path, convert: Callable[[Image.Image, Path], object]
) -> None:
    assert_close(stylizer(convert(PHOTO, tmp_path), FIRST), stylizer(PHOTO, FIRST))
    assert_close(stylizer(FIRST, convert(PHOTO, tmp_path)), stylizer(FIRST, PHOTO))


def test_pictures_in_memory_are_put_upright_like_files(stylizer: Stylizer, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    PHOTO.save(tmp_path / "a.png", exif=exif)
    result = stylizer(tmp_path / "a.png", FIRST)
    assert result.size == (48, 64)
    assert stylizer(Image.open(tmp_path / "a.png"), FIRST) == result
    assert_close(result, stylizer(PHOTO.transpose(Image.Transpose.ROTATE_270), FIRST))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((48, 64)), r"shape \(48, 64\); it must be \(H, W, 3\)"),
        (np.zeros((3, 48, 64)), "shape"),
        (np.zeros((0, 64, 3)), "shape"),
        (torch.zeros(48, 64, 3), r"must be \(3, H, W\)"),
        (torch.zeros(1, 3, 48, 64), "shape"),
        (np.full((48, 64, 3), 255.0), r"from 255 to 255; floats must .*divide by 255"),
        (np.full((48, 64, 3), -0.1), "floats must"),
        (np.full((48, 64, 3), np.nan), "floats must"),
        (np.zeros((48, 64, 3), np.int64), "int64"),
        (np.zeros((48, 64, 3), bool), "bool"),
        (None, "NoneType"),
        ("nowhere.png", "nowhere.png: there is no such file"),
        (Image.new("RGB", (31, 64)), "31 × 64 pixels; both sides must be at least 32"),
        (Image.new("RGB", (1, 1)), "1 × 1 pixels"),
    ],
)
def test_bad_pictures(stylizer: Stylizer, bad: object, words: str) -> None:
    with pytest.raises(DatNetError, match=words) as info:
        stylizer(bad, FIRST)
    assert "style" not in str(info.value)
    assert "\n" not in str(info.value)
    with pytest.raises(DatNetError, match=words):
        stylizer(PHOTO, [bad, FIRST])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alpha": 2}, "alpha is 2; .* between 0 and 1"),
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"size": 31}, "size is 31; .* at least 32"),
        ({"size": 200_000}, "at most 180 million pixels"),
        ({"style_size": 8}, "style_size is 8"),
        ({"keep_colors": "hue"}, 'keep_colors is "hue"; .* luminance or histogram'),
        ({"weights": [1]}, "2 styles and 1 weights"),
        ({"weights": [1, 0]}, "is 0; it must be a positive number"),
        ({"weights": [1, -2]}, "is -2"),
        ({"weights": [1, float("inf")]}, "is inf"),
        ({"weights": [1, float("nan")]}, "is nan"),
        ({"mask": PHOTO, "weights": [1, 2]}, "cannot have weights"),
        ({"mask": np.zeros((2, 2, 2))}, "the mask has the shape"),
        ({"mask": "nowhere.png"}, "nowhere.png"),
    ],
)
def test_bad_settings(stylizer: Stylizer, settings: dict, words: str) -> None:
    with pytest.raises(DatNetError, match=words) as info:
        stylizer(PHOTO, [FIRST, SECOND], **settings)
    assert "\n" not in str(info.value)


def test_number_of_styles(stylizer: Stylizer) -> None:
    with pytest.raises(DatNetError, match="no style"):
        stylizer(PHOTO, [])
    with pytest.raises(DatNetError, match="one or two styles, not 3"):
        stylizer(PHOTO, [FIRST, SECOND, PHOTO], mask=PHOTO)


# ------------------------------------------------------------------------------ styles, sizes


def test_strength_and_size(stylizer: Stylizer) -> None:
    full, half, none = (values(stylizer(PHOTO, FIRST, alpha)) for alpha in (1, 0.5, 0))
    assert np.array_equal(none, values(PHOTO))
    assert full.mean((0, 1)) == pytest.approx(values(FIRST).mean((0, 1)), abs=2)
    unclipped = (full > 0) & (full < 255)
    assert np.abs(half - (full + none) / 2)[unclipped].max() <= 1
    assert stylizer(PHOTO, FIRST, size=32).size == (43, 32)
    assert stylizer(PHOTO, FIRST, size=96).size == (128, 96)


def test_attention_is_chosen_for_each_call(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = []
    generate = stylizer.network.generate_mixed
    monkeypatch.setattr(
        stylizer.network,
        "generate_mixed",
        lambda *arguments: ways.append(attention._way.get()) or generate(*arguments),
    )
    for settings in ({}, {"attention": "fast"}, {"attention": "exact"}, {}):
        stylizer(PHOTO, FIRST, **settings)
    assert ways == ["exact", "fast", "exact", "exact"]


def test_size_of_styles(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    large, small = picture(300, 600, 3), picture(40, 32, 4)
    assert stylizer.encode_style(large).picture.size == (300, 600)
    assert stylizer.encode_style(picture(600, 900, 3)).picture.size == (512, 768)
    assert stylizer.encode_style(large, 150).picture.size == (150, 300)
    assert stylizer.encode_style(small, 64).picture.size == (80, 64)  # also larger
    seen = []
    encode = stylizer.network.encode_style
    monkeypatch.setattr(
        stylizer.network,
        "encode_style",
        lambda images: seen.append(tuple(images.shape[2:])) or encode(images),
    )
    stylizer(PHOTO, [large, small])
    stylizer(PHOTO, [large, small], size=64)
    stylizer(PHOTO, [large, small], size=64, style_size=100)
    sizes = [(96, 48), (32, 40), (128, 64), (32, 40), (200, 100), (100, 125)]
    assert seen == sizes
    style = stylizer.encode_style(small)
    stylizer(PHOTO, style)
    stylizer(PHOTO, style, size=32)
    assert seen == [*sizes, (32, 40)]  # once


def test_encoded_styles(stylizer: Stylizer, tmp_path: Path) -> None:
    style = stylizer.encode_style(FIRST)
    assert stylizer(PHOTO, style) == stylizer(PHOTO, FIRST)
    assert stylizer(PHOTO, [style, SECOND]) == stylizer(PHOTO, [FIRST, SECOND])
    for way in ("luminance", "histogram"):
        assert stylizer(PHOTO, style, keep_colors=way) == stylizer(PHOTO, FIRST, keep_colors=way)
    assert stylizer(PHOTO, style, style_size=40) == stylizer(PHOTO, style)
    with pytest.raises(DatNetError, match="encoded already, at 40; give the size to encode_style"):
        stylizer(PHOTO, style, style_size=64)
    other = Stylizer(write_pixel_network(tmp_path / "n"), device="cpu")
    with pytest.raises(DatNetError, match="another Stylizer"):
        other(PHOTO, style)
    with pytest.raises(DatNetError, match="style_size"):
        stylizer.encode_style(FIRST, 5)
    with pytest.raises(AttributeError):
        style.features = ()  # type: ignore[misc]


def test_mixtures(stylizer: Stylizer) -> None:
    one, other = (stylizer(PHOTO, each) for each in (FIRST, SECOND))
    assert stylizer(PHOTO, [FIRST]) == one
    assert stylizer(PHOTO, (FIRST, FIRST), weights=[5, 2]) == one
    mixed = stylizer(PHOTO, [FIRST, SECOND], weights=[3, 1])
    assert mixed == stylizer(PHOTO, [FIRST, SECOND], weights=(0.75, 0.25))
    means = [values(each).mean((0, 1)) for each in (one, other, mixed)]
    assert means[2] == pytest.approx(0.75 * means[0] + 0.25 * means[1], abs=2)
    equal = stylizer(PHOTO, [FIRST, SECOND])
    assert equal == stylizer(PHOTO, [SECOND, FIRST], weights=[7, 7])
    assert equal not in (one, other, mixed)


# -------------------------------------------------------------------------------------- colors


def test_luminance_keeps_the_content_s_chroma(stylizer: Stylizer) -> None:
    plain, content = to_tensor(stylizer(PHOTO, FIRST)), to_tensor(PHOTO)
    result = to_tensor(stylizer(PHOTO, FIRST, keep_colors="luminance"))
    torch.testing.assert_close(result, keep_chroma(plain, content), atol=2.5 / 255, rtol=0)
    assert (luma(result) - luma(plain)).abs().max() < 2 / 255


def test_histogram_gives_the_painting_the_content_s_colours(stylizer: Stylizer) -> None:
    plain = values(stylizer(PHOTO, FIRST)).mean((0, 1))
    result = values(stylizer(PHOTO, FIRST, keep_colors="histogram")).mean((0, 1))
    photo = values(PHOTO).mean((0, 1))
    assert result == pytest.approx(photo, abs=2.5)
    assert np.abs(plain - photo).max() > 10


@pytest.mark.parametrize("way", ["luminance", "histogram"])
@pytest.mark.parametrize("mask", [None, np.linspace(0, 1, 64)[None]])
def test_gray_stays_gray(
    stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch, way: str, mask: np.ndarray | None
) -> None:
    """Whatever tint the network has."""
    tint = torch.tensor([0.1, 0.0, -0.1])[:, None, None]
    monkeypatch.setitem(stylizer.network._parameters, "tint", tint)
    gray = PHOTO.convert("L")
    assert np.ptp(values(stylizer(gray, FIRST)), axis=2).max() > 10
    result = values(stylizer(gray, [FIRST, SECOND], keep_colors=way, mask=mask))
    assert np.ptp(result, axis=2).max() == 0
    assert result.std() > 5


@pytest.mark.parametrize("way", ["luminance", "histogram"])
def test_pictures_of_one_colour(stylizer: Stylizer, way: str) -> None:
    one_colour = Image.new("RGB", (40, 40), (200, 30, 60))
    for content, style in ((one_colour, FIRST), (PHOTO, one_colour), (one_colour, one_colour)):
        assert stylizer(content, style, keep_colors=way).size == content.size


# ---------------------------------------------------------------------------------------- masks


@pytest.mark.parametrize("way", [None, "luminance", "histogram"])
def test_mask_with_one_style(stylizer: Stylizer, way: str | None) -> None:
    stylized = stylizer(PHOTO, FIRST, keep_colors=way)

    def masked(mask: object) -> Image.Image:
        return stylizer(PHOTO, FIRST, keep_colors=way, mask=mask)

    assert masked(Image.new("L", (7, 300), 255)) == stylized
    assert masked(np.zeros((1, 1))) == PHOTO
    left = np.zeros((48, 64), bool)
    left[:, :20] = True
    result = values(masked(left))
    assert np.array_equal(result[:, :20], values(stylized)[:, :20])
    assert np.array_equal(result[:, 20:], values(PHOTO)[:, 20:])
    half = values(masked(np.full((48, 64), 128, np.uint8)))
    assert np.abs(half - (values(stylized) + values(PHOTO)) / 2).max() <= 2


def test_mask_with_two_styles(stylizer: Stylizer, tmp_path: Path) -> None:
    first, second = stylizer(PHOTO, FIRST), stylizer(PHOTO, SECOND)
    slope = np.linspace(0, 255, 64).round().astype(np.uint8)[None].repeat(48, 0)
    Image.fromarray(slope).save(tmp_path / "mask.png")
    result = values(stylizer(PHOTO, [FIRST, SECOND], mask=tmp_path / "mask.png"))
    share = slope[..., None] / 255
    assert np.abs(result - (share * values(first) + (1 - share) * values(second))).max() <= 1.5
    with_alpha = stylizer(PHOTO, [FIRST, SECOND], 0.0, mask=tmp_path / "mask.png")
    assert with_alpha == PHOTO


def test_mask_is_stretched_softly(stylizer: Stylizer) -> None:
    white = Image.new("RGB", (40, 40), "white")
    black = Image.new("RGB", (64, 48), "black")
    result = values(stylizer(black, white, mask=np.array([[0.0, 1.0]])))[..., 0]
    assert result[0, 0] == 0
    assert (np.diff(result[0]) >= 0).all()
    assert 60 < result[0, 32] < 200
    assert (result == result[:1]).all()


@pytest.mark.parametrize(
    "mask",
    [
        np.full((2, 3), 1.0),
        np.full((2, 3), 255, np.uint8),
        np.full((2, 3), True),
        np.full((2, 3, 1), 1.0),
        np.full((2, 3, 3), 255, np.uint8),
        torch.ones(3, 2, 3),
        torch.ones(1, 2, 3),
        torch.ones(2, 3),
        Image.new("1", (3, 2), 1),
    ],
)
def test_whatever_a_mask_is(mask: object) -> None:
    assert open_mask(mask).size == (3, 2)
    assert open_mask(mask).getextrema() == (255, 255)


# --------------------------------------------------------------------------------- transparency


def test_transparency(stylizer: Stylizer) -> None:
    opacity = Image.linear_gradient("L").resize((64, 48)).point(lambda o: max(0, o - 60))
    content = PHOTO.copy()
    content.putalpha(opacity)
    result = stylizer(content, FIRST)
    assert result.mode == "RGBA"
    assert result.getchannel("A") == opacity
    small = stylizer(content, FIRST, size=32)
    assert (small.mode, small.size) == ("RGBA", (43, 32))
    # The network sees the colors of all that is seen a little, and white elsewhere.
    over_white = values(PHOTO)
    over_white[values(opacity) == 0] = 255
    expected = stylizer(over_white.astype(np.uint8), FIRST)
    assert_close(result.convert("RGB"), expected)
    # A style's transparency is white.
    style = FIRST.copy()
    style.putalpha(0)
    assert stylizer(PHOTO, style) == stylizer(PHOTO, Image.new("RGB", FIRST.size, "white"))


def test_invisible_pixels_have_no_colours(stylizer: Stylizer) -> None:
    content = np.zeros((64, 64, 4), np.uint8)
    content[:, :16] = (180, 90, 90, 255)
    content[:, 16:24] = (100, 100, 160, 255)
    style = stylizer.encode_style(FIRST)
    stylized = stylizer(content, style, keep_colors="histogram").convert("RGB")
    # The painting became two parts red and one part blue, without the white of the background.
    assert values(stylized).mean((0, 1)) == pytest.approx([153, 93, 113], abs=6)
    clear = np.zeros((64, 64, 4), np.uint8)
    assert stylizer(clear, style, keep_colors="histogram").getchannel("A").getextrema() == (0, 0)


# ---------------------------------------------------------------------------------- misfortunes


def test_memory_that_runs_out(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_with(error: Exception) -> None:
        def generate_mixed(*arguments: object) -> None:
            raise error

        monkeypatch.setattr(stylizer.network, "generate_mixed", generate_mixed)

    for error in (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ):
        fail_with(error)
        with pytest.raises(DatNetError, match=r"not enough memory .* smaller size"):
            stylizer(PHOTO, FIRST)
    fail_with(RuntimeError("another matter"))
    with pytest.raises(RuntimeError, match="another matter"):
        stylizer(PHOTO, FIRST)


def test_network_that_failed(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = torch.full((3, 1, 1), float("nan"))
    monkeypatch.setitem(stylizer.network._parameters, "tint", broken)
    with pytest.raises(DatNetError, match="pixel returned values that are not finite"):
        stylizer(PHOTO, FIRST)


def test_unreadable_files_name_themselves(stylizer: Stylizer, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    with pytest.raises(UnreadableImageError) as info:
        stylizer(PHOTO, [FIRST, tmp_path / "bad.jpg"])
    assert info.value.path == tmp_path / "bad.jpg"


def test_many_threads(stylizer: Stylizer) -> None:
    style = stylizer.encode_style(FIRST)
    settings = [
        {"alpha": 0.5},
        {"size": 40},
        {"keep_colors": "histogram"},
        {"keep_colors": "luminance"},
        {"mask": np.eye(48)},
        {"alpha": 0.1, "size": 64},
    ]
    expected = [stylizer(PHOTO, style, **each) for each in settings]
    wrong: list[object] = []
    start = threading.Barrier(len(settings))

    def work(number: int) -> None:
        start.wait()
        for _ in range(5):
            try:
                if stylizer(PHOTO, style, **settings[number]) != expected[number]:
                    wrong.append(number)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(settings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_result_is_an_ordinary_image(stylizer: Stylizer) -> None:
    result = stylizer(PHOTO, FIRST)
    assert (result.mode, result.size, result.info) == ("RGB", (64, 48), {})
    assert to_image(to_tensor(result)) == result


@pytest.mark.parametrize(("dtype", "decibels"), [("float16", 45), ("bfloat16", 35)])
def test_16_bits_paint_nearly_the_same(shared: Path, dtype: str, decibels: float) -> None:
    """A trained network; float16 has eight times the digits of bfloat16."""
    microast = shared / "golden" / "microast"
    exact, rounded = (
        values(Stylizer(microast, "cpu", each)(PHOTO, FIRST)) for each in ("float32", dtype)
    )
    error = np.square(exact - rounded).mean()
    assert 0 < error < 255**2 / 10 ** (decibels / 10)


def test_an_unknown_dtype_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match=r"dtype is int8.*float16"):
        Stylizer(write_pixel_network(tmp_path / "n"), "cpu", "int8")


def test_empty_names_are_told_by_their_argument() -> None:
    with pytest.raises(DatNetError, match="checkpoint is an empty name"):
        Stylizer("")
    for role in ("content", "style"):
        for name in ("", Path()):
            with pytest.raises(DatNetError, match=f"the {role} is an empty name"):
                open_picture(name, role)
    with pytest.raises(DatNetError, match="the mask is an empty name"):
        open_mask("")


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    assert open_picture("~/a.png", "content")[0].getpixel((0, 0)) == (255, 0, 0)
    assert open_mask(Path("~/a.png")).size == (40, 40)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").rename("~a.png")  # is no user's
    assert open_picture("~a.png", "content")[0].size == (40, 40)


# ----------------------------------------------------------------------------- tiles


class Blur(PixelNetwork):
    """A pixel network that looks beyond the border when it encodes and when it generates."""

    def __init__(self) -> None:
        super().__init__()
        self.blur = Convolution(3, 3, kernel_size=9, groups=3)
        torch.nn.init.constant_(self.blur.weight, 1 / 81)
        torch.nn.init.zeros_(self.blur.bias)

    def encode_content(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [self.blur(images)]

    def generate_mixed(self, *arguments: Any) -> torch.Tensor:
        return self.blur(super().generate_mixed(*arguments))


def test_a_result_that_tiles(tmp_path: Path) -> None:
    stylizer = Stylizer(write_pixel_network(tmp_path / "n"), device="cpu")
    stylizer.network = Blur()
    texture = values(picture(64, 48, 5)).astype(np.uint8)
    shift = (16, 32)
    result, rolled = (
        values(stylizer(each, FIRST, tileable=True))
        for each in (texture, np.roll(texture, shift, (0, 1)))
    )
    assert np.abs(np.roll(result, shift, (0, 1)) - rolled).max() <= 1
    with_edges = values(stylizer(texture, FIRST))
    assert np.abs(with_edges - result)[8:-8, 8:-8].max() <= 8  # the statistics change a little
    assert np.abs(with_edges - result).max() > 10


def test_what_cannot_tile_is_refused(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatNetError, match=r"50 × 48 pixels, .* multiples of 16"):
        stylizer(picture(50, 48, 0), FIRST, tileable=True)
    monkeypatch.setattr(stylizer.network, "seam", "it sees borders", raising=False)
    with pytest.raises(DatNetError, match="pixel gives no tileable results: it sees borders"):
        stylizer(PHOTO, FIRST, tileable=True)
