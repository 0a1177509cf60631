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

--web writes a folder with a static page that stylizes in the visitor's browser, with WebGPU or
WebAssembly: serve it with any web server. npm fetches onnxruntime-web for it (33 MB, once).

CAP-VSTNet and Gatys' optimization cannot be exported; WCT and ArtFlow with WCT only as .pt2.
"""

EXAMPLES = """\
examples:
  datnet export microast                                # microast.onnx
  datnet export runs/datnet_full/seed_1/network.safetensors -o datnet.onnx --no-alpha
  datnet export wct -o wct.pt2
  datnet export adain --int8 -o adain_int8.onnx
  datnet export adain --int8 --calibrate photos/ paintings/ -o adain_int8.onnx
  datnet export microast --web page/                    # then: python -m http.server -d page/

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
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "-o",
        "--output",
        type=to_path,
        help="file to write, *.onnx or *.pt2 (default: NAME.onnx in the current folder)",
    )
    target.add_argument(
        "--web",
        type=to_path,
        metavar="FOLDER",
        help="write a static page with the network, in a new folder or over an earlier page",
    )
    parser.add_argument(
        "--onnxruntime-web",
        type=to_path,
        metavar="PATH",
        help="for --web without npm or network: the package onnxruntime-web, as the .tgz of "
        "`npm pack` or unpacked",
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
    """Export the network as a file, or as a page with the file."""
    from datnet.images.files import check_writable
    from datnet.stylize.export import require_suffix  # this imports torch
    from datnet.zoo.lookup import find_network
    from datnet.zoo.network_file import read_description

    if arguments.calibrate and not arguments.int8:
        raise DatNetError("--calibrate is for --int8")
    if arguments.onnxruntime_web and not arguments.web:
        raise DatNetError("--onnxruntime-web is for --web")
    file = find_network(arguments.network)
    description = read_description(file)
    if arguments.web:
        return run_web(arguments, file, description)
    output = arguments.output or Path(f"{description.name}.onnx")
    require_suffix(output)
    check_writable([output])
    write_network(arguments, file, description, output)
    return 0


def run_web(arguments: argparse.Namespace, file: Path, description: NetworkDescription) -> int:
    """Export the network as a folder with a page."""
    from datnet.images.files import check_writable
    from datnet.stylize import export_web
    from datnet.stylize.export import require_onnx  # imports torch

    require_onnx()
    folder: Path = arguments.web
    export_web.check_web_folder(folder)
    output = folder / export_web.NETWORK_FILE
    check_writable([output])
    runtime = export_web.read_runtime(arguments.onnxruntime_web)
    write_network(arguments, file, description, output)
    export_web.write_page(folder, description.name, runtime)
    print(f"wrote {folder}: to look at it, python -m http.server -d {folder}")
    return 0


def write_network(
    arguments: argparse.Namespace, file: Path, description: NetworkDescription, output: Path
) -> None:
    """Export the network in the form that was asked for and print how it compares."""
    write = write_compact if arguments.int8 or arguments.float16 else write_float
    write(arguments, file, description, output)


def write_float(
    arguments: argparse.Namespace, file: Path, description: NetworkDescription, output: Path
) -> None:
    """Export the network and print the differences between file and network."""
    from datnet.stylize.export import export_network  # imports torch
    from datnet.stylize.export_check import TOLERANCE
    from datnet.zoo.network_file import load_network

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


def write_compact(
    arguments: argparse.Namespace, file: Path, description: NetworkDescription, output: Path
) -> None:
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
