"""Quantize an exported ONNX network to 8 bits, or store its weights in 16.

Convolutions are quantized with onnxruntime's tools: weights per channel, activations with ranges
that are measured on a few pairs of pictures. Attention, statistics and everything else stay in
float. Some convolutions spoil the result: each is tried alone, and as many as possible are
quantized, the harmless ones first, while the result keeps :data:`LEAST_PSNR`.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from datnet.errors import DatNetError

if TYPE_CHECKING:
    from onnx import ModelProto

LEAST_PSNR = 30.0
"""Smallest accepted PSNR of the result against the float network's, in dB."""

LEAST_SHARE = 0.5
"""Smallest share of the convolutions' weights in 8 bits that is worth a file of its own."""

CONVEYED = ("Relu", "MaxPool", "Pad", "Resize")
"""Operators between convolutions that work on 8-bit numbers as they are."""

Inputs = Mapping[str, np.ndarray]
"""Inputs of the network by name: content and style ``(1, 3, H, W)``, perhaps alpha."""


@dataclass(frozen=True)
class EightBits:
    """What was quantized.

    Attributes:
        psnrs: PSNR in dB of the result against the float network's, for each checked pair.
        kept: Convolutions that stay in float because they spoil the result, the worst first.
        share: Share of the convolutions' weights that is in 8 bits.
    """

    psnrs: tuple[float, ...]
    kept: tuple[str, ...]
    share: float


class Quantizer:
    """Quantizes any subset of the layers of a network.

    Args:
        source: The float network, an ONNX file.
        float_parts: Names of submodules of the network that stay in float, such as "attention4".
        calibration: Inputs on which the ranges of the activations are measured.
    """

    def __init__(
        self, source: Path, float_parts: Sequence[str], calibration: Sequence[Inputs]
    ) -> None:
        from onnxruntime.quantization import create_calibrator
        from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

        self.model: ModelProto = load_model_with_shape_infer(source)
        sizes = {each.name: int(np.prod(each.dims)) for each in self.model.graph.initializer}
        self.nodes: dict[str, list[Any]] = {}
        """Nodes of each layer that can be quantized: an encoder's layers have two."""
        self.weights: dict[str, int] = {}
        """Number of weights of each of these layers."""
        for node in self.model.graph.node:
            layer = layer_of(node)
            if node.op_type == "Conv" and layer.partition(".")[0] not in float_parts:
                self.nodes.setdefault(layer, []).append(node)
                self.weights[layer] = sizes[node.input[1]]
        with TemporaryDirectory() as folder:
            calibrator = create_calibrator(
                source, ["Conv", *CONVEYED], str(Path(folder, "augmented.onnx"))
            )
            calibrator.collect_data(reader(calibration))
            self.ranges = calibrator.compute_data()

    def conveyed(self, node: Any) -> Iterator[str]:
        """Yield the operators after a convolution that take its 8-bit numbers as they are."""
        for following in self.model.graph.node:
            if following.op_type in CONVEYED and node.output[0] in following.input:
                yield following.name
                yield from self.conveyed(following)

    def quantized(self, layers: Sequence[str]) -> ModelProto:
        """Return the network with these layers in 8 bits."""
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        convolutions = [node for layer in layers for node in self.nodes[layer]]
        conveyed = [name for node in convolutions for name in self.conveyed(node)]
        quantizer = QDQQuantizer(
            copy.deepcopy(self.model),
            per_channel=True,
            # 7 bits: processors without VNNI add two products in 16 bits, which overflow with 8.
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=self.ranges,
            nodes_to_quantize=[*(node.name for node in convolutions), *conveyed],
            nodes_to_exclude=[],
            op_types_to_quantize=["Conv", *CONVEYED],
            extra_options={},
        )
        quantizer.quantize_model()
        model: ModelProto = quantizer.model.model
        return model


def quantize_to_eight_bits(
    source: Path,
    output: Path,
    *,
    float_parts: Sequence[str],
    calibration: Sequence[Inputs],
    checked: Sequence[Inputs],
) -> EightBits:
    """Write a float ONNX network with as many convolutions as possible in 8 bits.

    Args:
        source: The float network.
        output: File to write.
        float_parts: Submodules that stay in float, such as "attention4".
        calibration: Inputs on which the ranges of the activations are measured.
        checked: Other inputs, on which the result is compared; the first is used to try each
            convolution alone.

    Returns:
        What was quantized.

    Raises:
        DatNetError: If less than :data:`LEAST_SHARE` of the weights can be in 8 bits.
    """
    with silent():
        quantizer = Quantizer(source, float_parts, calibration)
        expected = [result_of(source, inputs) for inputs in checked]
        alone = {
            layer: psnr(result_of(quantizer.quantized([layer]), checked[0]), expected[0])
            for layer in quantizer.weights
        }
        harmless_first = sorted(alone, key=alone.__getitem__, reverse=True)

        def psnrs_of(count: int) -> tuple[float, ...]:
            model = quantizer.quantized(harmless_first[:count])
            return tuple(
                psnr(result_of(model, inputs), result)
                for inputs, result in zip(checked, expected, strict=True)
            )

        low, high = 0, len(harmless_first) + 1  # low is good enough, high is not
        best: tuple[float, ...] = ()
        count = len(harmless_first)
        while low < count < high:
            found = psnrs_of(count)
            if min(found) >= LEAST_PSNR:
                low, best = count, found
            else:
                high = count
            count = (low + high) // 2
        chosen = harmless_first[:low]
        share = sum(quantizer.weights[layer] for layer in chosen) / sum(quantizer.weights.values())
        kept = tuple(reversed(harmless_first[low:]))
        if share < LEAST_SHARE:
            worst = harmless_first[-1]
            raise DatNetError(
                "with half of the weights in 8 bits its results have a "
                f"PSNR below {LEAST_PSNR:g} dB. {worst} spoils them most "
                f"({alone[worst]:.1f} dB alone); --float16 halves the file without this"
            )
        output.write_bytes(quantizer.quantized(chosen).SerializeToString())
    return EightBits(best, kept, share)


def store_in_sixteen_bits(source: Path, output: Path) -> None:
    """Write a float ONNX network with its weights stored in 16 bits.

    They become float32 again when the file is loaded, so speed and memory stay those of float32:
    half the attention of a network overflows in 16 bits, and CPUs do not compute in them.

    Args:
        source: The float network.
        output: File to write.
    """
    import onnx

    model = onnx.load(source)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        largest = np.finfo(np.float16).max
        name = tensor.name
        tensor.CopyFrom(
            onnx.numpy_helper.from_array(
                values.clip(-largest, largest).astype(np.float16), f"{name}_16"
            )
        )
        casts.append(
            onnx.helper.make_node(
                "Cast", [f"{name}_16"], [name], f"cast_{name}", to=onnx.TensorProto.FLOAT
            )
        )
    others = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *others])
    onnx.checker.check_model(model)
    output.write_bytes(model.SerializeToString())


def layer_of(node: Any) -> str:
    """Return the name of the submodule that an ONNX node comes from, such as "decoder.3"."""
    namespace = {each.key: each.value for each in node.metadata_props}.get("namespace", "")
    names = [part.partition(":")[0].strip() for part in namespace.split("/")]
    inside = [name.removeprefix("network.") for name in names if name.startswith("network.")]
    return inside[-1] if inside else str(node.name)


def session_of(model: ModelProto | Path, threads: int = 0) -> Any:
    """Open a network with onnxruntime on the CPU; 0 threads are as many as there are cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def result_of(model: ModelProto | Path, inputs: Inputs) -> np.ndarray:
    """Run a network once."""
    result: np.ndarray = session_of(model).run(["result"], dict(inputs))[0]
    return result


def psnr(some: np.ndarray, others: np.ndarray) -> float:
    """PSNR in dB of two images in [0, 1]."""
    return float(-10 * np.log10(max(float(np.square(some - others).mean()), 1e-12)))


def reader(inputs: Sequence[Inputs]) -> Any:
    """Return inputs in the form that onnxruntime's calibration takes."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.rest = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            following = next(self.rest, None)
            return None if following is None else dict(following)

    return Reader()


@contextmanager
def silent() -> Iterator[None]:
    """Silence onnxruntime's advice about preprocessing, which needs static shapes."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
