"""An automatic alpha covers the wanted share of the way to the style."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datnet import Stylizer
from datnet.errors import DatNetError
from datnet.images.tensors import to_tensor
from datnet.networks.vgg import VggEncoder
from datnet.objectives.terms import global_style
from datnet.stylize.batch import Batch
from datnet.stylize.jobs import Job
from datnet.stylize.options import StylizeOptions
from datnet.stylize.strength import find_strength
from tests.helpers.pixel_network import write_pixel_network


def picture(width: int, height: int, seed: int, low: int, high: int) -> Image.Image:
    generator = np.random.default_rng(seed)
    small = Image.fromarray(generator.integers(low, high, (6, 8, 3), dtype=np.uint8))
    return small.resize((width, height), Image.Resampling.BICUBIC)


PHOTO, PAINTING = picture(64, 48, 0, 100, 140), picture(60, 50, 1, 0, 256)


@pytest.fixture
def stylizer(random_encoder: VggEncoder, tmp_path: Path) -> Stylizer:
    stylizer = Stylizer(write_pixel_network(tmp_path / "network"), device="cpu")
    stylizer.encoder = random_encoder  # in place of a download
    return stylizer


def covered(encoder: VggEncoder, result: Image.Image) -> float:
    with torch.no_grad():
        of_result, of_photo, of_painting = (
            encoder(to_tensor(each)[None]) for each in (result, PHOTO, PAINTING)
        )
        levels = (1, 2, 3, 4, 5)
        done = global_style(of_result, of_painting, levels)
        return 1 - (done / global_style(of_photo, of_painting, levels)).item()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_the_result_covers_the_wanted_share(
    stylizer: Stylizer, random_encoder: VggEncoder, share: float
) -> None:
    found = find_strength(stylizer, PHOTO, [PAINTING], StylizeOptions(alpha=f"auto:{share}"))
    assert 0 < found.alpha < 1
    assert found.share == pytest.approx(share, abs=0.03)
    result = stylizer(PHOTO, PAINTING, alpha=found.alpha, style_size=48)
    assert covered(random_encoder, result) == pytest.approx(share, abs=0.06)
    automatic = stylizer(PHOTO, PAINTING, alpha=f"auto:{share}", style_size=48)
    assert automatic.tobytes() == result.tobytes()


def test_a_share_that_is_out_of_reach_gets_the_full_strength(stylizer: Stylizer) -> None:
    found = find_strength(stylizer, PHOTO, [PAINTING], StylizeOptions(alpha="auto:0.999"))
    assert found.alpha == 1
    assert found.share < 0.999
    assert str(found).endswith("of 100% wanted")


def test_the_found_strength_is_reported(stylizer: Stylizer, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in ("photo", "painting", "result")]
    PHOTO.save(paths[0])
    PAINTING.save(paths[1])
    batch = Batch(stylizer, StylizeOptions(alpha="auto"), 1)
    report = batch.stylize(Job(paths[0], (paths[1],), paths[2]))
    assert report.startswith(f"wrote {paths[2]}: alpha 0.")
    assert "covers 7" in report or "covers 6" in report


@pytest.mark.parametrize("alpha", ["auto:", "auto:0", "auto:1", "auto:x", "auto:nan", "full"])
def test_other_words_are_refused(alpha: str) -> None:
    with pytest.raises(DatNetError, match=r"alpha is .*auto:SHARE"):
        StylizeOptions(alpha=alpha)
