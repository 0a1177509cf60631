"""Stylize videos.

>>> from datnet import Stylizer
>>> from datnet.stylize.clips import stylize_video
>>> stylizer = Stylizer("microast")  # doctest: +SKIP
>>> report = stylize_video(stylizer, "clip.mp4", "painting.jpg", "out.mp4")  # doctest: +SKIP
"""

from __future__ import annotations

from datnet.errors import require_extra

require_extra("video")

from datnet.stylize.clips.stylize import VideoReport, stylize_video  # noqa: E402

__all__ = ["VideoReport", "stylize_video"]
