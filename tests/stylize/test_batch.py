"""What a batch of every photograph with every painting computes once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from datnet import Stylizer
from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.stylize import batch as module
from datnet.stylize.options import StylizeOptions
from tests.helpers.pixel_network import PixelNetwork, write_pixel_network

CONTENTS, STYLES = 5, 5


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for folder, count, side in (("photos", CONTENTS, 40), ("paintings", STYLES, 36)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            size = (side + 8 * (number % 2), side, 3)  # two sizes of photographs
            pixels = generator.integers(0, 255, size, dtype=np.uint8)
            Image.fromarray(pixels).resize(size[:2]).save(tmp_path / folder / f"{number}.png")
    return tmp_path


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Number of encodings of contents and styles."""
    counts: Counter[str] = Counter()
    for kind in ("content", "style"):
        plain = getattr(PixelNetwork, f"encode_{kind}")

        def count(self: PixelNetwork, images: Tensor, kind=kind, plain=plain) -> list[Tensor]:  # type: ignore[no-untyped-def]
            counts[kind] += 1
            return plain(self, images)

        monkeypatch.setattr(PixelNetwork, f"encode_{kind}", count)
    return counts


def stylize(folders: Path, *options: str, output: str = "out") -> dict[str, bytes]:
    network = write_pixel_network(folders / "n")
    words = ["stylize", folders / "photos", folders / "paintings", "-o", folders / output]
    with pytest.MonkeyPatch.context() as patch:
        words += ["--checkpoint", network, "--device", "cpu", *options]
        patch.setattr("sys.argv", ["datnet", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code
    return {path.name: path.read_bytes() for path in (folders / output).iterdir()}


def test_nothing_is_encoded_twice(
    folders: Path, encoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = stylize(folders)
    assert len(results) == CONTENTS * STYLES
    assert encoded == {"content": CONTENTS, "style": STYLES}
    encoded.clear()
    monkeypatch.setattr(module, "default_limit", lambda device: 0)  # as if memory was short
    assert stylize(folders, output="again") == results
    assert encoded == {"content": CONTENTS * STYLES, "style": STYLES}


def test_a_painting_is_encoded_once_for_each_size_of_photographs(
    folders: Path, encoded: Counter[str]
) -> None:
    """Paintings are reduced to the size of the photographs, which alternate here."""
    for number, path in enumerate(sorted((folders / "photos").iterdir())):
        with Image.open(path) as image:
            image.resize((40, 40) if number % 2 else (34, 34)).save(path)
    stylize(folders)
    assert encoded == {"content": CONTENTS, "style": 2 * STYLES}


def test_an_encoded_photograph_belongs_to_its_stylizer_and_size(folders: Path) -> None:
    network = write_pixel_network(folders / "n")
    photo, painting = folders / "photos" / "0.png", folders / "paintings" / "0.png"
    one, other = (Stylizer(network, device="cpu") for _ in range(2))
    content = one.encode_content(photo, 34)
    options = StylizeOptions(size=34)
    expected = one.stylize(photo, painting, options)
    for same in (options, StylizeOptions()):
        assert np.array_equal(one.stylize(content, painting, same), expected)
    with pytest.raises(DatNetError, match="encoded by another Stylizer"):
        other.stylize(content, painting, options)
    with pytest.raises(DatNetError, match="size is 48, but the photograph is encoded already"):
        one.stylize(content, painting, StylizeOptions(size=48))
