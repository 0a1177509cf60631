"""Content of weights files: the convolutions of torchvision's VGG and AlexNet.

Our files hold only the convolutions of torchvision's ``features`` part, under torchvision's names
(``features.0.weight``, ``features.0.bias``, …), as float32 safetensors: 10 MB for AlexNet, 59 MB
for VGG-16 and 80 MB for VGG-19. Torchvision's files have 233 to 548 MB because they include the
classifier.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file as load_arrays

from datnet.errors import DatNetError

if TYPE_CHECKING:  # functions import torch, so that the status of weights is known without it
    from torch import Tensor


@dataclass(frozen=True)
class Backbone:
    """The convolutions of a network pretrained on ImageNet.

    Attributes:
        kernels: Index of each convolution in torchvision's ``features`` and the shape of its
            kernel, ``(C_out, C_in, height, width)``.
        torchvision_file: Name of torchvision's file, which ends with the start of its SHA-256.
        torchvision_megabytes: Size of that file as torchvision states it, for messages.
        anchor: A tensor's name and its first values to 6 decimals, by which the network is
            recognized in other files.
    """

    kernels: dict[int, tuple[int, int, int, int]]
    torchvision_file: str
    torchvision_megabytes: int
    anchor: tuple[str, tuple[float, float, float]]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor in a weights file."""
        shapes: dict[str, tuple[int, ...]] = {}
        for index, kernel in self.kernels.items():
            shapes[f"features.{index}.weight"] = kernel
            shapes[f"features.{index}.bias"] = kernel[:1]
        return shapes

    @property
    def torchvision_sha256_start(self) -> str:
        """First 8 hexadecimal digits of the SHA-256 of torchvision's file."""
        return Path(self.torchvision_file).stem.rpartition("-")[2]


def _vgg_kernels(convolutions_per_block: tuple[int, ...]) -> dict[int, tuple[int, int, int, int]]:
    """Return the kernels of a VGG: a ReLU follows every convolution, max pooling every block."""
    kernels = {}
    index, inputs = 0, 3
    for outputs, count in zip((64, 128, 256, 512, 512), convolutions_per_block, strict=True):
        for _ in range(count):
            kernels[index] = (outputs, inputs, 3, 3)
            inputs = outputs
            index += 2
        index += 1
    return kernels


BACKBONES = {
    "vgg16": Backbone(
        kernels=_vgg_kernels((2, 2, 3, 3, 3)),
        torchvision_file="vgg16-397923af.pth",
        torchvision_megabytes=528,
        anchor=("features.0.bias", (0.403388, 0.377794, 0.464362)),
    ),
    "vgg19": Backbone(
        kernels=_vgg_kernels((2, 2, 4, 4, 4)),
        torchvision_file="vgg19-dcbb9e9d.pth",
        torchvision_megabytes=548,
        anchor=("features.0.weight", (-0.053474, -0.049257, -0.067942)),
    ),
    "alexnet": Backbone(
        kernels={
            0: (64, 3, 11, 11),
            3: (192, 64, 5, 5),
            6: (384, 192, 3, 3),
            8: (256, 384, 3, 3),
            10: (256, 256, 3, 3),
        },
        torchvision_file="alexnet-owt-7be5be79.pth",
        torchvision_megabytes=233,
        anchor=("features.0.weight", (0.118640, 0.094069, 0.095435)),
    ),
}


def backbone(name: str) -> Backbone:
    """Return the description of a backbone.

    Raises:
        DatNetError: If there is no backbone of that name.
    """
    if name not in BACKBONES:
        raise DatNetError(f"No pretrained weights called {name!r}; known: {', '.join(BACKBONES)}.")
    return BACKBONES[name]


def select_convolutions(name: str, tensors: dict[str, Tensor], origin: object) -> dict[str, Tensor]:
    """Select and check the convolutions of a backbone in a state dict.

    Args:
        name: A key of ``BACKBONES``.
        tensors: A state dict with torchvision's names; other entries are ignored.
        origin: The file that they come from, for error messages.

    Returns:
        The convolutions as contiguous float32 tensors on the CPU, in network order.

    Raises:
        DatNetError: If a tensor is missing, has another shape or holds values that are not finite.
    """
    import torch

    selected = {}
    for key, shape in backbone(name).shapes.items():
        tensor = tensors.get(key)
        if not isinstance(tensor, torch.Tensor):
            raise DatNetError(
                f"{origin} does not hold the convolutions of torchvision's {name}: "
                f"{key} is missing."
            )
        if tuple(tensor.shape) != shape:
            raise DatNetError(
                f"{origin} does not hold the convolutions of torchvision's {name}: "
                f"{key} has shape {tuple(tensor.shape)}, expected {shape}."
            )
        if not tensor.isfinite().all():
            raise DatNetError(f"{origin} is damaged: {key} holds infinite values or NaN.")
        selected[key] = tensor.detach().to("cpu", torch.float32).contiguous()
    return selected


def has_known_values(name: str, tensors: dict[str, Tensor]) -> bool:
    """Whether convolutions start with the values of torchvision's weights.

    Args:
        name: A key of ``BACKBONES``.
        tensors: From :func:`select_convolutions`.

    Returns:
        True if the first values agree to 6 decimals.
    """
    import torch

    key, values = backbone(name).anchor
    start = tensors[key].flatten()[: len(values)]
    return torch.allclose(start, torch.tensor(values), rtol=0, atol=1e-6)


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_values(tensors: Mapping[str, Tensor | np.ndarray]) -> str:
    """Return the SHA-256 of the names, shapes and float32 values of a state dict.

    It does not depend on the file layout, and so not on the version of safetensors that wrote it.
    """
    digest = hashlib.sha256()
    for key, tensor in sorted(tensors.items()):
        digest.update(f"{key} {tuple(tensor.shape)}\n".encode())
        digest.update(np.asarray(tensor).astype("<f4", copy=False).data)
    return digest.hexdigest()


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file.

    Raises:
        DatNetError: If the file cannot be read as safetensors.
    """
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DatNetError(f"{path} cannot be read as safetensors: {error}") from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all tensors of a float safetensors file as arrays, without torch.

    Raises:
        DatNetError: If the file cannot be read as safetensors.
    """
    try:
        return load_arrays(path)
    except (OSError, SafetensorError) as error:
        raise DatNetError(f"{path} cannot be read as safetensors: {error}") from error


def read_torch_file(path: Path) -> dict[str, Tensor]:
    """Read a state dict written by ``torch.save``, without running code from it.

    Raises:
        DatNetError: If the file cannot be read or is not a state dict.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # other files can fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DatNetError(f"{path} cannot be read as weights of PyTorch: {reason}") from error
    if not isinstance(content, dict):
        raise DatNetError(f"{path} holds a {type(content).__name__}, not a state dict.")
    return content


def to_cache_file(tensors: dict[str, Tensor], source: str) -> bytes:
    """Return the bytes of a cache file: safetensors with a checksum of their values.

    The metadata hold ``source`` and the SHA-256 of the values in a single entry, because
    safetensors writes several entries in random order, and the same tensors must give the same
    bytes.

    Args:
        tensors: The convolutions by name.
        source: Where they come from.

    Returns:
        The content of the file.
    """
    from safetensors.torch import save

    record = {"source": source, "sha256_of_values": sha256_of_values(tensors)}
    return save(tensors, metadata={"datnet": json.dumps(record)})


def read_cache_record(path: Path) -> dict[str, str]:
    """Return the metadata of a cache file: ``source`` and ``sha256_of_values``.

    Raises:
        DatNetError: If the file is damaged or was not written by DatNet.
    """
    try:
        with safe_open(path, framework="numpy") as file:  # "pt" would import torch
            record = json.loads((file.metadata() or {})["datnet"])
        return {key: str(record[key]) for key in ("source", "sha256_of_values")}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DatNetError(f"{path} is damaged or not a cache file of DatNet: {error}") from error


def read_cache_file(name: str, path: Path) -> dict[str, Tensor]:
    """Read a cache file and check its shapes and SHA-256.

    Args:
        name: A key of ``BACKBONES``.
        path: A file with the bytes of :func:`to_cache_file`.

    Returns:
        The convolutions by name.

    Raises:
        DatNetError: If the file is damaged or was not written by DatNet.
    """
    record = read_cache_record(path)
    tensors = select_convolutions(name, read_safetensors(path), path)
    if sha256_of_values(tensors) != record["sha256_of_values"]:
        raise DatNetError(f"{path} is damaged: its values do not have the SHA-256 noted in it.")
    return tensors
