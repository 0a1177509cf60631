"""The page over HTTP, without a browser."""

from __future__ import annotations

import io
import json

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
    _, session = visitor.call("compare", [photo, painting, None, *controls, None])
    messages = list(visitor.messages(session))
    finished = [each for each in messages if each.get("msg") == "process_generating"]
    assert len(finished) >= 2
    captions = [each["caption"] for each in finished[0]["output"]["data"][0]]
    assert [each.partition(",")[0] for each in captions] == ["tiny"]
    assert "fine strokes" in captions[0]


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
