"""Benchmark of networks: parameters, multiply-adds, time and peak memory of stylizing an image.

Networks take turns: each stylizes once, then each a second time, and so on. Other load on the
machine then affects all of them alike, and ratios are taken within a turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from datnet.devices import precision, ran_out_of_memory
from datnet.errors import DatNetError
from datnet.evaluation.candidates import Candidate, random_pictures
from datnet.evaluation.efficiency import multiply_adds
from datnet.evaluation.machine import describe_machine
from datnet.evaluation.peak_memory import (
    OUT_OF_MEMORY,
    Peak,
    peak_in_new_process,
    peak_of_stylizing,
)
from datnet.evaluation.running_cost import RunningCost, quartiles_of, ratio
from datnet.networks.attention import attention_way
from datnet.networks.base import SMALLEST_SIDE, StyleTransferNetwork
from datnet.networks.vgg import VggEncoder
from datnet.zoo.parameters import ParameterCounts, parameters

COUNTED_SIZE = 256
"""Side of the images for which multiply-adds are counted."""
LARGEST_SIZE = 4096


@dataclass(frozen=True)
class BenchmarkSettings:
    """Settings of a benchmark.

    Attributes:
        sizes: Sides of the square images in pixels, ascending; content and style have one size.
        warmup: Untimed runs of each network.
        runs: Timed runs of each network.
        device: Where to compute.
        dtype: One of :data:`DTYPES`; types other than float32 use autocast.
        threads: CPU threads; None for torch's default.

    Raises:
        DatNetError: If a value is out of range.
    """

    sizes: Sequence[int] = (256, 512)
    warmup: int = 1
    runs: int = 5
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: str = "float32"
    threads: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", sorted(set(self.sizes)))
        for size in self.sizes:
            if not SMALLEST_SIDE <= size <= LARGEST_SIZE:
                raise DatNetError(
                    f"size {size} is not possible; sizes go from {SMALLEST_SIDE} to {LARGEST_SIZE}"
                )
        for name, value, least in (
            ("warmup", self.warmup, 0),
            ("runs", self.runs, 1),
            ("threads", self.threads, 1),
        ):
            if value is not None and value < least:
                raise DatNetError(f"{name} is {value}; it must be at least {least}")


@dataclass(frozen=True)
class Cost:
    """Costs that do not depend on the machine.

    Attributes:
        parameters: Parameter counts.
        multiply_adds: MACs of stylizing one image at 256 × 256, encoding included. None if the
            network cannot run at this size.
    """

    parameters: ParameterCounts
    multiply_adds: int | None


class Benchmark:
    """Networks ready to be timed, with their costs counted.

    All networks stay in memory and share one encoder of each architecture.

    Args:
        candidates: The networks; titles are distinct.
        settings: How to measure.

    Attributes:
        costs: Costs by title.

    Raises:
        DatNetError: If a network cannot be built.
    """

    def __init__(self, candidates: Sequence[Candidate], settings: BenchmarkSettings) -> None:
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.candidates = candidates
        self.settings = settings
        self.costs: dict[str, Cost] = {}
        self.networks: dict[str, StyleTransferNetwork] = {}
        self._hopeless: dict[str, str] = {}
        encoders: dict[str, VggEncoder] = {}
        for candidate in tqdm(candidates, "counting", disable=None, leave=False):
            if candidate.encoder not in encoders:
                encoders[candidate.encoder] = VggEncoder(candidate.encoder)
            network = candidate.build(encoders[candidate.encoder])
            try:
                with attention_way(candidate.attention):
                    count = multiply_adds(network, COUNTED_SIZE, COUNTED_SIZE)
            except Exception:  # measuring reports the error at the size where it occurs
                count = None
            self.costs[candidate.title] = Cost(parameters(network), count)
            self.networks[candidate.title] = network
        # Only after all are counted on the CPU: the first one moves the shared encoder.
        for network in self.networks.values():
            network.to(settings.device)

    def measure(self, size: int) -> list[RunningCost]:
        """Measure all networks at one size: first peak memory, then times, in turns.

        A network that fails or runs out of memory gets a problem instead of times and is not tried
        at larger sizes; the others are measured as usual.
        """
        measurements = []
        steps = len(self.candidates) * (1 + self.settings.warmup + self.settings.runs)
        with tqdm(total=steps, unit="run", disable=None, leave=False) as bar:
            for candidate in self.candidates:
                bar.set_description(f"{size}² memory {candidate.title}")
                with attention_way(candidate.attention):
                    measurements.append(self._measure_memory(candidate, size))
                bar.update()
            for turn in range(self.settings.warmup + self.settings.runs):
                for candidate, measurement in zip(self.candidates, measurements, strict=True):
                    if measurement.problem is None:
                        bar.set_description(f"{size}² time {measurement.network}")
                        with attention_way(candidate.attention):
                            self._take_turn(measurement, timed=turn >= self.settings.warmup)
                    bar.update()
        return measurements

    def _measure_memory(self, candidate: Candidate, size: int) -> RunningCost:
        title, settings = candidate.title, self.settings
        if title in self._hopeless:
            return RunningCost(title, size, problem=f"not tried: {self._hopeless[title]}")
        try:
            # On the CPU this process keeps its networks in memory while the new process runs, so
            # what fits there fits here.
            peak = (
                peak_in_new_process(candidate, size, settings.dtype, settings.threads)
                if settings.device.type == "cpu"
                else peak_of_stylizing(self.networks[title], size, settings.device, settings.dtype)
            )
        except Exception as error:  # a user's network may raise anything
            peak = Peak(problem=describe_failure(error))
        if peak.problem:
            self._hopeless[title] = f"{peak.problem} at {size}²"
        return RunningCost(
            title, size, peak_bytes=peak.bytes, peak_source=peak.source, problem=peak.problem
        )

    def _take_turn(self, measurement: RunningCost, timed: bool) -> None:
        network = self.networks[measurement.network]
        try:
            if timed:
                whole, style_encoded = self._time(network, measurement.size)
                measurement.seconds.append(whole)
                measurement.seconds_style_encoded.append(style_encoded)
            else:
                self._warm_up(network, measurement.size)
        except Exception as error:  # a user's network may raise anything
            measurement.problem = describe_failure(error)
            measurement.seconds.clear()
            measurement.seconds_style_encoded.clear()
            self._hopeless[measurement.network] = f"{measurement.problem} at {measurement.size}²"

    @torch.inference_mode()
    def _warm_up(self, network: StyleTransferNetwork, size: int) -> None:
        with precision(self.settings.device, self.settings.dtype):
            network(*random_pictures(size, self.settings.device))

    @torch.inference_mode()
    def _time(self, network: StyleTransferNetwork, size: int) -> tuple[float, float]:
        """Seconds to stylize an image, with the style encoded in the run and before it."""
        device = self.settings.device
        content, style = random_pictures(size, device)

        def stylize_with_encoded_style() -> Tensor:
            return network.generate(network.encode_content(content), features, (size, size))

        with precision(device, self.settings.dtype):
            whole = seconds_of(lambda: network(content, style), device)
            features = network.encode_style(style)
            return whole, seconds_of(stylize_with_encoded_style, device)

    def report(self, measurements: Sequence[RunningCost]) -> dict[str, Any]:
        """Return settings, machine, costs and measurements, for JSON."""
        settings = self.settings
        return {
            "machine": describe_machine(settings.device),
            "settings": {
                "sizes": list(settings.sizes),
                "warmup": settings.warmup,
                "runs": settings.runs,
                "dtype": settings.dtype,
                "batch": 1,
            },
            "units": {
                "multiply_adds": f"for stylizing one image at {COUNTED_SIZE} × {COUNTED_SIZE}; a "
                "multiply-add is one, torch's FLOPs are twice that",
                "peak_bytes": "beyond the weights",
                "ratio_to_adain": "median over the turns of the ratio within a turn",
            },
            "networks": {
                candidate.title: {
                    "class": candidate.network["_target_"],
                    "encoder": candidate.encoder
                    if "encoder" in self.costs[candidate.title].parameters.by_part
                    else None,
                    "attention": candidate.attention,
                    "parameters": self.costs[candidate.title].parameters.total,
                    "trainable": self.costs[candidate.title].parameters.trainable,
                    "by_part": self.costs[candidate.title].parameters.by_part,
                    "multiply_adds": self.costs[candidate.title].multiply_adds,
                }
                for candidate in self.candidates
            },
            "measurements": [
                {
                    "network": measurement.network,
                    "size": measurement.size,
                    "seconds": quartiles_of(measurement.seconds),
                    "seconds_style_encoded": quartiles_of(measurement.seconds_style_encoded),
                    "peak_bytes": measurement.peak_bytes,
                    "peak_source": measurement.peak_source,
                    "ratio_to_adain": ratio(measurement, measurements),
                    "problem": measurement.problem,
                }
                for measurement in measurements
            ],
        }


def describe_failure(error: Exception) -> str:
    """Return a one-line description of an error."""
    if ran_out_of_memory(error):
        return OUT_OF_MEMORY
    return f"failed: {type(error).__name__}: {' '.join(str(error).split())}"


def seconds_of(paint: Callable[[], object], device: torch.device) -> float:
    """Time a call, including the work that it leaves to the device.

    Args:
        paint: The call.
        device: Where it computes.

    Returns:
        Wall-clock time in seconds.
    """
    _finish(device)
    start = time.perf_counter()
    paint()
    _finish(device)
    return time.perf_counter() - start


def _finish(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
