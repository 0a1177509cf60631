"""What a table computes once for all its rows and pairs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from datnet.errors import DatNetError
from datnet.evaluation.chosen import choose_metrics
from datnet.evaluation.controls import CONTROLS, Stylize, identity, style_copy
from datnet.evaluation.encodings import Encodings
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.processes import Processes
from datnet.evaluation.protocol import evaluate
from datnet.evaluation.row import Evaluation, ThisProcess
from datnet.evaluation.targets import Targets
from datnet.images.kept import FirstThatFit, bytes_of
from datnet.networks.adain import AdaIN
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.microast import MicroAST
from datnet.networks.vgg import VggEncoder
from tests.helpers.evaluations import SIZE, CountingEncoder, rows_of
from tests.helpers.mean_difference import MeanDifference, metrics_with


class CountingDifference(MeanDifference):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def features(self, images: Tensor) -> list[Tensor]:
        self.calls += 1
        return super().features(images)


class CountingNetwork(StyleTransferNetwork):
    """Mean of content and style; counts how often each picture is encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: Counter[tuple[str, float]] = Counter()

    def encode_content(self, images: Tensor) -> list[Tensor]:
        self.encoded["content", images.sum().item()] += 1
        return [images]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        self.encoded["style", images.sum().item()] += 1
        return [images]

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        return (content_features[0] + styles[0][0]) / 2


@pytest.fixture
def counting() -> Metrics:
    networks: dict[str, nn.Module] = {
        "encoder": CountingEncoder(),
        "lpips_alex": CountingDifference(),
        "lpips_vgg": CountingDifference(),
    }
    return Metrics(networks, embedding_size=3)


def evaluation(
    tmp_path: Path,
    contents: list[Path],
    styles: list[Path],
    source: Stylize | StyleTransferNetwork,
    title: str,
) -> Evaluation:
    return Evaluation(source, every_pair(contents, styles), tmp_path / title, title, SIZE)


def test_controls_take_their_values_from_the_pictures(
    tmp_path: Path, counting: Metrics, contents: list[Path], styles: list[Path]
) -> None:
    measurer = ThisProcess(Targets(counting, SIZE))
    for title, control in (("identity", identity), ("style copy", style_copy)):
        evaluate(
            evaluation(tmp_path, contents, styles, control, title), counting, measurer=measurer
        )
    for network in counting.networks.values():
        assert network.calls == len(contents) + len(styles)


def test_a_later_row_runs_the_networks_of_the_metrics_on_its_results_only(
    tmp_path: Path, counting: Metrics, contents: list[Path], styles: list[Path]
) -> None:
    measurer = ThisProcess(Targets(counting, SIZE))
    calls = []
    for title in ("identity", "histogram match"):
        row = evaluation(tmp_path, contents, styles, CONTROLS[title], title)
        evaluate(row, counting, measurer=measurer)
        calls.append([network.calls for network in counting.networks.values()])
    results = len(contents) * len(styles)
    assert [after - before for before, after in zip(*calls, strict=True)] == [results] * 3


def test_the_values_are_those_without_sharing(
    tmp_path: Path, metrics: Metrics, contents: list[Path], styles: list[Path]
) -> None:
    shared = ThisProcess(Targets(metrics, SIZE))
    short_of_memory = ThisProcess(Targets(metrics, SIZE, limit=0))
    for title, control in CONTROLS.items():
        results = []
        for name, measurer in (("alone", None), ("shared", shared), ("short", short_of_memory)):
            row = evaluation(tmp_path / name, contents, styles, control, title)
            evaluate(row, metrics, measurer=measurer)
            results.append((row.folder / "results.csv").read_bytes())
        assert results[0] == results[1] == results[2]


def test_a_network_encodes_each_picture_once(
    tmp_path: Path, metrics: Metrics, contents: list[Path], styles: list[Path]
) -> None:
    network = CountingNetwork()
    evaluate(evaluation(tmp_path, contents, styles, network, "mean"), metrics)
    assert set(network.encoded.values()) == {1}
    assert Counter(kind for kind, _ in network.encoded) == {"content": 3, "style": 2}
    plain = evaluation(
        tmp_path, contents, styles, lambda content, style: (content + style) / 2, "plain"
    )
    evaluate(plain, metrics)
    assert rows_of(tmp_path / "mean") == rows_of(tmp_path / "plain")


@pytest.mark.parametrize("limit", [0, 2**30])
def test_encoded_pairs_give_what_the_network_gives(
    tmp_path: Path, encoder: VggEncoder, contents: list[Path], styles: list[Path], limit: int
) -> None:
    """Also with the encoder of the metrics, whose features are shared, and after other pairs."""
    for network in (AdaIN(encoder).eval(), MicroAST().eval()):
        targets = Targets(metrics_with(encoder), SIZE, limit=limit)
        encodings = Encodings(network, targets, limit)
        with torch.no_grad():
            for content, style in every_pair(contents, styles):
                pixels = (targets.picture(path).pixels for path in (content, style))
                assert torch.equal(encodings.stylize(content, style), network(*pixels))


def test_a_network_with_the_encoder_of_the_metrics_does_not_encode_again(
    encoder: VggEncoder, contents: list[Path], styles: list[Path]
) -> None:
    same, other = VggEncoder("vgg16"), VggEncoder("vgg16")
    same.load_state_dict(encoder.state_dict())
    for own, encodes in ((same, 0), (other, 2)):
        runs: list[None] = []
        own.stages[0].register_forward_hook(lambda *_, runs=runs: runs.append(None))
        targets = Targets(metrics_with(encoder), SIZE)
        with torch.no_grad():
            Encodings(AdaIN(own).eval(), targets).stylize(contents[0], styles[0])
        assert len(runs) == encodes


def test_the_cache_keeps_what_comes_first_and_the_last() -> None:
    made: list[int] = []

    def make(key: int) -> bytes:
        made.append(key)
        return bytes(10)

    cache = FirstThatFit[int, bytes](20, len)
    for key in (0, 1, 2, 2, 3, 3, 0, 1, 2, 3):
        cache.get(key, partial(make, key))
    assert made == [0, 1, 2, 3, 2, 3]


def test_bytes_are_counted_in_nested_values() -> None:
    four = torch.zeros(4)
    assert bytes_of([four, (four, four.double().numpy()), {"a": four}, 1.0]) == 16 + 32


def test_only_the_chosen_metrics_are_measured_and_the_rest_later(
    tmp_path: Path, counting: Metrics, contents: list[Path], styles: list[Path]
) -> None:
    row = evaluation(tmp_path, contents, styles, CONTROLS["histogram match"], "out")
    chosen = choose_metrics(["lpips_alex", "ssim"])
    summary = evaluate(row, counting, chosen=chosen)
    assert list(summary.metrics) == ["ssim", "lpips_alex"]
    assert summary.set_metrics == {}
    assert "PSNR" not in summary.protocol
    assert counting.networks["encoder"].calls == counting.networks["lpips_vgg"].calls == 0
    whole = evaluate(row, counting)
    other = evaluation(tmp_path, contents, styles, CONTROLS["histogram match"], "other")
    again = evaluate(other, counting)
    assert whole.metrics == again.metrics
    assert whole.set_metrics == again.set_metrics
    for name in ("results.csv", "embeddings.npy"):
        assert (row.folder / name).read_bytes() == (other.folder / name).read_bytes()
    summary = (row.folder / "summary.json").read_bytes()
    assert list(evaluate(row, counting, chosen=chosen).metrics) == ["ssim", "lpips_alex"]
    assert (row.folder / "summary.json").read_bytes() == summary, "it keeps what it has"


def test_a_metric_brings_those_that_it_is_computed_from() -> None:
    assert [column.key for column in choose_metrics(["art_fid_vgg"]).columns] == [
        "lpips_alex",
        "art_fid_vgg",
    ]
    with pytest.raises(DatNetError, match="lpips is not a metric; did you mean lpips_vgg"):
        choose_metrics(["ssim", "lpips"])


@pytest.mark.slow
def test_several_processes_write_the_same_bytes(
    tmp_path: Path, contents: list[Path], styles: list[Path], metrics: Metrics
) -> None:
    pairs = every_pair(contents, styles)
    rows = [
        Evaluation(CountingNetwork(), pairs, tmp_path / name, "mean", SIZE, save_images=True)
        for name in ("one", "two")
    ]
    evaluate(rows[0], metrics)
    with Processes(2, metrics, SIZE) as processes:
        evaluate(rows[1], metrics, measurer=processes)
        (tmp_path / "two" / "images" / "a__x.png").unlink()
        (tmp_path / "two" / "embeddings.npy").unlink()
        evaluate(rows[1], metrics, measurer=processes)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 5 + len(pairs)
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.slow
def test_a_process_that_ends_is_reported(
    tmp_path: Path, metrics: Metrics, contents: list[Path], styles: list[Path]
) -> None:
    pairs = every_pair(contents, styles)
    with (
        Processes(1, metrics, SIZE) as processes,
        pytest.raises(DatNetError, match="fewer --jobs"),
    ):
        evaluate(
            Evaluation(EndingNetwork(), pairs, tmp_path / "out", "ending", SIZE),
            metrics,
            measurer=processes,
        )


class EndingNetwork(CountingNetwork):
    """A network that ends its process, as the system does when memory runs out."""

    def encode_content(self, images: Tensor) -> list[Tensor]:
        os._exit(1)
