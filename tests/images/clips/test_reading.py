from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from datnet.errors import DatNetError
from datnet.stylize.clips import stylize_video
from tests.helpers.clips import FLAT, PassingThrough, pass_through, read_clip, write_clip
from tests.helpers.frames import SCENE, pan, texture


def test_irregular_times_are_kept(tmp_path: Path) -> None:
    milliseconds = [0, 40, 100, 101, 333, 500, 700]
    clip = write_clip(
        tmp_path / "clip.mkv", pan(7), times=milliseconds, time_base=Fraction(1, 1000)
    )
    pass_through(clip, tmp_path / "out.mp4")
    after = read_clip(tmp_path / "out.mp4")
    assert after.times == [Fraction(time, 1000) for time in milliseconds]


def test_frames_without_a_time_follow_each_other(tmp_path: Path) -> None:
    """Of the small frames that share a packet of a program stream, the first alone has a time."""
    clip = write_clip(tmp_path / "clip.mpg", pan(40))
    with av.open(str(clip)) as file:
        assert sum(frame.pts is None for frame in file.decode(video=0)) > 20
    report = pass_through(clip, tmp_path / "out.mp4")
    times = read_clip(tmp_path / "out.mp4").times
    assert len(times) == 40
    for before, after in pairwise(times):
        assert after - before == pytest.approx(0.04, abs=0.001)
    assert report.seconds == pytest.approx(1.6, abs=0.05)


def test_a_recording_that_starts_late_starts_at_once(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.ts", pan(20), sound="aac", start=10)
    before = read_clip(clip)
    assert before.times[0] >= 10
    pass_through(clip, tmp_path / "out.mp4")
    after = read_clip(tmp_path / "out.mp4")
    assert after.times[0] < 0.1
    lead = before.times[0] - before.sound[0][0]
    assert after.times[0] - after.sound[0][0] == pytest.approx(float(lead), abs=0.001)
    assert len(after.frames) == 20


@pytest.mark.parametrize(
    ("degrees", "mirror"),
    [(0, False), (90, False), (180, False), (-90, False), (0, True), (90, True)],
)
def test_frames_are_put_upright(tmp_path: Path, degrees: int, mirror: bool) -> None:
    frames = [texture(48, 64, grain=16)] * 2
    clip = write_clip(tmp_path / "clip.mp4", frames, turn=(degrees, mirror))
    pass_through(clip, tmp_path / "out.mp4")
    upright = np.rot90(frames[0], degrees // 90)  # counter-clockwise, as FFmpeg counts
    if mirror:
        upright = upright[:, ::-1]
    result = read_clip(tmp_path / "out.mp4").frames[0]
    assert result.shape == upright.shape
    assert np.abs(result.astype(int) - upright).mean() < 8  # color has half the resolution


REC_709_TO_2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)


LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])


def hlg(nits: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100: the signal of light on a display of 1000 nits."""
    light = nits / 1000 * max(nits @ LUMA_2020 / 1000, 1e-9) ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), bright)


def pq(nits: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100: the signal of light."""
    power = (nits / 10_000) ** (2610 / 16384)
    numerator, denominator = 3424 / 4096 + 2413 / 128 * power, 1 + 2392 / 128 * power
    return (numerator / denominator) ** (2523 / 32)


@pytest.mark.parametrize(("transfer", "signal"), [(18, hlg), (16, pq)])
def test_high_dynamic_range_becomes_standard_range(
    tmp_path: Path, transfer: int, signal: Callable[[np.ndarray], np.ndarray]
) -> None:
    clip = tmp_path / "clip.mkv"
    with av.open(str(clip), "w") as file:
        video = file.add_stream("ffv1", rate=25, width=64, height=48, pix_fmt="yuv420p10le")
        context = video.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 9, 9, transfer
        context.color_range = ColorRange.MPEG
        for color in FLAT:
            rgb = signal(REC_709_TO_2020 @ (np.array(color) / 255) ** 2.4 * 203)
            luma = rgb @ LUMA_2020
            blue, red = (rgb[2] - luma) / 1.8814, (rgb[0] - luma) / 1.4746
            frame = av.VideoFrame(64, 48, "yuv420p10le")
            levels = (64 + 876 * luma, 512 + 896 * blue, 512 + 896 * red)
            for plane, level in zip(frame.planes, levels, strict=True):
                plane.update(np.full(plane.buffer_size // 2, round(level), np.uint16))
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    seen: list[np.ndarray] = []
    stylizer = PassingThrough(lambda pixels: seen.append(pixels) or pixels)
    report = stylize_video(stylizer, clip, "painting.png", tmp_path / "out.mp4")  # type: ignore[arg-type]
    assert ", HDR converted to standard range" in str(report)
    after = read_clip(tmp_path / "out.mp4")
    assert (after.colors, after.tags) == ((1, ColorRange.MPEG), (1, 1))
    for frames in (seen, after.frames):
        for pixels, color in zip(frames, FLAT, strict=True):
            tolerance = 3 if len(set(color)) == 1 else 10  # FFmpeg compresses the gamut a little
            assert np.abs(pixels.astype(int) - color).max() <= tolerance


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_clip_that_is_cut_short_is_stylized_as_far_as_it_goes(
    tmp_path: Path, suffix: str
) -> None:
    options = {"movflags": "faststart"} if suffix == ".mp4" else None
    clip = tmp_path / f"clip{suffix}"
    write_clip(clip, pan(48), sound="aac", muxer_options=options)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    report = pass_through(clip, tmp_path / "out.mp4")
    assert 5 < report.frames < 40
    assert len(read_clip(tmp_path / "out.mp4").frames) == report.frames
    assert report.problem is not None
    assert report.problem.startswith("the clip ends early, after ")
    assert report.problem.endswith(" of 1.9 s")
    assert report.problem in str(report)


def test_a_damaged_frame_is_left_out(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(20))
    with av.open(str(clip)) as file:
        start, size = sorted((packet.pos, packet.size) for packet in file.demux() if packet.size)[9]
    data = bytearray(clip.read_bytes())
    data[start + 8 : start + size] = np.random.default_rng(0).bytes(size - 8)
    clip.write_bytes(data)
    report = pass_through(clip, tmp_path / "out.mp4")
    assert (report.frames, report.problem) == (19, "the clip is damaged in one place")
    times = read_clip(tmp_path / "out.mp4").times
    assert len({Fraction(number, 25) for number in range(20)} - set(times)) == 1  # others stay


def head_missing(folder: Path) -> Path:
    """An MP4 without faststart keeps what it is about at its end."""
    clip = write_clip(folder / "clip.mp4", pan(10))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    return clip


def song_with_cover(folder: Path) -> Path:
    clip = folder / "song.mp3"
    with av.open(str(clip), "w") as song:
        audio = song.add_stream("libmp3lame", rate=44_100)
        cover = song.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        song.mux(cover.encode(av.VideoFrame.from_ndarray(SCENE[:48, :64].copy())))
        tone = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), "fltp", "stereo")
        tone.rate = 44_100
        song.mux(audio.encode(tone))
        song.mux(audio.encode(None))
    return clip


def write_bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (head_missing, "this is not a video, or too damaged to be read"),
        (song_with_cover, "there is no video in this file"),
        (lambda folder: write_bytes(folder / "empty.mp4", b""), "the file is empty"),
        (lambda folder: write_bytes(folder / "text.mp4", b"hello\n" * 99), "this is not a video"),
        (lambda folder: folder / "missing.mp4", "there is no such file"),
        (lambda folder: folder, "this is a folder"),
        (
            lambda folder: write_clip(folder / "small.mp4", pan(2, 16, 64)),
            "its frames have 64 × 16 pixels; both sides must be at least 32",
        ),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(
    tmp_path: Path, clip: Callable[[Path], Path], reason: str
) -> None:
    (tmp_path / "in").mkdir()
    path = clip(tmp_path / "in")
    with pytest.raises(DatNetError) as caught:
        pass_through(path, tmp_path / "out.mp4")
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
