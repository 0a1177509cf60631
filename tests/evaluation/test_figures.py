from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet.errors import DatNetError
from datnet.evaluation.figures import comparison_grid


def noise(width: int, height: int, seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def position(figure: np.ndarray, picture: Image.Image) -> tuple[int, int] | None:
    """Upper left corner (x, y) of the picture in the figure, if it is there pixel by pixel."""
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    for y, x in np.argwhere((figure == pixels[0, 0]).all(-1)):
        if np.array_equal(figure[y : y + height, x : x + width], pixels):
            return int(x), int(y)
    return None


@pytest.mark.parametrize("side", [64, 97, 200, 256])
def test_every_pixel_of_every_picture_is_in_the_figure(tmp_path: Path, side: int) -> None:
    rows = [[noise(side, side, 10 * row + column) for column in range(3)] for row in range(2)]
    comparison_grid(rows, ["content", "style", "DatNet"], ["a", "b"], path=tmp_path / "grid.png")
    figure = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB"))
    corners = [[position(figure, picture) for picture in row] for row in rows]
    assert all(corner is not None for row in corners for corner in row)
    (first_x, first_y), (second_x, _), (third_x, _) = corners[0]
    gap = second_x - first_x - side
    assert 1 <= gap <= side / 16
    assert third_x - second_x == second_x - first_x
    assert corners[1] == [(x, first_y + side + gap) for x, _ in corners[0]]
    height, width = figure.shape[:2]
    assert (width, height) == (third_x + side + gap, corners[1][0][1] + side + gap)


def test_pictures_of_several_sizes_are_centred_in_their_cells(tmp_path: Path) -> None:
    wide, high, small = noise(120, 60, 0), noise(50, 100, 1), noise(20, 20, 2)
    comparison_grid([[wide, high], [small, small]], ["a", "b"], path=tmp_path / "grid.png")
    figure = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB"))
    wide_x, wide_y = position(figure, wide)
    _, high_y = position(figure, high)
    small_x, _ = position(figure, small)
    assert small_x - wide_x == (120 - 20) // 2
    assert wide_y - high_y == (100 - 60) // 2


def test_outside_pictures_there_is_white_and_the_ink_of_titles(tmp_path: Path) -> None:
    picture = Image.new("RGB", (100, 100), "red")
    titled, untitled = tmp_path / "titled.png", tmp_path / "untitled.png"
    comparison_grid([[picture]], ["content"], ["row"], path=titled)
    comparison_grid([[picture]], [""], path=untitled)
    for path, has_ink in ((titled, True), (untitled, False)):
        figure = np.asarray(Image.open(path).convert("RGB"))
        outside = figure[~(figure == (255, 0, 0)).all(-1)]
        assert outside.max() == 255
        assert (outside.min() < 50) == has_ink
        assert (figure[-1] == 255).all()


def test_long_titles_stay_over_their_own_column(tmp_path: Path) -> None:
    pictures = [[noise(64, 64, 0), noise(64, 64, 1)]]
    long = "a very long description of a network that nobody would want to read in a figure"
    comparison_grid(pictures, [long, ""], path=tmp_path / "grid.png")
    figure = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB"))
    second_x, y = position(figure, pictures[0][1])
    ink = (figure[:y] < 128).any((0, 2)).nonzero()[0]
    assert len(ink) > 30
    assert ink.max() < second_x


def test_captions_stand_under_their_own_picture(tmp_path: Path) -> None:
    rows = [[noise(64, 64, 2 * row + column) for column in range(2)] for row in range(2)]
    captions = [[None, "0.25"], [None, None]]
    comparison_grid(rows, ["", ""], captions=captions, path=tmp_path / "grid.png")
    figure = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB"))
    for row, row_captions in zip(rows, captions, strict=True):
        for picture, caption in zip(row, row_captions, strict=True):
            x, y = position(figure, picture)
            below = figure[y + 64 : y + 64 + 12, x : x + 64]
            assert (below.min() < 100) == (caption is not None)
    with pytest.raises(ValueError, match="caption"):
        comparison_grid(rows, ["", ""], captions=[["a", "b"]], path=tmp_path / "grid.png")


def test_titles_of_wide_figures_are_legible_on_a_page(tmp_path: Path) -> None:
    """Printed 7 inches wide, capitals in titles are at least 1.5 mm high."""
    rows = [[Image.new("RGB", (256, 256), "white") for _ in range(10)]]
    comparison_grid(rows, ["H"] * 10, path=tmp_path / "grid.png")
    figure = np.asarray(Image.open(tmp_path / "grid.png").convert("L"))
    ink = (figure < 128).any(1).nonzero()[0]
    assert (ink.max() - ink.min() + 1) / figure.shape[1] * 7 * 25.4 >= 1.5


def test_dollar_signs_are_no_formulas(tmp_path: Path) -> None:
    picture = noise(64, 64, 0)
    comparison_grid([[picture]], ["$x_{"], path=tmp_path / "grid.png")
    assert (tmp_path / "grid.png").exists()


def test_pdf_holds_the_pixels_losslessly(tmp_path: Path) -> None:
    path = tmp_path / "figures" / "grid.pdf"
    comparison_grid([[noise(48, 32, 0)]], ["content"], path=path)
    pdf = path.read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/Width 48 /Height 32" in pdf
    assert b"/DCTDecode" not in pdf
    assert [file.name for file in path.parent.iterdir()] == ["grid.pdf"]


@pytest.mark.parametrize(
    ("rows", "column_titles", "row_titles"),
    [
        ([], ["a"], None),
        ([[1, 2], [1]], ["a", "b"], None),
        ([[1, 2]], ["a"], None),
        ([[1]], ["a"], ["x", "y"]),
    ],
)
def test_numbers_that_do_not_agree_are_refused(
    tmp_path: Path, rows: list, column_titles: list[str], row_titles: list[str] | None
) -> None:
    rows = [[noise(32, 32, 0) for _ in row] for row in rows]
    with pytest.raises(ValueError, match="row"):
        comparison_grid(rows, column_titles, row_titles, path=tmp_path / "grid.png")


def test_other_suffixes_are_refused_and_a_failure_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = noise(32, 32, 0)
    with pytest.raises(DatNetError, match=r"grid\.jpg.*\.png or \.pdf"):
        comparison_grid([[picture]], ["a"], path=tmp_path / "grid.jpg")

    def disk_full(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(OSError, match="disk full"):
        comparison_grid([[picture]], ["a"], path=tmp_path / "grid.png")
    assert list(tmp_path.iterdir()) == []
