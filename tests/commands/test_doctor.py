"""`datnet doctor`: problems are found, named, and affect no other check."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from PIL import Image

from datnet.commands import diagnosis
from datnet.commands.diagnosis import files, machine, packages, probe
from datnet.commands.diagnosis.finding import Finding
from datnet.commands.main import main
from datnet.data.prepare import prepare
from datnet.data.shard_writing import Settings
from datnet.images.embedded import sample_images
from datnet.zoo import shipped
from datnet.zoo.network_file import NetworkDescription, save_network

HEALTHY = {
    **{name: {"version": "1"} for name in probe.requirements()},
    "devices": {"devices": ["cpu: 2 threads on 2 cores"]},
    "tracking": {"mode": "offline"},
}


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.mark.slow
def test_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the list of packages is replaced by a shorter one."""
    needed = probe.requirements()
    few = {name: needed[name] for name in ("torch", "torchvision", "pillow")}
    for module in (probe, packages):
        monkeypatch.setattr(module, "requirements", lambda: few)
    monkeypatch.chdir(tmp_path)
    findings = by_name(diagnosis.examine())
    assert all(findings[name].state == "ok" for name in ("torch", "torchvision", "pillow", "cpu"))
    assert findings["torch"].text == torch.__version__
    assert {"vgg16", "vgg19", "alexnet", "microast", "cache"} <= findings.keys()
    for name in shipped.shipped_names():
        assert findings[str(shipped.PRETRAINED / f"{name}.safetensors")].state == "ok"
    assert findings["wandb"].text.startswith("offline")


def test_packages_that_break_python_break_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raises.py").write_text("raise RuntimeError('two\\nlines')")
    (tmp_path / "leaves.py").write_text("print('noise'); raise SystemExit(0)")
    (tmp_path / "works.py").write_text("__version__ = '1.2+cpu'")
    (tmp_path / "dies.py").write_text("import os; os._exit(139)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    names = ("raises", "leaves", "works", "dies", "never_reached")
    monkeypatch.setattr(probe, "requirements", lambda: dict.fromkeys(names, ""))
    probed = probe.run_probe()
    assert probed["raises"] == {"error": "two lines"}
    assert "error" in probed["leaves"]
    assert probed["works"] == {"version": "1.2+cpu"}
    assert "139" in probed["dies"]["error"]
    assert "never_reached" not in probed


def test_only_the_probe_imports_torch(tmp_path: Path) -> None:
    """Its process may crash, and the command itself is quick."""
    versions = {
        name: {"version": importlib.metadata.version(name)} for name in probe.requirements()
    }
    code = f"""
import sys
from datnet.commands import diagnosis
from datnet.commands.main import main
diagnosis.run_probe = lambda: {HEALTHY | versions!r}
sys.argv = ["datnet", "doctor", "--content", {str(sample_images().train_content)!r}]
try:
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
assert "torch" not in sys.modules
"""
    environment = os.environ | {"DATNET_CACHE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_without_torch_the_rest_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    probed = {**HEALTHY, "torch": {"error": "libcudart.so.12: cannot open"}}
    monkeypatch.setattr(diagnosis, "run_probe", lambda: probed)
    findings = by_name(diagnosis.examine())
    assert findings["torch"].state == "broken"
    assert "libcudart.so.12" in findings["torch"].text
    assert "pip install" in (findings["torch"].cure or "")
    assert findings["weights"].text == "not checked, because torch is broken"
    assert findings["lightning"].state == findings["wandb"].state == "ok"


def test_a_check_that_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail() -> None:
        raise AttributeError("a half-installed package")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(diagnosis, "run_probe", lambda: HEALTHY)
    monkeypatch.setattr(diagnosis, "check_weights", fail)
    findings = by_name(diagnosis.examine())
    assert findings["weights"] == Finding(
        "weights", "weights", "broken", "a half-installed package"
    )
    assert "cache" in findings


def test_missing_and_old_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        packages, "requirements", lambda: {"lightning": ">=99", "no-such-package": ">=1"}
    )
    findings = by_name(list(packages.check_packages({"lightning": {"version": "2.6"}})))
    assert findings["lightning"].state == "broken"
    assert ">=99 is required" in findings["lightning"].text
    assert findings["no-such-package"].cure == "pip install 'no-such-package>=1'"


def test_requirements_are_those_of_every_command() -> None:
    needed = probe.requirements()
    assert needed["torch"].startswith(">=")
    assert "hydra-core" in needed
    assert not needed.keys() & {"pytest", "ruff", "onnx", "gradio", "datnet"}


@pytest.mark.parametrize(
    ("torch", "torchvision", "result", "words"),
    [
        # The usual case: torch from an index with CPU builds, torchvision from another.
        (
            "2.8.0+cpu",
            "0.23.0+cu128",
            {"error": "operator torchvision::nms does not exist"},
            ["build cu128", "build cpu", "nms", "torchvision 0.23", "CPU builds"],
        ),
        ("2.9.0", "0.23.0", {"version": "0.23.0"}, ["built for torch ==2.8.0", "0.24"]),
        (None, "0.23.0", {"error": "no torch"}, ["cannot be imported: no torch"]),
        ("2.8.0+cpu", "0.23.0+cpu", {"version": "0.23.0"}, []),
        ("2.8.0", "0.23.0+cpu", {"version": "0.23.0"}, []),
    ],
)
def test_torch_and_torchvision(
    monkeypatch: pytest.MonkeyPatch,
    torch: str | None,
    torchvision: str,
    result: dict[str, str],
    words: list[str],
) -> None:
    monkeypatch.setattr(packages, "torchvision_version", lambda: torchvision)
    requires = ["numpy", "torch==2.8.0", "pillow>=5.3.0"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requires)
    finding = packages.check_torchvision(torch, torchvision.partition("+")[0], result)
    assert finding.state == ("broken" if words else "ok")
    message = f"{finding.text} {finding.cure}"
    assert all(word in message for word in words), message
    if words:
        assert "pip install --force-reinstall torch torchvision" in message


def test_partners_of_torch() -> None:
    assert packages.partner("2.8.0+cu126") == "0.23"
    assert packages.partner("2.13.1") == "0.28"
    assert packages.partner("2.15.0") == "0.29 or newer"


def test_images(tmp_path: Path) -> None:
    def look(folder: Path) -> Finding:
        (finding,) = files.check_images("content", str(folder))
        return finding

    for number in range(30):
        Image.new("RGB", (64, 64)).save(tmp_path / f"{number:02}.png")
    assert look(tmp_path).state == "ok"
    assert "30 images" in look(tmp_path).text
    shards = tmp_path.with_name("shards")
    prepare([tmp_path], shards, Settings(short_side=64), processes=1)
    assert look(shards).state == "ok"
    assert "30 images" in look(shards).text
    (tmp_path / "00.png").write_bytes(b"nothing")
    assert look(tmp_path).state == "note"
    assert "00.png" in look(tmp_path).text
    for path in tmp_path.iterdir():
        path.write_bytes(b"nothing")
    assert look(tmp_path).state == "broken"
    assert look(tmp_path / "nowhere").state == "broken"


def test_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path / "pretrained")
    (none,) = files.check_networks()
    assert none.state == "note"
    run = tmp_path / "runs" / "adain" / "seed_1"
    description = NetworkDescription("adain", {}, {}, {"steps": 7})
    save_network(torch.nn.Linear(1, 1), description, run / "network.safetensors")  # type: ignore[arg-type]
    (tmp_path / "runs" / "network.safetensors").write_bytes(b"nothing")
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained" / "cut.safetensors").write_bytes(b"nothing")
    (tmp_path / "pretrained" / "SHA256SUMS").write_text("00  cut.safetensors\n")
    cut, good, bad = files.check_networks()
    assert (cut.state, cut.name) == ("broken", "cut")
    assert (good.state, good.text) == ("ok", "adain, 7 steps")
    assert (bad.state, bad.name) == ("note", "runs/network.safetensors")


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "not" / "yet"))
    usage = namedtuple("usage", "total used free")
    for free, state in ((10**6, "broken"), (10**9, "note"), (10**11, "ok")):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda path, free=free: usage(0, 0, free))
        assert {finding.state for finding in machine.check_disk()} == {state}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_exit_status_is_for_scripts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: list[str]
) -> None:
    good = Finding("packages", "torch", "ok", "2.8")
    bad = Finding("data", "style", "broken", "no image", "give a folder of paintings")
    for findings, status in (([good], 0), ([good, bad], 1)):
        monkeypatch.setattr(diagnosis, "examine", lambda content, style, found=findings: found)
        monkeypatch.setattr(sys, "argv", ["datnet", "doctor", *form])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == status
        output = capsys.readouterr().out
        assert ("give a folder of paintings" in output) == bool(status)
        if form:
            assert json.loads(output)["ok"] == (not status)
        else:
            assert ("BROKEN" in output) == bool(status)
