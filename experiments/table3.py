"""Table 3 of the paper, the ablation: spatial attention, + channel attention, + restoration loss.

    python -m experiments.table3                      # a miniature, minutes on two cores
    python -m experiments.table3 --scale pretrained   # the networks under pretrained/
    python -m experiments.table3 --scale paper --content COCO --style WIKIART
        --eval-content COCO50 --eval-style WIKIART20  # the paper's protocol, GPU-days

Trains what is missing, evaluates, and writes table3.md, table3.json and figure7.png. Interrupted,
it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datnet import provenance
from datnet.data.images import find_images, fit_square, read_image, to_image, to_tensor
from datnet.data.sample import sample_images
from datnet.errors import DatNetError
from datnet.evaluation.figures import comparison_grid
from datnet.evaluation.metrics import METRICS
from datnet.evaluation.networks import evaluate_networks, results_folder
from datnet.evaluation.protocol import Pair, every_pair
from datnet.evaluation.summary import (
    Estimate,
    Summary,
    format_number,
    summary_table,
)
from datnet.files import write_text
from datnet.saved_network import load_network, read_description
from datnet.stylizer import choose_device
from experiments.paper import TABLE_3
from experiments.tables import aligned, as_json, mean_over_seeds, order

VARIANTS = ("datnet_spatial", "datnet_dual", "datnet_full")
PRETRAINED = Path(__file__).parents[1] / "pretrained"
FIGURE_ROWS = 4

CAVEATS = {
    "sample": "MINIATURE, NOT THE PAPER'S PROTOCOL: a few steps on a few small pictures. It shows "
    "that training, evaluation and table work; its numbers say nothing about the paper's.",
    "pretrained": "NOT THE PAPER'S PROTOCOL where encoder, data or steps below differ from VGG-19, "
    "COCO with WikiArt, and 50 000 steps of 8 pairs.",
    "paper": "The paper's protocol as far as its text gives it; its 50 × 20 test images are not "
    "published.",
}


@dataclass(frozen=True)
class Scale:
    """How much is trained and measured.

    Args:
        experiment: The training configuration; None trains nothing.
        size: Side of the evaluated images.
        contents: Content images to evaluate at most.
        styles: Style images to evaluate at most.
    """

    experiment: str | None
    size: int
    contents: int
    styles: int


SCALES = {
    "sample": Scale("table3_sample", size=192, contents=4, styles=3),
    "pretrained": Scale(None, size=512, contents=50, styles=20),
    "paper": Scale("table3_paper", size=512, contents=50, styles=20),
}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        "python -m experiments.table3",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scale", choices=SCALES, default="sample")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="default: 1")
    parser.add_argument("--content", type=Path, help="photographs to train on (scale paper)")
    parser.add_argument("--style", type=Path, help="paintings to train on (scale paper)")
    parser.add_argument(
        "--eval-content", type=Path, help="photographs to evaluate on (default: sample set)"
    )
    parser.add_argument(
        "--eval-style", type=Path, help="paintings to evaluate on (default: sample set)"
    )
    parser.add_argument("--output", type=Path, help="default: runs/table3_SCALE")
    parser.add_argument(
        "overrides", nargs="*", help="settings of the trainings, such as trainer=gpu"
    )
    return parser.parse_args()


def main() -> None:
    """Make the table."""
    arguments = parse_arguments()
    try:
        make_table(arguments)
    except DatNetError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from here")


def make_table(arguments: argparse.Namespace) -> None:
    """Train, evaluate, write and print.

    Raises:
        DatNetError: If folders are missing or a training fails.
    """
    scale = SCALES[arguments.scale]
    output: Path = arguments.output or Path("runs") / f"table3_{arguments.scale}"
    pairs = evaluation_pairs(arguments, scale)
    if scale.experiment is None:
        networks = pretrained_networks()
        seeds = sorted({read_description(path).training["seed"] for path in networks.values()})
    else:
        seeds = arguments.seeds
        networks = train_networks(arguments, scale, output)

    device = choose_device()
    results = output / "evaluation"
    summaries = evaluate_networks(networks, pairs, results, size=scale.size, device=device)
    folders = defaultdict(list)
    for title, path in networks.items():
        folders[title.partition(" ")[0]].append(results_folder(results, title, path))
    variants = {name: mean_over_seeds(folders[name]) for name in VARIANTS}

    report = {
        "scale": arguments.scale,
        **facts_of_training(networks.values()),
        "seeds": seeds,
        "commit": provenance.commit(),
        "caveat": CAVEATS[arguments.scale],
        "protocol": summaries[0].protocol,
        "variants": {
            name: {key: as_json(estimate) for key, estimate in metrics.items()}
            for name, metrics in variants.items()
        },
        "controls": {
            summary.description: {
                key: as_json(estimate) for key, estimate in summary.metrics.items()
            }
            for summary in summaries[:2]
        },
        "paper": {
            name: {key: {"mean": value} for key, value in metrics.items()}
            for name, metrics in TABLE_3.items()
        },
    }
    text = describe(report, variants, summaries)
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "table3.json", json.dumps(report, indent=2) + "\n")
    write_text(output / "table3.md", text + "\n")
    draw_figure7(networks, pairs, scale.size, output / "figure7.png")
    print(f"\n{text}\n\nWritten: table3.md, table3.json and figure7.png in {output}")


def evaluation_pairs(arguments: argparse.Namespace, scale: Scale) -> list[Pair]:
    """The pairs to evaluate: every content with every style."""
    if arguments.scale == "paper" and not (arguments.eval_content and arguments.eval_style):
        raise DatNetError(
            "scale paper needs --eval-content and --eval-style: folders of photographs and "
            "paintings that are in no training folder (50 and 20 in the paper)"
        )
    if arguments.eval_content is None or arguments.eval_style is None:
        sample = sample_images()
        arguments.eval_content = arguments.eval_content or sample.eval_content
        arguments.eval_style = arguments.eval_style or sample.eval_style
    return every_pair(
        find_images(arguments.eval_content)[: scale.contents],
        find_images(arguments.eval_style)[: scale.styles],
    )


def pretrained_networks() -> dict[str, Path]:
    """The networks under pretrained/."""
    networks = {name: PRETRAINED / f"{name}.safetensors" for name in VARIANTS}
    missing = [str(path) for path in networks.values() if not path.exists()]
    if missing:
        raise DatNetError(f"scale pretrained needs {', '.join(missing)}; train with another scale")
    return networks


def train_networks(arguments: argparse.Namespace, scale: Scale, output: Path) -> dict[str, Path]:
    """Train every variant with every seed, each in a process of its own, where it is missing.

    Returns:
        From "VARIANT" or "VARIANT seed N" to the trained network.
    """
    overrides = list(arguments.overrides)
    if arguments.scale == "paper":
        if not (arguments.content and arguments.style):
            raise DatNetError("scale paper needs --content COCO_DIR and --style WIKIART_DIR")
        for key, folder in (("content_dir", arguments.content), ("style_dir", arguments.style)):
            overrides.append(f"data.{key}='{folder}'")
    networks = {}
    for seed in arguments.seeds:
        for variant in VARIANTS:
            folder = output / variant / f"seed_{seed}"
            command = [
                *(sys.executable, "-m", "datnet.training.run"),
                f"experiment={scale.experiment}",
                f"model={variant}",
                f"seed={seed}",
                f"run_dir='{folder}'",
                "ckpt_path=last",
                *overrides,
            ]
            if subprocess.run(command, check=False).returncode:
                raise DatNetError(f"the training of {variant} with seed {seed} stopped, see above")
            title = variant if len(arguments.seeds) == 1 else f"{variant} seed {seed}"
            networks[title] = folder / "network.safetensors"
    return networks


def facts_of_training(networks: Iterable[Path]) -> dict[str, Any]:
    """Encoder, data and steps of the networks, one value where they agree."""
    descriptions = [read_description(path) for path in networks]
    facts = {
        "encoder": [description.encoder["arch"] for description in descriptions],
        "data": [describe_data(description.training["data"]) for description in descriptions],
        "steps": [description.training["steps"] for description in descriptions],
        "images_per_step": [
            description.training["images_per_step"] for description in descriptions
        ],
    }
    return {name: values[0] if len(set(values)) == 1 else values for name, values in facts.items()}


def describe_data(data: Mapping[str, Any]) -> str:
    """Where training pictures came from, in words."""
    if data.get("content_dir") is None:
        source = "embedded sample set"
    else:
        source = f"{Path(data['content_dir']).name} and {Path(data['style_dir']).name}"
    return f"{source}, {data['crop_size']}-pixel crops"


def describe(
    report: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Estimate]],
    summaries: Sequence[Summary],
) -> str:
    """The table as Markdown that reads well in a terminal too."""
    short = [name.removeprefix("datnet_") for name in VARIANTS]
    rows = [["", *short, *(f"paper {name}" for name in short), "difference", "order holds?"]]
    for column in METRICS:
        ours = [variants[name][column.key] for name in VARIANTS]
        paper = [TABLE_3[name].get(column.key) for name in VARIANTS]
        rows.append(
            [
                f"{column.label} {column.arrow}",
                *(format_number(estimate.mean, column.decimals) for estimate in ours),
                *("–" if value is None else f"{value:.{column.decimals}f}" for value in paper),
                " ".join(
                    f"{estimate.mean - value:+.{column.decimals}f}"
                    for estimate, value in zip(ours, paper, strict=True)
                    if value is not None
                )
                or "–",
                order(column, [estimate.mean for estimate in ours]),
            ]
        )
    return "\n".join(
        [
            "# Table 3: the ablation",
            "",
            f"**{report['caveat']}**",
            "",
            f"Scale {report['scale']} · encoder {report['encoder']} · data {report['data']} · "
            f"{report['steps']} steps of {report['images_per_step']} pairs · "
            f"seeds {', '.join(map(str, report['seeds']))} · commit {report['commit']}",
            "",
            aligned(rows),
            "",
            "order holds: spatial < dual < full in quality, as in the paper. "
            "LPIPS of the paper is compared with AlexNet; the paper does not name its backbone.",
            "",
            "## Rows with intervals and controls",
            "",
            "Doing nothing wins every metric against the content, and copying the style wins the "
            "style distance: read them together.",
            "",
            summary_table(summaries),
        ]
    )


@torch.inference_mode()
def draw_figure7(
    networks: Mapping[str, Path], pairs: Sequence[Pair], size: int, path: Path
) -> None:
    """Figure 7: contents with the style they get and what each variant's first network paints.

    Row i shows content i with style i, so that as many styles as possible are seen.
    """
    contents = list(dict.fromkeys(content for content, _ in pairs))[:FIGURE_ROWS]
    styles = list(dict.fromkeys(style for _, style in pairs))
    columns: list[list[torch.Tensor]] = [
        [to_tensor(fit_square(read_image(file), size)) for file in files]
        for files in (contents, [styles[i % len(styles)] for i in range(len(contents))])
    ]
    for variant in VARIANTS:
        network = load_network(next(p for t, p in networks.items() if t.startswith(variant)))
        columns.append(
            [network(c[None], s[None])[0] for c, s in zip(columns[0], columns[1], strict=True)]
        )
    rows = [[to_image(tensor) for tensor in row] for row in zip(*columns, strict=True)]
    comparison_grid(rows, ["content", "style", "spatial", "dual", "full"], path=path)


if __name__ == "__main__":
    main()
