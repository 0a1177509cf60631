"""Convert decoded frames of a clip to upright RGB arrays of standard range."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

EXACT_CONVERSION = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
"""Without these flags, colors are off by up to several levels."""

MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""FFmpeg's AVCOL_SPC, as stored in files, to PyAV's Colorspace, which conversions take."""

AVCOL_SPC_UNSPECIFIED = 2
"""FFmpeg's value for a clip that does not state its color matrix."""

HDR_TRANSFERS = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
"""PQ and HLG. The networks take standard dynamic range only, so such frames are converted to
Rec. 709: 203 nits (ITU-R BT.2408) and anything brighter become white."""

HD_WIDTH, HD_HEIGHT = 1280, 720
"""From this size on, players assume Rec. 709 if a clip states no matrix, below it Rec. 601."""


def is_high_range(frame: VideoFrame) -> bool:
    """Return whether a frame has high dynamic range."""
    return frame.color_trc in HDR_TRANSFERS


def color_matrix(stated: int, width: int, height: int) -> int:
    """Return the YCbCr matrix of a clip, as a value of PyAV's Colorspace.

    Args:
        stated: FFmpeg's AVCOL_SPC, as stored in the file.
        width: Width of the frames as stored.
        height: Their height.
    """
    if stated in MATRICES:
        return MATRICES[stated]
    is_hd = width >= HD_WIDTH or height >= HD_HEIGHT
    return Colorspace.ITU709 if is_hd else Colorspace.ITU601


class ToRgb:
    """Converts frames to RGB of standard range."""

    def __init__(self) -> None:
        self._to_rgb = VideoReformatter()
        self._to_standard_range = VideoReformatter()

    def __call__(self, frame: VideoFrame, width: int, height: int, matrix: int) -> np.ndarray:
        """Convert a frame.

        Args:
            frame: The frame.
            width: Width of the result.
            height: Height of the result.
            matrix: Matrix if the frame states none, see :func:`color_matrix`.

        Returns:
            ``(H, W, 3)`` uint8.

        Raises:
            FFmpegError: If FFmpeg cannot convert its colors.
        """
        unspecified = frame.colorspace == AVCOL_SPC_UNSPECIFIED and not frame.format.is_rgb
        rgb = self._to_rgb.reformat(
            frame,
            width,
            height,
            "gbrp16le" if is_high_range(frame) else "rgb24",
            src_colorspace=matrix if unspecified else None,
            dst_color_range=ColorRange.JPEG,
            interpolation=EXACT_CONVERSION,
        )
        if is_high_range(frame):  # in a second step: in a single one, FFmpeg gets some rows wrong
            rgb = self._to_standard_range.reformat(
                rgb,
                format="rgb24",
                dst_color_range=ColorRange.JPEG,
                dst_color_trc=ColorTrc.BT709,
                dst_color_primaries=ColorPrimaries.BT709,
            )
        return rgb.to_ndarray()


def upright(pixels: np.ndarray, frame: VideoFrame) -> tuple[np.ndarray, bool]:
    """Apply the rotation and mirroring of a frame's display matrix.

    Its first entries are (a, b, ·, c, d): pixel (x, y) is shown at (a·x + c·y, b·x + d·y), up to a
    shift.

    Args:
        pixels: The frame's pixels, ``(H, W, 3)``.
        frame: The frame.

    Returns:
        The upright pixels, and whether width and height are exchanged.
    """
    side_data = cast(Mapping[str, bytes], frame.side_data)
    if "DISPLAYMATRIX" not in side_data:
        return pixels, False
    a, b, _, c, d = struct.unpack_from("=5i", side_data["DISPLAYMATRIX"])
    turned = abs(b) > abs(a)
    if turned:
        pixels = pixels.transpose(1, 0, 2)
    flip_x, flip_y = (c < 0, b < 0) if turned else (a < 0, d < 0)
    if flip_x:
        pixels = pixels[:, ::-1]
    if flip_y:
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels), turned
