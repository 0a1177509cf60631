"""Random numbers of a training: a function of seed, step, process and micro-batch."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from datnet.objectives.adain import AdaINObjective
from datnet.objectives.datnet import DatNetObjective
from datnet.objectives.microast import MicroASTObjective
from datnet.training import run
from datnet.training.building import note_what_is_compared


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of the micro-batches that are trained on."""
    found: list[int] = []
    original = AdaINObjective.terms

    def seen(self, network, content, style):
        if network.training:
            found.append(torch.initial_seed())
        return original(self, network, content, style)

    monkeypatch.setattr(AdaINObjective, "terms", seen)
    return found


def seed_of(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def test_trainings_without_accumulation_draw_what_they_always_drew(
    settings, seeds: list[int]
) -> None:
    run.train(settings("model=adain", "trainer.max_steps=2"))
    assert seeds == [seed_of(1, 0, 0), seed_of(1, 1, 0)] == [1835504127, 1189033389]


def test_every_micro_batch_draws_its_own_also_when_resumed(
    settings, tmp_path: Path, seeds: list[int]
) -> None:
    overrides = ["model=adain", "trainer.accumulate_grad_batches=2"]
    run.train(settings(*overrides, "trainer.max_steps=1"))
    run.train(settings(*overrides, "trainer.max_steps=2", "ckpt_path=last"))
    assert seeds == [seed_of(1, 0, 0), seed_of(1, 0, 0, 1), seed_of(1, 1, 0), seed_of(1, 1, 0, 1)]
    assert len(set(seeds)) == 4


@pytest.mark.parametrize(("processes", "micro_batches"), [(1, 1), (2, 1), (1, 2)])
def test_a_note_where_a_divided_step_is_another_one(
    encoder, caplog: pytest.LogCaptureFixture, processes: int, micro_batches: int
) -> None:
    trainer = SimpleNamespace(
        world_size=processes, accumulate_grad_batches=micro_batches, is_global_zero=True
    )
    note_what_is_compared(DatNetObjective(), trainer)  # type: ignore[arg-type]
    note_what_is_compared(MicroASTObjective(encoder, contrastive=0.0), trainer)  # type: ignore[arg-type]
    assert not caplog.records
    note_what_is_compared(MicroASTObjective(encoder), trainer)  # type: ignore[arg-type]
    divided = processes * micro_batches > 1
    assert ("contrastive compares the pairs of one batch" in caplog.text) == divided
