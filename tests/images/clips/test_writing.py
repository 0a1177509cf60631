from __future__ import annotations

import errno
import os
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from datnet.errors import DatNetError
from datnet.images.clips.formats import FORMATS
from datnet.images.errors import UnwritableFileError
from tests.helpers.clips import FLAT, UNSPECIFIED, pass_through, read_clip, write_clip
from tests.helpers.frames import pan, texture
from tests.helpers.full_disk import files_end_at


def test_webm_is_vp9_and_opus(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(6), sound="aac")
    report = pass_through(clip, tmp_path / "out.webm")
    after = read_clip(tmp_path / "out.webm")
    assert after.codecs == ["vp9", "opus"]
    assert report.sound == "sound encoded as Opus"
    assert after.times == [Fraction(i, 25) for i in range(6)]


def test_sound_that_mp4_cannot_hold_becomes_aac(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", pan(20), sound="pcm_s16le")
    report = pass_through(clip, tmp_path / "out.mp4")
    after = read_clip(tmp_path / "out.mp4")
    assert after.codecs == ["h264", "aac"]
    assert report.sound == "sound encoded as AAC"
    assert after.sound[-1][0] == pytest.approx(0.78, abs=0.04)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize(
    "second",
    [
        {"layout": "stereo", "start": 1},
        {"layout": "mono", "sound_rate": 44_100, "start": 1},
        {"layout": "mono", "start": 0.92},  # its first two frames again: times go back
    ],
)
def test_sound_may_change_midway(tmp_path: Path, second: dict[str, Any], suffix: str) -> None:
    parts = [
        write_clip(tmp_path / "1.ts", pan(25), sound="mp2", layout="mono"),
        write_clip(tmp_path / "2.ts", pan(25), sound="mp2", **second),
    ]
    clip = tmp_path / "clip.ts"
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    report = pass_through(clip, tmp_path / f"out{suffix}")
    assert report.frames == 50
    times = [time for time, _ in read_clip(tmp_path / f"out{suffix}").sound]
    assert times[0] < 0.1
    assert times[-1] == pytest.approx(0.96 + second["start"], abs=0.05)
    assert max(after - before for before, after in pairwise(times)) < 0.06  # without a gap


def test_sound_that_matroska_cannot_hold_becomes_aac(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mov", pan(20), sound="pcm_f32be")
    report = pass_through(clip, tmp_path / "out.mkv")
    assert read_clip(tmp_path / "out.mkv").codecs == ["h264", "aac"]
    assert report.sound == "sound encoded as AAC"


def test_sound_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", pan(20), sound="mp3")
    content = clip.read_bytes()
    tag = content.index(b"strf", content.index(b"auds")) + 8  # 0x55 is MP3, 0x1234 nothing
    clip.write_bytes(content[:tag] + b"\x34\x12" + content[tag + 2 :])
    report = pass_through(clip, tmp_path / "out.mp4")
    assert report.sound == "sound that cannot be decoded left out"
    assert read_clip(tmp_path / "out.mp4").codecs == ["h264"]


def test_a_stream_that_the_container_refuses_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "clip.mov", pan(5), sound="pcm_f32be")
    too_much = replace(FORMATS[".mkv"], sounds=frozenset(["pcm_f32be"]))
    monkeypatch.setitem(FORMATS, ".mkv", too_much)
    with pytest.raises(DatNetError, match=r"out\.mkv: cannot write this video: .*pcm_f32be"):
        pass_through(clip, tmp_path / "out.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mov"]


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_odd_sizes_lose_a_row_and_a_column(tmp_path: Path, suffix: str) -> None:
    frames = [texture(64, 80, grain=16)[:49, :65]] * 2
    clip = write_clip(tmp_path / "clip.mkv", frames, codec="ffv1", pixels="bgr0")
    report = pass_through(clip, tmp_path / f"out{suffix}")
    result = read_clip(tmp_path / f"out{suffix}").frames[0]
    assert result.shape == (48, 64, 3)
    assert (report.width, report.height) == (64, 48)
    assert np.abs(result.astype(int) - frames[0][:48, :64]).mean() < 8


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize(
    ("settings", "stated"),
    [
        ({"matrix": (Colorspace.ITU709, 1)}, 1),
        ({"matrix": (Colorspace.ITU601, 6)}, 6),
        ({"matrix": (Colorspace.BT2020, 9)}, 9),
        ({"matrix": (Colorspace.ITU601, UNSPECIFIED)}, 6),
        ({"matrix": (Colorspace.ITU709, 1), "color_range": ColorRange.JPEG}, 1),
        ({"codec": "ffv1", "pixels": "bgr0", "matrix": (Colorspace.ITU709, UNSPECIFIED)}, 6),
        ({"codec": "ffv1", "pixels": "yuv420p10le"}, 1),
    ],
)
def test_colors_do_not_shift(
    tmp_path: Path, settings: dict[str, Any], stated: int, suffix: str
) -> None:
    frames = [np.full((48, 64, 3), color, np.uint8) for color in FLAT]
    clip = write_clip(tmp_path / "clip.mkv", frames, **settings)
    pass_through(clip, tmp_path / f"out{suffix}")
    after = read_clip(tmp_path / f"out{suffix}")
    assert after.colors == (stated, ColorRange.MPEG)
    for frame, color in zip(after.frames, FLAT, strict=True):
        assert np.abs(frame.astype(int) - color).max() <= 3


def test_a_large_clip_that_states_no_matrix_is_rec_709(tmp_path: Path) -> None:
    frames = [np.full((32, 1280, 3), (200, 30, 40), np.uint8)]
    clip = write_clip(tmp_path / "clip.mkv", frames, matrix=(Colorspace.ITU709, UNSPECIFIED))
    pass_through(clip, tmp_path / "out.mp4")
    after = read_clip(tmp_path / "out.mp4")
    assert after.colors == (1, ColorRange.MPEG)
    assert np.abs(after.frames[0].astype(int) - (200, 30, 40)).max() <= 3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_told_in_one_line(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8)
    clip = write_clip(tmp_path / "clip.mp4", list(noise))
    refusal = f"out{suffix}: cannot write this video: "
    with files_end_at(20_000), pytest.raises(UnwritableFileError, match=refusal) as error:
        pass_through(clip, tmp_path / f"out{suffix}", crf=0)
    assert os.strerror(errno.EFBIG) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
