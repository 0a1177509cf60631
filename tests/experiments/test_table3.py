from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from datnet.evaluation.differences import differences, estimates_of, mean_pair_values, verdict
from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import METRICS
from datnet.evaluation.result_folder import header
from datnet.zoo.network_file import (
    NetworkDescription,
    load_network,
    read_description,
    save_network,
)
from experiments.options import argument_parser, run
from experiments.table3 import VARIANTS, make_table, unequal_settings


def write_results(folder: Path, values: dict[tuple[str, str], float]) -> Path:
    """The file of an evaluation, with the same value for every metric of a pair."""
    folder.mkdir()
    rows = [
        ",".join([content, style, *[str(value)] * len(METRICS)])
        for (content, style), value in values.items()
    ]
    (folder / "results.csv").write_text("\n".join([",".join(header()), *rows]) + "\n")
    return folder


def test_seeds_are_averaged_pair_by_pair(tmp_path: Path) -> None:
    first = {("a", "x"): 0.1, ("a", "y"): 0.3, ("b", "x"): 0.5}
    second = {pair: value + 0.2 for pair, value in reversed(first.items())}
    folders = [write_results(tmp_path / "1", first), write_results(tmp_path / "2", second)]
    estimate = estimates_of(mean_pair_values(folders))["ssim"]
    assert estimate.mean == pytest.approx(0.4)
    assert estimate.count == 3
    assert estimate.ci95 is not None
    assert 0.2 <= estimate.ci95[0] <= 0.4 <= estimate.ci95[1] <= 0.6


def test_a_difference_of_pairs_is_seen_where_means_overlap(tmp_path: Path) -> None:
    contents = {"a": 0.1, "b": 0.5, "c": 0.9}
    before = {(c, s): value for c, value in contents.items() for s in "xyz"}
    after = {pair: before[pair] + 0.05 for pair in reversed(before)}
    values = [
        mean_pair_values([write_results(tmp_path / name, pairs)])
        for name, pairs in (("before", before), ("after", after))
    ]
    old, new = (estimates_of(pairs)["ssim"].ci95 for pairs in values)
    assert old is not None
    assert new is not None
    assert new[0] < old[1], "the intervals of the means overlap"
    change = differences(*values)
    assert change["ssim"].mean == pytest.approx(0.05)
    ssim, _, lpips = METRICS[:3]
    assert verdict(ssim, change["ssim"]) == "gain"
    assert verdict(lpips, change["lpips_alex"]) == "loss"
    assert verdict(ssim, differences(values[0], values[0])["ssim"]) == "open"
    for few in ([("a", "x")], [(c, "x") for c in "abc"], [("a", s) for s in "xyz"]):
        of_few = [{pair: pairs[pair] for pair in few} for pairs in values]
        assert verdict(ssim, differences(*of_few)["ssim"]) == "open", "there is no interval"


def test_trainings_are_equal_in_all_but_what_is_ablated(tmp_path: Path) -> None:
    network = {"_target_": "datnet.networks.datnet.DatNet", "identity_start": True}
    objective = {"local_feature": 3.0}

    def unequal(changed: str, value: object) -> list[str]:
        """With an additional setting in the last variant's file."""
        networks = {}
        for number, name in enumerate(VARIANTS):
            settings: dict[str, dict[str, object]] = {
                "network": network | {"channel_attention": number > 0},
                "objective": objective | {"content_restoration": 5.0 * (number > 1)},
                "training": {
                    "commit": name,
                    "steps": 8,
                    "begun_with": f"{name}/checkpoints/last.ckpt",  # its own, up to the name
                    "reconstruction": {"256": {"ssim": number / 4}},
                    "description": "begins with datnet_full",
                },
            }
            if number == 2:
                part, _, key = changed.rpartition(".")
                settings[part][key] = value
            networks[name] = [tmp_path / name]
            training = settings["training"] | {"objective": settings["objective"]}
            described = NetworkDescription(name, settings["network"], {}, training)
            save_network(torch.nn.Linear(1, 1), described, tmp_path / name)
        return unequal_settings(networks)

    assert unequal("training.steps", 8) == []
    assert unequal("training.steps", 9) == ["steps"]
    other = f"{VARIANTS[0]}/checkpoints/last.ckpt"
    assert unequal("training.begun_with", other) == ["begun_with"]
    assert unequal("training.weight_average", 0.9) == ["weight_average"]
    assert unequal("network.identity_start", False) == ["network.identity_start"]
    assert unequal("objective.local_feature", 2.0) == ["objective.local_feature"]


def test_columns_are_aligned() -> None:
    lines = aligned([["", "long title"], ["row", "1"]]).splitlines()
    assert len({len(line) for line in lines}) == 1


@pytest.mark.slow
def test_table3(tmp_path: Path, experiment: Callable[..., str], small_overrides: list[str]) -> None:
    tiny = ["--scale", "sample", *small_overrides, "trainer.max_steps=1", "data.batch_size=1"]
    printed = experiment("table3", *tiny)
    assert "MINIATURE, NOT THE PAPER'S PROTOCOL" in printed
    assert "0.4697" in printed

    report = json.loads((tmp_path / "out" / "table3.json").read_text())
    assert report["scale"] == "sample"
    assert report["encoder"] == "vgg16"
    assert report["steps"] == 1
    assert report["seeds"] == [1]
    for name in VARIANTS:
        for metric in ("ssim", "psnr", "lpips_alex", "lpips_vgg"):
            estimate = report["variants"][name][metric]
            low, high = estimate["ci95"]
            assert low <= estimate["mean"] <= high
    assert report["paper"]["datnet_full"]["ssim"]["mean"] == 0.5950
    assert report["controls"]["identity"]["psnr"]["mean"] is None
    assert list(report["changes"]) == ["datnet_spatial → datnet_dual", "datnet_dual → datnet_full"]
    for row in ("ssim", "style_distance"):
        means = [report["variants"][name][row]["mean"] for name in VARIANTS]
        changes = [change[row]["mean"] for change in report["changes"].values()]
        assert changes == pytest.approx([means[1] - means[0], means[2] - means[1]])
    figure = Image.open(tmp_path / "out" / "figure7.png")
    assert figure.width > 5 * 64

    # Again: nothing is trained or measured a second time.
    networks = sorted((tmp_path / "out").glob("*/seed_1/network.safetensors"))
    written = [path.stat().st_mtime_ns for path in networks]
    assert len(written) == 3
    again = experiment("table3", *tiny)
    assert [path.stat().st_mtime_ns for path in networks] == written
    assert again.partition("# Table 3")[2] == printed.partition("# Table 3")[2]

    # A variant that was trained otherwise than the other two
    assert "NOT AN EQUAL COMPARISON" not in printed
    description = read_description(networks[0])
    other = replace(description, training=description.training | {"description": "longer"})
    save_network(load_network(networks[0]), other, networks[0])
    assert "the trainings of the variants differ in description" in experiment("table3", *tiny)


def test_paper_scale_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["table3", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            run(argument_parser("experiments.table3", ""), make_table)
        assert stop.value.code == 1
        return capsys.readouterr().err

    scale = ("--scale", "paper")
    folders = ("--content", tmp_path, "--style", tmp_path, "--eval-style", tmp_path)
    every = "--content and --style and --eval-content and --eval-style"
    assert refusal(*scale).startswith(f"error: scale paper needs {every}: ")
    assert refusal(*scale, *folders).startswith("error: scale paper needs --eval-content: ")
