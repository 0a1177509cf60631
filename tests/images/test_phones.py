"""Pictures as phones write them: HEIC, gain maps, depth maps."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from datnet import Stylizer
from datnet.data.prepare import Settings, prepare
from datnet.data.shards import Shards
from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError
from datnet.images.finding import find_images
from datnet.images.pictures import read_picture, save_picture
from datnet.images.reading import read_image
from tests.helpers.pixel_network import write_pixel_network

try:
    import pillow_heif
except ImportError:
    pillow_heif = None

HEIF = pytest.mark.skipif(pillow_heif is None, reason="pillow-heif is not installed")


def corners() -> Image.Image:
    """Red, green, blue and white quarters: every turn and flip is told apart."""
    image = Image.new("RGB", (96, 64), "white")
    image.paste((220, 30, 30), (0, 0, 48, 32))
    image.paste((30, 200, 30), (48, 0, 96, 32))
    image.paste((30, 30, 220), (0, 32, 48, 64))
    return image


def write_heic(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, "HEIF", quality=95, **options)
    return path


def quarters(image: Image.Image) -> list[tuple[int, ...]]:
    width, height = image.size
    places = [(x * width // 4, y * height // 4) for y in (1, 3) for x in (1, 3)]
    return [image.convert("RGB").getpixel(place) for place in places]


def assert_same(image: Image.Image, expected: Image.Image, tolerance: int = 12) -> None:
    assert image.size == expected.size
    difference = np.subtract(quarters(image), quarters(expected))
    assert np.abs(difference).max() <= tolerance


@HEIF
@pytest.mark.parametrize("suffix", [".heic", ".HEIF", ".hif"])
def test_heic_is_read_wherever_pictures_are(tmp_path: Path, suffix: str) -> None:
    path = write_heic(tmp_path / f"IMG_1{suffix}", corners())
    assert find_images(tmp_path) == [path]
    assert_same(read_image(path), corners())
    assert_same(read_picture(path)[0], corners())
    assert_same(read_image(path.name, content=path.read_bytes()), corners())


@HEIF
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_phone_that_was_held_sideways(tmp_path: Path, orientation: int) -> None:
    """libheif turns the picture; the orientation in its EXIF must not turn it again."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = write_heic(tmp_path / "a.heic", corners(), exif=exif.tobytes())
    turns = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_270,
        8: Image.Transpose.ROTATE_90,
    }
    expected = corners() if orientation == 1 else corners().transpose(turns[orientation])
    assert_same(read_image(path), expected)
    assert_same(read_picture(path)[0], expected)


@HEIF
def test_the_color_profile_is_applied_and_kept(tmp_path: Path) -> None:
    from tests.images.test_pictures import WIDE

    plain = write_heic(tmp_path / "plain.heic", corners())
    wide = write_heic(tmp_path / "wide.heic", corners(), icc_profile=WIDE)
    picture, origin = read_picture(wide)
    assert quarters(picture)[1][1] > quarters(read_picture(plain)[0])[1][1]  # greener
    assert origin.icc_profile == WIDE
    save_picture(picture, tmp_path / "result.png", origin)
    with Image.open(tmp_path / "result.png") as result:
        assert result.info["icc_profile"] == WIDE
    assert ImageCms.ImageCmsProfile(io.BytesIO(WIDE)).profile.xcolor_space.strip() == "RGB"


@HEIF
def test_the_primary_picture_is_the_one_that_is_used(tmp_path: Path) -> None:
    """Bursts and live photos hold several."""
    file = pillow_heif.HeifFile()
    file.add_from_pillow(Image.new("RGB", (64, 64), "black"))
    file.add_from_pillow(corners())
    file.save(tmp_path / "burst.heic", primary_index=1, quality=95)
    assert_same(read_image(tmp_path / "burst.heic"), corners())


@HEIF
def test_transparency(tmp_path: Path) -> None:
    image = corners().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    path = write_heic(tmp_path / "a.heic", image)
    assert read_picture(path)[0].mode == "RGBA"
    assert read_image(path).mode == "RGB"


@HEIF
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_damaged_heic_is_refused_in_one_line(tmp_path: Path, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    path = write_heic(tmp_path / "a.heic", Image.fromarray(noise))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    for read in (read_image, read_picture):
        with pytest.raises(UnreadableImageError, match=r"a\.heic: ") as error:
            read(path)
        assert "\n" not in str(error.value)


@HEIF
def test_size_is_checked_before_decoding(tmp_path: Path) -> None:
    path = write_heic(tmp_path / "a.heic", corners())
    with pytest.raises(UnreadableImageError, match="too large: 96 x 64"):
        read_image(path, max_pixels=1000)


@HEIF
def test_stylized_and_prepared(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    path = write_heic(tmp_path / "photos" / "IMG_1.HEIC", corners())
    stylizer = Stylizer(write_pixel_network(tmp_path / "network.safetensors"), "cpu")
    assert stylizer(path, path).size == (96, 64)
    prepare([tmp_path / "photos"], tmp_path / "shards", Settings(), processes=1)
    shards = Shards(tmp_path / "shards")
    assert len(shards) == 1
    with pytest.raises(DatNetError, match="cannot write an image of type"):
        save_picture(corners(), tmp_path / "result.heic")


def test_without_pillow_heif_the_cure_is_named() -> None:
    """In a process of its own, where the package cannot be imported."""
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from datnet.images.formats import FORMATS, why_unreadable\n"
        "assert '.heic' not in FORMATS\n"
        "print(why_unreadable('a.HEIC'))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert outcome.stdout == "HEIC pictures need pillow-heif: pip install 'datnet[heic]'\n"


def test_the_gain_map_of_an_ultra_hdr_picture_is_ignored(tmp_path: Path) -> None:
    """A JPEG followed by a second one, listed in its MPF segment and in its XMP."""
    gain_map = Image.linear_gradient("L").resize((24, 16)).convert("RGB")
    path = tmp_path / "ultra.jpg"
    corners().save(path, "MPO", save_all=True, append_images=[gain_map], quality=95)
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>'
    content = path.read_bytes()
    segment = b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp
    (tmp_path / "xmp.jpg").write_bytes(content[:2] + segment + content[2:])
    for name in ("ultra.jpg", "xmp.jpg"):
        assert_same(read_image(tmp_path / name), corners())
        picture, _ = read_picture(tmp_path / name)
        assert_same(picture, corners())
        assert read_image(tmp_path / name, at_least=30).size == (48, 32)
