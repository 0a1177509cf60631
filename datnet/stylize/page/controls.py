"""Parts of the page: its upload areas and what their values mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from datnet.errors import DatNetError
from datnet.images.finding import find_images
from datnet.images.formats import HEIC_SUFFIXES
from datnet.images.pictures import save_picture
from datnet.networks.base import SMALLEST_SIDE
from datnet.networks.training_free import OptimizationMethod, TrainingFreeNetwork
from datnet.stylize.options import StylizeOptions
from datnet.stylize.page.own_paintings import Files, painting_of
from datnet.stylize.page.settings import ATTENTION, COLORS, SIZES, STROKES, Settings
from datnet.stylize.page.uploads import Request, read_upload
from datnet.stylize.stylizer import Stylizer
from datnet.zoo.network_file import NetworkDescription

MOST_RESULTS = 24
"""Maximum number of results that a visit shows."""


def picture_input(label: str, role: str, examples: Path) -> gr.Image:
    """Add an upload area that checks pictures at once, with examples.

    Args:
        label: Label on the page.
        role: Element id; "photo", "painting" or "second".
        examples: Folder of example pictures.

    Returns:
        The input component.
    """
    picture = gr.Image(
        label=label, elem_id=role, type="filepath", sources=["upload", "clipboard"], height=230,
        image_mode=None,
    )  # fmt: skip
    gr.Examples(
        [[str(path)] for path in find_images(examples)],
        picture,
        label="Examples",
        elem_id=f"{role}-examples",
    )

    if role != "photo":  # whose check also restores settings

        def check(upload: dict[str, Any]) -> Any:
            return checked(upload)

        picture.upload(check, picture, picture, preprocess=False, api_visibility="private")
    return picture


def checked(upload: dict[str, Any]) -> Any:
    """Check an uploaded picture.

    Args:
        upload: Gradio's data of the file.

    Returns:
        The new value of its component: None with a warning if it cannot be used, a JPEG instead of
        a HEIC file, which browsers do not show, or the value that it has.
    """
    path = Path(upload["path"])
    is_heic = path.suffix.lower() in HEIC_SUFFIXES
    try:
        picture, origin = read_upload(path, "picture", None if is_heic else SMALLEST_SIDE)
    except DatNetError as error:
        gr.Warning(str(error), duration=20)
        return None
    if not is_heic:
        return gr.skip()
    shown = path.with_suffix(".jpg")
    save_picture(picture, shown, origin)
    return str(shown)


def shown_before(results: list[Any] | None) -> list[tuple[str, str]]:
    """Return the files and captions that a gallery shows, from Gradio's data."""
    return [
        (each["image"]["path"], each.get("caption") or "")
        for each in results or ()
        if Path(each["image"]["path"]).exists()  # old ones are removed
    ][: MOST_RESULTS - 1]


def make_request(
    photo: dict[str, Any] | None,
    painting: dict[str, Any] | None,
    second: dict[str, Any] | None,
    settings: Settings,
    own: Files,
    mask: Image.Image | None = None,
) -> Request:
    """Convert the values of the page's controls to a request.

    Args:
        photo: Gradio's data of the uploaded photograph; None if there is none.
        painting: The same for the painting; can be None if the network knows one painting.
        second: The same for the painting to mix in.
        settings: The other controls.
        own: The paintings of the network, if it knows only certain ones.
        mask: Where the painting goes, in white; elsewhere goes the second one, whatever the mix,
            or the photo stays. None for everywhere.

    Returns:
        The request.

    Raises:
        DatNetError: If a picture is missing.
    """
    if photo is None:
        raise DatNetError("There is no photo yet. Drop one on the page, or click an example.")
    painting = painting_of(painting, own)
    mix = settings.mix
    if mask is not None:
        mix = 0.5  # both take part
    weighted = [(painting, 1 - mix), (second, mix)] if second is not None else [(painting, 1.0)]
    # StylizeOptions refuses a weight of 0, so such a painting is left out.
    taking_part = [(Path(upload["path"]), share) for upload, share in weighted if share > 0]
    return Request(
        photo=Path(photo["path"]),
        paintings=[path for path, _ in taking_part],
        options=StylizeOptions(
            alpha=settings.alpha,
            size=SIZES[settings.size],
            weights=[share for _, share in taking_part] if mask is None else None,
            mask=mask,
            keep_colors=COLORS[settings.colors],
            attention=ATTENTION[settings.attention],
            style_size=STROKES[settings.strokes],
        ),
        settings=settings.as_text(),
    )


def is_slow(stylizer: Stylizer) -> bool:
    """Return whether a network optimizes each result, which takes minutes rather than seconds."""
    return isinstance(stylizer.network, OptimizationMethod)


def choice(name: str, stylizer: Stylizer) -> tuple[str, str]:
    """Return the label and the value of a network among the choices of the page."""
    if is_slow(stylizer):
        return f"{name} (untrained, slow)", name
    untrained = isinstance(stylizer.network, TrainingFreeNetwork)
    return f"{name} (untrained)" if untrained else name, name


def describe(name: str, description: NetworkDescription) -> str:
    """Describe a network and its training in Markdown, without paths of the server.

    Args:
        name: Name on the page.
        description: Description of the network.

    Returns:
        One sentence.
    """
    training = description.training
    facts = []
    if "trained_by" in training:
        facts.append(f"trained by {training['trained_by']}")
    steps = training.get("steps")
    if steps:
        facts.append(f"{steps:,} steps of {training.get('images_per_step', '?')} pairs")
    data = training.get("data")
    if isinstance(data, dict):
        folders = [data.get("content_dir"), data.get("style_dir")]
        names = " and ".join(Path(folder).name for folder in folders if folder)
        data = f"the folders {names}" if names else "DatNet's small sample set"
    if data:
        facts.append(f"on {data}")
    if "description" in training:
        facts.append(training["description"])
    if "licence" in training:
        facts.append(f"license {training['licence']}")
    if not facts:
        facts.append("training unknown")
    return f"**Network {name}**: {', '.join(facts)}."
