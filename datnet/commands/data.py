"""`datnet data`: fetch public image sets, and prepare images for fast training."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from datnet.commands.arguments import to_path, to_word, whole

PREPARE_DESCRIPTION = """\
Turn folders and archives of images into shards: a few large files from which training reads many
times faster than from the originals, and which travel well to a cluster.

SOURCE is a folder, searched with its subfolders, or a zip or tar archive (.tar, .tar.gz, .tar.bz2,
.tar.xz), read without unpacking. Each image is decoded once. Its shorter side becomes 512 pixels
(smaller ones stay as they are) and it is stored as a JPEG of quality 95; an upright JPEG that is
small enough is taken as it is, without loss. What cannot be used is skipped: broken, cut short,
monstrous or tiny pictures and files that are none. FOLDER/report.csv says of every file what became
of it and why.

The same command goes on after an interruption of any kind, and writes the same bytes with any
number of processes.
"""

PREPARE_EXAMPLES = """\
examples:
  datnet data prepare train2014.zip -o shards/coco
  datnet data prepare wikiart.tar.gz -o shards/wikiart
  datnet data prepare photos/ more_photos.zip -o shards/photos --short-side 768
  datnet train data=coco_wikiart data.content_dir=shards/coco data.style_dir=shards/wikiart
"""

FETCH_NAMES = ("coco", "coco2017", "wikiart")
FETCH_DESCRIPTION = """\
Fetch the archive of a public image set and check it:

  coco      MS-COCO train2014, 82 783 photographs, 13.5 GB: the papers' content images
  coco2017  MS-COCO train2017, 118 287 photographs, 19.3 GB
  wikiart   about 80 000 paintings, tens of GB: the papers' style images

The terms of the data are shown first. An interrupted download goes on where it was when the command
is given again, if the server vouches that the file is still the same. Nothing is begun that does
not fit on the disk. COCO is checked by its published SHA-256. Nobody published a checksum of
WikiArt: it is checked by the one that the Internet Archive lists beside it, another copy by the
checksums inside the archive.
"""
FETCH_EXAMPLES = """\
examples:
  datnet data fetch coco -o archives
  datnet data fetch wikiart -o archives --url https://my.university/mirror/wikiart.zip
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``data`` with its commands."""
    data = commands.add_parser(
        "data",
        help="fetch public image sets and prepare images for training",
        description="Fetch public image sets and prepare images for training.",
    )
    parts = data.add_subparsers(title="commands", metavar="COMMAND", required=True)
    prepare = parts.add_parser(
        "prepare",
        help="turn folders and archives of images into shards that load fast",
        description=PREPARE_DESCRIPTION,
        epilog=PREPARE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prepare.add_argument("sources", nargs="+", type=to_path, metavar="SOURCE")
    prepare.add_argument(
        "-o", "--output", type=to_path, required=True, metavar="FOLDER", help="for the shards"
    )
    prepare.add_argument(
        "--short-side",
        type=whole(32, 4096),
        default=512,
        metavar="PIXELS",
        help="to which larger images are reduced; data.short_side of a training must not be "
        "larger (default: 512)",
    )
    prepare.add_argument(
        "--quality", type=whole(1, 100), default=95, help="of the JPEGs (default: 95)"
    )
    prepare.add_argument(
        "--images-per-shard",
        type=whole(1, 1_000_000),
        default=1000,
        metavar="N",
        help="default: 1000",
    )
    prepare.add_argument(
        "--processes",
        type=whole(1, 1024),
        metavar="N",
        help="that work at once (default: one a core)",
    )
    prepare.set_defaults(run=run_prepare)

    fetch = parts.add_parser(
        "fetch",
        help="fetch the archive of a public image set",
        description=FETCH_DESCRIPTION,
        epilog=FETCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fetch.add_argument("name", choices=FETCH_NAMES, metavar="NAME", help=", ".join(FETCH_NAMES))
    fetch.add_argument(
        "-o", "--output", type=to_path, default=Path(), metavar="FOLDER", help="default: this one"
    )
    fetch.add_argument("--url", type=to_word, help="of another copy of the same archive")
    fetch.set_defaults(run=run_fetch)


def run_prepare(arguments: argparse.Namespace) -> int:
    """Prepare, and print what became of the files."""
    from datnet.data.prepare import prepare
    from datnet.data.shard_writing import Settings
    from datnet.devices import usable_cores
    from datnet.images.files import check_writable

    processes = len(usable_cores()) if arguments.processes is None else arguments.processes
    check_writable([arguments.output / "report.csv"])
    settings = Settings(arguments.short_side, arguments.quality, arguments.images_per_shard)
    summary = prepare(arguments.sources, arguments.output, settings, processes)
    for reason, count in sorted(summary.reasons.items(), key=lambda item: -item[1]):
        print(f"{count:9,} skipped: {reason}")
    print(
        f"{summary.counts['taken']:,} taken as they are, {summary.counts['converted']:,} converted,"
        f" {summary.counts['skipped']:,} skipped (each in {arguments.output / 'report.csv'})"
    )
    print(f"{summary.images:,} images, {summary.bytes / 1e9:.2f} GB, in {arguments.output}")
    return 0


def run_fetch(arguments: argparse.Namespace) -> int:
    """Show the terms, fetch, check, and say what to do next."""
    from datnet.data.public import PUBLIC_SETS, fetch
    from datnet.images.files import check_writable

    public = PUBLIC_SETS[arguments.name]
    check_writable([arguments.output / "archive"])
    print(f"{public.title}.")
    print(textwrap.fill(f"Terms: {public.terms}", 100, break_long_words=False), flush=True)
    archive, how_checked = fetch(arguments.name, arguments.output, arguments.url)
    print(textwrap.fill(f"{archive}: {how_checked}.", 100, break_long_words=False))
    print(f"Next: datnet data prepare {archive} -o shards/{arguments.name}")
    return 0
