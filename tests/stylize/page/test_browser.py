"""Visits with a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.browser import chromium, requested, set_screen
from tests.helpers.visitor import image_bytes, wait_for


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


def give_pictures(browser: Any, tmp_path: Path) -> None:
    """Upload a photograph and choose the first example painting."""
    find = browser.find_elements
    photo = tmp_path / "photo.png"
    photo.write_bytes(image_bytes(80, 64))
    wait_for(lambda: find("css selector", "#photo input[type=file]"))[0].send_keys(str(photo))
    wait_for(lambda: find("css selector", "#photo img"))
    find("css selector", "#painting-examples button")[0].click()
    wait_for(lambda: find("css selector", "#painting img"))


# Width, height and a corner of the photograph (0) or the result (1); null before both are shown.
PIXELS = """
const images = [...document.querySelectorAll("#result img")].filter(each => each.naturalWidth);
if (images.length < 2) return null;
const image = images[arguments[0]];
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
canvas.getContext("2d").drawImage(image, 0, 0);
return [image.naturalWidth, image.naturalHeight,
        Array.from(canvas.getContext("2d").getImageData(0, 0, 32, 32).data)];
"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_visit_with_a_browser(width, height, browser, address, tmp_path):
    find = browser.find_elements
    set_screen(browser, width, height)
    browser.get(address)
    button = wait_for(lambda: find("id", "paint"))[0]

    text = tmp_path / "text.jpg"
    text.write_text("only text")
    wait_for(lambda: find("css selector", "#photo input[type=file]"))[0].send_keys(str(text))
    wait_for(lambda: "not an image in a known format" in browser.page_source)

    give_pictures(browser, tmp_path)
    button.click()
    *before_size, before = wait_for(lambda: browser.execute_script(PIXELS, 0))
    *after_size, after = browser.execute_script(PIXELS, 1)
    assert before_size == after_size == [640, 512]
    assert np.abs(np.array(before) - np.array(after)).mean() > 5
    assert find("id", "download")[0].is_enabled()

    place = "return document.getElementById('result').getBoundingClientRect().toJSON()"
    wait_for(lambda: browser.execute_script(place)["bottom"] <= height + 1)
    assert browser.execute_script(place)["top"] >= -1  # scrolled to whole pixels
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width
    asked = requested(browser)
    assert any(url.startswith(address) for url in asked)
    assert all(url.startswith((address, "data:", "blob:")) for url in asked)


@pytest.mark.slow
def test_a_second_painting_and_another_network_in_a_browser(browser, address, tmp_path):
    find = browser.find_elements
    set_screen(browser, 1280, 900)
    browser.get(address)
    button = wait_for(lambda: find("id", "paint"))[0]

    def paint(expected: Callable[[np.ndarray], bool]) -> np.ndarray:
        """Press the button and wait until the result is as expected."""
        button.click()

        def result() -> list[np.ndarray]:
            stylized = browser.execute_script(PIXELS, 1)
            pixels = np.array(stylized[2], float) if stylized else None
            return [pixels] if pixels is not None and expected(pixels) else []

        return wait_for(result)[0]

    def differs(other: np.ndarray) -> Callable[[np.ndarray], bool]:
        return lambda pixels: np.abs(pixels - other).mean() > 0.1

    give_pictures(browser, tmp_path)
    one_painting = paint(lambda pixels: True)

    find("css selector", "#mixing button")[0].click()
    second = wait_for(lambda: find("css selector", "#second-examples button"))[1]
    wait_for(second.is_displayed)
    second.click()
    wait_for(lambda: find("css selector", "#second img"))
    paint(differs(one_painting))
    share = find("css selector", "#mix input[type=number]")[0]
    share.clear()
    share.send_keys("0", "\ue004")  # Tab
    slider = find("css selector", "#mix input[type=range]")[0]
    wait_for(lambda: slider.get_attribute("value") == "0")
    paint(lambda pixels: np.array_equal(pixels, one_painting))

    find("css selector", "#network input[value=other]")[0].click()
    paint(differs(one_painting))


# What a screen reader says of each visible control that the keyboard reaches.
NAMELESS = """
const name = each => (each.getAttribute("aria-label") || each.title || each.alt ||
    [...(each.labels || [])].map(label => label.textContent).join(" ") || each.textContent ||
    (each.getAttribute("aria-labelledby") || "").split(" ").map(
        id => document.getElementById(id)?.textContent || "").join(" ")).trim();
const controls = "button, input:not([type=file]), textarea, select, [role=slider], [role=button]";
return [...document.querySelectorAll(controls)].filter(
    each => each.offsetParent && each.tabIndex >= 0 && !name(each)).map(each => each.outerHTML);
"""


@pytest.mark.slow
def test_strokes_on_the_photo_and_names_of_the_controls_in_a_browser(browser, address, tmp_path):
    from selenium.webdriver import ActionChains

    find = browser.find_elements
    set_screen(browser, 1280, 1800)
    browser.get(address)
    button = wait_for(lambda: find("id", "paint"))[0]
    give_pictures(browser, tmp_path)
    button.click()
    everywhere = wait_for(lambda: browser.execute_script(PIXELS, 1))

    for part in ("masking", "mixing", "clips", "origins"):
        for opener in find("css selector", f"#{part} > button"):
            opener.click()
    canvas = wait_for(lambda: find("css selector", "#mask canvas"))[0]
    wait_for(canvas.is_displayed)
    assert browser.execute_script(NAMELESS) == []

    brush = wait_for(lambda: find("css selector", "#mask button[aria-label=Brush]"))[0]
    brush.click()
    stroke = ActionChains(browser).move_to_element(canvas).click_and_hold()
    stroke.move_by_offset(20, 10).move_by_offset(-30, 5).release().perform()
    button.click()

    def result_with_a_mask() -> bool:
        stylized = browser.execute_script(PIXELS, 1)
        return bool(stylized) and stylized[2] != everywhere[2]

    wait_for(result_with_a_mask)
    before, after = (browser.execute_script(PIXELS, number) for number in (0, 1))
    # The corner was not painted.
    assert np.abs(np.array(before[2], float) - np.array(after[2], float)).mean() < 5
