"""The page in Gradio: its layout and what its controls do.

In one file, since Gradio declares a control where it is laid out and its action beside it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.utils import get_upload_folder, is_in_or_equal
from PIL import Image

from datnet.errors import DatNetError
from datnet.images.embedded import SampleImages
from datnet.stylize.page.controls import (
    checked,
    choice,
    describe,
    is_slow,
    make_request,
    picture_input,
    shown_before,
)
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.look import ACCESSIBLE, SHOW_RESULT
from datnet.stylize.page.mask import mask_editor, painted_mask, photo_to_paint_on
from datnet.stylize.page.origin import origins
from datnet.stylize.page.own_paintings import offer_own, own_choice, own_files, painting_of
from datnet.stylize.page.settings import ATTENTION, COLORS, SIZES, STROKES, Settings, settings_of
from datnet.stylize.page.uploads import MOST_DECODED_PIXELS, Stylized, stylize_uploads
from datnet.stylize.page.waiting import Durations, Waiting
from datnet.stylize.stylizer import Stylizer

QUICK = "256 (quick)"
"""The size of a preview."""

CREDITS = """\
Example photos: camera by Lav Varshney (CC0), Chelsea by Stefan van der Walt (CC0), coffee by \
Rachel Michetti (CC0), rocket by SpaceX (public domain). Example paintings: made by DatNet's \
painting program. Your pictures stay on the computer that runs this page and are deleted after \
half an hour."""


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
    own = own_files(stylizers)
    own_of_first = next(iter(own.values()))
    with Page(title="DatNet", analytics_enabled=False) as page:
        gr.Markdown("# DatNet\nGive your photo the style of a painting.")
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    with gr.Column(min_width=220):
                        photo = picture_input("Photo", "photo", examples.eval_content)
                    with gr.Column(min_width=220):
                        painting = picture_input("Painting", "painting", examples.eval_style)
                        own_painting = own_choice(own_of_first, "painting")
                alpha = gr.Slider(
                    0, 1, 1, step=0.05, label="Strength", info="0 is the photo, 1 the full style."
                )
                colors = gr.Radio(list(COLORS), value=next(iter(COLORS)), label="Colors")
                size = gr.Radio(
                    list(SIZES), value="512", label="Size", info="Shorter side in pixels."
                )
                strokes = gr.Radio(
                    list(STROKES),
                    value=next(iter(STROKES)),
                    label="Strokes",
                    info="Larger paintings give coarser strokes.",
                    elem_id="strokes",
                )
                attention = gr.Radio(
                    list(ATTENTION),
                    value=next(iter(ATTENTION)),
                    label="Attention",
                    info="Fast gives nearly the same picture sooner, from 256 pixels on.",
                )
                with gr.Accordion("Mix in a second painting", open=False, elem_id="mixing"):
                    second = picture_input("Second painting", "second", examples.eval_style)
                    own_second = own_choice(own_of_first, "second")
                    mix = gr.Slider(
                        0, 1, 0.5, step=0.05, label="Mix", info="0 is the first painting alone, 1 "
                        "the second.", elem_id="mix",
                    )  # fmt: skip
                with gr.Accordion("Stylize only a part", open=False, elem_id="masking"):
                    gr.Markdown(
                        "Paint where the painting goes. Elsewhere the photo stays or, if there is "
                        "a second painting, takes that one."
                    )
                    mask = mask_editor()
                network = gr.Radio(
                    [choice(name, each) for name, each in stylizers.items()],
                    value=next(iter(stylizers)),
                    label="Network",
                    elem_id="network",
                    visible=len(stylizers) > 1,
                )
                button = gr.Button("Stylize", variant="primary", elem_id="paint")
                with gr.Row():
                    preview = gr.Button("Quick preview (256)", elem_id="preview")
                    compare = gr.Button(
                        "All networks, side by side",
                        elem_id="compare",
                        visible=len(stylizers) > 1,
                    )
                clips = gr.Column()
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
                history = gr.Gallery(
                    label="Results of this visit, with their settings",
                    elem_id="history",
                    interactive=False,
                    columns=3,
                    object_fit="contain",
                )
                with gr.Accordion("Where does it come from?", open=False, elem_id="origins"):
                    clicked = gr.Image(
                        label="Click on the result", elem_id="clicked", interactive=False,
                        buttons=[],
                    )  # fmt: skip
                    sources = gr.Gallery(
                        label="Where in the painting each level of attention looks",
                        elem_id="sources",
                        interactive=False,
                        columns=3,
                    )
                gr.Markdown(
                    "\n\n".join(
                        describe(name, each.description) for name, each in stylizers.items()
                    ),
                    elem_id="networks",
                )
        gr.Markdown(f"<small>{CREDITS}</small>")

        settings_of_page = [mix, alpha, colors, size, attention, strokes, network]
        controls = [photo, painting, second, *settings_of_page, mask]

        durations = Durations()

        def waiting_for(
            names: Sequence[str], attention: str, progress: Callable[..., object]
        ) -> Waiting:
            """Prepare what the page says while these networks stylize."""
            fast = "" if ATTENTION[attention] == "exact" else ", fast attention"
            attentive = [bool(stylizers[name].network.attention_parts) for name in names]
            return Waiting(durations, [f"{name}{fast}" for name in names], attentive, progress)

        def stylize_with(
            name: str, values: Sequence[Any], waiting: Waiting
        ) -> tuple[Stylized, str]:
            """Stylize with one network; return the files and a caption."""
            photo, painting, second, mix, alpha, colors, size, attention, strokes = values[:9]
            settings = Settings(mix, alpha, colors, size, attention, strokes, name)
            # Files in Gradio's folder are not copied again, and are removed with the page.
            folder = Path(tempfile.mkdtemp(dir=get_upload_folder()))
            try:
                request = make_request(
                    photo, painting, second, settings, own[name], painted_mask(values[10])
                )
                most_pixels = limits.megapixels * 1e6
                with waiting.telling():
                    stylized = stylize_uploads(
                        stylizers[name], request, most_pixels, folder, waiting.started
                    )
            except DatNetError as error:
                raise gr.Error(str(error), duration=20, print_exception=False) from error
            return stylized, settings.caption(waiting.finished())

        def stylize_request(
            *values: Any,
            progress: gr.Progress = gr.Progress(),  # noqa: B008
        ) -> tuple[Any, ...]:
            waiting = waiting_for([values[9]], values[7], progress)
            stylized, caption = stylize_with(values[9], values, waiting)
            after = str(stylized.after)
            return (
                (str(stylized.before), after),
                gr.DownloadButton(value=after, interactive=True),
                [(after, caption), *shown_before(values[11])],
                after,
            )

        def preview_request(
            *values: Any,
            progress: gr.Progress = gr.Progress(),  # noqa: B008
        ) -> tuple[Any, ...]:
            return stylize_request(*values[:6], QUICK, *values[7:], progress=progress)

        def compare_request(
            *values: Any,
            progress: gr.Progress = gr.Progress(),  # noqa: B008
        ) -> Iterator[Any]:
            shown = shown_before(values[11])
            names = sorted(stylizers, key=lambda name: is_slow(stylizers[name]))
            waiting = waiting_for(names, values[7], progress)
            for name in names:
                try:
                    stylized, caption = stylize_with(name, values, waiting)
                    shown = [(str(stylized.after), caption), *shown]
                except gr.Error as error:
                    if not own[name]:
                        raise
                    waiting.left_out()
                    gr.Warning(f"{name} is left out: {error.message}", duration=20)
                yield shown

        def origin_request(
            photo: dict[str, Any] | None,
            painting: dict[str, Any] | None,
            result: dict[str, Any],
            event: gr.SelectData,
        ) -> Any:
            made = Path(result["path"])
            settings = settings_of(made, stylizers, MOST_DECODED_PIXELS)
            if photo is None or settings is None:
                raise gr.Error("Stylize a photo first.", print_exception=False)
            with Image.open(made) as opened:
                width, height = opened.size
            folder = Path(tempfile.mkdtemp(dir=get_upload_folder()))
            place = event.index[0] / width, event.index[1] / height
            name = settings.network
            try:
                paths = Path(photo["path"]), Path(painting_of(painting, own[name])["path"])
                return origins(stylizers[name], *paths, SIZES[settings.size], place, folder)
            except DatNetError as error:
                raise gr.Error(str(error), duration=20, print_exception=False) from error

        def check_photo(upload: dict[str, Any]) -> tuple[Any, ...]:
            settings = settings_of(Path(upload["path"]), stylizers, MOST_DECODED_PIXELS)
            if settings is None:
                return checked(upload), *[gr.skip()] * len(settings_of_page)
            gr.Info("This is a result of this page: its settings are restored. Now add a photo.")
            return (
                None, settings.mix, settings.alpha, settings.colors, settings.size,
                settings.attention, settings.strokes, settings.network,
            )  # fmt: skip

        # With preprocessing Gradio would decode uploads itself, without our limits and messages.
        shared: dict[str, Any] = {
            "preprocess": False,
            "concurrency_limit": limits.jobs,
            "concurrency_id": "stylize",
        }
        outputs = [comparison, download, history, clicked]
        for trigger, request, name in (
            (button, stylize_request, "paint"),
            (preview, preview_request, "preview"),
        ):
            trigger.click(request, [*controls, history], outputs, api_name=name, **shared).success(
                js=SHOW_RESULT
            )
        if limits.clip_seconds:
            from datnet.stylize.page.clips import add_clips  # needs the extra `video`

            with clips:
                add_clips(stylizers, limits, [painting, second], settings_of_page, own, shared)
        compare.click(compare_request, [*controls, history], history, api_name="compare", **shared)
        clicked.select(
            origin_request,
            [photo, painting, clicked],
            sources,
            api_visibility="private",
            **shared,
        )
        offer_own(own, network, {painting: own_painting, second: own_second})
        page.load(js=ACCESSIBLE)
        photo.change(
            photo_to_paint_on, photo, mask, preprocess=False, api_visibility="private",
            show_progress="hidden",
        )  # fmt: skip
        photo.upload(
            check_photo,
            photo,
            [photo, *settings_of_page],
            preprocess=False,
            api_visibility="private",
        )
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
