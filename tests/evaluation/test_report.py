"""The report: its numbers, its pictures, and the page with a real browser."""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.finished import NETWORK_FILE, open_evaluation
from datnet.evaluation.machine import describe_machine
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.protocol import evaluate
from datnet.evaluation.report.data import find_evaluations, read_rows
from datnet.evaluation.row import Evaluation
from datnet.evaluation.seeds import seed_groups, seeds_rows, seeds_table
from datnet.evaluation.summary import EvaluationSummary
from tests.helpers.browser import chromium, requested, set_screen
from tests.helpers.evaluations import SIZE, CountingEncoder, make_image, rows_of
from tests.helpers.mean_difference import metrics_with

pytest.importorskip("matplotlib")


def network_file(folder: Path, name: str, seed: int, steps: int = 8) -> None:
    facts = {
        "file": "network.safetensors",
        "sha256": f"{seed}" * 64,
        "name": name,
        "network": {"_target_": "datnet.networks.adain.AdaIN"},
        "encoder": {"arch": "vgg16"},
        "training": {"seed": seed, "steps": steps, "images_per_step": 4, "commit": "abc123"},
    }
    (folder / NETWORK_FILE).write_text(json.dumps(facts))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, and evaluations of the controls and of three networks.

    Two of the networks are one with two seeds.
    """
    root = tmp_path_factory.mktemp("measured")
    contents = [
        make_image(root / "content" / f"{name}.png", seed) for seed, name in enumerate("abc")
    ]
    styles = [
        make_image(root / "style" / f"{name}.jpg", 9 + seed) for seed, name in enumerate("xy")
    ]
    metrics = metrics_with(CountingEncoder(), embedding_size=3)

    def mix(amount: float) -> Callable:
        return lambda content, style: content + amount * (style - content)

    networks = {"mix 1": (1, mix(0.3)), "mix 2": (2, mix(0.5)), "<other>": (7, mix(0.9))}
    for title, source in {**CONTROLS, **{name: of[1] for name, of in networks.items()}}.items():
        name = f"network-{networks[title][0]}" if title in networks else title.replace(" ", "_")
        folder = root / "evaluations" / name
        pairs = every_pair(contents, styles)
        evaluate(Evaluation(source, pairs, folder, title, SIZE, title in networks), metrics)
        if title in networks:
            network_file(folder, title.rpartition(" ")[0] or title, networks[title][0])
    return root


@pytest.fixture
def evaluations(measured: Path, tmp_path: Path) -> Path:
    """A copy that a test may change; the pictures are beside it."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    return tmp_path / "evaluations"


@pytest.fixture(scope="module")
def page(measured: Path) -> Path:
    report = measured / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        assert call(patch, *of_folder(measured), "-o", report, "--title", "A < B") == 0
    return report


def of_folder(root: Path) -> list[object]:
    return [root / "evaluations", "--content", root / "content", "--style", root / "style"]


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["datnet", "report", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def text_of(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))


def test_a_report_has_its_parts(page: Path, measured: Path) -> None:
    text = text_of(page)
    summary = EvaluationSummary.load(measured / "evaluations" / "network-1" / "summary.json")
    assert "A < B" in text
    assert "3 contents × 2 styles = 6 results at 32×32" in text
    assert summary.pictures in text
    for row in (*CONTROLS, "mix 1", "mix 2", "<other>"):
        assert row in text
    assert f"{summary.metrics['ssim'].mean:.4f}" in text
    assert "mix 2 − mix 1" in text
    assert "mix, 2 seeds" in text
    assert "Whose the variance is" in text
    assert "<other>: worst in style" in text
    assert "abc123" in text
    assert "Wang et al., IEEE TIP 2004" in text


def test_nothing_comes_from_elsewhere_and_pictures_are_inside(page: Path) -> None:
    source = page.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:image/jpeg|#)', source)
    assert "<script" not in source
    assert source.count("data:image/jpeg;base64,") == 3 * 3 * 3 * 3  # networks, kinds, pairs, three
    assert source.count("<svg") == 3
    ids = re.findall(r'<section id="([^"]+)"', source)
    assert len(ids) == len(set(ids)) == len(re.findall(r'<li><a href="#', source))


def test_the_same_report_twice(
    page: Path, measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again.html"
    call(monkeypatch, *of_folder(measured), "-o", again, "--title", "A < B")
    assert page.read_bytes() == again.read_bytes()


def test_without_pictures_there_is_a_note(
    evaluations: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = tmp_path / "report.html"
    assert call(monkeypatch, evaluations / "network-1", "-o", report) == 0
    assert "the report has no pictures" in capsys.readouterr().err
    assert "data:image" not in report.read_text()
    assert "worst in style" in report.read_text()
    assert call(monkeypatch, evaluations, "--content", tmp_path / "style", "-o", report) == 1


def test_time_is_shown_if_it_was_measured(
    evaluations: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quartiles = {"median": 0.5, "lower_quartile": 0.4, "upper_quartile": 0.7}
    times = {"seconds": quartiles, "seconds_style_encoded": quartiles}
    rest = {"peak_bytes": 2**20, "peak_source": "rss", "ratio_to_adain": None, "problem": None}
    cost = tmp_path / "cost.json"
    cost.write_text(
        json.dumps(
            {
                "machine": describe_machine(torch.device("cpu")),
                "settings": {"sizes": [32], "warmup": 0, "runs": 3, "dtype": "float32", "batch": 1},
                "networks": {"small": {}},
                "measurements": [{"network": "small", "size": 32, **times, **rest}],
            }
        )
    )
    report = tmp_path / "report.html"
    assert call(monkeypatch, evaluations, "--cost", cost, "-o", report) == 0
    assert "Median seconds to stylize one image. 3 runs in turns" in text_of(report)
    cost.write_text("[]")
    assert call(monkeypatch, evaluations, "--cost", cost, "-o", report) == 1
    assert "is no result of `datnet benchmark --json`" in capsys.readouterr().err


def test_evaluations_that_do_not_belong_together(
    evaluations: Path, run: Callable, contents: list[Path], styles: list[Path], tmp_path: Path
) -> None:
    run(
        lambda content, style: content,
        folder=tmp_path / "fewer",
        description="fewer",
        pairs=every_pair(contents[:2], styles),
    )
    both = find_evaluations([evaluations / "network-1", tmp_path / "fewer"])
    with pytest.raises(DatNetError, match="different pictures or by different protocols"):
        read_rows(both)
    with pytest.raises(DatNetError, match="are both called mix 1"):
        find_evaluations([evaluations, evaluations / "network-1"])
    with pytest.raises(DatNetError, match="is not an evaluation"):
        find_evaluations([tmp_path / "content"])

    summary = EvaluationSummary.load(evaluations / "network-1" / "summary.json")
    changed = asdict(summary) | {"protocol_sha256": "1" * 64}
    (evaluations / "network-1" / "summary.json").write_text(json.dumps(changed))
    other = asdict(EvaluationSummary.load(evaluations / "network-2" / "summary.json"))
    (evaluations / "network-2" / "summary.json").write_text(
        json.dumps(other | {"protocol_sha256": "2" * 64})
    )
    with pytest.raises(DatNetError, match="by different protocols"):
        read_rows(find_evaluations([evaluations / "network-1", evaluations / "network-2"]))


# ------------------------------------------------------------------------ several seeds


def test_seeds_are_grouped_and_others_are_not(evaluations: Path) -> None:
    found = [open_evaluation(evaluations / f"network-{seed}") for seed in (1, 2, 7)]
    assert {name: len(of) for name, of in seed_groups(found).items()} == {"mix": 2}
    network_file(evaluations / "network-2", "mix", seed=2, steps=9)  # trained for longer
    assert seed_groups(found) == {}
    network_file(evaluations / "network-2", "mix", seed=1)  # the same seed again
    assert seed_groups(found) == {}


def test_deviation_over_seeds_and_interval_over_pictures_by_hand(evaluations: Path) -> None:
    folders = [evaluations / f"network-{seed}" for seed in (1, 2)]
    header, row = seeds_rows(seed_groups([open_evaluation(folder) for folder in folders]))
    first, second = ([float(line["ssim"]) for line in rows_of(folder)] for folder in folders)
    means = [sum(values) / len(values) for values in (first, second)]
    mean, deviation = sum(means) / 2, abs(means[0] - means[1]) / 2**0.5
    assert row[0] == "mix, 2 seeds"
    cell = row[header.index("SSIM ↑")]
    assert cell.startswith(f"{mean:.4f} ± {deviation:.4f} [")
    low, high = map(float, re.findall(r"\[(.*), (.*)\]", cell)[0])
    assert low <= mean <= high
    assert "neither includes the other" in seeds_table(folders)
    assert seeds_table(folders[:1]) == ""


# ------------------------------------------------------------------------ in a browser


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_page_in_a_browser(width: int, height: int, page: Path) -> None:
    with chromium() as browser:
        set_screen(browser, width, height)
        browser.get(page.as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert all(url.startswith(("file:", "data:")) for url in requested(browser))
        assert [each for each in browser.get_log("browser") if each["level"] == "SEVERE"] == []
        plots = "return [...document.querySelectorAll('svg')].map(each => each.clientHeight)"
        assert all(height > 50 for height in browser.execute_script(plots))
        broken = (
            "return [...document.images].filter(each => !each.naturalWidth || !each.alt).length"
        )
        assert browser.execute_script(broken) == 0
        links = browser.find_elements("css selector", "nav a")
        links[-1].click()
        place = "return document.getElementById('settings').getBoundingClientRect().top"
        assert 0 <= browser.execute_script(place) < height
