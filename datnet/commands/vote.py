"""`datnet vote`: ask people which of two results is better."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from datnet.commands.arguments import add_picture_folders, to_name, to_path, whole
from datnet.errors import DatNetError
from datnet.stylize.options import LARGEST_SIDE, SMALLEST_SIDE

if TYPE_CHECKING:  # imports torch
    from datnet.evaluation.pairs import Pair
    from datnet.evaluation.saved_results import SavedResults

DESCRIPTION = """\
Write a page that shows a photograph, a painting and two results, in random order and on random
sides, and asks which one is better in style, in content and overall. The page is a folder with
index.html, works without a server or internet, and gives each rater a file of answers to download.
Send the folder to people, collect their files, and rank the networks with --tally.
"""

EXAMPLES = """\
examples:
  datnet evaluate datnet_full adain --save-images -o evaluations/vote
  datnet vote evaluations/vote/datnet_full-* evaluations/vote/adain-* -o vote
  datnet vote evaluations/vote/datnet_full-* 'SANet=../SANet/output/{content}_stylized_{style}.jpg'
  datnet vote --tally answers/*.json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "vote",
        help="ask people which results are better: a page, and a ranking of the answers",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "results",
        type=to_name,
        nargs="*",
        metavar="RESULTS",
        help="folders of evaluations with images (`datnet evaluate --save-images`), or results of "
        "other programs as NAME=PATTERN, see `datnet evaluate --help`",
    )
    parser.add_argument(
        "--tally",
        type=to_path,
        nargs="+",
        metavar="ANSWERS",
        help="rank the networks by these files of answers instead",
    )
    add_picture_folders(parser)
    parser.add_argument(
        "--comparisons", type=whole(1), default=30, help="comparisons a rater sees (default: 30)"
    )
    parser.add_argument(
        "--size",
        type=whole(SMALLEST_SIDE, LARGEST_SIDE),
        default=512,
        help="side of the pictures in pixels, if no evaluation tells it (default: 512)",
    )
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="of the choice of comparisons (default: 0)"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=to_path,
        help="folder of the page (default: vote); with --tally, a file for the tables",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write a page, or rank the networks by answers.

    Raises:
        DatNetError: If results or answers cannot be used.
    """
    if arguments.tally:
        if arguments.results:
            raise DatNetError("--tally ranks answers: leave out the results")
        return tally(arguments.tally, arguments.output)

    from datnet.evaluation.vote.study import write_study  # imports torch
    from datnet.images.files import check_writable

    output: Path = arguments.output or Path("vote")
    check_writable([output / "index.html"])
    if len(arguments.results) < 2:
        raise DatNetError("name the results of at least two networks, or give --tally ANSWERS")
    results, pairs, size = find_all(arguments)
    count = write_study(
        results,
        pairs,
        output,
        size=size,
        count=arguments.comparisons,
        seed=arguments.seed,
    )
    print(
        f"{count} comparisons of {', '.join(results)} at {size} × {size} pixels.\n"
        f"Open {output / 'index.html'}, or send the folder {output} to the raters; then rank the "
        "networks: datnet vote --tally ANSWERS"
    )
    return 0


def find_all(
    arguments: argparse.Namespace,
) -> tuple[dict[str, SavedResults], list[Pair], int]:
    """Find the results that the command line names, their pairs and their size.

    Raises:
        DatNetError: If they are missing or of different pictures, or two have one name.
    """
    from datnet.evaluation.finished import open_evaluation, pairs_of
    from datnet.evaluation.pairs import every_pair
    from datnet.evaluation.saved_results import SavedResults, find_results
    from datnet.images.embedded import sample_images
    from datnet.images.finding import find_images

    content_dir = arguments.content or sample_images().eval_content
    style_dir = arguments.style or sample_images().eval_style
    patterns = [text for text in arguments.results if "=" in text]
    evaluations = [open_evaluation(Path(text)) for text in arguments.results if "=" not in text]
    if evaluations:
        pairs, size = pairs_of(evaluations, content_dir, style_dir), evaluations[0].size
    else:
        pairs = every_pair(find_images(content_dir), find_images(style_dir))
        size = arguments.size
    named = [
        (each.title, SavedResults(dict(zip(pairs, each.result_files(pairs), strict=True))))
        for each in evaluations
    ]
    for text in patterns:
        name, _, pattern = text.partition("=")
        found = find_results(to_name(pattern), pairs, size)
        for note in found.notes:
            print(f"note: {name}: {note}", file=sys.stderr)
        named.append((name, found))
    results = dict(named)
    if len(results) < len(named):
        names = [name for name, _ in named]
        twice = next(name for name in names if names.count(name) > 1)
        raise DatNetError(f"two results are called {twice}: give one as NAME=FOLDER/images")
    return results, pairs, size


def tally(answers: list[Path], output: Path | None) -> int:
    """Print the rankings and write them to a file if one is named.

    Raises:
        DatNetError: If a file cannot be used.
    """
    from datnet.evaluation.vote.answers import read_answers
    from datnet.evaluation.vote.tally import tally_text
    from datnet.images.files import check_writable, write_text

    if output is not None:
        check_writable([output])
    networks, given = read_answers(answers)
    text = tally_text(networks, given)
    if output is not None:
        write_text(output, text + "\n")
    print(text)
    return 0
