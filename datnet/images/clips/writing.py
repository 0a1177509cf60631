"""Write a video file: frames are encoded, sound is copied where possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    VideoReformatter,
)
from av.video.stream import VideoStream

from datnet.errors import DatNetError
from datnet.images.clips.conversion import EXACT_CONVERSION
from datnet.images.clips.formats import check_crf, video_format
from datnet.images.clips.reading import ClipReader, Frame
from datnet.images.errors import UnwritableFileError

SOUND_RATES = {"aac": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000)}
"""Sample rates in Hz that an encoder accepts; all others become 48000."""

BITS_PER_CHANNEL = 96_000
"""Bits per second and channel of sound that is encoded again."""

CODED_MATRIX = {
    Colorspace.ITU709: 1,
    Colorspace.FCC: 4,
    Colorspace.ITU601: 6,
    Colorspace.SMPTE240M: 7,
    Colorspace.BT2020: 9,
}
"""PyAV's Colorspace, which conversions take, to the code that H.264 and VP9 files state."""


class SoundEncoder:
    """Encodes sound whose format may change midway, as in recordings of broadcasts.

    Args:
        stream: Sound stream of the output file.
    """

    def __init__(self, stream: AudioStream) -> None:
        self._stream = stream
        self._form: tuple[str, str, int] | None = None
        self._resampler = AudioResampler()

    def encode(self, frame: AudioFrame) -> Iterator[Packet[AudioStream]]:
        """Encode the next frame; may yield nothing yet."""
        form = frame.format.name, frame.layout.name, frame.sample_rate
        if form != self._form:  # a resampler accepts only one
            yield from self._drain()
            context = self._stream.codec_context
            self._resampler = AudioResampler(context.format, context.layout, context.sample_rate)
            self._form = form
        for converted in self._resampler.resample(frame):
            yield from self._stream.encode(converted)

    def finish(self) -> Iterator[Packet[AudioStream]]:
        """Encode the buffered rest."""
        yield from self._drain()
        yield from self._stream.encode(None)

    def _drain(self) -> Iterator[Packet[AudioStream]]:
        for converted in self._resampler.resample(None):
            if converted is not None:  # a resampler that has nothing to convert yields None
                yield from self._stream.encode(converted)


class ClipWriter:
    """A video file that is being written, with the times, pixel aspect and sound of a clip.

    Frames are 8-bit 4:2:0 in limited range, which plays everywhere. Their matrix is that of the
    clip, or Rec. 709 if the clip has high dynamic range; the file states matrix and range. 4:2:0
    requires even sizes, so the last row or column of a frame of odd size is cropped.

    Args:
        path: Name of the file in messages; its suffix chooses the format.
        unfinished: The file to write.
        reader: The clip.
        crf: Constant rate factor: smaller values give better quality and larger files. None takes
            the format's default.

    Attributes:
        size: Width and height of the written frames; None before the first.

    Raises:
        UnwritableFileError: Here or in any method, if the file cannot be written.
        DatNetError: If crf is out of range, or the encoder refuses the frames.
    """

    def __init__(self, path: Path, unfinished: Path, reader: ClipReader, crf: int | None) -> None:
        check_crf(path, crf)
        self.path = path
        self.size: tuple[int, int] | None = None
        self._format = video_format(path)
        self._reader = reader
        self._crf = self._format.crf if crf is None else crf
        self._to_yuv = VideoReformatter()
        self._video: VideoStream | None = None
        self._sounds: dict[int, AudioStream] = {}  # by the index of the clip's stream
        self._sound_encoders: dict[int, SoundEncoder] = {}  # likewise; none for copied streams
        self._last_times: dict[int, int] = {}
        self._waiting: list[Packet[AudioStream]] = []
        with self._named_failures():
            # faststart: web players can begin before the whole file has arrived.
            options = {"movflags": "faststart"} if self._format.muxer in ("mp4", "mov") else {}
            self._container = av.open(
                str(unfinished.absolute()), "w", format=self._format.muxer, options=options
            )

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            with suppress(FFmpegError, OSError):  # the file will be removed
                self._container.close()
            return
        with self._named_failures():
            if self._video is not None:
                self._container.mux(self._video.encode(None))
            for encoder in self._sound_encoders.values():
                self._mux_sound(encoder.finish())
            self._container.close()

    @property
    def sound(self) -> str:
        """What became of the sound, as text for the user."""
        parts = []
        if self._sound_encoders:
            encoder = "AAC" if self._format.sound_encoder == "aac" else "Opus"
            parts.append(f"sound encoded as {encoder}")
        elif self._reader.sounds:
            parts.append("sound copied")
        if self._reader.lacks_sounds:
            parts.append("sound that cannot be decoded left out")
        return ", ".join(parts) or "no sound"

    def write_frame(self, pixels: np.ndarray, frame: Frame) -> None:
        """Encode a frame.

        Args:
            pixels: ``(H, W, 3)`` uint8 RGB.
            frame: The clip's frame that it replaces; start and duration are taken from it.
        """
        height, width = (side - side % 2 for side in pixels.shape[:2])
        with self._named_failures():
            if self._video is None:
                self._video = self._start(width, height)
            rgb = VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]))
            yuv = self._to_yuv.reformat(
                rgb,
                format="yuv420p",
                dst_colorspace=self._color_matrix,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
                interpolation=EXACT_CONVERSION,
            )
            yuv.pts, yuv.time_base = frame.start, self._reader.time_base
            yuv.duration = frame.duration
            self._container.mux(self._video.encode(yuv))

    def write_sound(self, packet: Packet[AudioStream]) -> None:
        """Copy a packet of the clip's sound, or encode it again."""
        if self._video is None:  # the file's header, which lists all streams, needs the frame size
            self._waiting.append(packet)
            return
        stream = self._sounds[packet.stream.index]
        encoder = self._sound_encoders.get(packet.stream.index)
        with self._named_failures():
            if encoder is None:
                packet.stream = stream
                self._mux_sound([packet])
                return
            try:
                frames = packet.decode()
            except FFmpegError:  # damaged
                return
            for frame in frames:
                self._mux_sound(encoder.encode(frame))

    def _mux_sound(self, packets: Iterable[Packet[AudioStream]]) -> None:
        """Write packets with increasing times; others, as in damaged clips, cannot be stored."""
        for packet in packets:
            index, time = packet.stream.index, packet.dts
            if time is not None and time > self._last_times.get(index, time - 1):
                self._last_times[index] = time
                self._container.mux(packet)

    @property
    def _color_matrix(self) -> Colorspace:
        reader = self._reader
        return Colorspace.ITU709 if reader.is_hdr else Colorspace(reader.color_matrix)

    def _start(self, width: int, height: int) -> VideoStream:
        """Declare all streams, then write the sound that precedes the first frame."""
        reader = self._reader
        clip = reader.video.codec_context
        video = self._container.add_stream(
            self._format.encoder,
            rate=reader.rate,
            options={**self._format.options, "crf": str(self._crf)},
            width=width,
            height=height,
            pix_fmt="yuv420p",
            time_base=reader.time_base,
            sample_aspect_ratio=reader.pixel_aspect,
            color_range=ColorRange.MPEG,
            colorspace=CODED_MATRIX[self._color_matrix],
            color_primaries=ColorPrimaries.BT709 if reader.is_hdr else clip.color_primaries,
            color_trc=ColorTrc.BT709 if reader.is_hdr else clip.color_trc,
        )
        assert isinstance(video, VideoStream)
        for source in reader.sounds:
            self._sounds[source.index] = self._add_sound(source)
        self.size = width, height
        self._video = video
        for packet in self._waiting:
            self.write_sound(packet)
        self._waiting.clear()
        return video

    def _add_sound(self, source: AudioStream) -> AudioStream:
        sound: AudioStream
        if source.codec_context.codec.canonical_name in self._format.sounds:
            sound = self._container.add_stream_from_template(source)
        else:
            encoder = self._format.sound_encoder
            rate = source.rate if source.rate in SOUND_RATES.get(encoder, ()) else 48_000
            channels = min(source.channels, 2)
            added = self._container.add_stream(
                encoder,
                rate=rate,
                layout="stereo" if channels == 2 else "mono",
                bit_rate=BITS_PER_CHANNEL * channels,
                time_base=Fraction(1, rate),
            )
            assert isinstance(added, AudioStream)
            sound = added
            self._sound_encoders[source.index] = SoundEncoder(sound)
        if source.language:
            sound.metadata["language"] = source.language
        return sound

    @contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, ValueError) as error:  # PyAV's own refusals are plain ValueErrors
            # FFmpeg's system errors, such as a full disk, are also OSErrors.
            kind = UnwritableFileError if isinstance(error, OSError) else DatNetError
            reason = error.strerror if isinstance(error, FFmpegError) else error
            raise kind(f"{self.path}: cannot write this video: {reason}") from error
