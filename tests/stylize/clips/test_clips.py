from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from PIL import Image

from datnet.errors import DatNetError
from datnet.images.clips.formats import FORMATS
from datnet.images.errors import UnwritableFileError
from datnet.stylize.clips import VideoReport, stylize_video
from datnet.stylize.clips.flicker import MOST_PAIRS, FlickerMeter
from datnet.stylize.clips.motion import optical_flow
from datnet.stylize.clips.smoothing import TemporalSmoothing
from datnet.stylize.options import StylizeOptions
from datnet.stylize.prepared import EncodedStyle
from datnet.stylize.stylizer import Stylizer
from tests.helpers.full_disk import files_end_at
from tests.helpers.pixel_network import write_pixel_network

CPU = torch.device("cpu")


def texture(height: int, width: int, seed: int = 0, grain: int = 4) -> np.ndarray:
    """Smooth random colors with full contrast, uint8 (H, W, 3)."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (height // grain, width // grain, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


SCENE = texture(96, 128)


def pan(frames: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """A picture that moves by a pixel in every frame."""
    return [np.ascontiguousarray(SCENE[i : i + height, i : i + width]) for i in range(frames)]


def write_clip(
    path: Path,
    frames: list[np.ndarray],
    *,
    times: list[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rate: int = 25,
    sound: str | None = None,
    layout: str = "stereo",
    sound_rate: int = 48_000,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    matrix: tuple[Colorspace, int] = (Colorspace.ITU709, 1),
    color_range: ColorRange = ColorRange.MPEG,
    turn: tuple[float, bool] | None = None,
    muxer_options: dict[str, str] | None = None,
    start: float = 0.0,
) -> Path:
    """Write a clip with a tone as long as the frames; ``matrix`` for converting and as stated."""
    height, width = frames[0].shape[:2]
    times = times or list(range(len(frames)))
    with av.open(str(path), "w", options=muxer_options or {}) as clip:
        options = {"qp": "0"} if codec == "libx264" else {}
        video = clip.add_stream(codec, rate=rate, options=options, time_base=time_base)
        video.width, video.height, video.pix_fmt = width, height, pixels
        video.codec_context.color_range = color_range
        video.codec_context.colorspace = matrix[1]
        if turn is not None:
            video.set_display_rotation(turn[0], hflip=turn[1])
        audio = clip.add_stream(sound, rate=sound_rate, layout=layout) if sound else None
        for pixel_array, time in zip(frames, times, strict=True):
            frame = VideoReformatter().reformat(
                av.VideoFrame.from_ndarray(pixel_array),
                format=pixels,
                dst_colorspace=matrix[0],
                dst_color_range=color_range,
            )
            frame.pts, frame.time_base = time + round(start / time_base), time_base
            frame.duration = round(1 / (rate * time_base))
            clip.mux(video.encode(frame))
        if audio is not None:
            end = int((times[-1] * time_base + Fraction(1, rate)) * 48_000)
            for first in range(0, end - 960, 960):
                wave = np.sin(np.arange(first, first + 960) * 0.06).astype(np.float32) * 0.3
                tone = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
                tone.rate, tone.pts = 48_000, first + round(start * 48_000)
                clip.mux(audio.encode(tone))
            clip.mux(audio.encode(None))
        clip.mux(video.encode(None))
    return path


@dataclass
class Clip:
    """What is in a file."""

    seconds: float = 0
    rate: Fraction | None = None
    codecs: list[str] = field(default_factory=list)
    frames: list[np.ndarray] = field(default_factory=list)
    times: list[Fraction] = field(default_factory=list)
    sound: list[tuple[Fraction, bytes]] = field(default_factory=list)
    colors: tuple[int, int] = (0, 0)
    tags: tuple[int, int] = (0, 0)


def read_clip(path: Path) -> Clip:
    result = Clip()
    with av.open(str(path)) as file:
        result.seconds = file.duration / av.time_base
        result.rate = file.streams.video[0].average_rate
        result.codecs = [stream.codec_context.codec.canonical_name for stream in file.streams]
        context = file.streams.video[0].codec_context
        result.colors = context.colorspace, context.color_range
        result.tags = context.color_primaries, context.color_trc
        for packet in file.demux():
            if packet.stream.type == "audio" and packet.size:
                result.sound.append((packet.pts * packet.time_base, bytes(packet)))
            elif packet.stream.type == "video":
                for frame in packet.decode():
                    result.frames.append(frame.to_ndarray(format="rgb24"))
                    result.times.append(frame.pts * frame.time_base)
    return result


class PassingThrough:
    """A Stylizer that changes nothing but what it is told, and counts."""

    device = CPU

    def __init__(self, change: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels) -> None:
        self.change = change
        self.encoded: list[tuple[Any, int | None, int]] = []
        self.calls: list[StylizeOptions] = []

    def encode_style(self, painting: Any, size: int | None, *, content_side: int) -> EncodedStyle:
        self.encoded.append((painting, size, content_side))
        return EncodedStyle(Image.new("RGB", (32, 32)), (), None)  # type: ignore[arg-type]

    def stylize(self, content: np.ndarray, style: Any, options: StylizeOptions) -> Image.Image:
        assert all(isinstance(each, EncodedStyle) for each in style)
        self.calls.append(options)
        return Image.fromarray(self.change(content))


def pass_through(clip: Path, output: Path, **settings: Any) -> VideoReport:
    return stylize_video(PassingThrough(), clip, "painting.png", output, **settings)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ times and sound


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_rate_frames_duration_and_sound_are_the_clips(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(20), sound="aac")
    report = pass_through(clip, tmp_path / f"out{suffix}")
    before, after = read_clip(clip), read_clip(tmp_path / f"out{suffix}")
    assert after.codecs == ["h264", "aac"]
    assert after.rate == before.rate == 25
    assert after.seconds == pytest.approx(before.seconds, abs=0.025)
    assert [data for _, data in after.sound] == [data for _, data in before.sound]
    # Matroska has no times below 0, where AAC begins, and rounds all times to milliseconds.
    shift = Fraction(21, 1000) if suffix == ".mkv" else 0
    for (now, _), (then, _) in zip(after.sound, before.sound, strict=True):
        assert abs(now - then - shift) <= (Fraction(1, 1000) if suffix == ".mkv" else 0)
    assert [time - shift for time in after.times] == before.times
    assert before.times == [Fraction(number, 25) for number in range(20)]
    assert (report.frames, report.width, report.height) == (20, 64, 48)
    assert report.seconds == pytest.approx(0.8)
    assert str(report).startswith("20 frames, 0.8 s, 64 × 48, sound copied, flicker ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", f"out{suffix}"]


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


def test_a_single_frame(tmp_path: Path) -> None:
    report = pass_through(write_clip(tmp_path / "clip.mp4", pan(1)), tmp_path / "out.mp4")
    assert len(read_clip(tmp_path / "out.mp4").frames) == 1
    assert (report.frames, report.flicker, report.problem) == (1, None, None)
    assert str(report) == "1 frame, 0.0 s, 64 × 48, no sound"


# ------------------------------------------------------------------------------------- pixels


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


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_odd_sizes_lose_a_row_and_a_column(tmp_path: Path, suffix: str) -> None:
    frames = [texture(64, 80, grain=16)[:49, :65]] * 2
    clip = write_clip(tmp_path / "clip.mkv", frames, codec="ffv1", pixels="bgr0")
    report = pass_through(clip, tmp_path / f"out{suffix}")
    result = read_clip(tmp_path / f"out{suffix}").frames[0]
    assert result.shape == (48, 64, 3)
    assert (report.width, report.height) == (64, 48)
    assert np.abs(result.astype(int) - frames[0][:48, :64]).mean() < 8


FLAT = [(255, 255, 255), (0, 0, 0), (200, 30, 40), (20, 180, 60), (30, 40, 220), (128, 128, 128)]
UNSPECIFIED = 2


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


# ------------------------------------------------------------------------------------ styling


def test_styles_are_encoded_once_and_settings_passed_on(tmp_path: Path) -> None:
    stylizer = PassingThrough()
    clip = write_clip(tmp_path / "clip.mp4", pan(5))
    Image.new("L", (8, 8)).save(tmp_path / "mask.png")
    stylize_video(
        stylizer,  # type: ignore[arg-type]
        clip,
        ["a.png", "b.png"],
        tmp_path / "out.mp4",
        keep_colors="luminance",
        mask=tmp_path / "mask.png",
    )
    assert stylizer.encoded == [("a.png", None, 48), ("b.png", None, 48)]
    assert len(stylizer.calls) == 5
    assert stylizer.calls[0].keep_colors == "luminance"
    assert isinstance(stylizer.calls[0].mask, Image.Image)  # read from its file once


def test_frames_are_painted_as_photographs_are(tmp_path: Path) -> None:
    stylizer = Stylizer(write_pixel_network(tmp_path / "pixel.safetensors"), "cpu")
    clip = write_clip(tmp_path / "clip.mp4", [texture(48, 64, grain=16)] * 3)
    painting = Image.fromarray(texture(64, 64, seed=1)).convert("L").convert("RGB")
    settings: dict[str, Any] = {"alpha": 0.7, "size": 40, "keep_colors": "luminance"}
    report = stylize_video(stylizer, clip, painting, tmp_path / "out.mp4", **settings)
    frame = read_clip(clip).frames[2]
    expected = np.asarray(stylizer(frame, painting, **settings))[:, :52]  # 53 is odd
    result = read_clip(tmp_path / "out.mp4").frames[2]
    assert (report.width, report.height) == (52, 40)
    assert np.abs(result.astype(int) - expected).mean() < 5
    assert np.abs(result[:, :, 0].astype(int) - frame[:40, :52, 0]).mean() > 20


# ------------------------------------------------------------------------------ damaged, refused


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_clip_that_is_cut_short_is_painted_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
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


@pytest.mark.parametrize(
    ("output", "settings", "message"),
    [
        ("out.gif", {}, "out.gif: cannot write videos of this kind; .* .mp4, .mov, .mkv, .webm"),
        ("out.mp4", {"crf": 52}, "crf is 52; for .mp4 it must be between 0 and 51"),
        ("out.mp4", {"smoothing": 1.0}, "smoothing is 1.0; it must be at least 0 and below 1"),
        ("out.mp4", {"alpha": 2}, "alpha is 2"),
        ("clip.mp4", {}, "clip.mp4 is the clip itself"),
    ],
)
def test_wrong_settings_are_refused(
    tmp_path: Path, output: str, settings: dict[str, Any], message: str
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(2))
    content = clip.read_bytes()
    with pytest.raises(DatNetError, match=message):
        pass_through(clip, tmp_path / output, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    assert clip.read_bytes() == content


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(5), sound="aac")
    (tmp_path / "out.mp4").write_bytes(b"an older result")
    seen: list[list[str]] = []

    def interrupt_at_third(pixels: np.ndarray) -> np.ndarray:
        seen.append([path.suffix for path in tmp_path.iterdir()])
        if len(seen) == 3:
            raise KeyboardInterrupt
        return pixels

    stylizer = PassingThrough(interrupt_at_third)
    with pytest.raises(KeyboardInterrupt):
        stylize_video(stylizer, clip, "painting.png", tmp_path / "out.mp4")  # type: ignore[arg-type]
    assert ".part" in seen[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"an older result"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_told_in_one_line(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8)
    clip = write_clip(tmp_path / "clip.mp4", list(noise))
    refusal = f"out{suffix}: cannot write this video: "
    with files_end_at(20_000), pytest.raises(UnwritableFileError, match=refusal) as error:
        pass_through(clip, tmp_path / f"out{suffix}", crf=0)
    assert os.strerror(errno.EFBIG) in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


# ----------------------------------------------------------------------- flicker and smoothing


def noisy(frames: list[np.ndarray], deviation: float, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [
        (frame + generator.normal(0, deviation, frame.shape)).clip(0, 255).round().astype(np.uint8)
        for frame in frames
    ]


def flicker(contents: list[np.ndarray], results: list[np.ndarray]) -> tuple[float, float] | None:
    meter = FlickerMeter()
    for content, result in zip(contents, results, strict=True):
        meter.add(content, result)
    return meter.measure()


def smooth(
    contents: list[np.ndarray], results: list[np.ndarray], strength: float
) -> list[np.ndarray]:
    blend = TemporalSmoothing(strength, CPU)
    return [blend(content, result) for content, result in zip(contents, results, strict=True)]


def mean_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_optical_flow_finds_a_shift() -> None:
    flow = optical_flow(
        np.ascontiguousarray(SCENE[3:67, 2:82]), np.ascontiguousarray(SCENE[:64, :80])
    )
    assert np.median(flow[0]) == pytest.approx(3, abs=0.2)
    assert np.median(flow[1]) == pytest.approx(2, abs=0.2)


def test_flicker_is_the_error_that_motion_does_not_explain() -> None:
    moving = pan(6)
    steady = flicker(moving, [255 - frame for frame in moving])
    assert steady is not None
    assert steady[0] == pytest.approx(steady[1])  # moves along with the content
    assert steady[0] < 8
    # Brightness that alternates by 40 differs by 40 in every pair.
    flat = [np.full((48, 64, 3), 100 + 40 * (i % 2), np.uint8) for i in range(6)]
    alternating = flicker([SCENE[:48, :64].copy()] * 6, flat)
    assert alternating == pytest.approx((40, 0), abs=0.01)


def test_flicker_leaves_out_cuts() -> None:
    scenes = [texture(48, 64, seed) for seed in range(3)]
    cuts_between_all = flicker(scenes, scenes)
    assert cuts_between_all is None
    one_cut = flicker([scenes[0]] * 3 + [scenes[1]] * 3, [scenes[0]] * 3 + [scenes[1]] * 3)
    assert one_cut == pytest.approx((0, 0), abs=0.01)


@pytest.mark.parametrize("frames", [2, 49, 50, 51, 98, 100, 333])
def test_flicker_compares_few_pairs_of_consecutive_frames(frames: int) -> None:
    meter = FlickerMeter()
    for number in range(frames):
        frame = np.full((32, 32, 3), (number % 256, number // 256, 0), np.uint8)
        meter.add(frame, frame)
    numbers = [
        [int(frame[0, 0, 0]) + 256 * int(frame[0, 0, 1]) for frame in (before[1], after[1])]
        for before, after in meter._pairs
    ]
    assert all(after == before + 1 for before, after in numbers)
    assert min(frames - 1, MOST_PAIRS // 2) <= len(numbers) <= MOST_PAIRS
    steps = {after[0] - before[0] for before, after in pairwise(numbers)}
    assert len(steps) <= 1  # evenly spread


OBJECT = texture(16, 16, seed=5)


def static_scene(frames: int) -> list[np.ndarray]:
    """An object that moves quickly over a static background."""
    result = []
    for number in range(frames):
        frame = SCENE[:64, :96].copy()
        frame[24:40, 8 * number : 8 * number + 16] = OBJECT
        result.append(frame)
    return noisy(result, 3)


@pytest.mark.parametrize("clip", [static_scene(10), noisy(pan(10, 64, 96), 3)])
def test_smoothing_takes_flicker_away(clip: list[np.ndarray]) -> None:
    stylized = noisy([255 - frame for frame in clip], 25, seed=1)
    without, with_ = flicker(clip, stylized), flicker(clip, smooth(clip, stylized, 0.8))
    assert without is not None
    assert with_ is not None
    assert with_[0] < 0.7 * without[0]


def test_smoothing_leaves_moving_things_sharp() -> None:
    clip = static_scene(10)
    smoothed = smooth(clip, clip, 0.9)
    for number in (4, 9):
        place = np.s_[24:40, 8 * number : 8 * number + 16]
        trace = np.s_[24:40, max(0, 8 * number - 40) : 8 * number]
        assert mean_difference(smoothed[number][place], OBJECT) < 5
        assert mean_difference(smoothed[number][trace], SCENE[:64, :96][trace]) < 5


def test_smoothing_does_not_blend_over_a_cut() -> None:
    before, after = texture(48, 64, 1).copy(), texture(48, 64, 2).copy()
    before[:16] = after[:16] = 0  # a static bar that is stylized differently
    clip = [before] * 4 + [after] * 2
    stylized = [255 - before] * 4 + [after] * 2
    smoothed = smooth(clip, stylized, 0.9)
    assert np.array_equal(smoothed[4], stylized[4])
    assert mean_difference(smoothed[5], stylized[5]) < 0.5


def test_smoothing_follows_a_slow_fade() -> None:
    clip = [np.full((48, 64, 3), 2 * number, np.uint8) for number in range(60)]
    smoothed = smooth(clip, clip, 0.95)
    assert max(mean_difference(*pair) for pair in zip(smoothed, clip, strict=True)) < 16


def test_smoothing_blends_results_of_another_size_than_the_clip() -> None:
    content = [SCENE[:48, :64].copy()] * 3
    stylized = [np.full((96, 128, 3), level, np.uint8) for level in (100, 200, 200)]
    smoothed = smooth(content, stylized, 0.5)
    assert [frame.shape for frame in smoothed] == [(96, 128, 3)] * 3
    assert [int(np.median(frame)) for frame in smoothed] == [100, 150, 175]


def test_smoothing_lessens_the_flicker_of_a_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [SCENE[:48, :64].copy()] * 10)
    reports = []
    for smoothing in (0, 0.8):
        generator = np.random.default_rng(0)
        stylizer = PassingThrough(
            lambda pixels: generator.integers(0, 255, pixels.shape, dtype=np.uint8)  # noqa: B023
        )
        output = tmp_path / f"{smoothing}.mp4"
        reports.append(stylize_video(stylizer, clip, "a.png", output, smoothing=smoothing))  # type: ignore[arg-type]
    flickers = [report.flicker for report in reports]
    assert None not in flickers
    assert flickers[1] < 0.5 * flickers[0]
    assert reports[0].content_flicker == reports[1].content_flicker
    assert reports[1].content_flicker < 2
