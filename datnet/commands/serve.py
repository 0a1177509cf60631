"""`datnet serve`: a web page for stylizing photographs."""

from __future__ import annotations

import argparse
import os
import sys
import threading

from datnet.commands.arguments import real, to_path, to_word, whole
from datnet.errors import require_extra

DESCRIPTION = """\
Serve a web page for stylizing: drop a photo and a painting on it, move the sliders and download the
result. It needs Gradio (pip install 'datnet[serve]') but no internet. Uploads never leave this
machine and are deleted after half an hour.
"""

EXAMPLES = """\
examples:
  datnet serve --checkpoint runs/datnet_full/seed_1/network.safetensors --open-browser
  datnet serve --checkpoint microast runs/*/seed_1/network.safetensors
  datnet serve --checkpoint microast --host 0.0.0.0 --port 8000   # for everyone on this network
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "serve",
        help="serve a web page for stylizing photographs",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        nargs="+",
        metavar="NETWORK",
        help="network.safetensors written by `datnet train`, or its run folder; a network that "
        "comes with DatNet, such as adain; or a published network: microast; if several are given, "
        "the page lets users choose (default: datnet_full)",
    )
    parser.add_argument(
        "--device", type=to_word, help="cpu, cuda, cuda:1, … (default: a GPU if available)"
    )
    parser.add_argument(
        "--host",
        type=to_word,
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 gives other machines access, without a password "
        "(default: 127.0.0.1, this machine only)",
    )
    parser.add_argument(
        "--port", type=whole(1, 65535), default=7860, help="port to listen on (default: 7860)"
    )
    parser.add_argument("--open-browser", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--queue",
        type=whole(1, 1_000_000),
        default=16,
        metavar="N",
        help="maximum length of the queue; further requests are told to try again (default: 16)",
    )
    parser.add_argument(
        "--jobs",
        type=whole(1, 1024),
        default=1,
        metavar="N",
        help="number of pictures stylized at the same time (default: 1)",
    )
    parser.add_argument(
        "--max-upload",
        type=real(0, 1e6, without_least=True),
        default=20,
        metavar="MB",
        help="maximum size of an uploaded file (default: 20)",
    )
    parser.add_argument(
        "--max-pixels",
        type=real(0, 180, without_least=True),
        default=4,
        metavar="MILLIONS",
        help="maximum size of a result, in millions of pixels (default: 4)",
    )
    parser.add_argument(
        "--clips",
        type=real(0, 3600),
        default=0,
        metavar="SECONDS",
        help="accept clips up to this duration, within --max-upload; they need "
        "pip install 'datnet[video]', and others wait meanwhile (default: 0, no clips)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Load the networks and serve the page until it is stopped."""
    require_extra("serve")
    if arguments.clips:
        require_extra("video")
    from datnet.commands.evaluate import name_networks  # these import torch
    from datnet.images.embedded import sample_images
    from datnet.stylize.page.limits import Limits
    from datnet.stylize.page.server import check_address, serve
    from datnet.stylize.stylizer import Stylizer
    from datnet.zoo.lookup import find_network
    from datnet.zoo.network_file import read_description

    check_address(arguments.host, arguments.port)
    if arguments.checkpoint is None:
        shipped = Stylizer(device=arguments.device)
        stylizers = {shipped.description.name: shipped}
    else:
        files = [find_network(network) for network in arguments.checkpoint]
        names = name_networks([(read_description(file), file) for file in files])
        stylizers = {name: Stylizer(file, arguments.device) for name, file in names.items()}
    limits = Limits(
        waiting=arguments.queue,
        jobs=arguments.jobs,
        upload_megabytes=arguments.max_upload,
        megapixels=arguments.max_pixels,
        clip_seconds=arguments.clips,
    )
    serve(
        stylizers,
        limits,
        sample_images(),
        host=arguments.host,
        port=arguments.port,
        open_browser=arguments.open_browser,
    )
    # A thread that still stylizes cannot be stopped, and torch aborts if Python exits meanwhile.
    if threading.active_count() > 1:
        sys.stdout.flush()
        os._exit(0)
    return 0
