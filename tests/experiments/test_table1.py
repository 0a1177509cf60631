from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from PIL import Image

from datnet.errors import DatNetError
from datnet.evaluation.metrics import METRICS
from datnet.networks.vgg import VggEncoder
from datnet.zoo import shipped
from datnet.zoo.configs import CONFIG_DIR, plain_values
from datnet.zoo.instantiate import build_with_encoder
from datnet.zoo.network_file import NetworkDescription, save_network
from datnet.zoo.training_free import TRAINING_FREE, with_settings
from experiments.networks import facts_of_training
from experiments.options import argument_parser
from experiments.paper import ALL_TITLES, OTHERS, TABLE_1, TABLE_2, TABLE_3, TITLES
from experiments.plan import SCALES, chosen_models, default_scale, plan_of
from experiments.tables import rank_correlation, ranks, sentence_of_training


def test_ranks_follow_the_direction_of_the_metric() -> None:
    ssim, _, lpips = METRICS[:3]
    assert ranks(ssim, [0.1, 0.3, 0.2]) == [3, 1, 2]
    assert ranks(lpips, [0.1, 0.3, 0.2]) == [1, 3, 2]
    assert ranks(ssim, [0.1, 0.3, 0.3]) == [3, 1.5, 1.5]


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([2, 2, 2], [1, 2, 3]) is None


def test_the_papers_tables_agree_with_each_other() -> None:
    assert TABLE_1["datnet_full"] == TABLE_3["datnet_full"]
    assert list(TITLES) == list(TABLE_1) == list(TABLE_2)


def test_chosen_models() -> None:
    def chosen(scale: str, *models: str) -> list[str]:
        return chosen_models(list(models) or None, SCALES[scale], list(ALL_TITLES))

    assert chosen("sample") == chosen("paper") == list(ALL_TITLES)
    assert chosen("pretrained") == [model for model in ALL_TITLES if model != "gatys"]
    assert chosen("pretrained", "gatys", "adain") == ["adain", "gatys"]
    with pytest.raises(DatNetError, match="--models adian: it can be datnet_full"):
        chosen("sample", "adian")
    with pytest.raises(DatNetError, match="no network that is trained"):
        chosen("sample", "wct", "gatys")


def test_default_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path)
    (tmp_path / "adain.safetensors").touch()
    assert default_scale(["adain", "wct"]) == "pretrained"
    assert default_scale(["adain", "sanet"]) == "sample"
    assert default_scale([]) == "pretrained"


@pytest.mark.parametrize("given", [["trainer.max_steps=1"], ["--seeds", "1", "2"]])
def test_settings_of_trainings_are_not_ignored(given: list[str]) -> None:
    arguments = argument_parser("experiments.table1", "").parse_args(
        ["--scale", "pretrained", *given]
    )
    with pytest.raises(DatNetError, match=f"{' '.join(given)}: scale pretrained trains nothing"):
        plan_of(arguments, ["datnet_full"])


def test_facts_of_training_are_those_of_what_is_trained(tmp_path: Path) -> None:
    training = {"steps": 7, "images_per_step": 2, "seed": 3, "data": "pictures"}
    trained = NetworkDescription("adain", {}, {"arch": "vgg16"}, training)
    files = {"adain": trained, "gatys": TRAINING_FREE["gatys_vgg19"]}
    for name, description in files.items():
        save_network(torch.nn.Linear(1, 1), description, tmp_path / name)
    facts = facts_of_training({name: [tmp_path / name] for name in files})
    assert facts["steps"] == 7
    assert facts["encoder"] == "vgg16"


def test_the_sentence_says_where_networks_differ(tmp_path: Path) -> None:
    files = {}
    for precision in ("32-true", "bf16-mixed"):
        training = {"steps": 7, "images_per_step": 2, "data": "pictures", "precision": precision}
        files[precision] = [tmp_path / precision]
        description = NetworkDescription("adain", {}, {"arch": "vgg16"}, training)
        save_network(torch.nn.Linear(1, 1), description, tmp_path / precision)
    facts = facts_of_training(files) | {"scale": "pretrained", "commit": "abc"}
    sentence = sentence_of_training(facts)
    assert "encoder vgg16 · data pictures · 7 steps of 2 pairs" in sentence
    assert "precision 32-true, bf16-mixed" in sentence


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
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            config = plain_values(compose("train", [f"model={model}", "experiment=miniature"]))
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


@pytest.mark.slow
@pytest.mark.usefixtures("finished_trainings")
def test_table1_and_what_is_drawn_from_it(tmp_path: Path, experiment: Callable[..., str]) -> None:
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
