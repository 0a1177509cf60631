r"""Time and memory for millions of images: an index of shards in eight workers, and a folder.

    python -m experiments.measurements.data_scale --entries 10000000 --files 1000000 \
        --scratch /dev/shm

The index is synthetic: its entries point into one shard of real JPEGs. Each worker draws pairs of
two such sets as training does, around the end of a pass, where it holds the orders of two passes.
The folder's files are empty, since listing does not open them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from datnet.data.datamodule import ContentStyleDataModule
from datnet.data.pairs import PairDataset
from datnet.data.prepare import prepare
from datnet.data.sets import open_images
from datnet.data.shard_writing import Settings
from datnet.evaluation.machine import describe_machine, sentence_of_machine
from datnet.images.files import write_text

REAL_IMAGES = 100
PAIRS_PER_WORKER = 200


def memory_of_this_process() -> dict[str, int]:
    """Return resident, proportional and anonymous bytes ("rss", "pss", "anonymous")."""
    sizes = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("Rss", "Pss", "Anonymous"):
            sizes[name.lower()] = int(value.split()[0]) * 1024
    return sizes


def make_index(folder: Path, entries: int) -> None:
    """Write shards of a hundred real images, and an index that repeats them.

    Args:
        folder: Where to write.
        entries: Entries of the index.
    """
    (folder / "photos").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for i in range(REAL_IMAGES):
        coarse = Image.fromarray(generator.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        coarse.resize((90, 80), Image.Resampling.BICUBIC).save(folder / "photos" / f"{i:03}.jpg")
    prepare([folder / "photos"], folder / "shards", Settings(64), processes=1)
    real = np.load(folder / "shards" / "index.npy")
    index = np.lib.format.open_memmap(
        folder / "shards" / "index.npy", mode="w+", dtype=real.dtype, shape=(entries,)
    )
    for start in range(0, entries, 10**6):
        part = index[start : start + 10**6]
        part[:] = np.resize(real, len(part))
        part["number"] = np.arange(start, start + len(part))
    index.flush()
    about = json.loads((folder / "shards" / "index.json").read_text())
    about["images"] = entries
    (folder / "shards" / "index.json").write_text(json.dumps(about))


def work(pairs: PairDataset, barrier: Any, results: Any) -> None:
    """Draw pairs around the end of a pass, and report memory while all workers do.

    Args:
        pairs: The sequence of pairs.
        barrier: Shared by all workers.
        results: Queue for the report.
    """
    before = memory_of_this_process()
    start = time.perf_counter()
    entries = len(pairs.contents)
    pairs[entries - 1]
    first = time.perf_counter() - start
    for number in range(entries - PAIRS_PER_WORKER // 2, entries + PAIRS_PER_WORKER // 2):
        pairs[number]
    barrier.wait()
    after = memory_of_this_process()
    results.put({"before": before, "after": after, "first_pair_seconds": first})
    barrier.wait()


def measure_index(scratch: Path, entries: int, workers: int) -> dict[str, Any]:
    """Open the index and draw pairs in workers, forked as PyTorch's are on Linux.

    Args:
        scratch: An empty folder.
        entries: Entries of the index.
        workers: Number of workers.

    Returns:
        The measurements, for JSON.
    """
    make_index(scratch, entries)
    start = time.perf_counter()
    images = open_images(scratch / "shards")
    opening = time.perf_counter() - start
    pairs = PairDataset(images, images, short_side=64, crop_size=64, horizontal_flip=False, seed=1)
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(workers), context.Queue()
    processes = [
        context.Process(target=work, args=(pairs, barrier, results)) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    reports = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return {
        "entries": len(images),
        "index_bytes": (scratch / "shards" / "index.npy").stat().st_size,
        "opening_seconds": opening,
        "workers": reports,
    }


def measure_folder(scratch: Path, files: int) -> dict[str, Any]:
    """List a folder as a training does at its start, and count how often folders are listed.

    Args:
        scratch: Where to create the files.
        files: Number of files.

    Returns:
        The measurements, for JSON.
    """
    for i in range(files):
        folder = scratch / "million" / f"{i // 50_000:03}"
        if i % 50_000 == 0:
            folder.mkdir(parents=True)
        os.close(os.open(folder / f"painting_by_somebody_{i:07}.jpg", os.O_CREAT))
    listed: list[str] = []
    scandir: Callable[..., Any] = os.scandir

    def counted(path: Any) -> Any:
        listed.append(str(path))
        return scandir(path)

    os.scandir = counted  # type: ignore[assignment]
    before = memory_of_this_process()["anonymous"]
    start = time.perf_counter()
    module = ContentStyleDataModule(
        content_dir=scratch / "million", style_dir=str(scratch / "million") + "/"
    )
    module.check()
    module.setup("fit")
    counts = module.image_counts()
    seconds = time.perf_counter() - start
    os.scandir = scandir
    return {
        "files": counts["content"],
        "seconds": seconds,
        "bytes": memory_of_this_process()["anonymous"] - before,
        "folders": len(set(listed)),
        "listings": len(listed),
    }


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.data_scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--output", type=Path, default=Path("runs/data_scale.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    scratch = Path(tempfile.mkdtemp(dir=arguments.scratch))
    try:
        index = measure_index(scratch, arguments.entries, arguments.workers)
        folder = measure_folder(scratch, arguments.files)
    finally:
        shutil.rmtree(scratch)
    machine = describe_machine(torch.device("cpu"))
    report = {"machine": machine, "index": index, "folder": folder}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(arguments.output, json.dumps(report, indent=2) + "\n")
    own = max(worker["after"]["anonymous"] for worker in index["workers"]) / 2**20
    share = max(worker["after"]["pss"] for worker in index["workers"]) / 2**20
    all_resident = max(worker["after"]["rss"] for worker in index["workers"]) / 2**20
    first = max(worker["first_pair_seconds"] for worker in index["workers"])
    print(f"{sentence_of_machine(machine)}\n")
    print(f"index of {index['entries']:,} entries, {index['index_bytes'] / 2**20:.0f} MiB:")
    print(f"  opened in {index['opening_seconds']:.4f} s; first pair after {first:.1f} s more")
    print(f"  each of {arguments.workers} workers, two sets: {own:.0f} MiB of its own, ", end="")
    print(f"{share:.0f} MiB with its share of what is mapped, {all_resident:.0f} MiB resident")
    print(f"folder of {folder['files']:,} files: {folder['seconds']:.1f} s, ", end="")
    print(f"{folder['bytes'] / 2**20:.0f} MiB, ", end="")
    print(f"{folder['listings']} listings of {folder['folders']} folders")


if __name__ == "__main__":
    main()
