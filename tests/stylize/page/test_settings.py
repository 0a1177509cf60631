"""Settings that travel with a result, and where a click on it came from; without Gradio."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from datnet import Stylizer
from datnet.images.pictures import save_picture
from datnet.stylize.page.origin import origins
from datnet.stylize.page.settings import Settings, settings_of
from tests.helpers.pixel_network import write_pixel_network


@pytest.mark.parametrize(
    "change", [{"alpha": 2}, {"colors": "none"}, {"network": "unknown"}, {"mix": "x"}, {"more": 1}]
)
def test_settings_that_the_page_cannot_have_are_ignored(change: dict, tmp_path: Path) -> None:
    settings = Settings(0.5, 1, "The painting's", "512", "Exact", "Fine", "tiny")
    path = tmp_path / "result.png"
    image = Image.new("RGB", (40, 40))
    save_picture(image, path, settings=settings.as_text())
    assert settings_of(path, ["tiny"], 10**6) == settings
    save_picture(image, path, settings=json.dumps({**json.loads(settings.as_text()), **change}))
    assert settings_of(path, ["tiny"], 10**6) is None
    save_picture(image, path)
    assert settings_of(path, ["tiny"], 10**6) is None


def test_a_click_shows_where_each_level_of_attention_looks(pictures: Path, tmp_path: Path) -> None:
    attentive = Stylizer(write_pixel_network(tmp_path / "network.safetensors"), "cpu")
    photo, painting = pictures / "content" / "0.png", pictures / "style" / "0.png"
    (tmp_path / "shown").mkdir()
    ((file, caption),) = origins(attentive, photo, painting, 40, (1.0, 0.5), tmp_path / "shown")
    assert Image.open(file).size == (53, 40)
    assert caption.startswith("pixels: ")
