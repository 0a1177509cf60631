"""The pictures of attention that a run writes and logs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from datnet.errors import DatNetError
from datnet.training import run
from datnet.training.callbacks import ATTENTION_PANEL, GATES_PANEL
from tests.helpers.small_run import rows

pytestmark = pytest.mark.slow

Settings = Callable[..., object]


def test_attention_and_gates_at_every_validation(settings: Settings, tmp_path: Path) -> None:
    steps = ("trainer.max_steps=2", "trainer.val_check_interval=1", "logger=tensorboard")
    run.train(settings("model=datnet_dual", "attention_panel=true", *steps))
    folder = tmp_path / "run" / "images"
    for step in (1, 2):
        panel = Image.open(folder / f"attention_{step:06d}.png")  # content, style, three levels
        assert panel.size == (5 * 32 + 6 * 4, 32 + 2 * 4)
        gates = Image.open(folder / f"gates_{step:06d}.png")
        assert gates.height == 5 * 32 + 6 * 4
        assert (folder / f"step_{step:06d}.png").exists()
    for row in rows(tmp_path / "run"):
        assert 0 <= float(row["attention/entropy_relu4_1"]) <= 4  # 4 × 4 positions
    events = b"".join(path.read_bytes() for path in (tmp_path / "run" / "tensorboard").iterdir())
    assert ATTENTION_PANEL.encode() in events
    assert GATES_PANEL.encode() in events


def test_networks_without_attention_are_refused_before_the_first_step(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(DatNetError, match="AdaIN has no attention"):
        run.train(settings("model=adain", "attention_panel=true", "trainer.max_steps=1"))
    assert not list((tmp_path / "run").rglob("*.ckpt"))
