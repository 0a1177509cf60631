"""Export a network to a smaller ONNX file: 8 bits, or weights of 16 bits, with a report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from datnet.errors import DatNetError
from datnet.images.embedded import sample_images
from datnet.images.files import complete_or_absent
from datnet.images.finding import find_images
from datnet.images.opening import resize_short_side
from datnet.images.reading import read_image
from datnet.networks.base import StyleTransferNetwork
from datnet.stylize.export import export_network, failures_told
from datnet.stylize.export_eight_bits import (
    LEAST_PSNR,
    Inputs,
    psnr,
    quantize_to_eight_bits,
    result_of,
    session_of,
    store_in_sixteen_bits,
)
from datnet.zoo.network_file import NetworkDescription

CALIBRATION_PAIRS = 8
CALIBRATION_SIDE = 128
CHECKED_SIDES = (96, 160, 224)
"""Shorter sides in pixels of the pairs on which a file is compared."""
TIMED_SIDE = 256
TIMED_RUNS = 5


@dataclass(frozen=True)
class CompactReport:
    """A compact file compared with the float file of the same network.

    Attributes:
        psnrs: PSNR in dB between the results of both, at :data:`CHECKED_SIDES`.
        kept: Convolutions that stay in float because they spoil the result.
        share: Share of the convolutions' weights in 8 bits; 0 for 16 bits.
        float_bytes: Size of the float file.
        compact_bytes: Size of the compact file.
        float_seconds: Median time of the float file for a pair of 256 × 256 pixels on this machine.
        compact_seconds: Median time of the compact file.
    """

    psnrs: tuple[float, ...]
    kept: tuple[str, ...]
    share: float
    float_bytes: int
    compact_bytes: int
    float_seconds: float
    compact_seconds: float


def export_compact(
    network: StyleTransferNetwork,
    description: NetworkDescription,
    output: Path,
    *,
    bits: int,
    alpha_input: bool = True,
    calibration: tuple[Path, Path] | None = None,
) -> CompactReport:
    """Write a network as ONNX in 8 bits or with weights of 16 bits.

    Args:
        network: A network on the CPU in evaluation mode.
        description: Its description, which the file contains too.
        output: File to write, ``.onnx``; replaced only if the comparison succeeds.
        bits: 8 or 16.
        alpha_input: Whether the file gets the input ``alpha``.
        calibration: For 8 bits, folders of photographs and of paintings on which the ranges of the
            activations are measured; None for the embedded ones.

    Returns:
        The comparison with the float file.

    Raises:
        DatNetError: If the network cannot be exported, a folder has no pictures, or the results
            differ too much from those of the float file.
    """
    if output.suffix != ".onnx":
        raise DatNetError(f"{output}: 8 and 16 bits are for ONNX; name the file *.onnx")
    images = sample_images()
    photographs, paintings = calibration or (images.train_content, images.train_style)
    sides = [CALIBRATION_SIDE] * CALIBRATION_PAIRS
    measured = inputs_of(photographs, paintings, sides, alpha_input)
    checked = inputs_of(images.eval_content, images.eval_style, CHECKED_SIDES, alpha_input)
    fails = f"{description.name} cannot be written in {bits} bits"
    with (
        failures_told(str(output), fails, "export it in float"),
        TemporaryDirectory() as folder,
        complete_or_absent(output) as unfinished,
    ):
        source = Path(folder, "float.onnx")
        named = f"{output} (its float form)"
        export_network(network, description, source, alpha_input=alpha_input, named=named)
        if bits == 8:
            try:
                found = quantize_to_eight_bits(
                    source,
                    unfinished,
                    float_parts=network.attention_parts,
                    calibration=measured,
                    checked=checked,
                )
            except DatNetError as error:  # it knows the temporary file only
                raise DatNetError(f"{output} is not written: {error}") from error
            psnrs, kept, share = found.psnrs, found.kept, found.share
        else:
            store_in_sixteen_bits(source, unfinished)
            psnrs, kept, share = compared(source, unfinished, checked), (), 0.0
        if not min(psnrs) >= LEAST_PSNR:
            raise DatNetError(
                f"{output} is not written: its results differ from those of the network by up "
                f"to {min(psnrs):.1f} dB PSNR (at least {LEAST_PSNR:g} are needed)"
            )
        (timed,) = inputs_of(images.eval_content, images.eval_style, [TIMED_SIDE], alpha_input)
        seconds = times([source, unfinished], timed)
        sizes = source.stat().st_size, unfinished.stat().st_size
    return CompactReport(psnrs, kept, share, *sizes, *seconds)


def inputs_of(
    photographs: Path, paintings: Path, sides: Sequence[int], alpha_input: bool
) -> list[Inputs]:
    """Read pairs of pictures as inputs of an exported network.

    Args:
        photographs: Folder of photographs.
        paintings: Folder of paintings.
        sides: Shorter side in pixels of each pair; there are as many pairs as there are pictures,
            at most this many.
        alpha_input: Whether the network has the input ``alpha``; it is 1.

    Returns:
        The inputs.

    Raises:
        DatNetError: If a folder has no pictures or one cannot be read.
    """
    strength = {"alpha": np.array(1, np.float32)} if alpha_input else {}
    pairs = zip(spread(photographs, len(sides)), spread(paintings, len(sides)), sides, strict=False)
    return [
        {
            "content": as_array(resize_short_side(read_image(photograph), side)),
            "style": as_array(resize_short_side(read_image(painting), side)),
            **strength,
        }
        for photograph, painting, side in pairs
    ]


def spread(folder: Path, count: int) -> list[Path]:
    """Return at most ``count`` pictures, evenly spread over a folder in the order of names."""
    paths = find_images(folder)
    return list(islice(paths[:: max(1, len(paths) // count)], count))


def as_array(image: Image.Image) -> np.ndarray:
    """Convert an RGB image to a float32 array ``(1, 3, H, W)`` in [0, 1]."""
    return np.asarray(image, dtype=np.float32).transpose(2, 0, 1)[None] / 255


def compared(source: Path, other: Path, checked: Sequence[Inputs]) -> tuple[float, ...]:
    """PSNR in dB between the results of two files for each pair."""
    return tuple(psnr(result_of(other, each), result_of(source, each)) for each in checked)


def times(files: Sequence[Path], inputs: Inputs) -> list[float]:
    """Median seconds of each file for a pair, measured in turns."""
    sessions = [session_of(file) for file in files]
    found: list[list[float]] = [[] for _ in files]
    for turn in range(1 + TIMED_RUNS):  # the first one allocates memory
        for session, seconds in zip(sessions, found, strict=True):
            begin = time.perf_counter()
            session.run(["result"], dict(inputs))
            if turn:
                seconds.append(time.perf_counter() - begin)
    return [float(np.median(each)) for each in found]
