"""The commands as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from datnet.commands.evaluate import name_networks
from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.networks.adain import AdaIN
from datnet.zoo import vgg_encoder
from datnet.zoo.network_file import NetworkDescription, load_network, save_network
from tests.helpers.pixel_network import write_pixel_network


def datnet(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datnet", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run a command without a new process, for errors that do not depend on it."""
    monkeypatch.setattr(sys, "argv", ["datnet", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def assert_clear_failure(result: subprocess.CompletedProcess[str], *words: str) -> None:
    output = result.stdout + result.stderr
    assert result.returncode not in (0, -9), output
    assert "Traceback" not in output
    for word in words:
        assert word in output


@pytest.fixture(scope="module")
def network_file(encoder_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained AdaIN as `datnet train` writes networks."""
    torch.manual_seed(0)
    encoder = {"arch": "vgg16", "weights": str(encoder_file), "normalized": False}
    path = tmp_path_factory.mktemp("network") / "network.safetensors"
    save_network(
        AdaIN(vgg_encoder(**encoder)),
        NetworkDescription("adain", {"_target_": "datnet.networks.adain.AdaIN"}, encoder),
        path,
    )
    return path


def test_help_teaches_and_is_quick(tmp_path: Path) -> None:
    result = datnet("--help", cwd=tmp_path)
    assert result.returncode == 0
    for command in ("train", "benchmark", "evaluate", "stylize", "weights"):
        assert command in result.stdout
        if command != "train":
            assert "examples:" in datnet(command, "--help", cwd=tmp_path).stdout
    code = "import sys, datnet.commands.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_train_help_and_mistakes(tmp_path: Path) -> None:
    result = datnet("train", "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert "datnet_full" in result.stdout
    assert "ckpt_path=last" in result.stdout
    assert_clear_failure(
        datnet("train", "model=datnet_ful", cwd=tmp_path), "datnet_full", "datnet_spatial", "sanet"
    )


def test_nobody_reads_on(network_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `datnet info … | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert call(monkeypatch, "info", network_file) == 128 + signal.SIGPIPE


def test_stylize_one(network_file: Path, pictures: Path, tmp_path: Path) -> None:
    photo = pictures / "content" / "0.png"
    result = datnet(
        *("stylize", photo, pictures / "style" / "1.png", "-o", "out/result.jpg"),
        *("--checkpoint", network_file),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert Image.open(tmp_path / "out" / "result.jpg").size == Image.open(photo).size


@pytest.mark.slow
@pytest.mark.network
def test_evaluate(
    network_file: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = (
        *("evaluate", network_file, "--content", pictures / "content"),
        *("--style", pictures / "style", "--contents", "2", "--styles", "1", "--size", "64"),
        *("--device", "cpu"),
    )
    result = datnet(*arguments, "--save-images", cwd=tmp_path)
    if "could not be fetched" in result.stderr:
        pytest.skip(f"weights of the metrics cannot be had: {result.stderr}")
    assert result.returncode == 0, result.stderr
    for row in ("| identity | 1.0000 | ∞ |", "| style copy |", "| adain |"):
        assert row in result.stdout
    assert "2 contents × 1 styles = 2 results at 64×64" in result.stdout
    (folder,) = (tmp_path / "evaluations").glob("adain-*")
    assert len(list((folder / "images").glob("*.png"))) == 2

    # The written pair list gives the same table, and other pairs are not mixed into the folder.
    monkeypatch.chdir(tmp_path)
    pairs = ("--pairs", folder / "pairs.csv", "--size", "64", "--device", "cpu", "--save-images")
    assert call(monkeypatch, *arguments[:6], *pairs) == 0
    assert capsys.readouterr().out == result.stdout
    assert call(monkeypatch, *arguments[:6], "--size", "48", "--device", "cpu") == 1
    message = capsys.readouterr().err
    assert "holds another evaluation" in message
    assert "size" in message


def test_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = write_pixel_network(tmp_path / "network.safetensors")
    files = [tmp_path / f"new/cost.{suffix}" for suffix in ("json", "csv", "png")]
    options = (
        option for pair in zip(("--json", "--csv", "--plot"), files, strict=True) for option in pair
    )
    size = ("--sizes", "48", "--runs", "1", "--device", "cpu")
    assert call(monkeypatch, "benchmark", network, *size, *options) == 0
    output = capsys.readouterr().out
    assert "48 × 48 pixels" in output
    assert "| pixel " in output
    (measurement,) = json.loads(files[0].read_text())["measurements"]
    assert measurement["seconds"]["median"] > 0
    assert measurement["problem"] is None
    assert all(path.exists() for path in files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sanett"], "sanett is neither a network of conf/model nor a file; did you mean sanet?"),
        (["--device", "cuda:99"], "device cuda:99 cannot be used here"),
        (["--plot", "cost.jpg"], "--plot cost.jpg must end with .png or .pdf"),
        (["--json", "."], ".: this is a folder; name a file"),
    ],
)
def test_mistakes_in_a_benchmark_are_told_in_one_line(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "benchmark", *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ("evaluate NETWORK -o file", "datnet.evaluation.evaluate.evaluate_networks"),
        ("export NETWORK -o file/network.onnx", "datnet.zoo.network_file.load_network"),
        ("export NETWORK -o network.txt", "datnet.zoo.network_file.load_network"),
        ("data prepare pictures -o file", "datnet.data.prepare.prepare"),
        ("data prepare pictures -o file/shards", "datnet.data.prepare.prepare"),
        ("data fetch coco -o file", "datnet.data.public.fetch"),
        ("benchmark NETWORK --json file/cost.json", "datnet.evaluation.benchmark.Benchmark"),
        ("benchmark NETWORK --csv /dev/null", "datnet.evaluation.benchmark.Benchmark"),
        ("summarize runs -o file", "datnet.evaluation.sweep_summary.read_runs"),
    ],
)
def test_outputs_are_tried_before_the_work_begins(
    line: str,
    begins: str,
    network_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("precious")
    monkeypatch.setattr(begins, lambda *_, **__: pytest.fail("the work has begun"))
    arguments = [str(network_file) if word == "NETWORK" else word for word in line.split()]
    assert call(monkeypatch, *arguments) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {arguments[-1]}")
    assert err.count("\n") == 1
    assert out == ""
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert Path("file").read_text() == "precious"


def test_names_in_tables_are_distinct() -> None:
    def titles(*networks: tuple[str, int, str]) -> list[str]:
        return list(
            name_networks(
                [
                    (NetworkDescription(name, {}, {}, {"steps": steps}), Path(path))
                    for name, steps, path in networks
                ]
            )
        )

    runs = (("adain", 9, "a/s1/n"), ("adain", 9, "a/s2/n"), ("sanet", 9, "b/n"))
    assert titles(*runs) == ["adain s1", "adain s2", "sanet"]
    checkpoints = (("adain", 2, "a/checkpoints/n"), ("adain", 4, "b/checkpoints/n"))
    assert titles(*checkpoints) == ["adain 2 steps", "adain 4 steps"]
    assert len(titles(("adain", 9, "a/s1/n"), ("adain", 9, "b/s1/n"))) == 2
    with pytest.raises(DatNetError, match="twice"):
        titles(("adain", 9, "a"), ("adain", 9, "a"))


def test_saved_network(network_file: Path, tmp_path: Path, encoder_file: Path) -> None:
    network = load_network(network_file)
    assert not network.training
    content = torch.rand(1, 3, 32, 32)
    encoder = vgg_encoder("vgg16", encoder_file, normalized=False)
    torch.testing.assert_close(
        network(content, content), load_network(network_file, encoder)(content, content)
    )
    save_network(
        network, NetworkDescription("odd", {"_target_": "os.getcwd"}, {}), tmp_path / "odd"
    )
    with pytest.raises(DatNetError, match=r"odd cannot be used: os\.getcwd is no"):
        load_network(tmp_path / "odd")
    save_network(
        network,
        NetworkDescription("sanet", {"_target_": "datnet.networks.sanet.SANet"}, {}),
        tmp_path / "sanet",
    )
    with pytest.raises(DatNetError, match="does not fit"):
        load_network(tmp_path / "sanet", encoder)


def test_half_precision_files_load(network_file: Path, tmp_path: Path, encoder_file: Path) -> None:
    encoder = vgg_encoder("vgg16", encoder_file, normalized=False)
    network = load_network(network_file, encoder)
    description = NetworkDescription("adain", {"_target_": "datnet.networks.adain.AdaIN"}, {})
    save_network(network.half(), description, tmp_path / "half")
    half = load_network(tmp_path / "half", vgg_encoder("vgg16", encoder_file, normalized=False))
    assert all(p.dtype == torch.float32 for p in half.parameters())
