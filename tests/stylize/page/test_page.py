"""The page over HTTP, without a browser."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.helpers.visitor import image_bytes


def test_a_picture_goes_in_and_another_one_comes_out(visitor):
    photo = visitor.upload("photo.png", image_bytes(80, 64))
    result = visitor.stylize(photo, visitor.upload("painting.jpg", image_bytes(90, 70, "JPEG")))
    assert result["orig_name"] == "photo__painting.png"
    stylized = Image.open(io.BytesIO(visitor.client.get(result["url"]).content))
    assert stylized.format == "PNG"
    assert stylized.size == (320, 256)


def test_the_settings_of_a_result_are_restored_when_it_is_dropped(visitor):
    photo = visitor.upload("photo.png", image_bytes(80, 64))
    painting = visitor.upload("painting.png", image_bytes(90, 70))
    result = visitor.client.get(visitor.stylize(photo, painting)["url"]).content
    dropped = visitor.upload("result.png", result)
    _, session = visitor.call("check_photo", [dropped])
    *_, end = visitor.messages(session)
    cleared, *controls = end["output"]["data"]
    assert cleared is None
    assert controls == [0.5, 1, "The painting's", "256 (quick)", "Exact", "As the painting", "tiny"]


def test_all_networks_side_by_side_as_they_finish(visitor):
    photo = visitor.upload("photo.png", image_bytes(80, 64))
    painting = visitor.upload("painting.png", image_bytes(90, 70))
    controls = [0.5, 1, "The painting's", "256 (quick)", "Exact", "Fine", "tiny"]
    _, session = visitor.call("compare", [photo, painting, None, *controls, None, None])
    messages = list(visitor.messages(session))
    finished = [each for each in messages if each.get("msg") == "process_generating"]
    assert len(finished) >= 2
    captions = [each["caption"] for each in finished[0]["output"]["data"][0]]
    assert [each.partition(",")[0] for each in captions] == ["tiny"]
    assert "fine strokes" in captions[0]


def strokes(visitor, painted: bool) -> dict:
    """What the editor sends: half of the photo is painted, or nothing."""
    layer = Image.new("RGBA", (80, 64))
    if painted:
        layer.paste((255, 106, 0, 153), (0, 0, 40, 64))
    file = io.BytesIO()
    layer.save(file, "PNG")
    return {"background": None, "layers": [visitor.upload("layer.png", file.getvalue())]}


def test_only_the_painted_part_takes_the_painting(visitor):
    photo = visitor.upload("photo.png", image_bytes(80, 64))
    first, second = (visitor.upload(f"{side}.png", image_bytes(side, 70)) for side in (90, 100))

    def result(*paintings: dict, mask: dict | None = None) -> np.ndarray:
        stylized = visitor.stylize(photo, *paintings, mask=mask)
        content = visitor.client.get(stylized["url"]).content
        return np.asarray(Image.open(io.BytesIO(content)), float)

    everywhere, half = result(first), result(first, mask=strokes(visitor, True))
    original = Image.open(io.BytesIO(image_bytes(80, 64))).resize(
        (320, 256), Image.Resampling.BICUBIC
    )
    left, right = np.s_[:, :120], np.s_[:, 200:]
    assert np.abs(half - everywhere)[left].mean() < 1
    assert np.abs(half - np.asarray(original, float))[right].mean() < 3
    assert np.array_equal(result(first, mask=strokes(visitor, False)), everywhere)
    both = result(first, second, mask=strokes(visitor, True))
    assert np.abs(both - half)[left].mean() < 5
    assert np.abs(both - half)[right].mean() > 5


def test_heic_becomes_what_a_browser_shows(visitor, tmp_path):
    pytest.importorskip("pillow_heif")
    Image.new("RGB", (80, 64), "red").save(tmp_path / "a.heic", "HEIF")
    upload = visitor.upload("a.heic", (tmp_path / "a.heic").read_bytes())
    _, session = visitor.call("check", [upload])
    *_, end = visitor.messages(session)
    shown = visitor.client.get(end["output"]["data"][0]["url"]).content
    assert Image.open(io.BytesIO(shown)).format == "JPEG"


def test_mistakes_get_a_message_and_no_stack_trace(visitor):
    picture = visitor.upload("picture.png", image_bytes(80, 64))
    text = visitor.upload("text.jpg", b"only text" * 50)
    assert "photo cannot be used: this is not" in visitor.stylize(text, picture)["error"]
    dot = visitor.upload("dot.png", image_bytes(1, 1))
    assert "painting is too small" in visitor.stylize(picture, dot)["error"]
    assert "no photo yet" in visitor.stylize(None, picture)["error"]
    assert "no painting yet" in visitor.stylize(picture, None)["error"]


def test_nobody_goes_past_the_queue(visitor):
    picture = visitor.upload("picture.png", image_bytes(80, 64))
    body = {
        "data": [
            picture,
            picture,
            None,
            0.5,
            1,
            "The painting's",
            "256 (quick)",
            "Fine",
            "tiny",
            None,
            None,
        ]
    }
    for path in ("run", "api"):
        answer = visitor.client.post(f"gradio_api/{path}/paint", json=body)
        assert "join the queue" in answer.text


def test_long_names_of_many_bytes_are_cut(visitor):
    picture = visitor.upload("絵" * 60 + ".png", image_bytes(80, 64))
    assert "url" in visitor.stylize(picture, picture)


def test_page_tells_of_the_network_but_not_of_the_servers_folders(visitor):
    page = json.dumps(visitor.page)
    assert "3 steps of 2 pairs, on the folders birds" in page
    assert "secret" not in page


def test_untrained_methods_are_marked_and_slow_ones_as_slow(stylizer):
    pytest.importorskip("gradio")
    from datnet.networks.gatys import Gatys
    from datnet.networks.wct import WCT
    from datnet.stylize.page.controls import choice

    def label(kind: type | None) -> str:
        network = stylizer.network if kind is None else kind.__new__(kind)
        return choice("name", SimpleNamespace(network=network))[0]  # type: ignore[arg-type]

    assert label(None) == "name"
    assert label(WCT) == "name (untrained)"
    assert label(Gatys) == "name (untrained, slow)"
