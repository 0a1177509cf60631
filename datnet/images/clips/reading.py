"""Read the frames and sound of a video clip, in file order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import ThreadType
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from datnet.errors import DatNetError
from datnet.images.clips.conversion import ToRgb, color_matrix, is_high_range, upright

STATED_DURATION = frozenset(["mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "asf", "flv"])
"""FFmpeg's names of containers whose header states the duration. FFmpeg estimates it for others
from their last part or the bit rate, which does not reveal missing parts."""

EARLY_END = 0.25
"""Seconds that a clip may be shorter than its header says; durations of streams are rounded."""


@dataclass(frozen=True)
class Frame:
    """A decoded frame.

    Attributes:
        pixels: ``(H, W, 3)`` uint8 RGB, upright.
        start: Time from the clip's start, in units of :attr:`ClipReader.time_base`.
        duration: Duration in the same units.
    """

    pixels: np.ndarray
    start: int
    duration: int


class ClipReader:
    """An open clip: its first video stream and all its sound.

    The rotation and mirroring that the file states are applied, and high dynamic range is converted
    to standard range. Interlaced frames are not deinterlaced; transparency is dropped.

    Args:
        path: The clip.

    Attributes:
        time_base: Length of one unit of :attr:`Frame.start`, in seconds.
        rate: Average frames per second.
        sounds: The sound streams that can be decoded.
        lacks_sounds: Whether there are others.
        is_hdr: Whether the first frame had high dynamic range; frames are always yielded in
            standard range.

    Raises:
        DatNetError: If the file is missing, not a clip or holds only sound.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            raise DatNetError(f"{path}: this is a folder, not a video")
        if not path.exists():
            raise DatNetError(f"{path}: there is no such file")
        if not path.is_file():  # opening a named pipe would block
            raise DatNetError(f"{path}: this is not a regular file")
        if path.stat().st_size == 0:
            raise DatNetError(f"{path}: the file is empty")
        try:
            # Absolute: FFmpeg takes the part before a colon for a protocol.
            self._container = av.open(str(path.absolute()), metadata_errors="replace")
        except FFmpegError as error:
            raise DatNetError(
                f"{path}: this is not a video, or too damaged to be read: {error.strerror}"
            ) from error
        # Audio files often hold their cover as a video stream of one picture.
        videos = [
            stream
            for stream in self._container.streams.video
            if stream.codec_context and not stream.disposition & Disposition.attached_pic
        ]
        if not videos:
            self._container.close()
            raise DatNetError(f"{path}: there is no video in this file")
        self.video: VideoStream = videos[0]
        self.video.thread_type = ThreadType.AUTO
        self.sounds: list[AudioStream] = [
            stream for stream in self._container.streams.audio if stream.codec_context
        ]
        self.lacks_sounds = len(self.sounds) < len(self._container.streams.audio)
        self.time_base: Fraction = self.video.time_base or Fraction(1, 90_000)
        self.rate: Fraction = self.video.average_rate or self.video.guessed_rate or Fraction(25)
        # Broadcast recordings start at any time. A negative start is sound that primes its decoder.
        self._first_time = max(self._container.start_time or 0, 0)  # microseconds
        duration = self._container.duration  # microseconds
        self._duration = None if duration is None else duration / av.time_base
        self._duration_is_stated = self._container.format.name in STATED_DURATION
        self.is_hdr = False
        self._to_rgb = ToRgb()
        self._size: tuple[int, int] | None = None  # width and height as stored
        self._turned = False
        self._last_start = -1
        self._next_start = 0
        self._end = 0.0  # seconds
        self._damaged = 0

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._container.close()

    @property
    def expected_frames(self) -> int | None:
        """Number of frames according to the file's header; None if it does not tell."""
        if self.video.frames:
            return self.video.frames
        if self._duration is None:
            return None
        return max(1, round(self._duration * self.rate))

    @property
    def pixel_aspect(self) -> Fraction:
        """Width over height of an upright pixel; valid after the first frame."""
        aspect = self.video.sample_aspect_ratio or Fraction(1)
        return 1 / aspect if self._turned else aspect

    @property
    def color_matrix(self) -> int:
        """The clip's YCbCr matrix, as a value of PyAV's Colorspace; valid after the first frame."""
        return color_matrix(self.video.codec_context.colorspace, *(self._size or (0, 0)))

    @property
    def problem(self) -> str | None:
        """What was missing or damaged so far, as text for the user; None if nothing."""
        if (
            self._duration is not None
            and self._duration_is_stated
            and self._end < self._duration - EARLY_END
        ):
            return f"the clip ends early, after {self._end:.1f} of {self._duration:.1f} s"
        if self._damaged:
            places = "one place" if self._damaged == 1 else f"{self._damaged} places"
            return f"the clip is damaged in {places}"
        return None

    def ticks_to_start(self, time_base: Fraction) -> int:
        """Return the clip's start time in units of ``time_base`` seconds."""
        return int(Fraction(self._first_time, av.time_base) / time_base)

    def __iter__(self) -> Iterator[Frame | Packet[AudioStream]]:
        """Yield the frames and packets of sound in file order; can be iterated once.

        Times of packets are shifted so that the clip starts at 0. Damaged parts are left out, and a
        truncated clip ends early, see :attr:`problem`.

        Raises:
            DatNetError: If no frame can be decoded, or the colors cannot be converted to RGB.
        """
        for packet in self._packets():
            if packet.stream is self.video:
                yield from self._frames(packet)
            elif packet.stream in self.sounds:
                offset = self.ticks_to_start(packet.time_base)
                if packet.dts is not None and packet.pts is not None:
                    packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
                    yield packet
        yield from self._frames(None)
        if self._size is None:
            raise DatNetError(f"{self.path}: no frame of this video can be decoded")

    def _packets(self) -> Iterator[Packet]:
        """Yield all packets with content, up to the first unreadable place."""
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError:
                self._damaged += 1
                return
            if packet.size == 0:  # the decoder is flushed at the end in any case
                continue
            if packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._end = max(self._end, float(end) - self._first_time / av.time_base)
            yield packet

    def _frames(self, packet: Packet[VideoStream] | None) -> Iterator[Frame]:
        try:
            frames = self.video.decode(packet)
        except EOFError:  # flushed before
            return
        except FFmpegError:
            self._damaged += 1
            return
        for frame in frames:
            self._damaged += frame.is_corrupt
            if self._size is None:
                self._size = frame.width, frame.height
                self.is_hdr = is_high_range(frame)
            start = self._next_start
            if frame.pts is not None:  # program streams give times to some frames only
                start = frame.pts - self.ticks_to_start(self.time_base)
            start = max(start, self._last_start + 1)
            duration = frame.duration or max(1, round(1 / (self.rate * self.time_base)))
            self._last_start, self._next_start = start, start + duration
            pixels, self._turned = upright(self._rgb(frame), frame)
            yield Frame(pixels, start, duration)

    def _rgb(self, frame: VideoFrame) -> np.ndarray:
        """Convert a frame to RGB at the size of the first frame."""
        assert self._size is not None
        try:
            return self._to_rgb(frame, *self._size, self.color_matrix)
        except FFmpegError as error:
            raise DatNetError(
                f"{self.path}: its colors ({frame.format.name}) cannot be converted to RGB: "
                f"{error.strerror}"
            ) from error
