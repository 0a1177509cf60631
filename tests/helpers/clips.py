"""Writes and reads clips, and a Stylizer that changes nothing, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from PIL import Image

from datnet.stylize.clips import VideoReport, stylize_video
from datnet.stylize.options import StylizeOptions
from datnet.stylize.prepared import EncodedStyle

CPU = torch.device("cpu")


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


FLAT = [(255, 255, 255), (0, 0, 0), (200, 30, 40), (20, 180, 60), (30, 40, 220), (128, 128, 128)]


UNSPECIFIED = 2
