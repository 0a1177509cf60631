"""Kinds of video files, by name: known without the packages that read and write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from datnet.errors import DatNetError


@dataclass(frozen=True)
class VideoFormat:
    """What a kind of file holds.

    Attributes:
        muxer: FFmpeg's name of the container.
        sounds: Codecs of sound that the container holds and that players expect in it.
        sound_encoder: FFmpeg's name of the encoder for sound of other codecs.
        encoder: That of the frames.
        options: Its options.
        crf: Its constant rate factor unless told otherwise: painted texture without visible loss.
        worst_crf: The largest one that the encoder takes.
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
"""Suffix of a file name (lower case) to what is written to it."""


def video_format(path: Path) -> VideoFormat:
    """What is written to a file of this name.

    Raises:
        DatNetError: If the suffix is none that can be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise DatNetError(
            f"{path}: cannot write videos of this kind; the name must end in one of "
            f"{', '.join(FORMATS)}"
        )
    return FORMATS[path.suffix.lower()]


def check_crf(path: Path, crf: int | None) -> None:
    """Refuse a constant rate factor that the encoder for a file name does not know.

    Raises:
        DatNetError: If so.
    """
    worst = video_format(path).worst_crf
    if crf is not None and not 0 <= crf <= worst:
        raise DatNetError(f"crf is {crf}; for {path.suffix} it must be between 0 and {worst}")
