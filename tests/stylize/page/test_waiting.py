"""The time left that the page tells."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from datnet.stylize.options import StylizeOptions
from datnet.stylize.page.uploads import Request, work_of
from datnet.stylize.page.waiting import Durations, Seconds, Waiting, Work


def square(side: int, alpha: float = 1.0) -> Work:
    return Work.of(side**2, [side**2], alpha)


def test_time_grows_with_pixels_and_with_attention_up_to_their_square() -> None:
    durations = Durations()
    assert durations.estimate("net", square(256), attentive=True) is None
    durations.add("net", square(256), 2.0)
    assert durations.estimate("net", square(256), attentive=True) == Seconds(2.0, 2.0)
    assert durations.estimate("net", square(512), attentive=False) == Seconds(8.0, 8.0)
    assert durations.estimate("net", square(512), attentive=True) == Seconds(8.0, 32.0)
    assert durations.estimate("net", square(128), attentive=True) == Seconds(0.125, 0.5)
    assert durations.estimate("net, fast attention", square(256), attentive=True) is None


def test_two_sizes_tell_the_share_of_attention() -> None:
    durations = Durations()

    def seconds(work: Work) -> float:
        return 3 * work.pixels + 5 * work.products

    for side in (256, 512):
        durations.add("net", square(side), seconds(square(side)))
    for work in (square(1024), square(384, alpha=0.5)):
        expected = pytest.approx(seconds(work))
        assert durations.estimate("net", work, attentive=True) == Seconds(expected, expected)  # type: ignore[arg-type]
    # A measurement that contradicts this, such as on a busy machine, gives no negative share.
    durations.add("net", square(256), 1e3)
    assert durations.estimate("net", square(1024), attentive=True) == Seconds(
        *[pytest.approx(4 * seconds(square(512)))] * 2
    )


def test_work_of_a_request_counts_what_the_network_gets(tmp_path: Path) -> None:
    photo, painting = Image.new("RGB", (1000, 500)), Image.new("RGB", (300, 300))

    def work(paintings: int = 1, **options: Any) -> Work:
        request = Request(tmp_path, [tmp_path] * paintings, StylizeOptions(**options))
        return work_of(request, photo, [painting] * paintings)

    assert work(size=200) == Work.of(400 * 200, [200**2], 1.0)
    assert work() == Work.of(1000 * 500, [300**2], 1.0)  # paintings are not enlarged
    assert work(style_size=400).pixels == pytest.approx(2 * 0.5 + 0.16)
    mask = Image.new("L", (4, 4))
    assert work(2, mask=mask).pixels == pytest.approx(3 * 0.5 + 2 * 0.09)
    assert work(alpha=0.5).products == pytest.approx(0.5 * (0.09 + 0.5))


def test_words() -> None:
    assert Seconds(12, 12).left(2) == "about 10 s left"
    assert Seconds(12, 40).left(2) == "about 10 s to 38 s left"
    assert Seconds(300, 300).left(0) == "about 5 min left"
    assert Seconds(12, 40).left(20) == "at most about 20 s left"
    assert Seconds(12, 12).left(13) == "longer than estimated, 13 s so far"


def test_what_is_told_from_the_first_network_to_the_last() -> None:
    durations, said = Durations(), []
    waiting = Waiting(
        durations, ["a", "b"], [True, False], lambda share, desc: said.append((share, desc))
    )
    durations.add("b", square(256), 30.0)
    with waiting.telling():
        waiting.started(square(256))
    waiting.finished()
    assert said[0] == (0.0, "a, network 1 of 2: reading the pictures")
    assert "so far; the time left is unknown before its first result" in said[1][1]
    with waiting.telling():
        waiting.started(square(512))
        assert waiting.stands(60.0) == (0.5, "b, network 2 of 2: about 60 s left")
    durations.add("a", square(512), 20.0)
    waiting = Waiting(durations, ["a", "b"], [True, False], lambda share, desc: None)
    waiting.started(square(512))
    assert waiting.stands(5.0)[1] == (
        "a, network 1 of 2: about 15 s left; all networks: about 2 min left"
    )
    assert waiting.stands(1e3)[0] < 1


def test_it_is_told_again_and_again_also_if_the_work_fails() -> None:
    heard = threading.Semaphore(0)
    waiting = Waiting(Durations(), ["a"], [False], lambda share, desc: heard.release())
    before = set(threading.enumerate())

    def fail() -> None:
        with waiting.telling(seconds=0.001):
            assert all(heard.acquire(timeout=60) for _ in range(3))
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert set(threading.enumerate()) <= before


def test_a_network_that_is_left_out_has_no_duration() -> None:
    durations = Durations()
    waiting = Waiting(durations, ["a", "b"], [False, False], lambda share, desc: None)
    waiting.started(square(256))
    waiting.left_out()
    assert durations.estimate("a", square(256), attentive=False) is None
    assert waiting.stands(0.0)[1].startswith("b, network 2 of 2")
