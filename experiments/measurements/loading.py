"""Speed of reading pairs: the usual loop, DatNet's folders and DatNet's shards.

    python -m experiments.measurements.loading speed --images ../shared/data/train
    python -m experiments.measurements.loading memory --images ../shared/data/train --pairs 100000

`speed` enlarges images of the folders IMAGES/content and IMAGES/style to longer sides of 2000 and
6000 pixels, smooth and with grain, which gives them the file size of sharp scans. It reads the same
pairs in three ways, which take turns in one process on one core: (a) open, convert, resize to 512
and crop 256 with Pillow, as is common, (b) DatNet's folders, (c) DatNet's shards. Pairs per second
refer to processor time; the difference of the crops is also measured.

`memory` reads pairs from small shards and records the memory of the process.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from datnet.data.pair_plan import plan_pair
from datnet.data.pairs import PairDataset
from datnet.data.prepare import prepare
from datnet.data.sets import open_images
from datnet.data.shard_writing import Settings
from datnet.evaluation.machine import describe_machine, sentence_of_machine
from datnet.evaluation.markdown import aligned
from datnet.images.files import write_text
from datnet.images.finding import find_images
from datnet.images.tensors import to_tensor

SHORT_SIDE, CROP, SEED = 512, 256, 1
Read = Callable[[int], tuple[Tensor, Tensor]]


def enlarge(
    folders: list[Path], longer_side: int, grain: float, count: int, target: Path
) -> list[Path]:
    """Write large JPEGs of images from each folder.

    Args:
        folders: Folders of images.
        longer_side: Length of the longer side in pixels.
        grain: Standard deviation of the noise, of 255.
        count: Images per folder.
        target: Where to write.

    Returns:
        The new folders.
    """
    results = []
    for folder in folders:
        files = find_images(folder)
        into = target / folder.name
        into.mkdir(parents=True)
        for i, path in enumerate(files[:: max(1, len(files) // count)][:count]):
            image = Image.open(path).convert("RGB")
            scale = longer_side / max(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
            pixels += np.random.default_rng(i).normal(0, grain, (*pixels.shape[:2], 1))
            large = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            large.save(into / f"{i:03}.jpg", quality=90)
        results.append(into)
    return results


def usual_loop(contents: list[Path], styles: list[Path]) -> Read:
    """Return a reader as in most training scripts, with the crops of DatNet's sequence of pairs.

    Args:
        contents: Content files.
        styles: Style files.

    Returns:
        Reads the pair of a number.
    """

    def read_one(path: Path, left: float, top: float) -> Tensor:
        image = Image.open(path).convert("RGB")
        width, height = image.size
        scale = SHORT_SIDE / min(width, height)
        size = (round(width * scale), round(height * scale))
        image = image.resize(size, Image.Resampling.BILINEAR)
        x, y = round(left * (image.width - CROP)), round(top * (image.height - CROP))
        return to_tensor(image.crop((x, y, x + CROP, y + CROP)))

    def read(number: int) -> tuple[Tensor, Tensor]:
        plan = plan_pair(SEED, number, len(contents), len(styles), horizontal_flip=False)
        return (
            read_one(contents[plan.content], plan.content_crop.left, plan.content_crop.top),
            read_one(styles[plan.style], plan.style_crop.left, plan.style_crop.top),
        )

    return read


def ours(contents: Path, styles: Path) -> Read:
    """Return a reader as in DatNet's training.

    Args:
        contents: Folder or shards of contents.
        styles: Folder or shards of styles.

    Returns:
        Reads the pair of a number.
    """
    pairs = dataset(contents, styles, SHORT_SIDE, CROP)
    return lambda number: pairs[number][:2]


def dataset(contents: Path, styles: Path, short_side: int, crop: int) -> PairDataset:
    """Return the sequence of pairs of two folders.

    Args:
        contents: Folder or shards of contents.
        styles: Folder or shards of styles.
        short_side: Length in pixels that shorter sides are resized to.
        crop: Side of the crops in pixels.

    Returns:
        The sequence.
    """
    return PairDataset(
        open_images(contents),
        open_images(styles),
        short_side=short_side,
        crop_size=crop,
        horizontal_flip=False,
        seed=SEED,
    )


def measure(
    folders: list[Path], longer_side: int, grain: float, count: int, rounds: int
) -> dict[str, Any]:
    """Read the same pairs in three ways, in turns.

    Args:
        folders: Folders of contents and styles.
        longer_side: See :func:`enlarge`.
        grain: See :func:`enlarge`.
        count: Images per folder, and pairs per round.
        rounds: Number of rounds.

    Returns:
        The measurements, for JSON.
    """
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        contents, styles = enlarge(folders, longer_side, grain, count, top / "files")
        shards = [top / "shards" / folder.name for folder in (contents, styles)]
        for folder, target in zip((contents, styles), shards, strict=True):
            prepare([folder], target, Settings(SHORT_SIDE), processes=1)
        reads = {
            "usual": usual_loop(find_images(contents), find_images(styles)),
            "folder": ours(contents, styles),
            "shards": ours(shards[0], shards[1]),
        }
        differences: dict[str, list[float]] = {"folder": [], "shards": []}
        for number in range(count):  # also brings the files into memory
            usual = torch.cat(reads["usual"](number))
            for way, values in differences.items():
                values.append((torch.cat(reads[way](number)) - usual).square().mean().item())
        times: dict[str, list[float]] = {way: [] for way in reads}
        for turn in tqdm(range(rounds), desc=f"{longer_side} pixels, grain {grain:g}"):
            for way, read in reads.items():
                start = time.process_time()
                for number in range(turn * count, (turn + 1) * count):
                    read(number)
                times[way].append((time.process_time() - start) / count)
        sizes = [path.stat().st_size for path in (*contents.iterdir(), *styles.iterdir())]
        return {
            "longer_side": longer_side,
            "grain": grain,
            "megabytes_per_file": sum(sizes) / len(sizes) / 1e6,
            "seconds_per_pair": times,
            "psnr": {way: -10 * np.log10(np.mean(values)) for way, values in differences.items()},
        }


def table(results: list[dict[str, Any]]) -> str:
    """Return a Markdown table with a row per size."""
    ways = ("(a) pairs/s", "(b) pairs/s", "(c) pairs/s", "b : a", "c : a")
    rows = [["pixels", "grain", "MB a file", *ways, "PSNR of b to a", "of c to a"]]
    for result in results:
        times = result["seconds_per_pair"]

        def faster(way: str, times: dict[str, list[float]] = times) -> str:
            turns = zip(times["usual"], times[way], strict=True)
            return f"{median(usual / other for usual, other in turns):.1f}"

        rows.append(
            [
                f"{result['longer_side']}",
                f"{result['grain']:g}",
                f"{result['megabytes_per_file']:.1f}",
                *(f"{1 / median(times[way]):.1f}" for way in times),
                *(faster(way) for way in ("folder", "shards")),
                *(f"{result['psnr'][way]:.1f} dB" for way in ("folder", "shards")),
            ]
        )
    return aligned(rows)


# ---------------------------------------------------------------------------------------- memory


def resident_bytes() -> int:
    """Return the anonymous memory of this process in bytes, without mapped files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc does not tell the memory of this process")


def memory(folders: list[Path], pairs: int, short_side: int) -> list[tuple[str, int, int]]:
    """Record memory while pairs are read.

    Args:
        folders: Folders of contents and styles.
        pairs: Number of pairs to read.
        short_side: Side of the images in pixels.

    Returns:
        Kind of images, number of pairs read so far, and memory in bytes.
    """
    notes = []
    with tempfile.TemporaryDirectory() as name:
        shards = [Path(name) / folder.name for folder in folders]
        for folder, target in zip(folders, shards, strict=True):
            prepare([folder], target, Settings(short_side), processes=2)
        for kind, (contents, styles) in (("shards", shards), ("folder", folders)):
            read = dataset(contents, styles, short_side, short_side)
            for number in tqdm(range(pairs + 1), desc=kind):
                if number % max(1, pairs // 10) == 0 or number == 1000:
                    gc.collect()
                    notes.append((kind, number, resident_bytes()))
                read[number]
    return notes


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.loading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=["speed", "memory"])
    parser.add_argument("--images", type=Path, required=True, help="has folders content and style")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 6000])
    parser.add_argument(
        "--grain", type=float, nargs="+", default=[0, 6], help="its standard deviation, of 255"
    )
    parser.add_argument("--count", type=int, default=12, help="images per folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=100_000, help="for memory")
    parser.add_argument("--short-side", type=int, default=64, help="for memory")
    parser.add_argument("--output", type=Path, help="default: runs/loading_KIND.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folders = [arguments.images / name for name in ("content", "style")]
    machine = describe_machine(torch.device("cpu"))
    print(f"{sentence_of_machine(machine)}\n")
    results: list[Any]
    if arguments.kind == "speed":
        results = [
            measure(folders, size, grain, arguments.count, arguments.rounds)
            for size in arguments.sizes
            for grain in arguments.grain
        ]
        print(table(results))
    else:
        results = memory(folders, arguments.pairs, arguments.short_side)
        for kind, number, size in results:
            print(f"{kind} {number:9,} pairs {size / 2**20:8.1f} MiB")
    output = arguments.output or Path(f"runs/loading_{arguments.kind}.json")
    output.parent.mkdir(parents=True, exist_ok=True)
    write_text(output, json.dumps({"machine": machine, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
