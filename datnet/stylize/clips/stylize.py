"""Stylize a clip frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.images.clips.formats import video_format
from datnet.images.clips.reading import ClipReader, Frame
from datnet.images.clips.writing import ClipWriter
from datnet.images.errors import UnwritableFileError
from datnet.images.files import complete_or_absent
from datnet.images.opening import Picture
from datnet.networks.base import SMALLEST_SIDE
from datnet.stylize.clips.flicker import FlickerMeter
from datnet.stylize.clips.smoothing import TemporalSmoothing
from datnet.stylize.options import StylizeOptions
from datnet.stylize.prepared import EncodedStyle, as_list, with_open_pictures
from datnet.stylize.strength import Strength, find_strength
from datnet.stylize.stylizer import Stylizer


@dataclass(frozen=True)
class VideoReport:
    """Report about a stylized clip; ``str()`` gives one line.

    Attributes:
        frames: Number of frames.
        seconds: Duration of the video.
        width: Width of the frames in pixels.
        height: Height of the frames in pixels.
        sound: What was done with the sound, in words.
        was_hdr: Whether the clip has high dynamic range (HLG or PQ); the result never has.
        flicker: Warping error of the stylized frames, in [0, 255], see
            :class:`datnet.stylize.clips.flicker.FlickerMeter`; None if no two frames can be
            compared.
        content_flicker: Warping error of the clip itself, the baseline.
        problem: What was missing or damaged in the clip, in words; None if nothing was.
        strength: The strength that was searched for the first frame; None if it was given.
    """

    frames: int
    seconds: float
    width: int
    height: int
    sound: str
    was_hdr: bool
    flicker: float | None
    content_flicker: float | None
    problem: str | None
    strength: Strength | None = None

    def __str__(self) -> str:
        parts = [
            f"{self.frames} frame{'s' if self.frames != 1 else ''}",
            f"{self.seconds:.1f} s",
            f"{self.width} × {self.height}",
            self.sound,
        ]
        if self.was_hdr:
            parts.append("HDR converted to standard range")
        if self.flicker is not None:
            parts.append(
                f"flicker {self.flicker:.1f} of 255 (the clip's own {self.content_flicker:.1f})"
            )
        if self.problem is not None:
            parts.append(self.problem)
        if self.strength is not None:
            parts.append(str(self.strength))
        return ", ".join(parts)


def stylize_video(
    stylizer: Stylizer,
    clip: str | Path,
    style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
    output: str | Path,
    options: StylizeOptions | None = None,
    *,
    smoothing: float = 0.0,
    crf: int | None = None,
    progress: bool = False,
    after_frame: Callable[[float], None] | None = None,
    **settings: Any,
) -> VideoReport:
    """Stylize a clip.

    The result keeps the frame rate, the (possibly irregular) frame times and the sound of the clip;
    rotation is applied. High dynamic range is converted to standard range. Sound is copied where
    the output format supports it. Frames are written as H.264 (VP9 in .webm); a frame of odd size
    loses its last row or column. Memory use does not depend on the length of the clip. The file
    appears under its name only when it is complete.

    Args:
        stylizer: The network.
        clip: A video that FFmpeg can read. A truncated one is stylized as far as it goes.
        style: As for :class:`datnet.Stylizer`. Each painting is encoded once.
        output: The file to write: .mp4, .mov, .mkv or .webm.
        options: The settings. With ``keep_colors="histogram"`` the paintings take the colors of
            each frame and are encoded again for each.
        smoothing: Amount of previous frames blended in where the clip does not change, in [0, 1),
            see :class:`datnet.stylize.clips.smoothing.TemporalSmoothing`.
        crf: Constant rate factor of the encoder; lower means better quality and larger files. 0 to
            51, by default 18; for .webm 0 to 63, by default 24.
        progress: Whether to show a progress bar, if there is a terminal.
        after_frame: Called after each frame with its end in seconds. An error that it raises ends
            the work, and no file is written.
        **settings: Fields of :class:`~datnet.stylize.options.StylizeOptions`, instead of options.

    Returns:
        A report that includes the flicker.

    Raises:
        UnwritableFileError: If the file cannot be written.
        DatNetError: If a file cannot be read, or a value is out of range.
    """
    clip, output = Path(clip), Path(output)
    if not 0 <= smoothing < 1:
        raise DatNetError(f"smoothing is {smoothing}; it must be at least 0 and below 1")
    video_format(output)
    if output.exists() and clip.exists() and output.samefile(clip):
        raise DatNetError(f"{output} is the clip itself; choose another output file")
    styles = as_list(style)
    options = with_open_pictures(options or StylizeOptions(**settings))
    options.check_styles(len(styles))
    if options.regions is not None:
        raise DatNetError("regions apply to a single photograph, not to a clip")
    # Apple GPUs lack bicubic sampling.
    blending_device = stylizer.device if stylizer.device.type == "cuda" else torch.device("cpu")
    blend = TemporalSmoothing(smoothing, blending_device) if smoothing else None
    meter = FlickerMeter()
    encoded: list[EncodedStyle] = []
    strength: Strength | None = None
    frames, end = 0, 0
    with (
        ClipReader(clip) as reader,
        open_writer(output, reader, crf) as writer,
        tqdm(
            total=reader.expected_frames,
            unit="frame",
            desc=clip.name,
            disable=None if progress else True,
        ) as bar,
    ):
        for item in reader:
            if not isinstance(item, Frame):
                writer.write_sound(item)
                continue
            if not encoded:
                short_side = check_size(clip, item)
                encoded = [
                    each
                    if isinstance(each, EncodedStyle)
                    else stylizer.encode_style(
                        each, options.style_size, content_side=options.size or short_side
                    )
                    for each in styles
                ]
                if options.wanted_share is not None:
                    strength = find_strength(stylizer, item.pixels, encoded, options)
                    options = replace(options, alpha=strength.alpha)
            result = stylizer.stylize(item.pixels, encoded, options)
            stylized = np.asarray(result)
            if blend is not None:
                stylized = blend(item.pixels, stylized)
            writer.write_frame(stylized, item)
            meter.add(item.pixels, stylized)
            frames, end = frames + 1, item.start + item.duration
            bar.update()
            if after_frame is not None:
                after_frame(float(end * reader.time_base))
    flicker = meter.measure()
    assert writer.size is not None
    return VideoReport(
        frames=frames,
        seconds=float(end * reader.time_base),
        width=writer.size[0],
        height=writer.size[1],
        sound=writer.sound,
        was_hdr=reader.is_hdr,
        flicker=flicker and flicker[0],
        content_flicker=flicker and flicker[1],
        problem=reader.problem,
        strength=strength,
    )


@contextmanager
def open_writer(output: Path, reader: ClipReader, crf: int | None) -> Iterator[ClipWriter]:
    """Open a video file that appears under its name only when it is complete.

    Args:
        output: The file to write.
        reader: Reader of the clip, whose streams the file gets.
        crf: Constant rate factor; None for the default of the format.

    Yields:
        The writer.

    Raises:
        UnwritableFileError: If the file cannot be written.
        DatNetError: If crf is out of range, or the encoder refuses the frames.
    """
    try:
        with (
            complete_or_absent(output) as unfinished,
            ClipWriter(output, unfinished, reader, crf) as writer,
        ):
            yield writer
    except OSError as error:
        raise UnwritableFileError(
            f"{output}: cannot write this video: {error.strerror or error}"
        ) from error


def check_size(clip: Path, frame: Frame) -> int:
    """Check that frames are large enough for a network.

    Args:
        clip: The clip, for the message.
        frame: Its first frame.

    Returns:
        The shorter side in pixels.

    Raises:
        DatNetError: If it is below 32.
    """
    height, width = frame.pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise DatNetError(
            f"{clip}: its frames have {width} × {height} pixels; "
            f"both sides must be at least {SMALLEST_SIDE}"
        )
    return min(height, width)
