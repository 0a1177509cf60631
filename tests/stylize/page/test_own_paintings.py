"""Networks that know only certain paintings on the page, over HTTP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datnet import Stylizer
from datnet.images.embedded import SampleImages
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.server import served
from tests.helpers.browser import chromium, set_screen
from tests.helpers.own_paintings import PAINTINGS, own_stylizers
from tests.helpers.visitor import Visitor, free_port, image_bytes, wait_for

pytest.importorskip("gradio")

CONTROLS = [0.5, 1, "The painting's", "256 (quick)", "Exact", "As the painting"]


@pytest.fixture(scope="module")
def stylizers(stylizer: Stylizer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stylizer]:
    return {"tiny": stylizer, **own_stylizers(tmp_path_factory.mktemp("networks"))}


@pytest.fixture(scope="module")
def address(stylizers: dict[str, Stylizer], examples: SampleImages) -> Iterator[str]:
    limits = Limits(upload_megabytes=0.5, clip_seconds=2 if find_spec("av") else 0)
    with served(stylizers, limits, examples, "127.0.0.1", free_port()) as address:
        yield address


@pytest.fixture
def photo(visitor: Visitor) -> dict[str, Any]:
    return visitor.upload("photo.png", image_bytes(80, 64))


def pixels(visitor: Visitor, photo: dict, painting: dict | None, network: str) -> np.ndarray:
    _, session = visitor.join(photo, painting, network=network)
    content = visitor.client.get(visitor.outcome(session)["url"]).content
    return np.asarray(Image.open(io.BytesIO(content)))


def data(visitor: Visitor, function: str, *values: Any) -> list[Any]:
    _, session = visitor.call(function, list(values))
    *_, end = visitor.messages(session)
    answer: list[Any] = end["output"]["data"]
    return answer


@pytest.mark.parametrize("name", ["one", "tuned"])
def test_a_network_that_knows_one_painting_needs_none(
    visitor: Visitor, photo: dict, stylizers: dict[str, Stylizer], name: str
) -> None:
    original = Image.open(io.BytesIO(image_bytes(80, 64)))
    expected = stylizers[name](original, "a.jpg", size=256)
    assert np.array_equal(pixels(visitor, photo, None, name), np.asarray(expected))


def test_own_paintings_are_offered_with_the_network(visitor: Visitor, photo: dict) -> None:
    one, _, painting = data(visitor, "own_of_network", "one")
    assert one["choices"] == [["a.jpg", "a.jpg"]]
    assert painting["path"].endswith("a.png")
    two, second, painting = data(visitor, "own_of_network", "two")
    assert [name for name, _ in two["choices"]] == list(PAINTINGS)
    assert (two["visible"], second["visible"]) == (True, True)
    assert "path" not in painting
    assert not data(visitor, "own_of_network", "tiny")[0]["visible"]

    chosen = [data(visitor, "own_painting", name, "two")[0] for name in PAINTINGS]
    first, other = (pixels(visitor, photo, each, "two") for each in chosen)
    assert np.abs(first.astype(float) - other).mean() > 5


def test_a_painting_that_is_missing_or_unknown_is_one_line_with_the_names(
    visitor: Visitor, photo: dict
) -> None:
    def error(painting: dict | None, network: str) -> str:
        _, session = visitor.join(photo, painting, network=network)
        message: str = visitor.outcome(session)["error"]
        return message

    assert error(None, "two") == (
        "There is no painting yet. This network knows 2: choose a.jpg, more/b.jpg."
    )
    assert "Drop one on the page" in error(None, "tiny")
    other = visitor.upload("other.png", image_bytes(90, 70))
    for network, names in (("one", "a.jpg"), ("two", "a.jpg, more/b.jpg"), ("tuned", "a.jpg")):
        assert error(other, network).endswith(f"does not know this painting, only {names}")


def test_side_by_side_leaves_out_networks_that_do_not_know_the_painting(
    visitor: Visitor, photo: dict
) -> None:
    painting = visitor.upload("other.png", image_bytes(90, 70))
    _, session = visitor.call("compare", [photo, painting, None, *CONTROLS, "tiny", None, None])
    messages = list(visitor.messages(session))
    *_, end = (each for each in messages if each.get("msg") == "process_generating")
    assert messages[-1]["success"]
    warnings = [each["log"] for each in messages if each.get("msg") == "log"]
    assert [each.partition(" ")[0] for each in warnings] == ["one", "two", "tuned"]
    assert "one is left out: the given style: this network does not know" in warnings[0]
    assert end


def test_a_clip_needs_no_painting_either(visitor: Visitor, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from tests.helpers.clips import write_clip

    frames = [np.full((48, 64, 3), value, np.uint8) for value in (0, 100)]
    clip = write_clip(tmp_path / "clip.mp4", frames)
    upload = visitor.upload("clip.mp4", clip.read_bytes())
    for network in ("one", "tuned"):
        answer = data(visitor, "clip", upload, None, None, *CONTROLS, network)
        assert answer[0]["url"].endswith("stylized.mp4")
    _, session = visitor.call("clip", [upload, None, None, *CONTROLS, "two"])
    *_, end = visitor.messages(session)
    assert "choose a.jpg, more/b.jpg" in end["output"]["error"]


@pytest.mark.slow
def test_own_paintings_are_chosen_in_a_browser(address: str) -> None:
    with chromium() as browser:
        set_screen(browser, 1280, 900)
        browser.get(address)

        def count(selector: str) -> int:
            """Number of visible elements. Gradio replaces elements, so none is held."""
            found = "[...document.querySelectorAll(arguments[0])]"
            script = f"return {found}.filter(each => each.offsetParent).length"
            return browser.execute_script(script, selector)

        def choose(value: str, group: str) -> None:
            selector = f"#{group} input[value='{value}']"
            wait_for(lambda: count(selector))
            browser.execute_script("document.querySelector(arguments[0]).click()", selector)

        wait_for(lambda: count("#paint"))
        assert not count("#painting-own")
        choose("two", "network")
        choose("more/b.jpg", "painting-own")
        wait_for(lambda: count("#painting img"))
        choose("one", "network")
        wait_for(lambda: count("#painting-own input") == 1)
        choose("tiny", "network")
        wait_for(lambda: not count("#painting-own"))
