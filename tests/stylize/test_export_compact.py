"""Exported networks in 8 bits and with weights of 16 bits."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.sanet import StyleAttention
from datnet.stylize import export, export_compact, export_eight_bits
from datnet.stylize.export import export_network
from datnet.stylize.export_compact import compared, inputs_of
from datnet.zoo.network_file import NetworkDescription, save_network

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.slow


class Convolutions(StyleTransferNetwork):
    """Convolutions around an attention from pixels to pixels, at a quarter of the size."""

    attention_parts = ("attention",)

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4, ceil_mode=True)
        )
        self.attention = StyleAttention(8)
        self.decoder = nn.Sequential(
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=4),
            nn.Conv2d(16, 3, 3, padding=1),
        )  # fmt: skip

    def encode_content(self, images: Tensor) -> list[Tensor]:
        return [self.encoder(images)]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        return [self.encoder(images)]

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        fused = self.attention(content_features[0], styles[0][0])
        return 0.5 + 0.3 * self.decoder(fused)[:, :, : size[0], : size[1]]


DESCRIPTION = NetworkDescription(
    "convolutions", {"_target_": "tests.stylize.test_export_compact.Convolutions"}, {}
)


@pytest.fixture(scope="module")
def network() -> Convolutions:
    torch.manual_seed(0)
    return Convolutions().eval()


@pytest.fixture(scope="module")
def float_file(network: Convolutions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The float file, exported once for all tests, which takes half a minute."""
    path = tmp_path_factory.mktemp("float") / "float.onnx"
    export_network(network, DESCRIPTION, path, alpha_input=False)
    return path


@pytest.fixture(autouse=True)
def exported(float_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(*arguments: object, **settings: object) -> None:
        shutil.copy(float_file, arguments[2])

    monkeypatch.setattr(export_compact, "export_network", copy)


def test_convolutions_are_quantized_and_attention_is_not(
    network: Convolutions, tmp_path: Path, pictures: Path
) -> None:
    output = tmp_path / "small.onnx"
    report = export_compact.export_compact(
        network, DESCRIPTION, output, bits=8, alpha_input=False,
        calibration=(pictures / "content", pictures / "style"),
    )  # fmt: skip
    assert len(report.psnrs) == 3
    assert min(report.psnrs) >= export_eight_bits.LEAST_PSNR
    assert report.share > 0.5
    assert report.compact_seconds > 0
    model = onnx.load(output)
    from_eight_bits = {
        name
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
        for name in node.output
    }
    convolutions = {
        export_eight_bits.layer_of(node): node.input[1] in from_eight_bits
        for node in model.graph.node
        if node.op_type == "Conv"
    }
    assert not any(eight for layer, eight in convolutions.items() if "attention" in layer)
    assert sum(convolutions.values()) >= 2
    assert "datnet" in {each.key for each in model.metadata_props}


def test_weights_of_sixteen_bits(network: Convolutions, tmp_path: Path, pictures: Path) -> None:
    output = tmp_path / "small.onnx"
    report = export_compact.export_compact(network, DESCRIPTION, output, bits=16, alpha_input=False)
    assert min(report.psnrs) > 60
    stored = {
        tensor.data_type for tensor in onnx.load(output).graph.initializer if len(tensor.dims) > 1
    }
    assert stored == {onnx.TensorProto.FLOAT16}
    inputs = inputs_of(pictures / "content", pictures / "style", [40, 33], alpha_input=False)
    assert min(compared(output, output, inputs)) > 100


def test_a_layer_that_spoils_the_result_is_named(
    network: Convolutions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_eight_bits, "LEAST_PSNR", 200.0)
    with pytest.raises(
        DatNetError, match=r"small\.onnx is not written: .* (en|de)coder\.\d spoils them most"
    ):
        export_compact.export_compact(
            network, DESCRIPTION, tmp_path / "small.onnx", bits=8, alpha_input=False
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("cause", ["differs", "full", "broken"])
def test_a_failure_of_the_float_form_names_the_file_that_was_asked_for(
    cause: str,
    bits: int,
    network: Convolutions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the temporary file that it is made from."""
    output = tmp_path / "small.onnx"

    def fail(program: object, description: NetworkDescription, path: Path) -> None:
        if cause == "full":
            raise OSError(28, "No space left on device", str(path))
        if cause == "broken":
            raise ValueError("node 3 has no shape")

    monkeypatch.setattr(export_compact, "export_network", export_network)  # not the copy
    monkeypatch.setattr(export, "trace", lambda *_: None)
    monkeypatch.setattr(export, "write_onnx", fail)
    monkeypatch.setattr(export, "onnx_runner", lambda *_: lambda content, style, alpha: content - 9)
    said = {
        "differs": rf"^{output} \(its float form\) is not written: its results differ .*tolerance",
        "full": rf"^{output} \(its float form\) cannot be written: No space left on device$",
        "broken": r"^convolutions cannot be written as \.onnx: node 3 has no shape; write",
    }
    with pytest.raises(DatNetError, match=said[cause]):
        export_compact.export_compact(network, DESCRIPTION, output, bits=bits)
    assert not list(tmp_path.iterdir())


def test_a_failure_of_the_quantizer_is_one_line(
    network: Convolutions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **settings: object) -> None:
        raise ValueError("no such operator\nand a page of details")

    monkeypatch.setattr(export_compact, "export_network", lambda *_, **settings: None)
    monkeypatch.setattr(export_compact, "quantize_to_eight_bits", fail)
    said = "convolutions cannot be written in 8 bits: no such operator; export it in float"
    with pytest.raises(DatNetError, match=f"^{said}$"):
        export_compact.export_compact(network, DESCRIPTION, tmp_path / "small.onnx", bits=8)
    assert not list(tmp_path.iterdir())


def test_command(
    network: Convolutions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    save_network(network, DESCRIPTION, Path("small.safetensors"))

    def call(*arguments: str) -> int:
        words = ["datnet", "export", "small.safetensors", "--no-alpha", *arguments]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0)

    assert call("--float16", "-o", "small.onnx") == 0
    said = capsys.readouterr().out
    for part in ("shorter side 96: PSNR", "wrote small.onnx", "times as fast"):
        assert part in said
    assert call("--float16", "-o", "small.pt2") == 1
    assert "name the file *.onnx" in capsys.readouterr().err
    assert call("--calibrate", "a", "b") == 1
    assert "--calibrate is for --int8" in capsys.readouterr().err
    assert call("--int8", "--calibrate", "a", "b", "-o", "x.onnx") == 1
    assert "a: there is no such folder" in capsys.readouterr().err


def test_psnr() -> None:
    zeros = np.zeros((1, 3, 8, 8), np.float32)
    assert export_eight_bits.psnr(zeros, zeros + 0.1) == pytest.approx(20, abs=1e-3)
