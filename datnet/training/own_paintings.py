"""The paintings of networks that learn certain ones: those in ``data.style_dir``."""

from __future__ import annotations

import json
import os
from typing import Any, cast

from omegaconf import OmegaConf

from datnet.data.datamodule import ContentStyleDataModule
from datnet.data.sets import ImageSet
from datnet.errors import DatNetError
from datnet.images.tensors import to_tensor
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.own_paintings import SIDE, OwnStyleNetwork
from datnet.training.config import TrainConfig
from datnet.training.run_folder import RunFolder
from datnet.zoo.instantiate import find_target
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import painting_names, read_description


def add_paintings(config: TrainConfig, data: ContentStyleDataModule, folder: RunFolder) -> None:
    """Set ``model.network.paintings`` to the names of the styles, if the network learns them.

    With ``init_from`` and ``model.network.embeddings_only`` they follow the paintings that the
    initial network knows.

    Args:
        config: The composed and resolved settings; changed.
        data: The data module.
        folder: The run's folder, which tells the paintings of a run that is resumed.

    Raises:
        DatNetError: If the styles do not fit the network, or training them would spoil others.
    """
    target = find_target(config.model.network)
    if not (isinstance(target, type) and issubclass(target, OwnStyleNetwork)):
        return
    names = list(names_of(data.styles))
    place = f"data.style_dir={data.style_dir}"
    if target.most_paintings is not None and len(names) > target.most_paintings:
        raise DatNetError(
            f"{place} holds {len(names)} paintings, and model={config.model.name} learns "
            f"{target.most_paintings}; name a folder with one painting, or train model=cin"
        )
    if not data.whole_styles:
        raise DatNetError(
            f"model={config.model.name} learns whole paintings; leave data.whole_styles true"
        )
    if target.most_paintings is None:
        resumed = config.ckpt_path == "last" and folder.description.exists()
        kept = _kept(folder, names) if resumed else _paintings_to_keep(config, names, place)
        names = [*kept, *names]
    OmegaConf.update(cast(Any, config), "model.network.paintings", names, force_add=True)


def _kept(folder: RunFolder, names: list[str]) -> list[str]:
    """Paintings of a run that its data lacks; the file of its ``init_from`` may be gone."""
    description = json.loads(folder.description.read_text(encoding="utf-8"))
    return [name for name in description["network"].get("paintings", ()) if name not in names]


def _paintings_to_keep(config: TrainConfig, names: list[str], place: str) -> list[str]:
    """Names of the paintings of ``init_from`` that are not trained."""
    only_embeddings = bool(config.model.network.get("embeddings_only"))
    if config.init_from is None:
        if only_embeddings:
            raise DatNetError(
                "model.network.embeddings_only learns new paintings for a trained network; name "
                "it with init_from=…"
            )
        return []
    known = painting_names(read_description(find_network(config.init_from)))
    kept = [name for name in known if name not in names]
    if kept and not only_embeddings:
        others = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
        raise DatNetError(
            f"init_from={config.init_from} knows {kept[0]}{others}, which {place} lacks, so this "
            "training would spoil what it knows. Set model.network.embeddings_only=true, or add "
            "the missing paintings to the folder"
        )
    return kept


def names_of(images: ImageSet) -> dict[str, int]:
    """Names of images, from their common folder on, and their indices."""
    paths = [images.name(index) for index in range(len(images))]
    folder = os.path.dirname(paths[0]) if len(paths) == 1 else os.path.commonpath(paths)  # noqa: PTH120
    return {os.path.relpath(path, folder): index for index, path in enumerate(paths)}


def show_paintings(network: StyleTransferNetwork, data: ContentStyleDataModule) -> None:
    """Give a network pictures of the paintings that it is to learn, if it learns certain ones.

    Args:
        network: The network.
        data: The data module.

    Raises:
        DatNetError: If a picture cannot be read.
    """
    if not isinstance(network, OwnStyleNetwork):
        return
    for name, index in names_of(data.styles).items():
        network.paintings.show(name, to_tensor(data.styles.read(index, SIDE)))
