"""Networks published by their authors, by name, as network files of DatNet.

They are converted once from the authors' files and kept in DatNet's cache.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datnet.errors import DatNetError
from datnet.images.files import environment_path
from datnet.zoo.backbones import WeightStatus, cache_dir
from datnet.zoo.backbones.contents import (
    read_arrays,
    read_safetensors,
    read_torch_file,
    sha256_of_values,
)
from datnet.zoo.backbones.sources import SourceError, download
from datnet.zoo.description import NetworkDescription, read_description

if TYPE_CHECKING:  # functions import torch, so that the status of networks is known without it
    from torch import Tensor


@dataclass(frozen=True)
class PublishedNetwork:
    """Location of a published network, and how to convert its files to a network file of DatNet.

    Attributes:
        description: Header of the converted file.
        url: Address of the folder of files, at a fixed commit.
        megabytes: Size of all files, in MB.
        files: Part of the network to the name of its file at ``url``. A ``PART.safetensors`` with
            the same tensors is also accepted.
        names: Key-prefix map, published (after ``PART.``) → ours; the first match wins.
        sha256_of_values: SHA-256 of all tensors under our names, independent of the file format.
    """

    description: NetworkDescription
    url: str
    megabytes: int
    files: Mapping[str, str]
    names: Mapping[str, str]
    sha256_of_values: str

    def our_name(self, part: str, published: str) -> str:
        """Translate the name of a tensor.

        Args:
            part: Part of the network, a key of :attr:`files`.
            published: Name of the tensor in the published file.

        Returns:
            Its name in our state dict.
        """
        name = f"{part}.{published}".replace(".conv_layer.", ".")
        for theirs, ours in self.names.items():
            if name.startswith(theirs):
                return ours + name.removeprefix(theirs)
        return name


PUBLISHED = {
    "microast": PublishedNetwork(
        description=NetworkDescription(
            name="microast",
            network={"_target_": "datnet.networks.microast.MicroAST"},
            encoder={"arch": "vgg19"},
            training={
                "trained_by": "Zhizhong Wang et al., the authors of MicroAST (AAAI 2023)",
                "source": "https://github.com/EndyWon/MicroAST, folder models",
                "licence": "MIT",
                "data": "MS-COCO and WikiArt, 256-pixel crops",
                "steps": 160000,
                "images_per_step": 8,
                "description": "160 000 steps by the authors, converted by DatNet",
            },
        ),
        url="https://raw.githubusercontent.com/EndyWon/MicroAST/"
        "d2796c7dbf01dbc29ed35b11675d87fcc640f969/models/",
        megabytes=2,
        files={
            "content_encoder": "content_encoder_iter_160000.pth.tar",
            "style_encoder": "style_encoder_iter_160000.pth.tar",
            "modulator": "modulator_iter_160000.pth.tar",
            "decoder": "decoder_iter_160000.pth.tar",
        },
        names={
            "content_encoder.enc1.": "content_encoder.level1.",
            "content_encoder.enc2.0.": "content_encoder.level2.",
            "style_encoder.enc1.": "style_encoder.level1.",
            "style_encoder.enc2.0.": "style_encoder.level2.",
            "modulator.weight1.0.": "modulator.weight1.",
            "modulator.bias1.0.": "modulator.bias1.",
            "modulator.weight2.0.": "modulator.weight2.",
            "modulator.bias2.0.": "modulator.bias2.",
            "decoder.dec1.": "decoder.modulated2.",
            "decoder.dec2.": "decoder.modulated1.",
            "decoder.dec3.": "decoder.to_image.",
        },
        sha256_of_values="cc735d21167a616ed0b7b084eb7db220d29288011740067658cf71bf8588b117",
    ),
}


def find_published(name: str) -> Path | None:
    """Return the network file for a published network's name or a folder with its files, or None.

    Raises:
        DatNetError: If the files are incomplete, changed or cannot be fetched.
    """
    folder = Path(name)
    if folder.is_dir():
        for each, published in PUBLISHED.items():
            if any(_file_in(folder, each, part) for part in published.files):
                return _convert(each, _read_folder(folder, each))
    return published_file(name) if name in PUBLISHED else None


def published_file(name: str) -> Path:
    """Return the verified network file of a published network.

    It is taken from the cache, else converted from the files in ``$DATNET_WEIGHTS/NAME/``, else
    fetched from its authors and converted.

    Args:
        name: A key of :data:`PUBLISHED`.

    Raises:
        DatNetError: If the files are incomplete, changed or cannot be fetched. The message says
            which file to put where.
    """
    converted, given = _converted_path(name), _given_folder(name)
    if _is_sound(converted, name):
        return converted
    return _convert(name, _read_folder(given, name) if given else _fetch(name))


def published_status(name: str) -> WeightStatus:
    """Return where a published network is, or would be fetched from, without fetching it.

    Args:
        name: A key of :data:`PUBLISHED`.

    Raises:
        DatNetError: If ``$DATNET_WEIGHTS/NAME/`` is needed and its files are incomplete or changed.
    """
    published = PUBLISHED[name]
    if _is_sound(_converted_path(name), name) or _given_folder(name):
        source = published.description.training["source"]
        return WeightStatus(name, published_file(name), source, published.megabytes)
    return WeightStatus(name, None, published.url, published.megabytes)


def _converted_path(name: str) -> Path:
    return cache_dir() / "networks" / f"{name}.safetensors"


def _given_folder(name: str) -> Path | None:
    place = environment_path("DATNET_WEIGHTS")
    folder = None if place is None else place / name
    return folder if folder is not None and folder.is_dir() else None


def _file_in(folder: Path, name: str, part: str) -> Path | None:
    names = (f"{part}.safetensors", PUBLISHED[name].files[part])
    return next((folder / each for each in names if (folder / each).is_file()), None)


def _is_sound(path: Path, name: str) -> bool:
    """Whether a converted file exists, is complete and equals what would be written today."""
    published = PUBLISHED[name]
    try:
        return (
            read_description(path) == published.description
            and sha256_of_values(read_arrays(path)) == published.sha256_of_values
        )
    except DatNetError:
        return False


def _read_folder(folder: Path, name: str) -> dict[str, Tensor]:
    """Read a published network's files and verify that they hold the published values."""
    from torch import Tensor

    published = PUBLISHED[name]
    tensors = {}
    for part, file_name in published.files.items():
        path = _file_in(folder, name, part)
        if path is None:
            raise DatNetError(
                f"{folder} should hold the published {name}, but has neither {file_name} nor "
                f"{part}.safetensors; fetch {published.url}{file_name} into it"
            )
        content = read_safetensors(path) if path.suffix == ".safetensors" else read_torch_file(path)
        for key, tensor in content.items():
            if not isinstance(tensor, Tensor):
                raise DatNetError(f"{path} holds {key}, which is not a tensor")
            tensors[published.our_name(part, key)] = tensor.detach().float().contiguous()
    if sha256_of_values(tensors) != published.sha256_of_values:
        raise DatNetError(
            f"the files of {name} in {folder} do not hold the values that its authors published; "
            f"fetch {', '.join(published.files.values())} again from {published.url}"
        )
    return tensors


def _fetch(name: str) -> dict[str, Tensor]:
    """Fetch a published network's files into a temporary folder and read them."""
    published = PUBLISHED[name]
    print(
        f"Fetching the published {name}, {published.megabytes} MB: {published.url} …",
        file=sys.stderr,
        flush=True,
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            for file_name in published.files.values():
                # Damage is found when the values are verified.
                download(published.url + file_name, Path(folder) / file_name, sha256_start="")
            return _read_folder(Path(folder), name)
    except SourceError as error:
        raise DatNetError(_how_to_help(name, f"{published.url}{file_name}: {error}")) from error
    except DatNetError as error:
        raise DatNetError(_how_to_help(name, f"{published.url}: {error}")) from error
    except OSError as error:
        raise DatNetError(
            f"The published {name} cannot be written to {tempfile.gettempdir()} while it is "
            f"fetched: {error.strerror or error}. Set TMPDIR to use another folder."
        ) from error


def _how_to_help(name: str, failure: str) -> str:
    """Describe what was tried and which file to put where."""
    published = PUBLISHED[name]
    setting = os.environ.get("DATNET_WEIGHTS")
    converted = _converted_path(name)
    return "\n".join(
        [
            f"The published {name} is not on this machine and could not be fetched.",
            "Tried:",
            f"  - cache: no valid file {converted}",
            f"  - $DATNET_WEIGHTS: {f'no folder {name} in {setting}' if setting else 'not set'}",
            f"  - {failure}",
            "By hand, do one of these:",
            *(f"  - fetch {published.url}{each}" for each in published.files.values()),
            "    elsewhere into one folder, and give that folder as the checkpoint;",
            f"    or call it {name} and set DATNET_WEIGHTS to its parent folder",
            f"  - copy networks/{converted.name} from the DatNet cache of another machine to",
            f"    {converted}",
        ]
    )


def _convert(name: str, tensors: dict[str, Tensor]) -> Path:
    """Write verified tensors as a network file into the cache, unless it exists."""
    from datnet.zoo.instantiate import build
    from datnet.zoo.network_file import save_network

    path = _converted_path(name)
    if _is_sound(path, name):
        return path
    description = PUBLISHED[name].description
    network = build(description.network)
    network.load_state_dict(tensors)
    try:
        save_network(network, description, path)
    except OSError as error:
        raise DatNetError(
            f"{path} cannot be written: {error}. Set DATNET_CACHE to use another folder."
        ) from error
    return path
