"""`datnet data`: download public image sets and prepare images for fast training."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from datnet.commands.arguments import to_path, to_word, whole

PREPARE_DESCRIPTION = """\
Convert folders and archives of images into shards: a few large files that training reads many
times faster than the originals, and that are easy to copy to a cluster.

SOURCE is a folder, searched recursively, or a zip or tar archive (.tar, .tar.gz, .tar.bz2,
.tar.xz), read without unpacking. Each image is decoded once, its shorter side is reduced to 512
pixels (smaller images keep their size), and it is stored as a JPEG of quality 95. An upright JPEG
that is small enough is copied unchanged, without loss. Unusable files are skipped: damaged,
truncated, huge or tiny images, and files that are not images. FOLDER/report.csv lists for each file
what was done with it and why.

After an interruption of any kind, the same command continues. The shards are identical byte for
byte for any number of processes.
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
Download the archive of a public image set and verify it:

  coco      MS-COCO train2014, 82 783 photographs, 13.5 GB: the papers' content images
  coco2017  MS-COCO train2017, 118 287 photographs, 19.3 GB
  wikiart   about 80 000 paintings, tens of GB: the papers' style images

The terms of use are shown first. Repeat the command to resume an interrupted download; it resumes
only if the server confirms that the file has not changed. A download that does not fit on the disk
is not started. COCO is verified against its published SHA-256. No checksum of WikiArt is published:
it is verified against the checksum that the Internet Archive lists, and another copy (--url)
against the checksums inside the archive.
"""
FETCH_EXAMPLES = """\
examples:
  datnet data fetch coco -o archives
  datnet data fetch wikiart -o archives --url https://my.university/mirror/wikiart.zip
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``data`` with its subcommands."""
    data = commands.add_parser(
        "data",
        help="download public image sets and prepare images for training",
        description="Download public image sets and prepare images for training.",
    )
    parts = data.add_subparsers(title="commands", metavar="COMMAND", required=True)
    prepare = parts.add_parser(
        "prepare",
        help="convert folders and archives of images into shards that load fast",
        description=PREPARE_DESCRIPTION,
        epilog=PREPARE_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prepare.add_argument("sources", nargs="+", type=to_path, metavar="SOURCE")
    prepare.add_argument(
        "-o",
        "--output",
        type=to_path,
        required=True,
        metavar="FOLDER",
        help="folder for the shards",
    )
    prepare.add_argument(
        "--short-side",
        type=whole(32, 4096),
        default=512,
        metavar="PIXELS",
        help="shorter side to which larger images are reduced; data.short_side must not be larger "
        "in training (default: 512)",
    )
    prepare.add_argument(
        "--quality", type=whole(1, 100), default=95, help="JPEG quality, 1 to 100 (default: 95)"
    )
    prepare.add_argument(
        "--images-per-shard",
        type=whole(1, 1_000_000),
        default=1000,
        metavar="N",
        help="number of images in a shard (default: 1000)",
    )
    prepare.add_argument(
        "--processes",
        type=whole(1, 1024),
        metavar="N",
        help="number of worker processes (default: one per core)",
    )
    prepare.set_defaults(run=run_prepare)

    fetch = parts.add_parser(
        "fetch",
        help="download the archive of a public image set",
        description=FETCH_DESCRIPTION,
        epilog=FETCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fetch.add_argument("name", choices=FETCH_NAMES, metavar="NAME", help=", ".join(FETCH_NAMES))
    fetch.add_argument(
        "-o",
        "--output",
        type=to_path,
        default=Path(),
        metavar="FOLDER",
        help="folder for the archive (default: the current folder)",
    )
    fetch.add_argument("--url", type=to_word, help="URL of another copy of the same archive")
    fetch.set_defaults(run=run_fetch)


def run_prepare(arguments: argparse.Namespace) -> int:
    """Prepare the images and print a summary."""
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
        f"{summary.counts['taken']:,} copied unchanged, {summary.counts['converted']:,} converted,"
        f" {summary.counts['skipped']:,} skipped (each in {arguments.output / 'report.csv'})"
    )
    print(f"{summary.images:,} images, {summary.bytes / 1e9:.2f} GB, in {arguments.output}")
    return 0


def run_fetch(arguments: argparse.Namespace) -> int:
    """Print the terms, download and verify the archive, and print the next command."""
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
