"""The paintings of networks that know only certain ones, to choose from on the page."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from datnet.errors import DatNetError
from datnet.images.tensors import to_image
from datnet.stylize.stylizer import Stylizer

Files = Mapping[str, Path]
"""Files with the pictures of a network's paintings, by name; empty if it takes any painting."""


def own_files(stylizers: Mapping[str, Stylizer]) -> dict[str, Files]:
    """Write the pictures of the paintings that networks know to Gradio's folder.

    Args:
        stylizers: Stylizers by name.

    Returns:
        The files for each stylizer.
    """
    return {name: write_pictures(stylizer) for name, stylizer in stylizers.items()}


def write_pictures(stylizer: Stylizer) -> Files:
    """Write the pictures of the paintings that a network knows to Gradio's folder."""
    if stylizer.own_paintings is None:
        return {}
    files = {}
    for name, picture in stylizer.own_paintings.pictures().items():
        # Names can be equal but for their folders.
        files[name] = Path(tempfile.mkdtemp(dir=get_upload_folder())) / f"{Path(name).stem}.png"
        to_image(picture / 255).save(files[name])
    return files


def painting_of(painting: dict[str, Any] | None, own: Files) -> dict[str, Any]:
    """Return the painting that a visitor gave, or the only one that the network knows.

    Args:
        painting: Gradio's data of the uploaded painting; None if there is none.
        own: The paintings of the network.

    Returns:
        Gradio's data of the painting.

    Raises:
        DatNetError: If there is none and the network does not know exactly one.
    """
    if painting is not None:
        return painting
    if len(own) == 1:
        return {"path": str(next(iter(own.values())))}
    if own:
        raise DatNetError(
            f"There is no painting yet. This network knows {len(own)}: choose {', '.join(own)}."
        )
    raise DatNetError("There is no painting yet. Drop one on the page, or click an example.")


def own_choice(own: Files, role: str) -> gr.Radio:
    """Add a choice of the paintings that the chosen network knows, hidden if it takes any.

    Args:
        own: The paintings of the network that is chosen at first.
        role: Element id of the painting's upload area.

    Returns:
        The choice.
    """
    return gr.Radio(
        list(own),
        value=None,
        label="Paintings of this network",
        info="It knows no others.",
        elem_id=f"{role}-own",
        visible=bool(own),
    )


def offer_own(
    files: Mapping[str, Files], network: gr.Radio, choices: Mapping[gr.Image, gr.Radio]
) -> None:
    """Show the paintings of the network that is chosen, and take what is chosen from them.

    A network that knows one painting takes it at once, in the first upload area.

    Args:
        files: The paintings for each network.
        network: The choice of the network.
        choices: For each upload area of a painting the choice of own ones.
    """

    def own_of_network(name: str) -> list[Any]:
        own = files[name]
        shown = [gr.Radio(list(own), value=None, visible=bool(own)) for _ in choices]
        return [*shown, str(next(iter(own.values()))) if len(own) == 1 else gr.skip()]

    def own_painting(chosen: str, name: str) -> Any:
        path = files[name].get(chosen)
        return gr.skip() if path is None else str(path)

    areas = list(choices)
    network.change(own_of_network, network, [*choices.values(), areas[0]], api_visibility="private")
    for area, choice in choices.items():
        # Gradio's check would compare with the choices of the first network.
        choice.input(
            own_painting, [choice, network], area, preprocess=False, api_visibility="private"
        )
