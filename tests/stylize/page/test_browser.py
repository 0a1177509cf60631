"""Visits with a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datnet.stylize.page.settings import settings_of
from tests.helpers.browser import assert_no_request_left, chromium, set_screen
from tests.helpers.visitor import image_bytes, wait_for


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[Any]:
    with chromium(downloads) as browser:
        yield browser


SMALL = "input[value='256 (quick)']"


def give_pictures(browser: Any, tmp_path: Path) -> None:
    """Upload a photograph and choose the first example painting."""
    find = browser.find_elements
    photo = tmp_path / "photo.png"
    photo.write_bytes(image_bytes(80, 64))
    wait_for(lambda: find("css selector", "#photo input[type=file]"))[0].send_keys(str(photo))
    wait_for(lambda: find("css selector", "#photo img"))
    find("css selector", "#painting-examples button")[0].click()
    wait_for(lambda: find("css selector", "#painting img"))


# Width, height and 32 × 32 pixels of the photograph (0) or the result (1), from its corner or from
# a place given as shares; null before both are shown.
PIXELS = """
const images = [...document.querySelectorAll("#result img")].filter(each => each.naturalWidth);
if (images.length < 2) return null;
const image = images[arguments[0]];
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
canvas.getContext("2d").drawImage(image, 0, 0);
const [x, y] = (arguments[1] || [0, 0]).map((share, axis) =>
    Math.round(share * [canvas.width, canvas.height][axis]));
return [image.naturalWidth, image.naturalHeight,
        Array.from(canvas.getContext("2d").getImageData(x, y, 32, 32).data)];
"""


# Counts how often the page has said that a result is ready.
COUNT_RESULTS = """
window.results = 0;
new MutationObserver(changes => {
    if (changes.some(change => change.addedNodes.length)) window.results += 1;
}).observe(document.getElementById("spoken"), {childList: true});
"""


def paint(browser: Any) -> None:
    """Press the button and wait until its work has ended.

    The result shows a moment earlier. A click in between is lost: Gradio takes one at a time.
    """
    if browser.execute_script("return window.results === undefined"):
        wait_for(lambda: browser.find_elements("id", "spoken"))
        browser.execute_script(COUNT_RESULTS)
    before = browser.execute_script("return window.results")
    browser.find_element("id", "paint").click()
    wait_for(lambda: browser.execute_script("return window.results") > before)


# Makes the result larger and gives the place of the page two frames later.
GROW_RESULT = """
document.getElementById("result").style.minHeight = "3000px";
requestAnimationFrame(() => requestAnimationFrame(() => arguments[0](window.scrollY)));
"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_visit_with_a_browser(width, height, browser, address, tmp_path):
    from selenium.webdriver import ActionChains, Keys

    find = browser.find_elements
    set_screen(browser, width, height)
    browser.get(address)

    text = tmp_path / "text.jpg"
    text.write_text("only text")
    wait_for(lambda: find("css selector", "#photo input[type=file]"))[0].send_keys(str(text))
    wait_for(lambda: "not an image in a known format" in browser.page_source)

    give_pictures(browser, tmp_path)
    paint(browser)
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

    ActionChains(browser).send_keys(Keys.SHIFT).perform()
    browser.execute_script("scrollTo(0, 0)")
    assert browser.execute_async_script(GROW_RESULT) == 0  # who moves on is left there
    assert_no_request_left(browser, address)


@pytest.mark.slow
def test_a_second_painting_and_another_network_in_a_browser(browser, address, tmp_path):
    find = browser.find_elements
    set_screen(browser, 1280, 900)
    browser.get(address)

    def painted(expected: Callable[[np.ndarray], bool]) -> np.ndarray:
        """Press the button and wait until the result is as expected."""
        paint(browser)

        def result() -> list[np.ndarray]:
            stylized = browser.execute_script(PIXELS, 1)
            pixels = np.array(stylized[2], float) if stylized else None
            return [pixels] if pixels is not None and expected(pixels) else []

        return wait_for(result)[0]

    def differs(other: np.ndarray) -> Callable[[np.ndarray], bool]:
        return lambda pixels: np.abs(pixels - other).mean() > 0.1

    give_pictures(browser, tmp_path)
    one_painting = painted(lambda pixels: True)

    find("css selector", "#mixing button")[0].click()
    second = wait_for(lambda: find("css selector", "#second-examples button"))[1]
    wait_for(second.is_displayed)
    second.click()
    wait_for(lambda: find("css selector", "#second img"))
    painted(differs(one_painting))
    share = find("css selector", "#mix input[type=number]")[0]
    share.clear()
    share.send_keys("0", "\ue004")  # Tab
    slider = find("css selector", "#mix input[type=range]")[0]
    wait_for(lambda: slider.get_attribute("value") == "0")
    painted(lambda pixels: np.array_equal(pixels, one_painting))

    find("css selector", "#network input[value=other]")[0].click()
    painted(differs(one_painting))


def pixels_at(browser: Any, place: list[float], number: int = 1) -> np.ndarray:
    """Pixels of the photograph (0) or the result (1) at a place given as shares of its size."""
    rgba = browser.execute_script(PIXELS, number, place)[2]
    return np.array(rgba, float).reshape(-1, 4)[:, :3]


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
    give_pictures(browser, tmp_path)
    find("css selector", SMALL)[0].click()
    paint(browser)
    wait_for(lambda: browser.execute_script(PIXELS, 1))

    for part in ("masking", "mixing", "clips", "origins"):
        for opener in find("css selector", f"#{part} > button"):
            opener.click()
    canvas = wait_for(lambda: find("css selector", "#mask canvas"))[0]
    wait_for(canvas.is_displayed)
    assert browser.execute_script(NAMELESS) == []

    brush = wait_for(lambda: find("css selector", "#mask button[aria-label=Brush]"))[0]
    brush.click()
    middle, corners = [0.45, 0.45], ([0, 0], [0.9, 0], [0, 0.87], [0.9, 0.87])
    everywhere = {str(place): pixels_at(browser, place) for place in (middle, *corners)}
    stroke = ActionChains(browser).move_to_element(canvas).move_by_offset(-60, 0).click_and_hold()
    stroke.move_by_offset(60, 0).move_by_offset(60, 0).release().perform()
    paint(browser)
    wait_for(lambda: len(find("css selector", "#history button.thumbnail-item")) == 2)
    wait_for(lambda: browser.execute_script(PIXELS, 1))
    assert np.abs(pixels_at(browser, middle) - everywhere[str(middle)]).mean() < 1
    for corner in corners:
        before, after = pixels_at(browser, corner, 0), pixels_at(browser, corner)
        assert np.abs(before - after).mean() < 15  # before is a JPEG
        assert np.abs(everywhere[str(corner)] - after).mean() > 30
    assert_no_request_left(browser, address)


@pytest.mark.slow
def test_a_stylized_clip_plays_in_a_browser(browser, address, tmp_path):
    pytest.importorskip("av")
    from tests.helpers.clips import write_clip

    find = browser.find_elements
    set_screen(browser, 1280, 1800)
    browser.get(address)
    wait_for(lambda: find("css selector", "#clips > button"))[0].click()
    noise = np.random.default_rng(0).integers(0, 256, (4, 48, 64, 3), dtype=np.uint8)
    clip = write_clip(tmp_path / "clip.mp4", list(noise))
    wait_for(lambda: find("css selector", "#clip input[type=file]"))[0].send_keys(str(clip))
    find("css selector", "#painting-examples button")[0].click()
    wait_for(lambda: find("css selector", "#painting img"))
    wait_for(lambda: find("css selector", "#clip .file-preview"))
    find("css selector", SMALL)[0].click()
    find("id", "stylize-clip")[0].click()
    video = wait_for(lambda: find("css selector", "#clip-result video"))[0]
    state = (
        "const video = arguments[0]; return [video.readyState, video.duration, video.videoHeight]"
    )
    wait_for(lambda: browser.execute_script(state, video)[0] >= 2)
    _, duration, height = browser.execute_script(state, video)
    assert duration == pytest.approx(4 / 25, abs=0.05)
    assert height == 256
    browser.execute_script("arguments[0].play()", video)
    wait_for(lambda: video.get_property("ended"))
    assert_no_request_left(browser, address)


# The control that has the focus, and how it is seen and named.
FOCUSED = """
const focused = document.activeElement;
if (focused === document.body) return null;
const {outlineStyle, outlineWidth} = getComputedStyle(focused);
const labels = [...(focused.labels || [])].map(label => label.textContent).join(" ");
const box = focused.getBoundingClientRect();
return {is: focused.matches(arguments[0]), html: focused.outerHTML.slice(0, 200),
        outlined: outlineStyle === "solid" && parseFloat(outlineWidth) >= 2,
        named: (focused.ariaLabel || focused.textContent || labels).trim() !== "",
        onScreen: box.bottom > 0 && box.top < innerHeight && box.width > 0};
"""


@pytest.mark.slow
def test_a_visit_by_keyboard_alone(browser, address, downloads):
    from selenium.webdriver import ActionChains, Keys

    find = browser.find_elements
    set_screen(browser, 1280, 900)
    browser.get(address)
    wait_for(lambda: find("css selector", "#painting-examples button"))

    def press(key: str) -> None:
        ActionChains(browser).send_keys(key).perform()

    def tab_to(selector: str) -> None:
        """Press Tab up to a control; the focus is visible and has a name all the way."""
        for _ in range(60):
            press(Keys.TAB)
            focused = browser.execute_script(FOCUSED, selector)
            if focused is not None:
                assert all(focused[each] for each in ("outlined", "named", "onScreen")), focused
                if focused["is"]:
                    return
        raise AssertionError(f"Tab does not reach {selector}")

    for picture in ("photo", "painting"):
        tab_to(f"#{picture}-examples button")
        press(Keys.ENTER)
        wait_for(lambda: find("css selector", f"#{picture} img"))  # noqa: B023
    tab_to("#mixing > button")
    press(Keys.ENTER)
    wait_for(lambda: find("css selector", "#mixing > button[aria-expanded=true]"))
    press(Keys.ENTER)
    wait_for(lambda: find("css selector", "#mixing > button[aria-expanded=false]"))
    tab_to("#network input")
    press(Keys.ARROW_RIGHT)
    wait_for(lambda: find("css selector", "#network input[value=other]:checked"))
    tab_to("#paint")
    press(Keys.ENTER)
    spoken = find("css selector", "[role=status]#spoken")[0]
    wait_for(lambda: "result is ready" in spoken.get_property("textContent"))
    tab_to("#result [role=slider]")
    shown = find("css selector", "#result img[alt='The stylized photo']")[0]
    before = shown.value_of_css_property("clip-path")
    press(Keys.ARROW_RIGHT)
    wait_for(lambda: shown.value_of_css_property("clip-path") != before)
    tab_to("#download")
    press(Keys.ENTER)
    (file,) = wait_for(lambda: list(downloads.glob("*.png")))
    settings = settings_of(file, ["tiny", "other"], 10**6)
    assert settings is not None
    assert settings.network == "other"
