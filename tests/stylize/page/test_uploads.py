from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from datnet.errors import DatNetError
from datnet.stylize.options import StylizeOptions
from datnet.stylize.page.uploads import Request, read_upload, stylize_uploads
from tests.helpers.visitor import image_bytes


def test_two_files_of_the_asked_size_are_written(stylizer, pictures, tmp_path):
    photo = pictures / "content" / "0.png"  # 64 × 48
    request = Request(photo, [pictures / "style" / "0.png"], StylizeOptions(size=96))
    stylized = stylize_uploads(stylizer, request, 1e6, tmp_path)
    before, after = Image.open(stylized.before), Image.open(stylized.after)
    assert before.size == after.size == (128, 96)
    assert after.format == "PNG"
    enlarged = Image.open(photo).convert("RGB").resize((128, 96), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(before, float) - np.asarray(enlarged, float)).mean() < 10
    assert np.abs(np.asarray(after, float) - np.asarray(enlarged, float)).mean() > 10


def test_weights_of_the_paintings_count(stylizer, pictures, tmp_path):
    def result(weights: list[float]) -> np.ndarray:
        folder = tmp_path / str(weights)
        folder.mkdir()
        paintings = [pictures / "style" / f"{number}.png" for number in (0, 1)]
        request = Request(
            pictures / "content" / "0.png", paintings, StylizeOptions(weights=weights)
        )
        return np.asarray(Image.open(stylize_uploads(stylizer, request, 1e6, folder).after), float)

    assert np.abs(result([0.9, 0.1]) - result([0.1, 0.9])).mean() > 0.1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"only text" * 50, "not an image in a known format"),
        (b"", "the file is empty"),
        (image_bytes(1, 1), "too small: it has 1 × 1 pixels"),
        (image_bytes(200, 100, "JPEG")[:2000], "damaged"),
    ],
)
def test_useless_upload_is_named_without_the_servers_path(content, message, tmp_path):
    path = tmp_path / "upload.jpg"
    path.write_bytes(content)
    with pytest.raises(DatNetError, match=message) as error:
        read_upload(path, "photo", None)
    assert str(error.value).startswith("The photo ")
    assert str(tmp_path) not in str(error.value)


def test_removed_upload_asks_for_it_again(tmp_path):
    with pytest.raises(DatNetError, match="Please add it again"):
        read_upload(tmp_path / "gone.jpg", "painting", None)


def test_too_many_pixels_are_refused_before_they_are_stylized(stylizer, pictures, tmp_path):
    long = tmp_path / "long.png"
    Image.new("RGB", (3200, 32)).save(long)
    painting = pictures / "style" / "0.png"
    with pytest.raises(DatNetError, match=r"photo would have 6\.6 million pixels.*at most 1 "):
        stylize_uploads(
            stylizer, Request(long, [painting], StylizeOptions(size=256)), 1e6, tmp_path
        )
    photo = pictures / "content" / "0.png"
    with pytest.raises(DatNetError, match=r"painting would have 0\.1 million pixels"):
        stylize_uploads(stylizer, Request(photo, [long], StylizeOptions(size=96)), 9e4, tmp_path)
