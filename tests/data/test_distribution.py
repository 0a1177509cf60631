"""Two processes together see what one process sees with their joint batch, also when resumed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet.data.prepare import prepare
from datnet.data.shard_writing import Settings

STEPS, CHECKPOINT = 6, 4  # as in distributed_run.py
Step = tuple[int, list[list[str]]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same training by one process and by two, without workers and with two each."""
    top = tmp_path_factory.mktemp("runs")
    (top / "photos").mkdir()
    generator = np.random.default_rng(0)
    for i in range(11):  # no multiple of the batch, so that passes end within one
        pixels = generator.integers(0, 256, (48, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(top / "photos" / f"{i:09}.jpg", quality=90)
    (top / "photos" / "000000003.jpg").write_bytes(b"")
    prepare([top / "photos"], top / "shards", Settings(48, 95, 4), processes=1)
    program = Path(__file__).parents[1] / "helpers" / "distributed_run.py"
    done = subprocess.run(
        [sys.executable, program, top], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return top


def steps(runs: Path, name: str, rank: int = 0) -> list[Step]:
    lines = (runs / f"{name}.{rank}").read_text().splitlines()
    return [(step, pairs) for step, pairs in map(json.loads, lines)]


@pytest.mark.slow
@pytest.mark.parametrize("images", ["photos", "shards"])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("resumed", ["", "_resumed"])
def test_two_processes_see_what_one_does(
    runs: Path, images: str, workers: int, resumed: str
) -> None:
    alone = steps(runs, f"{images}_0_1")
    assert [step for step, _ in alone] == list(range(STEPS))
    first, second = (steps(runs, f"{images}_{workers}_2{resumed}", rank) for rank in (0, 1))
    steps_of_both = list(zip(first, second, strict=True))
    assert not any(set(map(str, a)) & set(map(str, b)) for (_, a), (_, b) in steps_of_both)
    together = [(step, a + b) for (step, a), (_, b) in steps_of_both]
    assert together == (alone[CHECKPOINT:] if resumed else alone)


@pytest.mark.slow
def test_resumed_process_goes_on_and_shards_are_seen_like_files(runs: Path) -> None:
    assert steps(runs, "photos_0_1_resumed") == steps(runs, "photos_0_1")[CHECKPOINT:]
    files, shards = (
        {tuple(pair) for _, pairs in steps(runs, f"{images}_0_1") for pair in pairs}
        for images in ("photos", "shards")
    )
    assert len(files) == len(shards) == STEPS * 4
    names = {name for content, style, _ in files for name in (content, style)}
    assert len(names) == 10  # all but the empty one
