"""The page in Gradio: its layout and what its controls do.

In one file, since Gradio declares a control where it is laid out and its action beside it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.utils import get_upload_folder, is_in_or_equal

from datnet.errors import DatNetError
from datnet.images.embedded import SampleImages
from datnet.images.finding import find_images
from datnet.networks.base import SMALLEST_SIDE
from datnet.stylize.options import StylizeOptions
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.uploads import Request, read_upload, stylize_uploads
from datnet.stylize.stylizer import Stylizer
from datnet.zoo.network_file import NetworkDescription

SIZES = {
    "256 (quick)": 256,
    "512": 512,
    "768": 768,
    "1024": 1024,
    "As the photo": None,
}
"""Labels on the page, and shorter sides in pixels."""

COLORS = {
    "The painting's": None,
    "The photo's (luminance)": "luminance",
    "Painting recolored first (histogram)": "histogram",
}
"""Labels on the page, and values of ``keep_colors``."""

ATTENTION = {"Exact": "exact", "Fast": "fast"}
"""Labels on the page, and values of ``attention``."""

CREDITS = """\
Example photos: camera by Lav Varshney (CC0), Chelsea by Stefan van der Walt (CC0), coffee by \
Rachel Michetti (CC0), rocket by SpaceX (public domain). Example paintings: made by DatNet's \
painting program. Your pictures stay on the computer that runs this page and are deleted after \
half an hour."""

# Tells the browser to contact no other server.
HEAD = """\
<meta http-equiv="Content-Security-Policy" content="default-src 'self' data: blob: \
'unsafe-inline' 'unsafe-eval'">"""

# On a phone the result is far below the button. It grows when its pictures have loaded, which is
# after Gradio reports success.
SHOW_RESULT = """() => {
    const result = document.getElementById("result");
    const observer = new ResizeObserver(() => result.scrollIntoView({block: "nearest"}));
    observer.observe(result);
    setTimeout(() => observer.disconnect(), 10000);
}"""

# Small enough for five examples in a row, also on a phone.
CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
.gallery { gap: 6px !important; }
.gallery-item .container { width: 50px !important; height: 50px !important; }
"""


class Page(gr.Blocks):
    """Gradio page that accepts only files in its own folder: uploads, examples, results.

    Gradio alone would download files given by URL, of any size, and would read any file on the
    server whose path a visitor sends without marking it as a file.
    """

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list[Any], *arguments: Any, **named: Any
    ) -> list[Any]:
        """Check the data that a visitor sent before Gradio processes it.

        Args:
            block_fn: The function that the visitor calls.
            inputs: The data sent.
            *arguments: Further arguments of Gradio's method.
            **named: Further arguments of Gradio's method.

        Returns:
            The processed inputs.

        Raises:
            gr.Error: If a path outside the folder of the page is sent.
        """
        folder = get_upload_folder()
        if not all(is_in_or_equal(path, folder) for path in named_paths(inputs)):
            raise gr.Error("Only uploaded pictures can be used.", print_exception=False)
        return await super().preprocess_data(block_fn, inputs, *arguments, **named)


def build_page(
    stylizers: Mapping[str, Stylizer], limits: Limits, examples: SampleImages
) -> gr.Blocks:
    """Build the page without serving it.

    Args:
        stylizers: Stylizers by the names that users choose from; at least one.
        limits: Limits of the page.
        examples: Example pictures: ``eval_content`` and ``eval_style``.

    Returns:
        The page.
    """
    with Page(title="DatNet", analytics_enabled=False) as page:
        gr.Markdown("# DatNet\nGive your photo the style of a painting.")
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    with gr.Column(min_width=220):
                        photo = picture_input("Photo", "photo", examples.eval_content)
                    with gr.Column(min_width=220):
                        painting = picture_input("Painting", "painting", examples.eval_style)
                alpha = gr.Slider(
                    0, 1, 1, step=0.05, label="Strength", info="0 is the photo, 1 the full style."
                )
                colors = gr.Radio(list(COLORS), value=next(iter(COLORS)), label="Colors")
                size = gr.Radio(
                    list(SIZES), value="512", label="Size", info="Shorter side in pixels."
                )
                attention = gr.Radio(
                    list(ATTENTION),
                    value="Exact",
                    label="Attention",
                    info="Fast gives nearly the same picture sooner, from 256 pixels on.",
                )
                with gr.Accordion("Mix in a second painting", open=False, elem_id="mixing"):
                    second = picture_input("Second painting", "second", examples.eval_style)
                    mix = gr.Slider(
                        0, 1, 0.5, step=0.05, label="Mix", info="0 is the first painting alone, 1 "
                        "the second.", elem_id="mix",
                    )  # fmt: skip
                network = gr.Radio(
                    list(stylizers),
                    value=next(iter(stylizers)),
                    label="Network",
                    elem_id="network",
                    visible=len(stylizers) > 1,
                )
                button = gr.Button("Stylize", variant="primary", elem_id="paint")
            with gr.Column():
                comparison = gr.ImageSlider(
                    label="Before and after",
                    elem_id="result",
                    interactive=False,
                    buttons=["fullscreen"],
                    slider_position=25,
                    max_height=720,
                )
                download = gr.DownloadButton(
                    "Download the result (PNG)", elem_id="download", interactive=False
                )
                gr.Markdown(
                    "\n\n".join(
                        describe(name, each.description) for name, each in stylizers.items()
                    ),
                    elem_id="networks",
                )
        gr.Markdown(f"<small>{CREDITS}</small>")

        def stylize_request(
            photo: dict[str, Any] | None,
            painting: dict[str, Any] | None,
            second: dict[str, Any] | None,
            mix: float,
            alpha: float,
            colors: str,
            size: str,
            network: str,
            attention: str,
        ) -> tuple[Any, Any]:
            try:
                request = make_request(photo, painting, second, mix, alpha, colors, size, attention)
                # Files in Gradio's folder are not copied again, and are removed with the page.
                folder = Path(tempfile.mkdtemp(dir=get_upload_folder()))
                stylized = stylize_uploads(
                    stylizers[network], request, limits.megapixels * 1e6, folder
                )
            except DatNetError as error:
                raise gr.Error(str(error), duration=20, print_exception=False) from error
            return (
                (str(stylized.before), str(stylized.after)),
                gr.DownloadButton(value=str(stylized.after), interactive=True),
            )

        # With preprocessing Gradio would decode uploads itself, without our limits and messages.
        button.click(
            stylize_request,
            [photo, painting, second, mix, alpha, colors, size, network, attention],
            [comparison, download],
            api_name="paint",
            preprocess=False,
            concurrency_limit=limits.jobs,
        ).success(js=SHOW_RESULT)
    page.queue(max_size=limits.waiting, api_open=False)  # no request bypasses the queue
    return page


def named_paths(sent: Any) -> Iterator[str]:
    """Yield every path in the data that a visitor sent, at any depth, marked as a file or not."""
    if isinstance(sent, dict):
        if isinstance(sent.get("path"), str):
            yield sent["path"]
        sent = list(sent.values())
    if isinstance(sent, list):
        for part in sent:
            yield from named_paths(part)


def theme() -> gr.Theme:
    """Return Gradio's default theme with system fonts and hints of sufficient contrast."""
    return gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ).set(block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300")


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

    def check(upload: dict[str, Any]) -> Any:
        try:
            read_upload(Path(upload["path"]), "picture", SMALLEST_SIDE)
        except DatNetError as error:
            gr.Warning(str(error), duration=20)
            return None
        return gr.skip()

    picture.upload(check, picture, picture, preprocess=False, api_visibility="private")
    return picture


def make_request(
    photo: dict[str, Any] | None,
    painting: dict[str, Any] | None,
    second: dict[str, Any] | None,
    mix: float,
    alpha: float,
    colors: str,
    size: str,
    attention: str,
) -> Request:
    """Convert the values of the page's controls to a request.

    Args:
        photo: Gradio's data of the uploaded photograph; None if there is none.
        painting: The same for the painting.
        second: The same for the painting to mix in.
        mix: Weight of the second painting in [0, 1].
        alpha: Strength of the style in [0, 1].
        colors: A key of :data:`COLORS`.
        size: A key of :data:`SIZES`.
        attention: A key of :data:`ATTENTION`.

    Returns:
        The request.

    Raises:
        DatNetError: If a picture is missing.
    """
    if photo is None:
        raise DatNetError("There is no photo yet. Drop one on the page, or click an example.")
    if painting is None:
        raise DatNetError("There is no painting yet. Drop one on the page, or click an example.")
    weighted = [(painting, 1 - mix), (second, mix)] if second is not None else [(painting, 1.0)]
    # StylizeOptions refuses a weight of 0, so such a painting is left out.
    taking_part = [(Path(upload["path"]), share) for upload, share in weighted if share > 0]
    return Request(
        photo=Path(photo["path"]),
        paintings=[path for path, _ in taking_part],
        options=StylizeOptions(
            alpha=alpha,
            size=SIZES[size],
            weights=[share for _, share in taking_part],
            keep_colors=COLORS[colors],
            attention=ATTENTION[attention],
        ),
    )


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
    if "licence" in training:
        facts.append(f"license {training['licence']}")
    if not facts:
        facts.append("training unknown")
    return f"**Network {name}**: {', '.join(facts)}."
