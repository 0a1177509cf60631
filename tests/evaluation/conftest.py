from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datnet.evaluation import benchmark as benchmark_module
from datnet.evaluation.candidates import Candidate
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.peak_memory import Peak, peak_of_stylizing
from datnet.evaluation.protocol import evaluate
from datnet.evaluation.row import Evaluation
from datnet.evaluation.summary import EvaluationSummary
from tests.helpers.evaluations import SIZE, CountingEncoder, make_image
from tests.helpers.mean_difference import metrics_with
from tests.helpers.measuring import SmallEncoder


@pytest.fixture
def metrics() -> Metrics:
    return metrics_with(CountingEncoder(), embedding_size=3)


@pytest.fixture
def contents(tmp_path: Path) -> list[Path]:
    return [
        make_image(tmp_path / "content" / f"{name}.png", seed) for seed, name in enumerate("abc")
    ]


@pytest.fixture
def styles(tmp_path: Path) -> list[Path]:
    return [
        make_image(tmp_path / "style" / f"{name}.jpg", 9 + seed) for seed, name in enumerate("xy")
    ]


@pytest.fixture
def run(tmp_path: Path, metrics: Metrics, contents: list[Path], styles: list[Path]) -> Callable:
    """Evaluate 3 contents × 2 styles into the folder "out", unless told otherwise."""

    def run_evaluation(
        stylize: Callable[[Tensor, Tensor], Tensor], **changes: object
    ) -> EvaluationSummary:
        arguments: dict = {
            "pairs": every_pair(contents, styles),
            "folder": tmp_path / "out",
            "description": "blend",
            "size": SIZE,
        }
        return evaluate(Evaluation(stylize, **(arguments | changes)), metrics)

    return run_evaluation


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peaks of memory are measured in this process, which is quick and less exact."""

    def peak(candidate: Candidate, size: int, dtype: str, threads: int | None) -> Peak:
        return peak_of_stylizing(candidate.build(), size, torch.device("cpu"), dtype)

    monkeypatch.setattr(benchmark_module, "peak_in_new_process", peak)


@pytest.fixture
def measuring() -> Metrics:
    return metrics_with(SmallEncoder(), embedding_size=4)
