from __future__ import annotations

import json
import logging
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import wandb

from datnet.commands.main import main
from datnet.evaluation.metrics import METRICS
from datnet.training import run, wandb_logger
from datnet.training.callbacks import PANEL, PANELS
from tests.helpers.wandb_file import WandbRun


@pytest.fixture(autouse=True)
def fresh_wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """wandb keeps settings and credentials for the whole process."""
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[BaseHTTPRequestHandler]]:
    """A wandb server whose behavior a test sets, with a user logged in."""

    class Handler(BaseHTTPRequestHandler):
        code = 200
        seconds = 0.0

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(self.seconds)
            self.send_response(self.code)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{http.server_port}")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(wandb_logger, "SECONDS_TO_ANSWER", 1)
    yield Handler
    http.shutdown()


def test_who_is_not_logged_in_records_offline(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    assert wandb_logger.wandb_mode(None) == "offline"
    assert not caplog.records
    assert wandb_logger.wandb_mode("online") == "offline"
    assert "nobody is logged in" in caplog.text
    assert wandb_logger.wandb_mode("disabled") == "disabled"


def test_who_is_logged_in_records_online(
    monkeypatch: pytest.MonkeyPatch, server: type[BaseHTTPRequestHandler]
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    assert wandb_logger.wandb_mode(None) == "online"
    assert wandb_logger.server_problem(wandb_logger.server_url()) is None
    server.code = 401
    assert wandb_logger.server_problem(wandb_logger.server_url()) is None


def test_a_server_that_is_ill(server: type[BaseHTTPRequestHandler]) -> None:
    url = wandb_logger.server_url()
    server.code = 500
    assert wandb_logger.server_problem(url) == "it answers 500"
    server.seconds = 5
    assert "timed out" in str(wandb_logger.server_problem(url))
    assert "refused" in str(wandb_logger.server_problem("http://127.0.0.1:9"))
    assert wandb_logger.server_problem("no address")


@pytest.mark.slow
def test_an_outage_does_not_stop_a_run(
    settings,
    tmp_path: Path,
    server: type[BaseHTTPRequestHandler],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server fails after the first answer; the whole run is recorded offline."""
    server.code = 500
    monkeypatch.setattr(wandb_logger, "server_problem", lambda url: None)
    monkeypatch.setattr(wandb_logger, "SECONDS_TO_START", 2)
    caplog.set_level(logging.WARNING)
    run.train(settings("model=adain", "logger=wandb", "trainer.max_steps=1"))
    assert (tmp_path / "run" / "network.safetensors").exists()
    assert "this run is recorded offline. Send it later: wandb sync" in caplog.text
    (recorded,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    assert any("train/loss" in row for row in WandbRun(recorded).history)


def panel_steps(record: WandbRun, title: str) -> list[int]:
    """Steps of the pictures with a title."""
    rows = [row for row in record.history if f"{title}/_type" in row]
    return [row["trainer/global_step"] for row in rows]


@pytest.mark.slow
def test_what_a_run_records(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read back from the file that `wandb sync` would send."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    overrides = ["model=datnet_dual", "logger=wandb", "group=mine", "tags=[first]", "seed=3"]
    overrides += ["final_metrics=true", "data.batch_size=1", "trainer.val_check_interval=1"]
    overrides += ["attention_panel=true"]
    run.train(settings(*overrides, "trainer.max_steps=2", "checkpoint_every=1"))
    (recorded,) = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    record = WandbRun(recorded)
    assert record.run.display_name == "datnet_dual,seed=3"
    assert record.run.run_group == "mine"
    assert list(record.run.tags) == ["first"]
    assert record.run.run_id == (tmp_path / "run" / "wandb_id.txt").read_text()
    assert record.config["model"]["recipe"]["learning_rate"] == 1e-4
    assert record.config["images"] == {"content": 5, "style": 5}
    assert len(record.config["image_fingerprints"]["style"]) == 16
    assert {"commit", "datnet_version"} <= record.config.keys()

    logged = {key for row in record.history for key in row}
    assert {"train/loss", "train/learning_rate", "train/images_per_second"} <= logged
    assert {"train/global_style", "train/global_style_weighted", "validation/loss"} <= logged
    levels = ("relu3_1", "relu4_1", "relu5_1")
    assert {f"attention/entropy_{level}" for level in levels} <= logged
    for title in PANELS:  # results, attention and gates
        assert panel_steps(record, title) == [1, 2]
    media = [file for file in record.files if "media" in file]
    assert len(media) == 6
    assert all(file.endswith(".png") for file in media)
    final = record.history[-1]  # wandb's summary: what was logged last
    assert {f"final/{column.key}" for column in METRICS} <= final.keys()
    finished = json.loads((tmp_path / "run" / "finished.json").read_text())["metrics"]
    assert {key: final[key] for key in finished} == pytest.approx(finished)


@pytest.mark.slow
def test_each_offline_part_of_a_resumed_run_is_whole(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Syncing a second part replaces the history on the server, so it has the first part's."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    overrides = ["model=datnet_dual", "logger=wandb", "data.batch_size=1", "checkpoint_every=2"]
    overrides += ["trainer.val_check_interval=1", "attention_panel=true"]
    run.train(settings(*overrides, "trainer.max_steps=2"))
    wandb.teardown()
    run.train(settings(*overrides, "trainer.max_steps=3", "ckpt_path=last"))
    first, second = sorted(
        (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"),
        key=lambda path: path.stat().st_mtime_ns,
    )
    parts = [WandbRun(first), WandbRun(second)]
    assert len({part.run.run_id for part in parts}) == 1

    def losses(part: WandbRun) -> dict[int, float]:
        rows = (row for row in part.history if "train/loss" in row)
        return {row["trainer/global_step"]: row["train/loss"] for row in rows}

    before, whole = map(losses, parts)
    assert list(before) == [0, 1]
    assert list(whole) == [0, 1, 2]
    assert {step: whole[step] for step in before} == pytest.approx(before)
    for title in PANELS:
        assert panel_steps(parts[1], title) == [1, 2, 3]
    logged = {key for row in parts[1].history if row.get("trainer/global_step") == 0 for key in row}
    assert {"train/global_style", "validation/loss"} <= logged


def test_a_helper_process_that_hangs_does_not_hold_the_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """No process is killed by its name: this child only has the helper's name."""
    namesake = shutil.copy(str(shutil.which("sleep")), tmp_path / "wandb-core")
    release = threading.Event()
    with subprocess.Popen([namesake, "60"]) as child:
        with monkeypatch.context() as patch:
            patch.setattr(wandb, "teardown", release.wait)
            wandb_logger.close_wandb(seconds=0.1)
        release.set()
        assert "does not end" in caplog.text
        time.sleep(0.1)
        assert child.poll() is None
        child.kill()


def test_the_dashboard_shows_what_runs_record() -> None:
    """Every metric that it names is one that the test above finds."""
    pytest.importorskip("wandb_workspaces")
    from datnet.training.dashboard import dashboard

    view = dashboard("me", "datnet")._to_model().model_dump_json()
    for name in ("final/ssim", "train/images_per_second", "validation/loss", PANEL):
        assert f'"{name}"' in view


@pytest.mark.parametrize(
    ("project", "message"),
    [("me", "write ENTITY/PROJECT"), ("me/datnet", "nobody is logged in to wandb")],
)
def test_dashboard_refuses(
    project: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["datnet", "dashboard", project])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert message in capsys.readouterr().err


def test_dashboard_of_a_server_that_is_ill(
    server: type[BaseHTTPRequestHandler],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.code = 503
    monkeypatch.setattr("sys.argv", ["datnet", "dashboard", "me/datnet"])
    with pytest.raises(SystemExit):
        main()
    assert "it answers 503" in capsys.readouterr().err
