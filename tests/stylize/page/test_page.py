"""The page over HTTP, without a browser."""

from __future__ import annotations

import io
import json

from PIL import Image

from tests.helpers.visitor import image_bytes


def test_a_picture_goes_in_and_another_one_comes_out(visitor):
    photo = visitor.upload("photo.png", image_bytes(80, 64))
    result = visitor.stylize(photo, visitor.upload("painting.jpg", image_bytes(90, 70, "JPEG")))
    assert result["orig_name"] == "photo__painting.png"
    stylized = Image.open(io.BytesIO(visitor.client.get(result["url"]).content))
    assert stylized.format == "PNG"
    assert stylized.size == (320, 256)


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
    body = {"data": [picture, picture, None, 0.5, 1, "The painting's", "256 (quick)", "tiny"]}
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
