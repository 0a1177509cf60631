"""Random access to images: DatNet's index on tar shards and LitData; WebDataset in order.

    pip install litdata webdataset
    python -m experiments.measurements.shard_libraries --images ../shared/data/train/content

All store the same JPEGs and return their bytes undecoded, since decoding costs the same for all.
WebDataset (1.0) has no index: to read an image of a shard it must read everything before it, so it
is only timed in order. Times are processor times, reading from memory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litdata
import numpy as np
import torch
import webdataset
from tqdm import tqdm

from datnet.data.prepare import prepare
from datnet.data.shard_writing import Settings
from datnet.data.shards import Shards
from datnet.evaluation.machine import describe_machine, sentence_of_machine


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the processor time and wall-clock time of a call, in seconds."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - processor, time.perf_counter() - clock


def main() -> None:
    """Write the same images in each format, read them and print."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.shard_libraries",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--reads", type=int, default=5000)
    arguments = parser.parse_args()
    print(f"{sentence_of_machine(describe_machine(torch.device('cpu')))}\n")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        prepare([arguments.images], top / "shards", Settings(), processes=1)
        shards = Shards(top / "shards")
        litdata.optimize(
            shards.content,
            list(range(len(shards))),
            str(top / "litdata"),
            num_workers=1,
            chunk_bytes="64MB",
            reorder_files=False,
        )
        indices = np.random.default_rng(0).integers(len(shards), size=arguments.reads).tolist()

        def read_all(images: Any) -> None:
            for index in indices:
                images(index)

        opening = {
            "ours": timed(lambda: Shards(top / "shards").content(0)),
            "LitData": timed(lambda: litdata.StreamingDataset(str(top / "litdata"))[0]),
        }
        streaming = litdata.StreamingDataset(str(top / "litdata"))
        assert all(streaming[i] == shards.content(i) for i in (0, 7, len(shards) - 1))
        ways: dict[str, Callable[[], None]] = {
            "ours, at random": lambda: read_all(shards.content),
            "LitData, at random": lambda: read_all(streaming.__getitem__),
            "WebDataset, in order": lambda: read_in_order(top / "shards", arguments.reads),
        }
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in tqdm(range(5)):
            for way, work in ways.items():
                times[way].append(timed(work))
        for way, seconds in opening.items():
            print(f"{way}: opened, first image after {seconds[1] * 1000:.1f} ms")
        for way, several in times.items():
            processor, clock = np.median(np.array(several), axis=0) / arguments.reads * 1e6
            print(f"{way}: {processor:.0f} µs of the processor an image, {clock:.0f} µs")


def read_in_order(folder: Path, count: int) -> None:
    """Read images as WebDataset streams them, from the start again at the end.

    Args:
        folder: Folder of tar shards.
        count: Number of images to read.
    """
    shards = sorted(str(path) for path in folder.glob("*.tar"))
    read = 0
    while read < count:
        for sample in webdataset.WebDataset(shards, shardshuffle=False):
            assert sample["jpg"]
            read += 1
            if read == count:
                break


if __name__ == "__main__":
    main()
