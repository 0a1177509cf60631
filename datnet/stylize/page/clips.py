"""The part of the page that stylizes clips; needs the extra `video`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import gradio as gr
from gradio.utils import get_upload_folder

from datnet.errors import DatNetError
from datnet.stylize.clips import stylize_video
from datnet.stylize.page.controls import make_request
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.own_paintings import Files
from datnet.stylize.page.settings import Settings
from datnet.stylize.page.uploads import MOST_DECODED_PIXELS, Request, read_paintings
from datnet.stylize.stylizer import Stylizer

# Others, such as playlists, name further files and addresses, which FFmpeg would open.
CONTAINERS = "mov,matroska,avi,mpegts"
"""FFmpeg's names of the formats that uploads can have."""


def add_clips(
    stylizers: Mapping[str, Stylizer],
    limits: Limits,
    pictures: Sequence[gr.Image],
    settings_of_page: Sequence[gr.components.Component],
    own: Mapping[str, Files],
    shared: Mapping[str, Any],
) -> None:
    """Add an upload area for clips, a button and a player to the page.

    Args:
        stylizers: Stylizers by name.
        limits: Limits of the page.
        pictures: The controls of the painting and the second one.
        settings_of_page: The other controls, in the order of :class:`Settings`'s arguments.
        own: The paintings of networks that know only certain ones.
        shared: Settings of events that take their turn in the queue.
    """
    most = limits.clip_seconds
    with gr.Accordion("Stylize a clip instead of the photo", open=False, elem_id="clips"):
        clip = gr.File(
            label=f"Clip (at most {most:g} s and {limits.upload_megabytes:g} MB)",
            file_types=["video"],
            elem_id="clip",
        )
        button = gr.Button("Stylize the clip", elem_id="stylize-clip")
        result = gr.Video(
            label="Stylized clip", elem_id="clip-result", interactive=False, buttons=["download"]
        )

    def clip_request(*values: Any, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        upload, painting, second, *rest = values
        settings = Settings(*rest)
        folder = Path(tempfile.mkdtemp(dir=get_upload_folder()))
        try:
            if upload is None:
                raise DatNetError("There is no clip yet. Drop one on the page.")
            request = make_request(upload, painting, second, settings, own[settings.network])
            stylizer = stylizers[settings.network]
            return str(stylize_clip(stylizer, request, limits, folder, progress))
        except DatNetError as error:
            raise gr.Error(str(error), duration=20, print_exception=False) from error

    button.click(
        clip_request, [clip, *pictures, *settings_of_page], result, api_name="clip", **shared
    )


def stylize_clip(
    stylizer: Stylizer,
    request: Request,
    limits: Limits,
    folder: Path,
    progress: Callable[..., Any],
) -> Path:
    """Stylize an uploaded clip.

    Args:
        stylizer: The stylizer.
        request: The request, with the clip as photograph.
        limits: Limits of the page.
        folder: An empty folder for the result.
        progress: Called with the share that is done, in [0, 1], and ``desc``, a text.

    Returns:
        The result, an MP4 file.

    Raises:
        DatNetError: If an upload cannot be used, or the clip is too long or too large. The message
            contains no path of the server.
    """
    clip = request.photo
    seconds, short_side = check_clip(clip, request.options.size, limits)
    paintings = read_paintings(request, short_side, limits.megapixels * 1e6)
    begin = time.monotonic()

    def after_frame(end: float) -> None:
        if end > limits.clip_seconds:  # the file may state another duration
            raise too_long(end, limits)
        done = min(end / seconds, 1.0) if seconds else 0.0
        left = (time.monotonic() - begin) * (1 / done - 1) if done else None
        progress(done, desc=f"about {left:.0f} s left" if left is not None else "stylizing")

    output = folder / "stylized.mp4"
    try:
        stylize_video(stylizer, clip, paintings, output, request.options, after_frame=after_frame)
    except DatNetError as error:
        message = str(error).replace(str(clip), "The clip").replace(str(output), "The result")
        raise DatNetError(message) from error
    return output


def check_clip(clip: Path, size: int | None, limits: Limits) -> tuple[float, int]:
    """Check an uploaded clip by its header.

    Args:
        clip: The file.
        size: Shorter side of the result; None for that of the clip.
        limits: Limits of the page.

    Returns:
        Its duration in seconds, 0 if it is not stated, and the shorter side of the result in
        pixels.

    Raises:
        DatNetError: If it is no clip, too long or too large.
    """
    if not clip.exists():
        raise DatNetError("The clip was here for too long and is gone. Please add it again.")
    only = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(str(clip.absolute()), options=only, metadata_errors="replace") as opened:
            videos = [each for each in opened.streams.video if each.codec_context]
            duration = (opened.duration or 0) / av.time_base
            sides = (videos[0].width, videos[0].height) if videos else (0, 0)
    except (av.FFmpegError, ValueError) as error:
        raise DatNetError(
            "The clip cannot be used: it is not a video in MP4, MOV, WebM, MKV, AVI or MPEG-TS."
        ) from error
    if min(sides) == 0:
        raise DatNetError("The clip cannot be used: there is no video in this file.")
    if duration > limits.clip_seconds:
        raise too_long(duration, limits)
    short_side = size or min(sides)
    pixels = short_side**2 * max(sides) / min(sides)
    if sides[0] * sides[1] > MOST_DECODED_PIXELS or pixels > limits.megapixels * 1e6:
        raise DatNetError(
            f"The clip would have {pixels / 1e6:.1f} million pixels at this size, but this page "
            f"accepts at most {limits.megapixels:g} million. Choose a smaller size."
        )
    return duration, short_side


def too_long(seconds: float, limits: Limits) -> DatNetError:
    """Return the error for a clip above the limit, with its duration as far as it is known."""
    return DatNetError(
        f"The clip takes {seconds:.1f} s, but this page accepts at most {limits.clip_seconds:g} s. "
        "Cut it first."
    )
