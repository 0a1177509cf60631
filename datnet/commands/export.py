"""`datnet export`: export a trained network as ONNX or PT2 and verify the file."""

from __future__ import annotations

import argparse
from pathlib import Path

from datnet.commands.arguments import to_path

DESCRIPTION = """\
Export a trained network, including its encoder, as one file that runs without DatNet: ONNX, or the
PT2 archive of torch.export. Content and style can each have any size from 32 pixels. The file is
compared with the network at three sizes and kept only if no pixel differs by more than 0.001.

Inputs: content and style, float32 (1, 3, H, W), RGB in [0, 1]; alpha, a scalar in [0, 1].
Output: result, with the shape and range of content.

CAP-VSTNet and Gatys' optimization cannot be exported; WCT and ArtFlow with WCT only as .pt2.
"""

EXAMPLES = """\
examples:
  datnet export microast                                # microast.onnx
  datnet export runs/datnet_full/seed_1/network.safetensors -o datnet.onnx --no-alpha
  datnet export wct -o wct.pt2

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
