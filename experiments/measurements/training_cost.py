"""Cost of training the published tables: counted multiply-adds, and estimated GPU-hours.

    python -m experiments.measurements.training_cost --teraflops 100

One training step of each network, forward and backward with all losses, is counted with VGG-19
(random weights, which do not change the count) on crops of 256, and multiplied by the pairs and
steps of its recipe. GPU-hours are an estimate for a GPU that sustains the given number of 10¹²
floating-point operations per second; a multiply-add has two.
"""

from __future__ import annotations

import argparse

import torch
from hydra import compose, initialize_config_dir
from tqdm import tqdm

from datnet.evaluation.efficiency import counted_products
from datnet.evaluation.markdown import aligned
from datnet.networks.vgg import VggEncoder
from datnet.zoo.configs import CONFIG_DIR
from datnet.zoo.instantiate import build_with_encoder

TABLES = {
    "Table 1": (
        *("datnet_full", "adain", "sanet", "manet", "mccnet", "artflow_adain", "microast"),
    ),
    "Table 3": ("datnet_spatial", "datnet_dual", "datnet_full"),
}
SEEDS = {"Table 1": 1, "Table 3": 3}
CROP = 256
PAIRS = 2
"""Pairs in the counted step: contrastive losses need more than one."""


def operations_of_a_pair(name: str, encoder: VggEncoder) -> tuple[float, int]:
    """Count the floating-point operations of a training pair.

    Args:
        name: Name of the model.
        encoder: The encoder.

    Returns:
        Operations per pair, and the number of pairs in the recipe.
    """
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose("train", [f"model={name}"])
    torch.manual_seed(0)
    network = build_with_encoder(config.model.network, lambda: encoder)
    objective = build_with_encoder(config.model.objective, lambda: encoder)
    with counted_products() as counter:
        terms = objective.terms(
            network, torch.rand(PAIRS, 3, CROP, CROP), torch.rand(PAIRS, 3, CROP, CROP)
        )
        objective.total(terms).backward()
    recipe = config.model.recipe
    return counter.get_total_flops() / PAIRS, recipe.batch_size * recipe.steps


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--teraflops", type=float, default=100, help="what the GPU sustains (default: 100)"
    )
    arguments = parser.parse_args()
    encoder = VggEncoder("vgg19")
    names = dict.fromkeys(name for networks in TABLES.values() for name in networks)
    costs = {}
    rows = [["network", "MACs (G) per pair", "pairs", "GPU-hours"]]
    for name in tqdm(names, unit="network"):
        operations, pairs = operations_of_a_pair(name, encoder)
        costs[name] = operations * pairs / (arguments.teraflops * 1e12) / 3600
        rows.append([name, f"{operations / 2e9:.0f}", f"{pairs:,}", f"{costs[name]:.1f}"])
    print(aligned(rows), "\n")
    for table, networks in TABLES.items():
        hours = SEEDS[table] * sum(costs[name] for name in networks)
        print(f"{table}, {SEEDS[table]} seed(s): {hours:.0f} hours")


if __name__ == "__main__":
    main()
