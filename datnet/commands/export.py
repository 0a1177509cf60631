"""`datnet export`: export a trained network as ONNX or PT2 and verify the file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from datnet.commands.arguments import to_path
from datnet.errors import DatNetError

if TYPE_CHECKING:
    from datnet.zoo.network_file import NetworkDescription

DESCRIPTION = """\
Export a trained network, including its encoder, as one file that runs without DatNet: ONNX, or the
PT2 archive of torch.export. Content and style can each have any size from 32 pixels. The file is
compared with the network at three sizes and kept only if no pixel differs by more than 0.001.

Inputs: content and style, float32 (1, 3, H, W), RGB in [0, 1]; alpha, a scalar in [0, 1].
Output: result, with the shape and range of content.

--int8 quantizes convolutions to 8 bits with onnxruntime; attention and statistics stay in float.
Ranges are measured on a few pairs of pictures (--calibrate). Convolutions that spoil the result
stay in float as well, and a file whose results have a PSNR below 30 dB is not written. The file has
about a quarter of the size; how much faster it is depends on the processor, and is measured.
--float16 stores weights in 16 bits, which halves the file and changes neither speed nor result.

CAP-VSTNet and Gatys' optimization cannot be exported; WCT and ArtFlow with WCT only as .pt2.
"""

EXAMPLES = """\
examples:
  datnet export microast                                # microast.onnx
  datnet export runs/datnet_full/seed_1/network.safetensors -o datnet.onnx --no-alpha
  datnet export wct -o wct.pt2
  datnet export adain --int8 -o adain_int8.onnx
  datnet export adain --int8 --calibrate photos/ paintings/ -o adain_int8.onnx

to use the file without DatNet: python experiments/onnx_stylize.py microast.onnx photo.jpg
painting.jpg
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "export",
        help="export a trained network as ONNX or for torch.export",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "network",
        type=to_path,
        metavar="NETWORK",
        help="a file written by `datnet train`, or its run folder; a network that comes with "
        "DatNet, such as adain; a published network: microast; or a training-free method: wct",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=to_path,
        help="file to write, *.onnx or *.pt2 (default: NAME.onnx in the current folder)",
    )
    parser.add_argument(
        "--no-alpha",
        action="store_true",
        help="omit the input alpha: always full strength, twice as fast for attention networks",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--int8", action="store_true", help="quantize convolutions to 8 bits (ONNX; minutes)"
    )
    form.add_argument("--float16", action="store_true", help="store weights in 16 bits (ONNX)")
    parser.add_argument(
        "--calibrate",
        type=to_path,
        nargs=2,
        metavar=("PHOTOS", "PAINTINGS"),
        help="for --int8: folders of pictures on which the ranges are measured, 8 of each "
        "(default: embedded pictures)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export the network and print the differences between file and network."""
    from datnet.images.files import check_writable
    from datnet.stylize.export import export_network, require_suffix  # these import torch
    from datnet.stylize.export_check import TOLERANCE
    from datnet.zoo.lookup import find_network
    from datnet.zoo.network_file import load_network, read_description

    file = find_network(arguments.network)
    description = read_description(file)
    output = arguments.output or Path(f"{description.name}.onnx")
    require_suffix(output)
    check_writable([output])
    if arguments.calibrate and not arguments.int8:
        raise DatNetError("--calibrate is for --int8")
    if arguments.int8 or arguments.float16:
        return run_compact(arguments, file, description, output)
    comparisons = export_network(
        load_network(file), description, output, alpha_input=not arguments.no_alpha
    )
    for each in comparisons:
        content, style = (f"{h} × {w}" for h, w in (each.content_size, each.style_size))
        print(
            f"content {content:9}  style {style:9}  alpha {each.alpha:<3g}  "
            f"largest difference {each.difference:.1e}"
        )
    largest = max(each.difference for each in comparisons)
    print(f"wrote {output}: {output.stat().st_size / 1e6:.1f} MB")
    print(f"largest difference from the network {largest:.1e} (tolerance {TOLERANCE:g})")
    return 0


def run_compact(
    arguments: argparse.Namespace, file: Path, description: NetworkDescription, output: Path
) -> int:
    """Export the network in 8 or 16 bits and print how it compares with the float file."""
    from datnet.stylize.export_compact import CHECKED_SIDES, export_compact  # imports torch
    from datnet.zoo.network_file import load_network

    report = export_compact(
        load_network(file),
        description,
        output,
        bits=8 if arguments.int8 else 16,
        alpha_input=not arguments.no_alpha,
        calibration=arguments.calibrate and tuple(arguments.calibrate),
    )
    for side, psnr in zip(CHECKED_SIDES, report.psnrs, strict=True):
        print(f"shorter side {side}: PSNR {psnr:.1f} dB between the results of both files")
    if arguments.int8:
        print(
            f"{report.share:.0%} of the convolutions' weights in 8 bits; in float: attention, "
            f"statistics{''.join(f', {each}' for each in report.kept)}"
        )
    before, after = report.float_bytes / 1e6, report.compact_bytes / 1e6
    print(f"wrote {output}: {after:.1f} MB instead of {before:.1f} MB")
    print(
        f"256 × 256 on this machine: {report.compact_seconds:.2f} s instead of "
        f"{report.float_seconds:.2f} s, {report.float_seconds / report.compact_seconds:.2f} times "
        "as fast"
    )
    return 0
