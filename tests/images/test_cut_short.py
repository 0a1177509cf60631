"""Truncated files: stylized as far as they go, and skipped by everything else."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from datnet.data.conversion import prepare_image
from datnet.errors import DatNetWarning
from datnet.images.errors import UnreadableImageError
from datnet.images.pictures import read_mask, read_picture
from datnet.images.reading import read_image
from tests.helpers.image_files import encoded, picture, saved

PHOTO = picture(160, 120)


def cut(image_format: str, share: float, image: Image.Image = PHOTO, **options: object) -> bytes:
    content = encoded(image, image_format, **options)
    return content[: round(len(content) * share)]


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_blocks": 4}),
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
    ],
)
def test_what_is_there_is_stylized_with_a_note(
    tmp_path: Path, image_format: str, options: dict[str, object]
) -> None:
    path = saved(tmp_path, "photo.jpg", cut(image_format, 0.8, **options))
    with pytest.warns(DatNetWarning, match=r"photo\.jpg is cut short: .*missing"):
        image, _ = read_picture(path)
    assert image.size == (160, 120)
    there = np.asarray(image, dtype=int)[70:80] if image_format == "BMP" else np.asarray(image)[:70]
    whole = np.asarray(PHOTO, dtype=int)[70:80] if image_format == "BMP" else np.asarray(PHOTO)[:70]
    assert np.abs(there.astype(int) - whole).mean() < 15
    with pytest.raises(UnreadableImageError):
        read_image(path)  # for training and evaluation
    with pytest.raises(UnreadableImageError):
        prepare_image(path, path.read_bytes(), 64, 95)


def test_the_rest_of_a_jpeg_is_gray(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", cut("JPEG", 0.8))
    with pytest.warns(DatNetWarning, match="of the picture is missing"):
        image, _ = read_picture(path)
    assert set(np.asarray(image)[-1].ravel().tolist()) == {128}


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_less_than_half_is_refused(tmp_path: Path, image_format: str) -> None:
    path = saved(tmp_path, "a", cut(image_format, 0.3))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DatNetWarning)
        with pytest.raises(UnreadableImageError, match=r"cut short|damaged|truncated"):
            read_picture(path)


def test_interlaced_pictures_would_have_holes(tmp_path: Path) -> None:
    for image_format, options in (("GIF", {"interlace": 1}),):
        path = saved(tmp_path, "a", cut(image_format, 0.8, **options))
        with pytest.raises(UnreadableImageError, match="truncated"):
            read_picture(path)
    path = saved(tmp_path, "a.gif", cut("GIF", 0.8, interlace=0))
    with pytest.warns(DatNetWarning, match="cut short"):
        assert read_picture(path)[0].size == (160, 120)


def test_a_cut_jpeg_is_turned_upright_and_reduced(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = saved(tmp_path, "a.jpg", cut("JPEG", 0.8, PHOTO.resize((640, 480)), exif=exif))
    with pytest.warns(DatNetWarning):
        image, _ = read_picture(path, at_least=100)
    assert image.size == (120, 160)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "P", "I;16"])
def test_modes(tmp_path: Path, mode: str) -> None:
    photo = PHOTO.convert("L") if mode == "I;16" else PHOTO
    if mode == "I;16":
        photo = Image.fromarray(np.asarray(photo).astype(np.uint16) * 257)
    else:
        photo = photo.convert(mode)
    path = saved(tmp_path, "a", cut("JPEG" if mode in ("L", "CMYK") else "PNG", 0.9, photo))
    with pytest.warns(DatNetWarning, match="cut short"):
        image, _ = read_picture(path)
    assert image.size == PHOTO.size
    path = saved(tmp_path, "b", cut("JPEG" if mode in ("L", "CMYK") else "PNG", 0.3, photo))
    with pytest.raises(UnreadableImageError, match=r"only \d+% of the picture"):
        read_picture(path)


def test_masks_and_whole_pictures_are_as_they_were(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="truncated"):
        read_mask(saved(tmp_path, "a.jpg", cut("JPEG", 0.9)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_picture(saved(tmp_path, "b.jpg", encoded(PHOTO, "JPEG")))


def test_a_fault_of_the_disk_is_no_short_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, "a.png", encoded(PHOTO, "PNG"))

    def fail(self: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(UnreadableImageError, match="Input/output error"):
        read_picture(path)


def test_the_case_of_the_issue(shared: Path) -> None:
    path = shared / "cases" / "cut-short.jpg"
    with pytest.warns(DatNetWarning, match=r"cut-short\.jpg is cut short"):
        image, _ = read_picture(path)
    assert image.size == (200, 200)
    with pytest.raises(UnreadableImageError):
        read_image(path)
