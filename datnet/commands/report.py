"""`datnet report`: a report of evaluations in one HTML file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from datnet.commands.arguments import add_picture_folders, to_path, to_word
from datnet.errors import DatNetError, require_extra

DESCRIPTION = """\
Write one self-contained HTML file about evaluations on the same pictures: the protocol, tables with
intervals and paired differences, plots, the spread over photographs and paintings, the worst and
best pairs with pictures, metrics, settings, commits and hashes. It needs no internet, here or where
it is read. Pictures are of evaluations with --save-images.
"""

EXAMPLES = """\
examples:
  datnet evaluate datnet_full adain --metrics default independent --save-images
  datnet report evaluations -o report.html
  datnet report evaluations --content PHOTOS --style PAINTINGS --cost cost.json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "report",
        help="write a report of evaluations that can be sent: one HTML file",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "evaluations",
        type=to_path,
        nargs="+",
        metavar="EVALUATION",
        help="folders that `datnet evaluate` wrote: its output folder, or single evaluations in it",
    )
    add_picture_folders(parser)
    parser.add_argument(
        "--cost", type=to_path, help="JSON of `datnet benchmark --json`, for the section on time"
    )
    parser.add_argument("--title", type=to_word, default="Evaluation", help="heading of the page")
    parser.add_argument(
        "-o",
        "--output",
        type=to_path,
        default=Path("report.html"),
        help="file to write (default: report.html)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the report.

    Raises:
        DatNetError: If evaluations cannot be used together.
    """
    require_extra("figures")
    from datnet.evaluation.finished import pairs_of
    from datnet.evaluation.report.data import (
        CONTENT,
        STYLE,
        ReportData,
        common_metrics,
        find_evaluations,
        first_of,
        read_rows,
    )
    from datnet.evaluation.report.document import report_page
    from datnet.images.embedded import sample_images
    from datnet.images.files import check_writable, write_text

    check_writable([arguments.output])
    evaluations = find_evaluations(arguments.evaluations)
    rows = read_rows(evaluations)
    metrics = common_metrics(rows)
    content = arguments.content or sample_images().eval_content
    style = arguments.style or sample_images().eval_style
    try:
        pairs = dict(zip(rows[0].values, pairs_of(evaluations, content, style), strict=True))
    except DatNetError as error:
        if arguments.content or arguments.style:
            raise
        print(f"note: the report has no pictures: {error}", file=sys.stderr)
        pairs = {}
    data = ReportData(rows, metrics, first_of(STYLE, metrics), first_of(CONTENT, metrics), pairs)
    page = report_page(data, arguments.title, read_cost(arguments.cost))
    write_text(arguments.output, page)
    print(f"{arguments.output}: {', '.join(row.title for row in rows)}, {len(page) // 1024} kB")
    return 0


def read_cost(path: Path | None) -> dict[str, object] | None:
    """Read what `datnet benchmark --json` wrote.

    Raises:
        DatNetError: If the file is something else.
    """
    if path is None:
        return None
    try:
        cost = json.loads(path.read_text(encoding="utf-8"))
        if not {"settings", "networks", "measurements", "machine"} <= cost.keys():
            raise ValueError("it lacks settings, networks or measurements")
    except (OSError, ValueError, AttributeError) as error:
        raise DatNetError(f"{path} is no result of `datnet benchmark --json`: {error}") from error
    return dict(cost)
