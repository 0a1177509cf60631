"""Clips on the page, over HTTP and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datnet.errors import DatNetError
from datnet.stylize.options import StylizeOptions
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.uploads import Request
from tests.helpers.visitor import image_bytes

pytest.importorskip("av")
pytest.importorskip("gradio")

from datnet.stylize.page.clips import check_clip, stylize_clip
from tests.helpers.clips import read_clip, write_clip

CONTROLS = [0.5, 1, "The painting's", "256 (quick)", "Exact", "As the painting", "tiny"]


def frames(count: int) -> list[np.ndarray]:
    noise = np.random.default_rng(0)
    return [noise.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(count)]


def ask(visitor: Any, clip: dict | None, painting: dict) -> dict[str, Any]:
    _, session = visitor.call("clip", [clip, painting, None, *CONTROLS])
    *_, end = visitor.messages(session)
    output: dict[str, Any] = end["output"]
    return output


def test_a_clip_goes_in_and_a_stylized_one_comes_out(visitor, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", frames(3))
    upload = visitor.upload("clip.mp4", clip.read_bytes())
    output = ask(visitor, upload, visitor.upload("painting.png", image_bytes(90, 70)))
    url = output["data"][0]["url"]
    stylized = tmp_path / "stylized.mp4"
    stylized.write_bytes(visitor.client.get(url).content)
    got = read_clip(stylized).frames
    assert len(got) == 3
    assert got[0].shape[0] == 256


def test_mistakes_with_clips_get_one_line_without_paths(visitor, tmp_path):
    painting = visitor.upload("painting.png", image_bytes(90, 70))
    assert "no clip yet" in ask(visitor, None, painting)["error"]
    long = write_clip(tmp_path / "clip.mp4", frames(63))
    error = ask(visitor, visitor.upload("clip.mp4", long.read_bytes()), painting)["error"]
    assert error == "The clip takes 2.5 s, but this page accepts at most 2 s. Cut it first."


@pytest.mark.parametrize(
    "text",
    [
        "only text",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/secret.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile clip.mp4\n",
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8"])
def test_files_that_name_other_files_are_refused(text: str, suffix: str, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames(2))
    upload = tmp_path / f"upload{suffix}"
    upload.write_text(text)
    with pytest.raises(DatNetError, match="cannot be used: it is not a video") as error:
        check_clip(upload, 256, Limits(clip_seconds=2))
    assert str(tmp_path) not in str(error.value)


def test_frames_that_would_be_too_large_are_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames(2))
    with pytest.raises(DatNetError, match=r"1\.4 million pixels at this size"):
        check_clip(clip, 1024, Limits(clip_seconds=2, megapixels=1))
    assert check_clip(clip, None, Limits(clip_seconds=2)) == (pytest.approx(0.08), 48)


def test_a_clip_longer_than_its_header_says_stops_at_the_limit(
    stylizer, pictures, tmp_path, monkeypatch
):
    clip = write_clip(tmp_path / "clip.mp4", frames(6))
    monkeypatch.setattr("datnet.stylize.page.clips.check_clip", lambda *_: (0.04, 48))
    request = Request(clip, [pictures / "style" / "0.png"], StylizeOptions())
    shares: list[float] = []
    folder = tmp_path / "results"
    folder.mkdir()
    limits = Limits(clip_seconds=0.1)
    with pytest.raises(DatNetError, match=r"takes 0\.1 s"):
        stylize_clip(stylizer, request, limits, folder, lambda done, desc: shares.append(done))
    assert shares == [1, 1]
    assert list(folder.iterdir()) == []
