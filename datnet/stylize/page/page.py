"""The page, in Gradio: what is on it and what its controls do."""

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
from datnet.stylize.page.painting import Wish, paint, read_upload
from datnet.stylize.stylizer import Stylizer
from datnet.zoo.network_file import NetworkDescription

SIZES = {
    "256 (quick)": 256,
    "512": 512,
    "768": 768,
    "1024": 1024,
    "As the photo": None,
}
"""Names on the page and shorter sides in pixels."""

COLORS = {
    "The painting's": None,
    "The photo's (luminance)": "luminance",
    "Painting recoloured first (histogram)": "histogram",
}
"""Names on the page and values of ``keep_colors``."""

CREDITS = """\
Example photos: camera by Lav Varshney (CC0), Chelsea by Stefan van der Walt (CC0), coffee by \
Rachel Michetti (CC0), rocket by SpaceX (public domain). Example paintings: made by DatNet's \
painting program. Your pictures stay on the computer that runs this page, which removes them after \
half an hour."""

# The browser itself is told to ask nobody but this server.
HEAD = """\
<meta http-equiv="Content-Security-Policy" content="default-src 'self' data: blob: \
'unsafe-inline' 'unsafe-eval'">"""

# On a phone the result is far below the button.
# It grows when its pictures have arrived, which is later than Gradio says so.
SHOW_RESULT = """() => {
    const result = document.getElementById("result");
    const observer = new ResizeObserver(() => result.scrollIntoView({block: "nearest"}));
    observer.observe(result);
    setTimeout(() => observer.disconnect(), 10000);
}"""

# Narrow enough that five examples stand in a row, on a phone as well.
CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
.gallery { gap: 6px !important; }
.gallery-item .container { width: 50px !important; height: 50px !important; }
"""


class Page(gr.Blocks):
    """Gradio's page, on which a visitor can name no files but its own: uploads, examples, results.

    Gradio alone would fetch what is named by address, however large, and would hand over any file
    of the server that a visitor names without saying that it is a file.
    """

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list[Any], *arguments: Any, **named: Any
    ) -> list[Any]:
        """Check what a visitor sent to any part of the page before Gradio looks at it."""
        folder = get_upload_folder()
        if not all(is_in_or_equal(path, folder) for path in named_paths(inputs)):
            raise gr.Error("Only uploaded pictures can be used.", print_exception=False)
        return await super().preprocess_data(block_fn, inputs, *arguments, **named)


def build_page(
    stylizers: Mapping[str, Stylizer], limits: Limits, examples: SampleImages
) -> gr.Blocks:
    """Build the page; nothing is served yet.

    Args:
        stylizers: What can paint, by the name that users choose from; at least one.
        limits: What is accepted.
        examples: Pictures to click on: those of ``eval_content`` and ``eval_style``.
    """
    with Page(title="DatNet", analytics_enabled=False) as page:
        gr.Markdown("# DatNet\nPaint your photo in the manner of a painting.")
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    with gr.Column(min_width=220):
                        photo = picture_input("Photo", "photo", examples.eval_content)
                    with gr.Column(min_width=220):
                        painting = picture_input("Painting", "painting", examples.eval_style)
                alpha = gr.Slider(
                    0, 1, 1, step=0.05, label="Strength", info="0 is the photo, 1 all painting."
                )
                colors = gr.Radio(list(COLORS), value=next(iter(COLORS)), label="Colours")
                size = gr.Radio(
                    list(SIZES), value="512", label="Size", info="Shorter side in pixels."
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
                button = gr.Button("Paint", variant="primary", elem_id="paint")
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

        def paint_wish(
            photo: dict[str, Any] | None,
            painting: dict[str, Any] | None,
            second: dict[str, Any] | None,
            mix: float,
            alpha: float,
            colors: str,
            size: str,
            network: str,
        ) -> tuple[Any, Any]:
            try:
                wish = make_wish(photo, painting, second, mix, alpha, colors, size)
                # What lies in Gradio's folder is not copied there, and is gone when the page is.
                folder = Path(tempfile.mkdtemp(dir=get_upload_folder()))
                painted = paint(stylizers[network], wish, limits.megapixels * 1e6, folder)
            except DatNetError as error:
                raise gr.Error(str(error), duration=20, print_exception=False) from error
            return (
                (str(painted.before), str(painted.after)),
                gr.DownloadButton(value=str(painted.after), interactive=True),
            )

        # Gradio would decode uploads itself, without our limits and messages, if it preprocessed.
        button.click(
            paint_wish,
            [photo, painting, second, mix, alpha, colors, size, network],
            [comparison, download],
            api_name="paint",
            preprocess=False,
            concurrency_limit=limits.jobs,
        ).success(js=SHOW_RESULT)
    page.queue(max_size=limits.waiting, api_open=False)  # nobody goes past the queue
    return page


def named_paths(sent: Any) -> Iterator[str]:
    """Every file that stands in what a visitor sent, however deep, whether called a file or not."""
    if isinstance(sent, dict):
        if isinstance(sent.get("path"), str):
            yield sent["path"]
        sent = list(sent.values())
    if isinstance(sent, list):
        for part in sent:
            yield from named_paths(part)


def theme() -> gr.Theme:
    """Gradio's look with the fonts of the visitor's machine and hints that can be read."""
    return gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ).set(block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300")


def picture_input(label: str, role: str, examples: Path) -> gr.Image:
    """A place to drop a picture on, which says at once if it cannot be used, and examples."""
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


def make_wish(
    photo: dict[str, Any] | None,
    painting: dict[str, Any] | None,
    second: dict[str, Any] | None,
    mix: float,
    alpha: float,
    colors: str,
    size: str,
) -> Wish:
    """Turn what the page's controls hold into a wish.

    Args:
        photo: Gradio's account of the uploaded file, None if there is none.
        painting: Likewise.
        second: Likewise, of the painting that is mixed in.
        mix: Share of the second painting in [0, 1].
        alpha: Strength of the style in [0, 1].
        colors: A key of :data:`COLORS`.
        size: A key of :data:`SIZES`.

    Raises:
        DatNetError: If a picture is missing.
    """
    if photo is None:
        raise DatNetError("There is no photo yet. Drop one on the page, or click on an example.")
    if painting is None:
        raise DatNetError("There is no painting yet. Drop one on the page, or click on an example.")
    weighted = [(painting, 1 - mix), (second, mix)] if second is not None else [(painting, 1.0)]
    # The share of a painting that does not take part is 0, which the Stylizer refuses.
    taking_part = [(Path(upload["path"]), share) for upload, share in weighted if share > 0]
    return Wish(
        photo=Path(photo["path"]),
        paintings=[path for path, _ in taking_part],
        options=StylizeOptions(
            alpha=alpha,
            size=SIZES[size],
            weights=[share for _, share in taking_part],
            keep_colors=COLORS[colors],
        ),
    )


def describe(name: str, description: NetworkDescription) -> str:
    """Say what a network is and what it was trained on, for Markdown; no path of the server."""
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
        facts.append(f"licence {training['licence']}")
    if not facts:
        facts.append("how it was trained is not known")
    return f"**Network {name}**: {', '.join(facts)}."
