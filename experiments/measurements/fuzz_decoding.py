"""Fuzzes image decoding with damaged files.

    python -m experiments.measurements.fuzz_decoding --inputs 20000

Input k depends only on (seed, k). Each is decoded as in training, stylizing and `datnet data
prepare`, in supervised processes. An input that ends a process, takes more than 20 seconds or
raises anything but UnreadableImageError is a finding: it is printed with its number, and the exit
status is 1. --input NUMBER decodes one input in this process; --save FILE writes it to a file.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL
from tqdm import tqdm

from datnet.data.conversion import prepare_image
from datnet.data.workers import Begin, supervise
from datnet.images.errors import UnreadableImageError
from datnet.images.files import write_text
from datnet.images.formats import FORMAT_NAMES
from datnet.images.pictures import to_picture
from datnet.images.reading import decode, read_image
from experiments.measurements.hostile_images import damaged, originals

INPUTS_PER_JOB = 250
SECONDS_PER_INPUT = 20.0


@dataclass
class Tally:
    """Results for some inputs.

    Attributes:
        outcomes: Counts of decoded inputs and of each reason for rejection.
        findings: Number of an input and what went wrong.
        slowest: Seconds and number of the slowest input.
        peak: Peak memory of a process in bytes.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, str]] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    peak: int = 0

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.outcomes += other.outcomes
        self.findings += other.findings
        self.slowest = max(self.slowest, other.slowest)
        self.peak = max(self.peak, other.peak)


def sound_files() -> list[bytes]:
    """Return the files to damage; supported formats have four times the weight of others."""
    files = []
    for label, content in originals().items():
        files += [content] * (4 if label.split()[0] in FORMAT_NAMES else 1)
    return files


def make_input(seed: int, number: int, files: list[bytes]) -> bytes:
    """Create an input.

    Args:
        seed: Seed of all inputs.
        number: Number of the input.
        files: Intact files.

    Returns:
        A damaged file.
    """
    return damaged(np.random.default_rng((seed, number)), files)


def decode_in_every_way(content: bytes) -> str:
    """Decode in all ways; return ``decoded`` or the reason for rejection, without details.

    Raises:
        AssertionError: If a decoded image is invalid.
        Exception: Any exception that the decoder does not handle.
    """
    name = Path("input")
    reason = "decoded"
    try:
        image = read_image(name, content=content)
        assert image.mode == "RGB"
        assert min(image.size) > 0
    except UnreadableImageError as error:
        reason = error.reason.partition(":")[0].partition(" (")[0]
    try:
        picture, _ = decode(name, to_picture, content=content, cut_short=True)
        assert picture.mode in ("RGB", "RGBA")
    except UnreadableImageError:
        pass
    try:
        prepared = prepare_image(name, content, short_side=64, quality=95)
        assert read_image(name, content=prepared.content).mode == "RGB"
    except UnreadableImageError:
        pass
    return reason


def fuzz(job: tuple[int, int], excluded: Mapping[int, str], begin: Begin) -> Tally:
    """Decode the inputs of a job.

    Args:
        job: Seed and number of the first input.
        excluded: Positions to skip, with the reason: they ended an earlier process.
        begin: Called with each position before it is decoded.

    Returns:
        The tally.
    """
    warnings.simplefilter("ignore")  # Pillow warns thousands of times of damaged metadata
    seed, first = job
    files = sound_files()
    tally = Tally()
    for position in range(INPUTS_PER_JOB):
        number = first + position
        begin(position)
        if position in excluded:
            tally.findings.append((number, excluded[position]))
            continue
        content = make_input(seed, number, files)
        start = time.perf_counter()
        try:
            tally.outcomes[decode_in_every_way(content)] += 1
        except Exception as error:
            tally.findings.append((number, f"{type(error).__name__}: {error}"))
        tally.slowest = max(tally.slowest, (time.perf_counter() - start, number))
    tally.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return tally


def main() -> None:
    """Read the command line, fuzz, print and write."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.fuzz_decoding",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("runs/fuzz_decoding.json"))
    parser.add_argument("--input", type=int, help="decode this one only")
    parser.add_argument("--save", type=Path, help="write it to a file")
    arguments = parser.parse_args()
    if arguments.input is not None:
        content = make_input(arguments.seed, arguments.input, sound_files())
        if arguments.save:
            arguments.save.write_bytes(content)
        print(decode_in_every_way(content))
        return
    jobs = [(arguments.seed, first) for first in range(0, arguments.inputs, INPUTS_PER_JOB)]
    total = Tally()
    with tqdm(total=len(jobs) * INPUTS_PER_JOB, unit=" inputs") as progress:
        for _, tally in supervise(
            fuzz,
            jobs,
            processes=arguments.processes,
            seconds=SECONDS_PER_INPUT,
            on_items=progress.update,
        ):
            total.add(tally)
    report = {
        "inputs": len(jobs) * INPUTS_PER_JOB,
        "seed": arguments.seed,
        "pillow": PIL.__version__,
        "originals": sorted(originals()),
        "outcomes": dict(total.outcomes.most_common()),
        "findings": sorted(total.findings),
        "slowest_seconds": total.slowest[0],
        "slowest_input": total.slowest[1],
        "peak_bytes": total.peak,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(arguments.output, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    print(f"{report['inputs']:,} inputs made of {len(originals())} files, seed {arguments.seed}")
    for outcome, count in total.outcomes.most_common():
        print(f"{count:9,} {outcome}")
    print(f"slowest {total.slowest[0]:.2f} s (input {total.slowest[1]}), ", end="")
    print(f"peak memory {total.peak / 2**20:.0f} MiB")
    print(f"{len(total.findings)} findings")
    for number, what in sorted(total.findings):
        print(f"  input {number}: {what}")
    sys.exit(bool(total.findings))


if __name__ == "__main__":
    main()
