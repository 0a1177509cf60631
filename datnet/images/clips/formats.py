"""Video formats by file suffix, without importing the packages that read and write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from datnet.errors import DatNetError


@dataclass(frozen=True)
class VideoFormat:
    """Container and codecs of a video format.

    Attributes:
        muxer: FFmpeg's name of the container.
        sounds: Audio codecs that the container supports and players expect in it.
        sound_encoder: FFmpeg's name of the encoder for audio of other codecs.
        encoder: FFmpeg's name of the encoder for frames.
        options: Options of that encoder.
        crf: Its default constant rate factor: no visible loss in painted texture.
        worst_crf: The largest constant rate factor that it accepts.
    """

    muxer: str
    sounds: frozenset[str]
    sound_encoder: str = "aac"
    encoder: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    crf: int = 18
    worst_crf: int = 51


COMMON_SOUNDS = frozenset(["aac", "ac3", "alac", "eac3", "mp3"])
PCM = frozenset(["pcm_f32le", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le"])
FORMATS = {
    ".mp4": VideoFormat("mp4", COMMON_SOUNDS | {"flac", "opus"}),
    ".mov": VideoFormat("mov", COMMON_SOUNDS | PCM | {"pcm_f32be"}),
    ".mkv": VideoFormat(
        "matroska", COMMON_SOUNDS | PCM | {"dts", "flac", "mp2", "opus", "truehd", "vorbis"}
    ),
    ".webm": VideoFormat(
        "webm",
        frozenset(["opus", "vorbis"]),
        sound_encoder="libopus",
        encoder="libvpx-vp9",
        options={"deadline": "good", "cpu-used": "4", "row-mt": "1", "b:v": "0"},
        crf=24,
        worst_crf=63,
    ),
}
"""File suffix (lower case) to the format that is written."""


def video_format(path: Path) -> VideoFormat:
    """Return the format that a file's suffix stands for.

    Raises:
        DatNetError: If videos with this suffix cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise DatNetError(
            f"{path}: cannot write videos of this kind; the name must end in one of "
            f"{', '.join(FORMATS)}"
        )
    return FORMATS[path.suffix.lower()]


def check_crf(path: Path, crf: int | None) -> None:
    """Check a constant rate factor for the encoder of a file's format.

    Args:
        path: The file; its suffix chooses the format.
        crf: The constant rate factor; None for the default.

    Raises:
        DatNetError: If it is out of range, or videos with this suffix cannot be written.
    """
    worst = video_format(path).worst_crf
    if crf is not None and not 0 <= crf <= worst:
        raise DatNetError(f"crf is {crf}; for {path.suffix} it must be between 0 and {worst}")
