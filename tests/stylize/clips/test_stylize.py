from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datnet.errors import DatNetError
from datnet.stylize.clips import stylize_video
from datnet.stylize.stylizer import Stylizer
from tests.helpers.clips import PassingThrough, pass_through, read_clip, write_clip
from tests.helpers.frames import SCENE, pan, texture
from tests.helpers.pixel_network import write_pixel_network


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_rate_frames_duration_and_sound_are_the_clips(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(20), sound="aac")
    report = pass_through(clip, tmp_path / f"out{suffix}")
    before, after = read_clip(clip), read_clip(tmp_path / f"out{suffix}")
    assert after.codecs == ["h264", "aac"]
    assert after.rate == before.rate == 25
    assert after.seconds == pytest.approx(before.seconds, abs=0.025)
    assert [data for _, data in after.sound] == [data for _, data in before.sound]
    # Matroska has no times below 0, where AAC begins, and rounds all times to milliseconds.
    shift = Fraction(21, 1000) if suffix == ".mkv" else 0
    for (now, _), (then, _) in zip(after.sound, before.sound, strict=True):
        assert abs(now - then - shift) <= (Fraction(1, 1000) if suffix == ".mkv" else 0)
    assert [time - shift for time in after.times] == before.times
    assert before.times == [Fraction(number, 25) for number in range(20)]
    assert (report.frames, report.width, report.height) == (20, 64, 48)
    assert report.seconds == pytest.approx(0.8)
    assert str(report).startswith("20 frames, 0.8 s, 64 × 48, sound copied, flicker ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", f"out{suffix}"]


def test_a_single_frame(tmp_path: Path) -> None:
    report = pass_through(write_clip(tmp_path / "clip.mp4", pan(1)), tmp_path / "out.mp4")
    assert len(read_clip(tmp_path / "out.mp4").frames) == 1
    assert (report.frames, report.flicker, report.problem) == (1, None, None)
    assert str(report) == "1 frame, 0.0 s, 64 × 48, no sound"


def test_styles_are_encoded_once_and_settings_passed_on(tmp_path: Path) -> None:
    stylizer = PassingThrough()
    clip = write_clip(tmp_path / "clip.mp4", pan(5))
    Image.new("L", (8, 8)).save(tmp_path / "mask.png")
    stylize_video(
        stylizer,  # type: ignore[arg-type]
        clip,
        ["a.png", "b.png"],
        tmp_path / "out.mp4",
        keep_colors="luminance",
        mask=tmp_path / "mask.png",
    )
    assert stylizer.encoded == [("a.png", None, 48), ("b.png", None, 48)]
    assert len(stylizer.calls) == 5
    assert stylizer.calls[0].keep_colors == "luminance"
    assert isinstance(stylizer.calls[0].mask, Image.Image)  # read from its file once


def test_frames_are_stylized_as_photographs_are(tmp_path: Path) -> None:
    stylizer = Stylizer(write_pixel_network(tmp_path / "pixel.safetensors"), "cpu")
    clip = write_clip(tmp_path / "clip.mp4", [texture(48, 64, grain=16)] * 3)
    painting = Image.fromarray(texture(64, 64, seed=1)).convert("L").convert("RGB")
    settings: dict[str, Any] = {"alpha": 0.7, "size": 40, "keep_colors": "luminance"}
    report = stylize_video(stylizer, clip, painting, tmp_path / "out.mp4", **settings)
    frame = read_clip(clip).frames[2]
    expected = np.asarray(stylizer(frame, painting, **settings))[:, :52]  # 53 is odd
    result = read_clip(tmp_path / "out.mp4").frames[2]
    assert (report.width, report.height) == (52, 40)
    assert np.abs(result.astype(int) - expected).mean() < 5
    assert np.abs(result[:, :, 0].astype(int) - frame[:40, :52, 0]).mean() > 20


@pytest.mark.parametrize(
    ("output", "settings", "message"),
    [
        ("out.gif", {}, "out.gif: cannot write videos of this kind; .* .mp4, .mov, .mkv, .webm"),
        ("out.mp4", {"crf": 52}, "crf is 52; for .mp4 it must be between 0 and 51"),
        ("out.mp4", {"smoothing": 1.0}, "smoothing is 1.0; it must be at least 0 and below 1"),
        ("out.mp4", {"alpha": 2}, "alpha is 2"),
        ("clip.mp4", {}, "clip.mp4 is the clip itself"),
    ],
)
def test_wrong_settings_are_refused(
    tmp_path: Path, output: str, settings: dict[str, Any], message: str
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(2))
    content = clip.read_bytes()
    with pytest.raises(DatNetError, match=message):
        pass_through(clip, tmp_path / output, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    assert clip.read_bytes() == content


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pan(5), sound="aac")
    (tmp_path / "out.mp4").write_bytes(b"an older result")
    seen: list[list[str]] = []

    def interrupt_at_third(pixels: np.ndarray) -> np.ndarray:
        seen.append([path.suffix for path in tmp_path.iterdir()])
        if len(seen) == 3:
            raise KeyboardInterrupt
        return pixels

    stylizer = PassingThrough(interrupt_at_third)
    with pytest.raises(KeyboardInterrupt):
        stylize_video(stylizer, clip, "painting.png", tmp_path / "out.mp4")  # type: ignore[arg-type]
    assert ".part" in seen[2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"an older result"


def test_smoothing_lessens_the_flicker_of_a_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [SCENE[:48, :64].copy()] * 10)
    reports = []
    for smoothing in (0, 0.8):
        generator = np.random.default_rng(0)
        stylizer = PassingThrough(
            lambda pixels: generator.integers(0, 255, pixels.shape, dtype=np.uint8)  # noqa: B023
        )
        output = tmp_path / f"{smoothing}.mp4"
        reports.append(stylize_video(stylizer, clip, "a.png", output, smoothing=smoothing))  # type: ignore[arg-type]
    flickers = [report.flicker for report in reports]
    assert None not in flickers
    assert flickers[1] < 0.5 * flickers[0]
    assert reports[0].content_flicker == reports[1].content_flicker
    assert reports[1].content_flicker < 2
