from __future__ import annotations

import logging
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from PIL import Image

from datnet.data.datamodule import ContentStyleDataModule
from datnet.data.pair_plan import plan_pair
from datnet.data.pairs import Batch
from datnet.data.skipped import SkippedFiles
from datnet.errors import DatNetError

CONTENTS, STYLES, SEED = 7, 5, 4


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name, count in (("content", CONTENTS), ("style", STYLES)):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.new("RGB", (40, 36), (20 * i, 0, 0)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def data(folders: Path, **changes: Any) -> ContentStyleDataModule:
    options = {
        "content_dir": folders / "content",
        "style_dir": folders / "style",
        "short_side": None,
        "crop_size": 32,
        "batch_size": 2,
        "num_workers": 0,
        "validation_pairs": 3,
        "seed": SEED,
    }
    return ContentStyleDataModule(**options | changes)


class Recorder(LightningModule):
    """Learns nothing and remembers which pairs it saw at which step."""

    def __init__(self, interrupted_after: int | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.interrupted_after = interrupted_after
        self.seen: list[tuple[int, list[str], list[str]]] = []
        self.validated: list[str] = []

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        if len(self.seen) == self.interrupted_after:
            raise RuntimeError("power failure")
        self.seen.append((self.global_step, batch.content_path, batch.style_path))
        return self.layer(batch.content.mean().view(1, 1)).sum()

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self.validated += batch.content_path

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def trainer(folder: Path, steps: int, callbacks: tuple[Any, ...] = (), **options: Any) -> Trainer:
    return Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=list(callbacks),
        **{"enable_checkpointing": bool(callbacks), "limit_val_batches": 0} | options,
    )


# ------------------------------------------------------------------------------------- checking


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_size": 31}, "data.crop_size is 31; it must be at least 32"),
        ({"short_side": 31}, r"short_side \(31\) must be at least crop_size \(32\)"),
        ({"late_crop_size": 31}, "data.late_crop_size is 31; it must be at least 32"),
        ({"late_from_step": -1}, "data.late_from_step is -1; it must be at least 0"),
        ({"late_from_step": 3}, "late_from_step and late_crop_size need each other"),
        (
            {"late_from_step": 3, "late_crop_size": 40, "late_short_side": 39},
            r"late_short_side \(39\) must be at least late_crop_size \(40\)",
        ),
        ({"batch_size": 0}, "data.batch_size is 0; it must be at least 1"),
        ({"num_workers": -1}, "data.num_workers is -1; it must be at least 0"),
        ({"validation_pairs": 0}, "data.validation_pairs is 0; it must be at least 1"),
        ({"seed": -1}, "data.seed is -1; it must be at least 0"),
        ({"content_dir": "nowhere"}, "nowhere: there is no such folder"),
        ({"style_dir": "nowhere"}, "nowhere: there is no such folder"),
        ({"validation_style_dir": "nowhere"}, "nowhere: there is no such folder"),
    ],
)
def test_check_names_what_is_wrong(folders: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatNetError, match=message):
        data(folders, **changes).check()


def test_check_refuses_an_empty_folder(folders: Path) -> None:
    (folders / "empty").mkdir()
    with pytest.raises(DatNetError, match="no image in this folder"):
        data(folders, validation_content_dir=folders / "empty").setup("fit")


def test_check_opens_no_image(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise AssertionError("an image was opened")

    monkeypatch.setattr(Image, "open", fail)
    data(folders).check()


# ------------------------------------------------------------------------------------- training


def first_numbers(module: ContentStyleDataModule, count: int) -> list[int]:
    return list(islice(module.train_dataloader().sampler, count))


def in_the_second_of_three_processes(
    module: ContentStyleDataModule, step: int
) -> ContentStyleDataModule:
    """A data module set up as by a trainer with 4 batches per step."""
    module.setup("fit")
    module.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_rank=1,
        world_size=3,
        global_step=step,
        accumulate_grad_batches=4,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )
    return module


def test_loader_starts_at_the_trainers_step_and_process(folders: Path) -> None:
    module = in_the_second_of_three_processes(data(folders), step=5)
    # Batch 20 of 3 processes with 2 pairs each begins with pair 120.
    assert first_numbers(module, 4) == [122, 123, 128, 129]


@pytest.mark.parametrize("step", [5, 6])
def test_crops_are_larger_from_a_step_on(folders: Path, step: int) -> None:
    late = {"late_from_step": 6, "late_crop_size": 40, "late_short_side": 44}
    module = in_the_second_of_three_processes(data(folders, **late), step)
    sizes = [len(batch.content[0, 0]) for batch in islice(module.train_dataloader(), 6)]
    assert sizes == ([32] * 4 + [40] * 2 if step == 5 else [40] * 6)


def test_larger_crops_change_nothing_else(folders: Path) -> None:
    plain, late = Recorder(), Recorder()
    trainer(folders, 4).fit(plain, data(folders))
    trainer(folders, 4).fit(late, data(folders, late_from_step=2, late_crop_size=64))
    assert late.seen == plain.seen


def test_loader_is_endless(folders: Path) -> None:
    recorder = Recorder()
    trainer(folders, 20).fit(recorder, data(folders, batch_size=4))
    contents = [path for _, paths, _ in recorder.seen for path in paths]
    assert len(contents) == 80
    for start in range(0, 77, CONTENTS):
        assert len(set(contents[start : start + CONTENTS])) == CONTENTS


def test_epochs_do_not_repeat_pairs(folders: Path) -> None:
    recorder, short_epochs = Recorder(), Recorder()
    trainer(folders, 8).fit(recorder, data(folders))
    trainer(folders, 8, limit_train_batches=3).fit(short_epochs, data(folders))
    assert short_epochs.seen == recorder.seen


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("limit_train_batches", [None, 6])
def test_resumed_run_sees_what_an_uninterrupted_one_sees(
    folders: Path, workers: int, accumulate: int, limit_train_batches: int | None
) -> None:
    options = {"accumulate_grad_batches": accumulate, "limit_train_batches": limit_train_batches}
    whole, interrupted, resumed = Recorder(), Recorder(interrupted_after=5 * accumulate), Recorder()
    trainer(folders, 8, **options).fit(whole, data(folders, num_workers=workers))
    assert [step for step, _, _ in whole.seen] == [i // accumulate for i in range(8 * accumulate)]

    checkpoints = ModelCheckpoint(folders, "{step}", every_n_train_steps=4, save_top_k=-1)
    with pytest.raises(RuntimeError, match="power failure"):
        trainer(folders, 8, (checkpoints,), **options).fit(
            interrupted, data(folders, num_workers=workers)
        )
    assert interrupted.seen == whole.seen[: 5 * accumulate]

    trainer(folders, 8, **options).fit(
        resumed, data(folders, num_workers=workers), ckpt_path=folders / "step=4.ckpt"
    )
    assert resumed.seen == whole.seen[4 * accumulate :]


def test_second_fit_goes_on(folders: Path) -> None:
    recorder = Recorder()
    one_trainer = trainer(folders, 3)
    one_trainer.fit(recorder, data(folders))
    one_trainer.fit_loop.epoch_loop.max_steps = 6
    one_trainer.fit(recorder, data(folders))
    expected = [plan_pair(SEED, number, CONTENTS, STYLES, False).content for number in range(12)]
    assert [int(Path(p).stem) for _, paths, _ in recorder.seen for p in paths] == expected


# ----------------------------------------------------------------------------------- validation


def test_validation_pairs_are_fixed(folders: Path) -> None:
    for folder in (folders / "validation", folders / "validation" / "more"):
        folder.mkdir()
        Image.new("RGB", (40, 36)).save(folder / "x.png")
    recorder = Recorder()
    module = data(
        folders,
        validation_content_dir=folders / "validation",
        validation_pairs=2,
        batch_size=8,
    )
    options = {"limit_val_batches": 1.0, "val_check_interval": 2, "check_val_every_n_epoch": None}
    trainer(folders, 4, num_sanity_val_steps=0, **options).fit(recorder, module)
    once = [str(folders / "validation" / name) for name in ("more/x.png", "x.png")]
    assert recorder.validated == once * 2
    batch = next(iter(module.val_dataloader()))
    assert [Path(path).name for path in batch.style_path] == ["0.png", "2.png"]


# --------------------------------------------------------------------------------- skipped files


def warnings_about_files(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.name == "datnet.data.skipped"]
    assert all(record.levelno == logging.WARNING for record in records)
    return [record.getMessage() for record in records]


def test_unreadable_files_are_reported_once(
    folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folders / "content" / "3.png").write_bytes(b"")
    (folders / "style" / "1.png").write_bytes(b"no image")
    callback = SkippedFiles()
    trainer(folders, 12, (callback,)).fit(Recorder(), data(folders, num_workers=1))
    texts = warnings_about_files(caplog)
    assert len(texts) == 3
    assert f"skipped {folders / 'content' / '3.png'}: the file is empty" in texts
    assert any(text.startswith(f"skipped {folders / 'style' / '1.png'}: ") for text in texts)
    assert texts[-1].startswith("2 unreadable image files")
    assert set(callback.reasons) == {
        str(folders / "content" / "3.png"),
        str(folders / "style" / "1.png"),
    }


def test_good_files_cause_no_message(folders: Path, caplog: pytest.LogCaptureFixture) -> None:
    trainer(folders, 3, (SkippedFiles(),)).fit(Recorder(), data(folders))
    assert not warnings_about_files(caplog)


def test_unreadable_validation_file_is_reported(
    folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folders / "photos").mkdir()
    for i in range(3):
        Image.new("RGB", (40, 36)).save(folders / "photos" / f"{i}.png")
    (folders / "photos" / "1.png").write_bytes(b"")
    module = data(folders, validation_content_dir=folders / "photos")
    trainer(folders, 1, (SkippedFiles(),), limit_val_batches=1.0).fit(Recorder(), module)
    texts = warnings_about_files(caplog)
    assert texts[0] == f"skipped {folders / 'photos' / '1.png'}: the file is empty"


def test_folder_of_unreadable_files_stops_the_run(folders: Path) -> None:
    for path in (folders / "style").iterdir():
        path.write_bytes(np.random.default_rng(0).bytes(100))
    with pytest.raises(DatNetError, match="5 image files in a row cannot be used"):
        trainer(folders, 2).fit(Recorder(), data(folders, num_workers=1))
