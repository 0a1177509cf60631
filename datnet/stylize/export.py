"""Export trained networks to files that run without DatNet: ONNX or PT2 (torch.export).

Both contain the whole network, including its encoder, and take images of any size:

=========  ==========================  ===========================================================
content    ``(1, 3, H, W)``            float32 RGB in [0, 1], sides of at least 32
style      ``(1, 3, Hs, Ws)``          likewise, of any size
alpha      ``()``                      float32 in [0, 1]; can be omitted on export
result     ``(1, 3, H, W)``            float32 RGB in [0, 1]
=========  ==========================  ===========================================================

With the input ``alpha`` a network always blends, so the attention networks (SANet, MANet, DatNet)
run the transfer twice; without it they take about half the time. Tracing and both formats stay in
one file of more than 300 lines, because each step corrects what the one before leaves.
"""

from __future__ import annotations

import copy
import io
import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from datnet.errors import DatNetError, MissingExtraError, require_extra
from datnet.images.files import complete_or_absent
from datnet.networks.base import SMALLEST_SIDE, EncoderDecoderNetwork, StyleTransferNetwork
from datnet.networks.cap_vstnet import CAPVSTNet
from datnet.networks.flow import FixedMixing, InvertibleMixing
from datnet.networks.training_free import OptimizationMethod
from datnet.stylize.export_check import (
    TOLERANCE,
    Comparison,
    compare,
    onnx_runner,
    pt2_runner,
)
from datnet.zoo.network_file import NetworkDescription

SUFFIXES = (".onnx", ".pt2")
# With sides of 16 m + 1 each encoder level is larger than half the previous one, so each crop that
# undoes this rounding is a real one; a crop without effect would leave no trace in the graph.
TRACED_CONTENT, TRACED_STYLE = (65, 97), (81, 113)


class Exportable(nn.Module):
    """Wraps a network as a function of tensors only.

    Args:
        network: A network in evaluation mode; it is copied and stays unchanged.
    """

    def __init__(self, network: StyleTransferNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        if isinstance(self.network, EncoderDecoderNetwork):  # a PT2 file would keep unused layers
            encoder = self.network.encoder
            encoder.stages = encoder.stages[: self.network.encoder_depth]
        for parent in list(self.network.modules()):
            for name, child in parent.named_children():
                if isinstance(child, InvertibleMixing):
                    setattr(parent, name, FixedMixing(child))  # ONNX cannot solve linear systems

    def forward(self, content: Tensor, style: Tensor, alpha: float | Tensor = 1.0) -> Tensor:
        """Stylize images.

        Args:
            content: ``(1, 3, H, W)``, RGB in [0, 1].
            style: ``(1, 3, Hs, Ws)``, RGB in [0, 1].
            alpha: Strength of the style in [0, 1].

        Returns:
            ``(1, 3, H, W)``, RGB in [0, 1].
        """
        images = self.network.generate(
            self.network.encode_content(content),
            self.network.encode_style(style),
            content.shape[2:],
            alpha,
        )
        return images.clamp(0, 1)


def require_suffix(output: Path) -> None:
    """Check that a file name ends with .onnx or .pt2.

    Raises:
        DatNetError: If it does not.
    """
    if output.suffix not in SUFFIXES:
        raise DatNetError(f"{output}: the file name must be *{' or *'.join(SUFFIXES)}")


def export_network(
    network: StyleTransferNetwork,
    description: NetworkDescription,
    output: Path,
    *,
    alpha_input: bool = True,
    named: str | None = None,
) -> list[Comparison]:
    """Write a network as ONNX or PT2 and compare the file with the network.

    Args:
        network: A network on the CPU in evaluation mode.
        description: Its description, which the file contains too (ONNX: metadata "datnet"; PT2:
            extra file datnet.json).
        output: File to write, ``.onnx`` or ``.pt2``; replaced only if the comparison succeeds.
        alpha_input: Whether the file gets the input ``alpha``.
        named: What errors call the file; by default ``output``.

    Returns:
        The comparisons, none above :data:`TOLERANCE`.

    Raises:
        DatNetError: If the suffix is unknown, packages are missing, the network cannot be written
            in this format, the file cannot be written, or its results differ.
    """
    require_suffix(output)
    refuse_what_no_file_can_hold(network, description)
    onnx = output.suffix == ".onnx"
    if onnx:
        require_onnx()
    with quiet():
        program = trace(network, alpha_input)
    (other,) = set(SUFFIXES) - {output.suffix}
    named = named or str(output)
    fails = f"{description.name} cannot be written as {output.suffix}"
    with (
        failures_told(named, fails, f"write a {other} file instead"),
        complete_or_absent(output) as unfinished,
        quiet(),
    ):
        if onnx:
            write_onnx(program, description, unfinished)
            runner = onnx_runner(unfinished, alpha_input)
        else:
            write_pt2(program, description, unfinished)
            runner = pt2_runner(unfinished, alpha_input)
        comparisons = compare(network, runner, (1.0, 0.5, 0.0) if alpha_input else (1.0,))
        largest = max(each.difference for each in comparisons)
        if not largest <= TOLERANCE:  # also true for NaN
            raise DatNetError(
                f"{named} is not written: its results differ from those of the network "
                f"by up to {largest:.2g} (tolerance {TOLERANCE:g})"
            )
    return comparisons


@contextmanager
def failures_told(named: str, fails: str, otherwise: str) -> Iterator[None]:
    """Turn any failure of the block, such as of torch's exporter, into one line.

    Args:
        named: What the error calls the file, if it cannot be written.
        fails: What fails otherwise, such as "adain cannot be written as .onnx".
        otherwise: What to do then.

    Raises:
        DatNetError: If the block fails.
    """
    try:
        yield
    except DatNetError:
        raise
    except OSError as error:
        raise DatNetError(f"{named} cannot be written: {error.strerror or error}") from error
    except Exception as error:
        raise DatNetError(f"{fails}: {first_line(error)}; {otherwise}") from error


def first_line(error: Exception) -> str:
    """Return the first line of an error message; those of torch can be pages long."""
    return next((line for line in str(error).splitlines() if line.strip()), repr(error))


def refuse_what_no_file_can_hold(
    network: StyleTransferNetwork, description: NetworkDescription
) -> None:
    """Refuse networks that fail in both formats, before minutes are spent.

    Args:
        network: The network.
        description: Its description.

    Raises:
        DatNetError: If the network cannot be exported, with the reason.
    """
    reason = None
    if isinstance(network, OptimizationMethod):
        reason = "it optimizes the pixels of each image, and an exported file computes no gradients"
    if isinstance(network, CAPVSTNet):
        reason = (
            "ONNX has no Cholesky decomposition, and the torch.export graph of CAP-VSTNet fails "
            "for sizes that are multiples of 4"
        )
    if reason is not None:
        raise DatNetError(f"{description.name} cannot be exported: {reason}")


def require_onnx() -> None:
    """Check that the packages of the extra `export` are installed.

    Raises:
        DatNetError: If some are missing, with their names.
    """
    try:
        require_extra("export")
    except MissingExtraError as error:
        raise MissingExtraError(f"{error}, or write a .pt2 file, which needs only torch") from error


def trace(network: StyleTransferNetwork, alpha_input: bool) -> ExportedProgram:
    """Trace a network for images of any size.

    Args:
        network: A network on the CPU in evaluation mode.
        alpha_input: Whether ``alpha`` is an input.

    Returns:
        The program of torch.export.

    Raises:
        DatNetError: If the network's Python code branches on a size, or torch cannot trace it.
    """
    content, style = (torch.rand(1, 3, *size) for size in (TRACED_CONTENT, TRACED_STYLE))
    height, width, style_height, style_width = (
        Dim(name, min=SMALLEST_SIDE) for name in ("height", "width", "style_height", "style_width")
    )
    arguments: tuple[Tensor, ...] = (content, style)
    shapes: tuple[dict[int, Dim], ...] = (
        {2: height, 3: width},
        {2: style_height, 3: style_width},
    )
    if alpha_input:
        arguments, shapes = (*arguments, torch.tensor(0.5)), (*shapes, {})
    try:
        with torch.no_grad():
            program = torch.export.export(
                Exportable(network),
                arguments,
                dynamic_shapes=shapes,
                prefer_deferred_runtime_asserts_over_guards=True,
            )
    except Exception as error:  # torch's exception types are not public
        raise DatNetError(
            f"{type(network).__name__} cannot be traced for images of all sizes: "
            f"{first_line(error)}"
        ) from error
    # The remaining assertions about sizes hold for the traced sizes only (such as that a crop has
    # an effect) and do not change the graph; the comparison at other sizes is the check.
    for node in list(program.graph.nodes):
        if node.target is torch.ops.aten._assert_scalar.default:
            program.graph.erase_node(node)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def write_onnx(program: ExportedProgram, description: NetworkDescription, path: Path) -> None:
    """Write a traced network as one ONNX file.

    Args:
        program: The traced network.
        description: Its description, stored as metadata "datnet".
        path: File to write.

    Raises:
        DatNetError: If ONNX lacks an operator of the network.
    """
    import onnx

    names = list(program.graph_signature.user_inputs)
    axes = {"content": {2: "height", 3: "width"}, "style": {2: "style_height", 3: "style_width"}}
    try:
        converted = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=names,
            output_names=["result"],
            dynamic_shapes={name: axes.get(name) for name in names},
        )
    except torch.onnx.OnnxExporterError as error:
        lacking = re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", str(error))
        if lacking is None:
            raise
        raise DatNetError(
            f"{description.name} cannot be written as ONNX, which has no operator for "
            f"{lacking[1]}; write a .pt2 file instead"
        ) from error
    assert converted is not None
    model = converted.model_proto
    model.producer_name = "datnet"
    onnx.helper.set_model_props(model, {"datnet": json.dumps(asdict(description))})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def write_pt2(program: ExportedProgram, description: NetworkDescription, path: Path) -> None:
    """Write a traced network as an archive for ``torch.export.load``.

    Args:
        program: The traced network.
        description: Its description, stored as the extra file datnet.json.
        path: File to write.
    """
    file = io.BytesIO()  # if torch writes the file itself, a full disk kills the process
    torch.export.save(program, file, extra_files={"datnet.json": json.dumps(asdict(description))})
    path.write_bytes(file.getbuffer())


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings from inside torch's exporter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
