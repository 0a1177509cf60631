from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from datnet.evaluation.efficiency import multiply_adds
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.microast import MicroAST
from datnet.networks.vgg import VggEncoder
from datnet.zoo import shipped
from datnet.zoo.configs import plain_values
from datnet.zoo.instantiate import build_with_encoder
from datnet.zoo.network_file import NetworkDescription, save_network
from datnet.zoo.training_free import TRAINING_FREE, with_settings
from experiments.paper import ALL_TITLES, OTHERS, TABLE_1, TABLE_2, TABLE_3, TITLES
from tests.helpers.small_run import composed


def test_the_papers_tables_agree_with_each_other() -> None:
    assert TABLE_1["datnet_full"] == TABLE_3["datnet_full"]
    assert list(TITLES) == list(TABLE_1) == list(TABLE_2)


@pytest.fixture
def finished_trainings(tmp_path: Path, encoder: VggEncoder, encoder_file: Path) -> None:
    """The files that trainings of scale sample write, without the trainings."""
    encoder_settings = {"arch": "vgg16", "weights": str(encoder_file), "normalized": False}
    for model in ALL_TITLES:
        folder = tmp_path / "out" / model
        if model in TRAINING_FREE:
            steps = {"steps": 10} if model == "gatys" else {}
            description = with_settings(model, encoder_settings, **steps)
            torch.manual_seed(0)
            network = build_with_encoder(description.network, lambda: encoder)
            folder.mkdir(parents=True)
            save_network(network, description, folder / "network.safetensors")
            continue
        config = plain_values(composed([f"model={model}", "experiment=miniature"]))
        torch.manual_seed(0)
        network = build_with_encoder(config["model"]["network"], lambda: encoder)
        training = {
            **{"steps": 100, "images_per_step": 2, "seed": 1},
            "data": {"content_dir": None, "crop_size": 64},
        }
        folder /= "seed_1"
        folder.mkdir(parents=True)
        save_network(
            network,
            NetworkDescription(model, config["model"]["network"], encoder_settings, training),
            folder / "network.safetensors",
        )
        (folder / "finished.json").write_text('{"steps": 100}')


@pytest.fixture
def counted_sizes(monkeypatch: pytest.MonkeyPatch) -> set[tuple[int, int]]:
    """The sizes that multiply-adds are asked for; all but MicroAST's are counted at 64 × 64."""
    sizes = set()

    def count(network: StyleTransferNetwork, height: int, width: int) -> int:
        sizes.add((height, width))
        return multiply_adds(
            network, *((height, width) if isinstance(network, MicroAST) else (64, 64))
        )

    monkeypatch.setattr("datnet.evaluation.efficiency.multiply_adds", count)
    return sizes


@pytest.mark.slow
@pytest.mark.usefixtures("finished_trainings")
def test_table1_and_what_is_drawn_from_it(
    tmp_path: Path, experiment: Callable[..., str], counted_sizes: set[tuple[int, int]]
) -> None:
    printed = experiment("table1", "--scale", "sample")
    assert "MINIATURE, NOT THE PAPER'S PROTOCOL" in printed
    for title in (*ALL_TITLES.values(), "identity", "style copy", "histogram match"):
        assert f"| {title} " in printed

    report = json.loads((tmp_path / "out" / "table1.json").read_text())
    assert list(report["networks"]) == list(ALL_TITLES)
    rows: dict[str, str] = {}
    for line in printed.splitlines():
        if "|" in line:
            rows.setdefault(line.split("|")[1].strip(), line)  # Table 1 comes first
    for title in OTHERS.values():
        assert rows[title].count("–") == 3, "a dash for each of the paper's numbers"
    assert rows["Gatys, 3 steps"].count("–") == 2
    assert report["steps"] == 100
    for metrics in report["networks"].values():
        low, high = metrics["lpips_alex"]["ci95"]
        assert low <= metrics["lpips_alex"]["mean"] <= high
    for metric in ("ssim", "psnr", "lpips_alex"):
        ranking = report["rankings"][metric]
        assert sum(ranking["ours"].values()) == sum(range(1, 8))
        assert -1 <= ranking["spearman"] <= 1
    assert report["rankings"]["ssim"]["paper"]["datnet_full"] == 1
    # Whatever was trained with, sizes are those with VGG-19, as in the paper.
    assert counted_sizes == {(256, 256)}
    assert report["efficiency"]["datnet_full"]["parameters"] == pytest.approx(26.574874)
    assert report["efficiency"]["microast"]["multiply_adds"] == pytest.approx(2.729, rel=1e-3)

    drawn = {"datnet_full": "DatNet", "adain": "AdaIN", "stytr2": "StyTr²"}
    experiment("tradeoff", "--scale", "sample", "--models", *drawn)
    tradeoff = json.loads((tmp_path / "out" / "tradeoff.json").read_text())
    assert list(tradeoff["networks"]) == list(drawn.values())
    for model, title in drawn.items():
        points = tradeoff["networks"][title]
        assert len(points) == len(tradeoff["alphas"])
        assert points[-1]["ssim"]["mean"] == report["networks"][model]["ssim"]["mean"]
    for figure in ("figure5", "figure6"):
        picture = Image.open(tmp_path / "out" / f"{figure}.png")
        assert picture.width > (2 + len(ALL_TITLES)) * 64
        assert (tmp_path / "out" / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "out" / "tradeoff.png").exists()


@pytest.mark.slow
def test_table1_of_pretrained_networks_takes_what_there_is(
    tmp_path: Path, experiment: Callable[..., str], shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the published MicroAST weights: one row of values, dashes for the rest."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "microast").symlink_to((shared / "golden" / "microast").resolve())
    monkeypatch.setenv("DATNET_WEIGHTS", str(weights))
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path / "nothing ships")
    printed = experiment("table1", "--scale", "pretrained", "--models", "sanet", "microast")
    rows = {line.split("|")[1].strip(): line for line in printed.splitlines() if "|" in line}
    assert "–" not in rows["MicroAST"]
    assert rows["SANet"].count("–") == 3
