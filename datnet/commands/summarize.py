"""`datnet summarize`: a sweep's runs as a table over seeds and a plot."""

from __future__ import annotations

import argparse

from datnet.commands.arguments import to_path, to_word
from datnet.errors import DatNetError, MissingExtraError

DESCRIPTION = """\
Print a table of a sweep: a row for every combination of settings that was tried, with means and
standard deviations over the seeds, behind the last step. Beside the sweep's runs it leaves
summary.md, summary.csv (every run, every metric) and summary.png. Runs that are not finished are
named and left out.

final/... are measured on the validation pairs, crops of the training's size: good for comparing the
runs of a sweep. `datnet evaluate` measures by the protocol of the published tables.
"""

EXAMPLES = """\
examples:
  datnet train -m experiment=ablation && datnet summarize sweeps/ablation
  datnet summarize sweeps/default --metrics final/lpips_vgg validation/global_style
  datnet summarize runs/datnet_full -o comparison
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "summarize",
        help="a sweep's runs as a table over seeds, and a plot",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", type=to_path, help="the sweep's folder, or any folder of runs or of sweeps"
    )
    parser.add_argument(
        "--metrics",
        type=to_word,
        nargs="+",
        metavar="METRIC",
        help="names from finished.json (default: those of Table 3, style distance, loss)",
    )
    parser.add_argument(
        "-o", "--output", type=to_path, help="where summary.* go (default: the sweep's folder)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Summarize and print."""
    from datnet.evaluation.sweep_summary import (  # these import torch
        csv_text,
        default_metrics,
        groups_of,
        metric_names,
        plot,
        read_runs,
        table,
    )
    from datnet.images.files import check_writable, write_text

    output = arguments.output or arguments.folder
    check_writable(output / f"summary.{suffix}" for suffix in ("md", "csv", "png"))
    runs = read_runs(arguments.folder)
    groups = groups_of(runs)
    if not groups:
        raise DatNetError(f"none of the {len(runs)} runs in {arguments.folder} is finished")
    metrics = arguments.metrics or default_metrics(groups)
    known = metric_names(groups)
    for metric in metrics:
        if metric not in known:
            raise DatNetError(f"no run has the metric {metric}; they have {', '.join(known)}")
    lines = [table(groups, metrics), "", "mean ± standard deviation over seeds"]
    unfinished = [each for each in runs if each.metrics is None]
    lines += [f"not finished: {each.folder.name} (step {each.steps})" for each in unfinished]
    text = "\n".join(lines)
    write_text(output / "summary.md", text + "\n")
    write_text(output / "summary.csv", csv_text(groups))
    files = "summary.md and summary.csv"
    try:
        plot(groups, metrics, output / "summary.png")
        files = "summary.md, summary.csv and summary.png"
    except MissingExtraError as error:
        text += f"\n\nno summary.png: {error}"
    print(f"{text}\n\n{files} are in {output}")
    return 0
