"""Networks as ONNX and PT2 files: they return what the network returns, at every size."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.networks.attention import attention_mean
from datnet.networks.base import EncoderDecoderNetwork, StyleTransferNetwork
from datnet.networks.cap_vstnet import CAPVSTNetPhotorealistic
from datnet.networks.cin import CIN
from datnet.networks.datnet import DatNet
from datnet.networks.flow import FixedMixing, InvertibleMixing
from datnet.networks.gatys import Gatys
from datnet.networks.ops.exported_attention import exported_attention_mean
from datnet.networks.sanet import StyleAttention
from datnet.networks.stytr2 import ContentAwarePositions, StyTr2
from datnet.networks.vgg import VggEncoder
from datnet.stylize import export, export_check
from datnet.stylize.export import export_network
from datnet.stylize.export_check import picture
from datnet.zoo.network_file import NetworkDescription, load_network, save_network
from tests.helpers.full_disk import files_end_at

EXAMPLE = Path(__file__).parents[2] / "experiments" / "onnx_stylize.py"


class SmallEncoder(nn.Module):
    """Eight maps at an eighth of the size, rounded up, the same in every process."""

    def __init__(self) -> None:
        super().__init__()
        mixing = torch.linspace(-1, 1, 24).sin().view(8, 3, 1, 1)
        self.mixing = nn.Parameter(mixing, requires_grad=False)
        self.stages = nn.ModuleList([nn.MaxPool2d(8, ceil_mode=True)] * 5)

    def forward(self, images: Tensor, depth: int) -> list[Tensor]:
        return [self.stages[0](F.conv2d(images, self.mixing))]


class SmallNetwork(EncoderDecoderNetwork):
    """Style attention as in SANet, without the VGG."""

    def __init__(self) -> None:
        super().__init__(SmallEncoder())  # type: ignore[arg-type]
        self.attention = StyleAttention(8)
        self.to_image = nn.Conv2d(8, 3, 3, padding=1, padding_mode="reflect")

    def transfer(self, content: Sequence[Tensor], style: Sequence[Tensor]) -> list[Tensor]:
        return [self.attention(content[0], style[0])]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        return 0.5 + self.to_image(F.interpolate(fused[0], scale_factor=8))


class Eigenvalues(nn.Module):
    """ONNX has no eigendecomposition."""

    def forward(self, content: Tensor) -> Tensor:
        return torch.linalg.eigh(content @ content.mT)[0]


class DividedBySize(SmallNetwork):
    """Branches on a size in Python, which is fixed when the network is exported."""

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        images = super().decode(fused)
        return images * 0.5 if fused[0].shape[2] > 20 else images


DESCRIPTION = NetworkDescription(
    "small", {"_target_": "tests.stylize.test_export.SmallNetwork"}, {}
)


def make(network: type[StyleTransferNetwork] = SmallNetwork) -> StyleTransferNetwork:
    torch.manual_seed(3)
    return network().eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small.safetensors and the small.onnx that the command makes of it."""
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
    folder = tmp_path_factory.mktemp("export")
    save_network(make(), DESCRIPTION, folder / "small.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["datnet", "export", "small.safetensors"])
        with pytest.raises(SystemExit) as stop:
            main()
    assert stop.value.code == 0
    return folder


@pytest.fixture(scope="module")
def program() -> torch.export.ExportedProgram:
    with export.quiet():
        return export.trace(make(), alpha_input=False)


@pytest.fixture
def traced(program: torch.export.ExportedProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trace the small network once for all tests that only need some traced network."""
    monkeypatch.setattr(export, "trace", lambda network, alpha_input: program)


def test_onnx_paints_like_the_network(exported: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(exported / "small.onnx")
    axes = {each.name: each.shape for each in session.get_inputs()}
    assert axes == {
        "content": [1, 3, "height", "width"],
        "style": [1, 3, "style_height", "style_width"],
        "alpha": [],
    }
    header = json.loads(session.get_modelmeta().custom_metadata_map["datnet"])
    assert header["name"] == "small"
    network = load_network(exported / "small.safetensors")
    # 32 × 32 fits one block of attention, 230 × 197 takes two.
    for size, style_size in (((32, 32), (32, 33)), ((230, 197), (45, 64)), ((64, 64), (64, 64))):
        content, style = picture(size, 1), picture(style_size, 2)
        results = []
        for alpha in (1.0, 0.3, 0.0):
            inputs = {"content": content.numpy(), "style": style.numpy()}
            (result,) = session.run(
                ["result"], {**inputs, "alpha": np.array(alpha, dtype=np.float32)}
            )
            with torch.no_grad():
                expected = network(content, style, alpha)
            torch.testing.assert_close(torch.from_numpy(result), expected, rtol=0, atol=1e-5)
            results.append(result)
        assert np.abs(results[0] - results[2]).max() > 0.01


def test_the_example_needs_neither_torch_nor_datnet(exported: Path, tmp_path: Path) -> None:
    photo, painting = tmp_path / "photo.png", tmp_path / "painting.png"
    generator = np.random.default_rng(0)
    for path, shape in ((photo, (40, 57, 3)), (painting, (80, 70, 3))):
        Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8)).save(path)
    code = (
        "import sys, runpy\n"
        "sys.modules['torch'] = sys.modules['datnet'] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    arguments = (exported / "small.onnx", photo, painting, "-o", tmp_path / "result.png")
    command = [sys.executable, "-c", code, str(EXAMPLE), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    stylized = np.asarray(Image.open(tmp_path / "result.png"))
    assert stylized.shape == (40, 57, 3)
    assert not np.array_equal(stylized, np.asarray(Image.open(photo)))


def test_pt2_paints_like_the_network(tmp_path: Path, traced: None) -> None:
    network, path = make(), tmp_path / "small.pt2"
    comparisons = export_network(network, DESCRIPTION, path, alpha_input=False)
    assert len(comparisons) == len(export_check.CHECKED_SIZES)
    extra = {"datnet.json": ""}
    with path.open("rb") as file:
        module = torch.export.load(file, extra_files=extra).module()
    assert json.loads(extra["datnet.json"])["name"] == "small"
    content, style = picture((51, 64), 1), picture((96, 32), 2)
    with torch.no_grad():
        torch.testing.assert_close(module(content, style), network(content, style))


@pytest.mark.parametrize("queries", [1, 511, 512, 513, 1030])
def test_exported_attention_is_the_same(queries: int) -> None:
    torch.manual_seed(0)
    arguments = torch.randn(2, 4, queries), torch.randn(2, 4, 7), torch.randn(2, 3, 7)
    torch.testing.assert_close(exported_attention_mean(*arguments), attention_mean(*arguments))


def test_a_fixed_mixing_is_the_trained_one() -> None:
    torch.manual_seed(0)
    mixing = InvertibleMixing(12)
    fixed, features = FixedMixing(mixing), torch.randn(1, 12, 5, 4)
    assert torch.equal(fixed(features), mixing(features))
    assert torch.equal(fixed.inverse(features), mixing.inverse(features))
    assert not list(fixed.parameters())


@pytest.mark.parametrize("wrong", [0.01, float("nan")])
def test_a_file_that_paints_something_else_is_not_kept(
    tmp_path: Path, traced: None, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    network = make()
    monkeypatch.setattr(export, "write_pt2", lambda program, description, path: path.touch())
    monkeypatch.setattr(
        export, "pt2_runner", lambda path, alpha_input: lambda *inputs: network(*inputs) + wrong
    )
    path = tmp_path / "network.pt2"
    path.write_text("an earlier file")
    with pytest.raises(DatNetError, match="differ from those of the network"):
        export_network(network, DESCRIPTION, path, alpha_input=False)
    assert [each.name for each in tmp_path.iterdir()] == ["network.pt2"]
    assert path.read_text() == "an earlier file"


@pytest.mark.parametrize("step", ["write_pt2", "pt2_runner", "compare"])
def test_what_torch_stumbles_over_is_told_in_one_line(
    tmp_path: Path, traced: None, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def stumble(*arguments: object) -> None:
        raise RuntimeError("\nNon-zero status code returned\nand pages more")

    monkeypatch.setattr(export, step, stumble)
    path = tmp_path / "network.pt2"
    path.write_text("an earlier file")
    with pytest.raises(DatNetError) as refusal:
        export_network(make(), DESCRIPTION, path, alpha_input=False)
    assert str(refusal.value) == (
        "small cannot be written as .pt2: Non-zero status code returned; write a .onnx file instead"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["network.pt2"]
    assert path.read_text() == "an earlier file"


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, traced: None) -> None:
    network, path = make(), tmp_path / "network.pt2"
    expected = r"network\.pt2 cannot be written: "
    with files_end_at(2000), pytest.raises(DatNetError, match=expected) as refusal:
        export_network(network, DESCRIPTION, path, alpha_input=False)
    assert os.strerror(errno.EFBIG) in str(refusal.value)
    assert not list(tmp_path.iterdir())


def test_what_onnx_lacks_is_named(exported: Path, tmp_path: Path) -> None:
    program = torch.export.export(Eigenvalues(), (torch.rand(1, 4, 4),))
    with pytest.raises(DatNetError, match=r"no operator for aten\.\w*eigh.*\.pt2") as refusal:
        export.write_onnx(program, DESCRIPTION, tmp_path / "network.onnx")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_what_no_file_can_hold_is_refused_before_it_is_traced(
    encoder: VggEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.delattr(export, "trace")
    networks = {
        "optimizes the pixels of each image": Gatys(encoder),
        "no Cholesky decomposition": CAPVSTNetPhotorealistic(),
    }
    for reason, network in networks.items():
        with pytest.raises(DatNetError, match=reason):
            export_network(network, DESCRIPTION, tmp_path / f"network{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_datnet_can_be_traced_for_all_sizes(encoder: VggEncoder) -> None:
    torch.manual_seed(0)
    network = DatNet(encoder).eval()
    with export.quiet():
        module = export.trace(network, alpha_input=False).module()
    content, style = picture((51, 77), 1), picture((94, 32), 2)
    with torch.no_grad():
        expected = network(content, style)
        torch.testing.assert_close(module(content, style), expected, rtol=0, atol=1e-5)
    assert expected.std() > 1e-3


def test_positions_of_stytr2_fit_every_size(exported: Path) -> None:
    """Alone, since they hardly count in a network without training."""
    import onnxruntime

    torch.manual_seed(0)
    positions, shape = ContentAwarePositions().eval(), {2: Dim("height"), 3: Dim("width")}
    with torch.no_grad(), export.quiet():
        program = torch.export.export(
            positions, (torch.rand(1, 512, 9, 13),), dynamic_shapes=(shape,)
        )
        converted = torch.onnx.export(program, dynamo=True, verbose=False, input_names=["content"])
    session = onnxruntime.InferenceSession(converted.model_proto.SerializeToString())
    for size in ((9, 13), (4, 6), (13, 17), (24, 32), (18, 36)):
        content = torch.randn(1, 512, *size)
        (result,) = session.run(None, {"content": content.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(result), positions(content))


@pytest.fixture(scope="module")
def traced_stytr2() -> tuple[StyTr2, torch.export.ExportedProgram]:
    """With a layer in each transformer, since all layers are alike."""
    torch.manual_seed(0)
    network = StyTr2().eval()
    for transformer in (network.content_encoder, network.style_encoder, network.style_decoder):
        del transformer.layers[1:]
    nn.init.constant_(network.decoder[-1].bias, 0.5)  # or much would be black
    with export.quiet():
        return network, export.trace(network, alpha_input=False)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_stytr2_is_exported_for_all_sizes(
    tmp_path: Path,
    traced_stytr2: tuple[StyTr2, torch.export.ExportedProgram],
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
        pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
    (network, program), path = traced_stytr2, tmp_path / f"network{suffix}"
    monkeypatch.setattr(export, "trace", lambda network, alpha_input: program)
    export_network(network, DESCRIPTION, path, alpha_input=False)
    runner = (export.onnx_runner if suffix == ".onnx" else export.pt2_runner)(path, False)
    for size, style_size in (((51, 77), (94, 32)), ((160, 200), (64, 64))):
        content, style = picture(size, 1), picture(style_size, 2)
        with torch.no_grad():
            expected = network(content, style)
            torch.testing.assert_close(runner(content, style, 1.0), expected, rtol=0, atol=1e-5)
        assert expected.std() > 1e-3


@pytest.mark.slow
def test_a_network_for_certain_paintings_finds_them_in_the_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, path = CIN(["a", "b"]).eval(), tmp_path / "network.pt2"
    for parameter in network.style_parameters():
        nn.init.normal_(parameter, mean=0.5, std=0.5)
    paintings = [picture((60, 80), seed) for seed in (1, 2)]
    for name, painting in zip(network.paintings.names, paintings, strict=True):
        network.paintings.show(name, painting[0])
    export_network(network, DESCRIPTION, path, alpha_input=False)
    runner, content = export.pt2_runner(path, False), picture((51, 70), 3)
    with torch.no_grad():
        results = [runner(content, painting, 1.0) for painting in paintings]
        for painting, result in zip(paintings, results, strict=True):
            torch.testing.assert_close(result, network(content, painting), rtol=0, atol=1e-4)
    assert (results[0] - results[1]).abs().max() > 0.01


def test_a_network_that_decides_by_size_is_refused() -> None:
    with pytest.raises(DatNetError, match=r"DividedBySize.*images of all sizes") as refusal:
        export.trace(make(DividedBySize), alpha_input=False)
    assert len(str(refusal.value).splitlines()) == 1


def test_mistakes(tmp_path: Path, traced: None, monkeypatch: pytest.MonkeyPatch) -> None:
    network = make()
    with pytest.raises(DatNetError, match=r"network\.xyz.*\.onnx or .*\.pt2"):
        export_network(network, DESCRIPTION, tmp_path / "network.xyz")
    (tmp_path / "file").write_text("")
    with pytest.raises(DatNetError, match="cannot be written"):
        export_network(network, DESCRIPTION, tmp_path / "file" / "network.pt2", alpha_input=False)
    monkeypatch.setattr("datnet.errors.find_spec", lambda name: None)
    with pytest.raises(DatNetError, match=r"onnx, onnxscript, onnxruntime.*datnet\[export\]"):
        export_network(network, DESCRIPTION, tmp_path / "network.onnx")
