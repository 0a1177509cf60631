"""Find the network for photorealistic style transfer."""

from __future__ import annotations

from pathlib import Path

from datnet.errors import DatNetError
from datnet.images.files import environment_path
from datnet.networks.cap_vstnet import CAPVSTNetPhotorealistic
from datnet.zoo.instantiate import find_target
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import read_description
from datnet.zoo.shipped import shipped_file, shipped_names

NAME = "cap_vstnet_photorealistic"
"""Its name in conf/model."""


def photorealistic_file(checkpoint: str | Path | None = None) -> Path:
    """Return the network file of a photorealistic CAP-VSTNet.

    Args:
        checkpoint: The network given by the user, see :func:`datnet.zoo.lookup.find_network`. By
            default ``cap_vstnet_photorealistic.safetensors`` is searched in the folder
            ``$DATNET_WEIGHTS``, then among the networks that come with DatNet.

    Returns:
        The path of the file.

    Raises:
        DatNetError: If there is none, or the given network is another one.
    """
    if checkpoint is not None:
        path = find_network(checkpoint)
        target = find_target(read_description(path).network)
        if not (isinstance(target, type) and issubclass(target, CAPVSTNetPhotorealistic)):
            raise DatNetError(
                f"{path} is not a photorealistic network, that is, a CAP-VSTNet trained by "
                f"`datnet train model={NAME}`"
            )
        return path
    place = environment_path("DATNET_WEIGHTS")
    given = None if place is None else place / f"{NAME}.safetensors"
    if given is not None and given.is_file():
        return given
    if NAME in shipped_names():
        return shipped_file(NAME)
    raise DatNetError(
        f"no photorealistic network comes with this version of DatNet"
        f"{f', and none is at {given}' if given else ''}. Train one with `datnet train "
        f"model={NAME} data=coco_wikiart data.content_dir=PHOTOS data.style_dir=PHOTOS`, and give "
        "its network.safetensors with --checkpoint, or copy it as "
        f"{NAME}.safetensors to a folder and set DATNET_WEIGHTS to that folder"
    )
