"""Masks painted on the photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from datnet.errors import DatNetError
from datnet.stylize.page.uploads import read_upload

LONGEST_SIDE = 640
"""Longer side in pixels of the photo to paint on; masks are stretched to the result."""

OPACITY = 0.6
"""Of the brush, so that the photo is visible below the strokes."""


def mask_editor() -> gr.ImageEditor:
    """Add an editor in which the visitor paints on the photo."""
    # With a listener for changes Gradio would keep strokes in memory, at an address that our guard
    # refuses.
    return gr.ImageEditor(
        label="Paint on the photo",
        elem_id="mask",
        sources=(),
        transforms=(),
        layers=False,
        buttons=[],
        brush=gr.Brush(colors=[("#ff6a00", OPACITY)], color_mode="fixed"),
        height=420,
        placeholder="Add a photo first.",
    )


def photo_to_paint_on(upload: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the editor's value for a new photo: the photo, reduced, without strokes.

    Args:
        upload: Gradio's data of the photo; None if it was removed.

    Returns:
        The value; None without a usable photo.
    """
    if upload is None:
        return None
    try:
        photo, _ = read_upload(Path(upload["path"]), "photo", LONGEST_SIDE)
    except DatNetError:  # told when it was uploaded
        return None
    photo.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return {"background": photo, "layers": [], "composite": None}


def painted_mask(value: dict[str, Any] | None) -> Image.Image | None:
    """Convert strokes to a mask.

    Args:
        value: Gradio's data of the editor.

    Returns:
        An image of mode L: 255 where the visitor painted; None if there is no stroke.

    Raises:
        DatNetError: If a layer cannot be used.
    """
    for layer in (value or {}).get("layers") or ():
        strokes, _ = read_upload(Path(layer["path"]), "mask", None)
        alpha = np.asarray(strokes.convert("RGBA").getchannel("A"), np.float32)
        if alpha.any():
            return Image.fromarray(np.minimum(alpha / OPACITY, 255).round().astype(np.uint8))
    return None
