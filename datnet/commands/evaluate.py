"""`datnet evaluate`: evaluate networks with the contents × styles protocol.

The file is long because the command has many options, all declared and checked here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from datnet.commands.arguments import add_picture_folders, to_name, to_path, to_word, whole
from datnet.errors import DatNetError
from datnet.stylize.options import LARGEST_SIDE, SMALLEST_SIDE

if TYPE_CHECKING:  # these import torch
    from datnet.evaluation.named_protocol import NamedProtocol
    from datnet.evaluation.pairs import Pair
    from datnet.zoo.network_file import NetworkDescription

DESCRIPTION = """\
Stylize every content image with every style image and measure SSIM, PSNR, LPIPS, style distance and
other metrics: per pair, and as means with 95% confidence intervals. Evaluated are the given
networks and the controls `identity`, `style copy` and `histogram match`. The text above the table
states the protocol. The same command resumes an interrupted evaluation and adds metrics that an
older one lacks.

--results measures the results of another program in the same way. The second table compares each
network pair by pair with the first one (or with the first --results if no network is given).
"""

EXAMPLES = """\
examples:
  datnet evaluate runs/datnet_full/seed_1/network.safetensors
  datnet evaluate full.safetensors dual.safetensors --content coco50/ --style wikiart20/ \\
      -o evaluations/50x20 --save-images
  datnet evaluate datnet_full --protocol datnet-50x20 --content coco50/ --style wikiart20/
  datnet evaluate datnet_full --content coco50/ --style wikiart20/ \\
      --results 'SANet=../SANet/output/{content}_stylized_{style}.jpg'
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "evaluate",
        help="evaluate trained networks: SSIM, PSNR, LPIPS, style distance",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "networks",
        type=to_path,
        nargs="*",
        metavar="NETWORK",
        help="files written by `datnet train`, or run folders; networks that come with DatNet, "
        "such as adain; published networks: microast; training-free methods: wct, gatys",
    )
    parser.add_argument(
        "--results",
        type=named_results,
        action="append",
        default=[],
        metavar="NAME=PATTERN",
        help="results of another program: a file name pattern with {content} and {style}, which "
        "stand for the names of the two images without suffix, or a folder of CONTENT__STYLE.png; "
        "results larger than --size are resized and cropped like the content; can be repeated",
    )
    parser.add_argument(
        "--fit",
        choices=("crop", "squeeze"),
        help="how --results got an aspect ratio different from that of their content. crop: they "
        "show its center; squeeze: they show all of it, squeezed, and are stretched back before "
        "cropping (default: crop, with a note)",
    )
    add_picture_folders(parser)
    parser.add_argument(
        "--contents", type=whole(1), help="use only this many content images, the first ones"
    )
    parser.add_argument(
        "--styles", type=whole(1), help="use only this many style images, the first ones"
    )
    parser.add_argument(
        "--pairs", type=to_path, help="CSV file of the pairs to evaluate, columns content, style"
    )
    parser.add_argument(
        "--size",
        type=whole(SMALLEST_SIDE, LARGEST_SIDE),
        help="side length of the square images, in pixels (default: 512)",
    )
    parser.add_argument(
        "--protocol",
        type=to_name,
        metavar="NAME",
        help="take pictures, size and metrics from a protocol: datnet-50x20, styleid-20x40, "
        "sample-4x5, or a YAML file; --content and --style are the folders of its pictures",
    )
    parser.add_argument(
        "--export-pictures",
        type=to_path,
        metavar="FOLDER",
        help="write the pictures as PNG squares for other programs, whose results --results takes",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=to_path,
        default=Path("evaluations"),
        help="folder for the results (default: evaluations)",
    )
    parser.add_argument(
        "--save-images", action="store_true", help="save the stylized images as PNG"
    )
    parser.add_argument(
        "--metrics",
        type=to_word,
        nargs="+",
        metavar="METRIC",
        help="measure only these, by their names in results.csv and summary.json, such as "
        "--metrics ssim psnr lpips_alex; the same command with others adds them later. default: "
        "the columns of tables; independent: style_alex, gram_distance, color_distance and "
        "sifid_alex, which judge style without the networks' training loss; cfsd_vgg16 and dists "
        "judge content and are slow (default: default)",
    )
    parser.add_argument(
        "--jobs",
        type=whole(1, 256),
        default=1,
        help="evaluate in this many processes; values do not depend on it. Each has as many "
        "threads as one process, so set OMP_NUM_THREADS to the number of processor cores divided "
        "by it (default: 1)",
    )
    parser.add_argument(
        "--device", type=to_word, help="cpu, cuda, cuda:1, … (default: a GPU if available)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the tables and write table.md.

    Raises:
        DatNetError: If nothing is given to evaluate, names repeat or files cannot be used.
    """
    from datnet.devices import choose_device
    from datnet.evaluation.chosen import all_metrics, choose_metrics
    from datnet.evaluation.controls import CONTROLS
    from datnet.evaluation.evaluate import (
        evaluate_networks,
        results_folder,
        saved_results_folder,
    )
    from datnet.evaluation.named_protocol import export_pictures
    from datnet.evaluation.saved_results import find_results
    from datnet.evaluation.seeds import seeds_table
    from datnet.evaluation.summary import GrowingTable, summary_table
    from datnet.images.files import check_writable, write_text  # these import torch
    from datnet.zoo.lookup import find_network
    from datnet.zoo.network_file import read_description

    check_writable([arguments.output / "table.md"])
    if not (arguments.networks or arguments.results or arguments.export_pictures):
        raise DatNetError("nothing to evaluate: name a network, or give --results")
    protocol, pairs = find_protocol(arguments)
    if arguments.export_pictures:
        count = export_pictures(protocol, pairs, arguments.export_pictures)
        print(f"wrote {count} pictures to {arguments.export_pictures}")
        if not arguments.networks and not arguments.results:
            return 0
    wanted = arguments.metrics or protocol.metrics
    chosen = choose_metrics(wanted) if wanted else all_metrics()
    paths = [find_network(network) for network in arguments.networks]
    networks = name_networks([(read_description(path), path) for path in paths])
    titles = [*CONTROLS, *networks, *(name for name, _ in arguments.results)]
    twice = [title for title in titles if titles.count(title) > 1]
    if twice:
        raise DatNetError(f"two rows would be called {twice[0]}; give the results another name")
    results = {
        name: find_results(pattern, pairs, protocol.size, arguments.fit)
        for name, pattern in arguments.results
    }
    notes = [f"{name}: {note}" for name, found in results.items() for note in found.notes]
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    summaries = evaluate_networks(
        networks,
        pairs,
        arguments.output,
        results=results,
        size=protocol.size,
        protocol=protocol.id,
        save_images=arguments.save_images,
        chosen=chosen,
        device=choose_device(arguments.device),
        jobs=arguments.jobs,
        on_row=GrowingTable(),
    )
    protocol.write(arguments.output / "protocol.yaml")
    others = notes
    folders = {
        name: results_folder(arguments.output, name, path) for name, path in networks.items()
    }
    folders |= {
        name: saved_results_folder(arguments.output, name, found) for name, found in results.items()
    }
    if len(folders) > 1:
        others = [*notes, differences_from_first(folders)]
        if over_seeds := seeds_table(list(folders.values())):
            others.append(over_seeds)
    write_text(
        arguments.output / "table.md", "\n\n".join([summary_table(summaries), *others]) + "\n"
    )
    where = f"This table and all rows are in {arguments.output}"
    print("\n" + "\n\n".join([*others, where]))
    return 0


def find_protocol(arguments: argparse.Namespace) -> tuple[NamedProtocol, list[Pair]]:
    """Find the pictures that the command line names, by a protocol or one by one.

    Returns:
        The protocol, without a name if none is given, and its pairs of files.

    Raises:
        DatNetError: If pictures are missing, or a protocol is given with what it decides itself.
    """
    from datnet.evaluation.named_protocol import find_pictures, load_protocol, protocol_of
    from datnet.evaluation.pairs import every_pair, read_pairs
    from datnet.images.embedded import sample_images
    from datnet.images.finding import find_images

    content_dir = arguments.content or sample_images().eval_content
    style_dir = arguments.style or sample_images().eval_style
    if arguments.protocol:
        protocol = load_protocol(arguments.protocol)
        decided = [
            "contents",
            "styles",
            "pairs",
            "size",
            *(["metrics"] if protocol.metrics else []),
        ]
        given = [f"--{name}" for name in decided if getattr(arguments, name) is not None]
        if given:
            raise DatNetError(
                f"the protocol {protocol.name} decides about pictures, size and metrics: leave out "
                f"{', '.join(given)}"
            )
        return find_pictures(protocol, content_dir, style_dir)
    if arguments.pairs:
        pairs = read_pairs(arguments.pairs, content_dir, style_dir)
    else:
        pairs = every_pair(
            find_images(content_dir)[: arguments.contents],
            find_images(style_dir)[: arguments.styles],
        )
    return protocol_of(pairs, arguments.size or 512), pairs


def differences_from_first(folders: dict[str, Path]) -> str:
    """Return a table of differences from the first evaluation, with an explanation above it."""
    from datnet.evaluation.differences import (
        EXPLANATION,
        differences,
        differences_table,
        mean_pair_values,
    )

    values = {name: mean_pair_values([folder]) for name, folder in folders.items()}
    first, *others = values
    changes = {f"{name} − {first}": differences(values[first], values[name]) for name in others}
    return f"{EXPLANATION}\n\n{differences_table(changes)}"


def named_results(text: str) -> tuple[str, str]:
    """Split NAME=PATTERN.

    Raises:
        argparse.ArgumentTypeError: If the text has another form.
    """
    title, equals, pattern = text.partition("=")
    if not (title and equals and pattern) or "/" in title:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATTERN or NAME=FOLDER")
    return title, to_name(pattern)


def name_networks(networks: list[tuple[NetworkDescription, Path]]) -> dict[str, Path]:
    """Return a unique title for each network file.

    The title is the variant's name; where names repeat, the folder, steps or path is added.

    Raises:
        DatNetError: If a file is given twice.
    """
    names = [description.name for description, _ in networks]
    endings: list[Callable[[NetworkDescription, Path], str]] = [
        lambda description, path: path.parent.name,
        lambda description, path: f"{description.training.get('steps')} steps",
        lambda description, path: str(path).replace("/", "_"),
    ]
    for ending in endings:
        titles = {
            description.name
            if names.count(description.name) == 1
            else f"{description.name} {ending(description, path)}": path
            for description, path in networks
        }
        if len(titles) == len(networks):
            return titles
    raise DatNetError("the same network is given twice")
