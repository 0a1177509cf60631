"""A headless Chromium for tests of pages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def chromium(downloads: Path | None = None, switches: Sequence[str] = ()) -> Iterator[Any]:
    """Start a browser that writes down its requests; skips the test where there is none.

    Args:
        downloads: Where files go that a page offers.
        switches: Further arguments of the program.
    """
    pytest.importorskip("selenium")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no browser here; Debian: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    usual = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server")
    for argument in (*usual, *switches):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    if downloads is not None:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as browser:
        yield browser


def set_screen(browser: Any, width: int, height: int) -> None:
    """Give the page the size of a screen; narrow ones are phones."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def requested(browser: Any) -> set[str]:
    """Addresses that pages asked for or connected to since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    connected = [m["params"] for m in messages if m["method"] == "Network.webSocketCreated"]
    return {each["url"] for each in (*asked, *connected)}


def assert_no_request_left(browser: Any, address: str) -> None:
    """Pages asked their own server since the last call, and nobody else."""
    asked = requested(browser)
    assert any(url.startswith(address) for url in asked)
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
