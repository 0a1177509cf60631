"""Kills and resumes a sweep many times, and compares its weights with an undisturbed sweep.

    python -m experiments.measurements.kills --kills 36

The sweep has two jobs (AdaIN and DatNet, small images), a checkpoint after each step and a
validation after every second step. SIGKILL is sent to all processes of the sweep at random times,
or to the process that reaches a given point: in a training step, in a validation, with half a
checkpoint written, between the two renamings of a checkpoint, or between two jobs. When a sweep is
done, the next one starts. Prints the number of kills at each point, and whether all weights are
bitwise equal to those of the undisturbed sweep.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tqdm import tqdm

from datnet.evaluation.markdown import aligned
from datnet.images.embedded import sample_images
from datnet.training import module, sweep
from datnet.zoo.run_files import LAST

RANDOM_TIME = "random time"
POINTS = ("step", "validation", "half a checkpoint", "between renamings", "hand-over")
OVERRIDES = (
    *("model=adain,datnet_full", "trainer=cpu", "sweep=killed", "trainer.max_steps=6"),
    *("data.crop_size=32", "data.short_side=64", "data.batch_size=1", "data.num_workers=0"),
    *("data.validation_pairs=1", "checkpoint_every=1", "trainer.val_check_interval=2"),
    *("trainer.enable_progress_bar=false", "final_metrics=false"),
)
LONGEST_SECONDS = 20
"""Longest time from the start to a kill at a random time."""

AT_START = """\
import os
if "KILL_AT" in os.environ:
    from experiments.measurements.kills import die_at
    die_at(os.environ["KILL_AT"], int(os.environ["KILL_COUNT"]), os.environ["KILL_MARK"])
"""
"""Content of the module `sitecustomize`, which Python runs first in every process of the sweep."""


def die_at(point: str, count: int, mark: str) -> None:
    """Make this process kill itself when it reaches a point for the ``count``-th time.

    Args:
        point: One of :data:`POINTS`.
        count: From 1.
        mark: A file that is created just before.
    """
    left = [count]

    def die_in_time() -> None:
        left[0] -= 1
        if left[0] == 0:
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def die_before(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def replaced(*arguments: Any, **keywords: Any) -> Any:
            die_in_time()
            return original(*arguments, **keywords)

        setattr(owner, name, replaced)

    if point == "step":
        die_before(module.StyleTransferModule, "training_step")
    elif point == "validation":
        die_before(module.StyleTransferModule, "validation_step")
    elif point == "hand-over":
        die_before(sweep, "write_text")
    elif point == "between renamings":
        rename = Path.replace

        def rename_and_die(path: Path, target: Path) -> Path:
            result = rename(path, target)
            if path.name == LAST:
                die_in_time()
            return result

        Path.replace = rename_and_die  # type: ignore[method-assign]
    else:
        save = torch.save

        def save_half_and_die(what: Any, file: Any) -> None:
            save(what, file)
            size = file.tell()
            file.truncate(size // 2)
            die_in_time()
            file.truncate(size)  # padded with zeros, then overwritten
            file.seek(0)
            save(what, file)

        torch.save = save_half_and_die


def start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start or resume the sweep in a folder, in a new process group.

    Args:
        folder: Where it runs.
        environment: Further environment variables.

    Returns:
        Its process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(AT_START)
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    return subprocess.Popen(
        [sys.executable, "-m", "datnet.training", "-m", *OVERRIDES],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path} | environment,
        stdout=(folder / "log.txt").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def start_and_kill(folder: Path, point: str, generator: random.Random) -> bool:
    """Run the sweep until the kill.

    Args:
        folder: Where it runs.
        point: One of :data:`POINTS`, or :data:`RANDOM_TIME`.
        generator: Source of random numbers.

    Returns:
        True if it was killed, False if it ended before.
    """
    if point == RANDOM_TIME:
        process = start(folder, {})
        try:
            process.wait(generator.uniform(2, LONGEST_SECONDS))
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
    mark = folder / "killed"
    mark.unlink(missing_ok=True)
    count = generator.randint(1, 1 if point == "hand-over" else 3)
    environment = {"KILL_AT": point, "KILL_COUNT": str(count), "KILL_MARK": str(mark)}
    start(folder, environment).wait()
    return mark.exists()


def finish(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Run the sweep to its end.

    Returns:
        The weights of its networks, by the names of their jobs.

    Raises:
        RuntimeError: If a job fails.
    """
    if start(folder, {}).wait():
        log = (folder / "log.txt").read_text(errors="replace").splitlines()
        raise RuntimeError("\n".join(["the sweep failed:", *log[-30:]]))
    networks = sorted((folder / "sweeps" / "killed").glob("*/network.safetensors"))
    return {path.parent.name: load_file(path) for path in networks}


def equal_to_the_bit(
    one: dict[str, dict[str, torch.Tensor]], other: dict[str, dict[str, torch.Tensor]]
) -> bool:
    """Whether the networks of two sweeps are equal.

    Args:
        one: Weights by job.
        other: Weights by job.

    Returns:
        True if all weights are equal.
    """
    return one.keys() == other.keys() and all(
        one[job].keys() == other[job].keys()
        and all(torch.equal(tensor, other[job][name]) for name, tensor in one[job].items())
        for job in one
    )


def main() -> None:
    """Kill, resume, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=36, help="how often (default: 36)")
    parser.add_argument("--seed", type=int, default=1, help="of times and points (default: 1)")
    arguments = parser.parse_args()
    sample_images()  # created before any process that would create it can be killed
    generator = random.Random(arguments.seed)
    kills: Counter[str] = Counter()
    sweeps, equal = 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        undisturbed = finish(Path(temporary) / "undisturbed")
        progress = tqdm(total=arguments.kills, unit="kill")
        while kills.total() < arguments.kills:
            sweeps += 1
            folder = Path(temporary) / f"sweep_{sweeps}"
            for _ in range(9):  # kills per sweep
                point = generator.choice([RANDOM_TIME, *POINTS])
                if start_and_kill(folder, point, generator):
                    kills[point] += 1
                    progress.update()
            equal += equal_to_the_bit(undisturbed, finish(folder))
        progress.close()
    print(aligned([["killed at", "times"], *([point, str(n)] for point, n in kills.items())]))
    print(f"\n{equal} of {sweeps} sweeps ended with the undisturbed sweep's weights, to the bit")
    sys.exit(equal < sweeps)


if __name__ == "__main__":
    main()
