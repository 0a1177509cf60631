"""`datnet summarize`: summarize the runs of a sweep in a table and a plot."""

from __future__ import annotations

import argparse

from datnet.commands.arguments import to_path, to_word
from datnet.errors import DatNetError, MissingExtraError

DESCRIPTION = """\
Print a table of a sweep: one row per combination of settings, with means and standard deviations
over the seeds, measured after the last step. The folder of the sweep also gets summary.md,
summary.csv (all runs, all metrics) and summary.png. Unfinished runs are listed and left out.

The metrics final/... are measured on the validation pairs, at the crop size of the training. Use
them to compare the runs of a sweep; `datnet evaluate` follows the protocol of the published tables.
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
        help="summarize a sweep: table over seeds and plot",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", type=to_path, help="folder of the sweep, or any folder of runs or sweeps"
    )
    parser.add_argument(
        "--metrics",
        type=to_word,
        nargs="+",
        metavar="METRIC",
        help="metrics, by their names in finished.json (default: those of Table 3, style distance, "
        "loss)",
    )
    parser.add_argument(
        "-o", "--output", type=to_path, help="folder for summary.* (default: the sweep folder)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the summary and write its files.

    Raises:
        DatNetError: If no run is finished, or a metric is unknown.
    """
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
