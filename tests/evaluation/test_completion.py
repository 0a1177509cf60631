"""Evaluations that were saved before a metric was added."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datnet.evaluation.differences import differences, differences_table, mean_pair_values
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics import METRICS, Metric, Picture
from datnet.evaluation.summary import summary_table
from tests.helpers.evaluations import Blend, rows_of

NEW = "lightness_difference"


def forget(folder: Path, *keys: str) -> None:
    """Take columns out of an evaluation, as if its version of DatNet had not known them."""
    rows = rows_of(folder)
    kept = [key for key in rows[0] if key not in keys]
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("save_images", [False, True])
@pytest.mark.parametrize("keys", [[NEW], ["psnr", "edge_agreement"]])
def test_a_metric_that_an_evaluation_lacks_is_measured(
    run: Callable, tmp_path: Path, metrics: Metrics, save_images: bool, keys: list[str]
) -> None:
    whole = run(Blend(), save_images=save_images)
    results = tmp_path / "out" / "results.csv"
    before = results.read_bytes()
    forget(tmp_path / "out", *keys)
    assert results.read_bytes() != before
    metrics.networks.encoder.calls = 0
    again = Blend()
    assert run(again, save_images=save_images) == whole
    assert results.read_bytes() == before
    assert metrics.networks.encoder.calls == 0, "what is not missing is not measured again"
    assert again.calls == (0 if save_images else 6), "kept pictures are measured as they are"


def test_a_kept_picture_that_is_gone_is_made_again(run: Callable, tmp_path: Path) -> None:
    whole = run(Blend(), save_images=True)
    forget(tmp_path / "out", NEW)
    images = tmp_path / "out" / "images"
    (images / "a__x.png").unlink()
    (images / "b__y.png").write_bytes(b"damaged")
    again = Blend()
    assert run(again, save_images=True) == whole
    assert again.calls == 2
    assert len(list(images.iterdir())) == 6


def test_completion_goes_on_after_an_interruption(run: Callable, tmp_path: Path) -> None:
    whole = run(Blend())
    results = tmp_path / "out" / "results.csv"
    before = results.read_bytes()
    forget(tmp_path / "out", NEW)
    with pytest.raises(KeyboardInterrupt):
        run(Blend(fail_at=5))
    again = Blend()
    assert run(again) == whole
    assert again.calls == 2
    assert results.read_bytes() == before


def test_a_begun_evaluation_of_before_is_finished_and_completed(
    run: Callable, tmp_path: Path
) -> None:
    whole = run(Blend(), folder=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Blend(fail_at=4))
    forget(tmp_path / "out", NEW)
    again = Blend()
    assert run(again) == whole
    assert again.calls == 6


def test_a_result_with_nan_is_not_made_again(run: Callable, tmp_path: Path) -> None:
    def broken(content: Tensor, style: Tensor) -> Tensor:
        return torch.full_like(content, math.nan)

    with pytest.warns(UserWarning, match="holds NaN"):
        run(broken, save_images=True)
    forget(tmp_path / "out", NEW)
    again = Blend()
    summary = run(again, save_images=True)
    assert again.calls == 0
    assert summary.metrics[NEW].undefined == 6


def test_results_of_before_can_be_compared_by_what_they_have(run: Callable, tmp_path: Path) -> None:
    for folder, keep in (("old", 0.6), ("new", 0.5)):
        run(lambda c, s, k=keep: k * c + (1 - k) * s, folder=tmp_path / folder, description=folder)
    complete = mean_pair_values([tmp_path / "old"])
    forget(tmp_path / "old", NEW)
    old, new = (mean_pair_values([tmp_path / folder]) for folder in ("old", "new"))
    assert old == {
        pair: {key: value for key, value in values.items() if key != NEW}
        for pair, values in complete.items()
    }
    table = differences_table({"change": differences(old, new)})
    assert "SSIM" in table
    assert "lightness" not in table


def test_the_encoder_has_the_name_that_saved_evaluations_have() -> None:
    """It is in their protocol.json: with another one none could be continued."""
    assert Metrics({}).encoder_name == "an ImageNet VGG-16 with Gatys' normalisation"


class Redness(Metric):
    """Mean red of the result and of the style."""

    key = "redness"
    label = "redness"
    better = "zero"
    decimals = 3
    words = "redness (mean red minus the style's)"

    def prepare_style(self, style: Picture) -> float:
        return style.pixels[:, 0].mean().item()

    def measure(self, result: Picture, content: None, style: float) -> float:
        return result.pixels[:, 0].mean().item() - style


@pytest.fixture
def add_redness() -> Iterator[Callable[[], None]]:
    """One line in the list, which is all that a new metric takes."""
    before = list(METRICS)
    yield lambda: METRICS.append(Redness())
    METRICS[:] = before


def test_a_new_metric_is_an_object_in_the_list(
    run: Callable, tmp_path: Path, add_redness: Callable[[], None]
) -> None:
    old = run(Blend())
    add_redness()
    new = run(Blend())
    assert {key: new.metrics[key] for key in old.metrics} == old.metrics
    assert "redness (mean red minus the style's)" in new.protocol
    assert "| redness →0 |" in summary_table([new])
    (row, *_) = rows_of(tmp_path / "out")
    assert abs(float(row["redness"])) < 1
    values = mean_pair_values([tmp_path / "out"])
    shifted = {
        pair: {key: value + 0.01 for key, value in each.items()} for pair, each in values.items()
    }
    (line,) = [
        line
        for line in differences_table({"change": differences(values, shifted)}).splitlines()
        if "redness" in line
    ]
    assert "0.010 up" in line
