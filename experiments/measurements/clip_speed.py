r"""Speed of `datnet stylize clip.mp4` at 480p, for several networks in turns.

    python -m experiments.measurements.clip_speed johnson.safetensors adain --photo PHOTO \
        --painting PAINTING

The clip is a pan over the photograph, 854 × 480. Each network stylizes it as the command does:
decoding, network, flicker and encoding. Printed are processor seconds per frame of the fastest
turn, frames per second of one core, and the ratio to the first network.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from datnet import Stylizer
from datnet.evaluation.markdown import aligned
from datnet.images.opening import open_picture
from datnet.stylize.clips import stylize_video

WIDTH, HEIGHT = 854, 480


def write_pan(photo: Path, path: Path, frames: int) -> None:
    """Write a clip that pans over a photograph, 4 pixels a frame."""
    image = open_picture(photo, "content")[0].convert("RGB")
    image = image.resize((WIDTH + 4 * frames, HEIGHT), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    with av.open(str(path), "w") as clip:
        video = clip.add_stream("libx264", rate=25, width=WIDTH, height=HEIGHT)
        for number in range(frames):
            part = np.ascontiguousarray(pixels[:, 4 * number : 4 * number + WIDTH])
            for packet in video.encode(av.VideoFrame.from_ndarray(part, format="rgb24")):
                clip.mux(packet)
        for packet in video.encode():
            clip.mux(packet)


def main() -> None:
    """Stylize the clip with each network in turns and print."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.clip_speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument(
        "--painting", type=Path, required=True, help="known to all networks for certain paintings"
    )
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()
    stylizers = {
        name: Stylizer(name, device="cpu", dtype=arguments.dtype) for name in arguments.networks
    }
    seconds: dict[str, list[float]] = {name: [] for name in stylizers}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "pan.mp4"
        write_pan(arguments.photo, clip, arguments.frames)
        for _ in range(arguments.turns):
            for name, stylizer in stylizers.items():
                started = time.process_time()
                stylize_video(stylizer, clip, arguments.painting, Path(folder) / "out.mp4")
                seconds[name].append((time.process_time() - started) / arguments.frames)
                print(f"{name}: {seconds[name][-1]:.2f} s a frame", flush=True)
    first = min(seconds[arguments.networks[0]])
    rows = [["network", "s a frame", "frames a second", "time : first"]]
    for name, turns in seconds.items():
        best = min(turns)
        rows.append([Path(name).name, f"{best:.2f}", f"{1 / best:.2f}", f"{best / first:.2f}"])
    print(
        f"{arguments.frames} frames of {WIDTH} × {HEIGHT}, {arguments.dtype}, "
        f"threads: {torch.get_num_threads()}\n\n{aligned(rows)}"
    )


if __name__ == "__main__":
    main()
