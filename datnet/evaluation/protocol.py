"""The contents × styles protocol: every content image with every style image, one row per pair.

An evaluation is a folder::

    pairs.csv       the pairs, by file name
    protocol.json   the settings and the SHA-256 of every image: what must not change on resuming
    results.csv     one row per pair, written as soon as the pair is measured
    embeddings.npy  (pairs, 2, C): the encoder's mean features at relu5_1 of each pair's result and
                    style, for the metrics of all results together; NaN until the pair is measured
    summary.json    means and intervals, written at the end
    images/         CONTENT__STYLE.png, if asked for

It can be interrupted at any time and goes on where it was when it is started again.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.exposure import match_histograms
from torch import Tensor
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.evaluation.edges import HIGH_THRESHOLD, LOW_THRESHOLD, SIGMA, tolerance
from datnet.evaluation.metrics import (
    METRICS,
    ContentTarget,
    Metrics,
    StyleTarget,
    set_metrics,
)
from datnet.evaluation.summary import Estimate, Summary
from datnet.images.files import complete_or_absent, errors_name, write_text
from datnet.images.reading import read_image
from datnet.images.saving import save_image
from datnet.images.tensors import read_square, to_image

Pair = tuple[Path, Path]
"""A content image and a style image."""

Stylize = Callable[[Tensor, Tensor], Tensor]
"""From content and style, each ``(1, 3, S, S)`` in [0, 1], to the result ``(1, 3, S, S)``."""

COLUMNS = ("content", "style", *(column.key for column in METRICS))
"""Header of results.csv."""

SMALLEST_SIZE = 32
"""Networks and metrics need sides of at least 32."""

IMAGES_KEPT = 64
"""Decoded images that stay in memory: 200 MB at 512 × 512."""


def identity(content: Tensor, style: Tensor) -> Tensor:
    """Control: the result is the content image. Wins all metrics of closeness to the content."""
    return content


def style_copy(content: Tensor, style: Tensor) -> Tensor:
    """Control: the result is the style image. Wins the style distance."""
    return style


def histogram_match(content: Tensor, style: Tensor) -> Tensor:
    """Control: the content in the style's colours, by matching the histogram of each channel.

    The least that a style transfer does, and no style: what it gains against `identity` in style
    distance is owed to colours alone.
    """
    matched = match_histograms(content.cpu().numpy(), style.cpu().numpy(), channel_axis=1)
    return torch.from_numpy(matched).to(content)


CONTROLS: dict[str, Stylize] = {
    "identity": identity,
    "style copy": style_copy,
    "histogram match": histogram_match,
}
"""What stands in every table beside the networks, by title."""


def every_pair(contents: Iterable[Path], styles: Iterable[Path]) -> list[Pair]:
    """Every content with every style, content by content."""
    styles = list(styles)
    return [(content, style) for content in contents for style in styles]


def image_names(pairs: Iterable[Pair]) -> list[str]:
    """Names of the saved results in the folder images/, in the order of the pairs.

    They are CONTENT__STYLE.png, numbered where two pairs would share a name.
    """
    used: set[str] = set()
    names = []
    for content, style in pairs:
        # File systems allow 255 bytes, and some ignore letter case.
        stem = "__".join(
            path.stem.encode()[:100].decode(errors="ignore") for path in (content, style)
        )
        name, number = stem, 1
        while name.lower() in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(name.lower())
        names.append(f"{name}.png")
    return names


def protocol_sentence(pairs: Sequence[Pair], size: int, encoder_name: str) -> str:
    """Say how the numbers below came about, in one sentence for pairs and one for the whole set.

    Args:
        pairs: All pairs.
        size: Side of the images.
        encoder_name: The encoder of the metrics; :attr:`Metrics.encoder_name`.
    """
    contents = len({content for content, _ in pairs})
    styles = len({style for _, style in pairs})
    if contents * styles == len(pairs):
        amount = f"{contents} contents × {styles} styles = {len(pairs)} results"
    else:
        amount = f"{len(pairs)} results from {contents} contents and {styles} styles"
    return (
        f"{amount} at {size}×{size} pixels (short side resized with antialiasing, centre crop), "
        "clamped and rounded to 8 bits, with SSIM (11×11 Gaussian window, σ 1.5, RGB, "
        "data range 1), PSNR (per image, then averaged) and LPIPS v0.1 (AlexNet and VGG-16) "
        "against the content image, content distance (feature MSE, mean over relu4_1 and relu5_1) "
        "and style distance (MSE of channel means plus MSE of channel standard deviations against "
        f"the style image, mean over relu1_1 to relu5_1) measured by {encoder_name}, edges "
        "(F-measure of Canny edges of result and content, "
        f"σ {SIGMA:g}, thresholds {LOW_THRESHOLD} and {HIGH_THRESHOLD}, "
        f"tolerance {tolerance(size, size):.3g} px), new edges (share of the result's edges that "
        "are none of the content's, likewise), and "
        "95% bootstrap intervals over contents and styles in brackets. "
        "FD (VGG) is the Fréchet distance between all results and the styles of their pairs, in "
        "features of relu5_1 of the same encoder averaged over positions, and ArtFID (VGG) is "
        "(1 + mean LPIPS (AlexNet)) · (1 + FD (VGG)): not comparable with published FID and "
        "ArtFID, which use Inception networks, and without intervals, because resampling inflates "
        "a Fréchet distance."
    )


def evaluate(
    stylize: Stylize | Mapping[Pair, Path],
    pairs: Sequence[Pair],
    output_dir: Path,
    *,
    metrics: Metrics,
    description: str,
    size: int = 512,
    save_images: bool = False,
    device: torch.device | str = "cpu",
) -> Summary:
    """Stylise all pairs, measure them and write the results into a folder.

    If the folder holds a part of this very evaluation, only the missing pairs are stylised; if it
    holds all of it, nothing is computed again.

    Args:
        stylize: The network, or one of :data:`CONTROLS`. It is called under ``torch.no_grad`` with
            images on ``device``. Or the picture of each pair that another program has painted,
            which is resized and cropped like the pair's own.
        pairs: Content and style files, for example from :func:`every_pair`.
        output_dir: The folder; created if need be.
        metrics: What measures; moved to ``device``.
        description: What is evaluated; the title of its row in tables. A folder with results of the
            same description is continued, so use another one (or folder) for other weights.
        size: Images are resized and cropped to squares of this side.
        save_images: Whether to keep the results as PNG.
        device: Where to compute.

    Returns:
        What was written to summary.json.

    Raises:
        DatNetError: Before anything is stylised: if there are no pairs or the same pair twice, an
            image cannot be read, or the folder holds an evaluation with other settings.
        ValueError: If a result has not the shape ``(1, 3, size, size)``.
    """
    if not pairs:
        raise DatNetError("there is nothing to evaluate: give at least one content and one style")
    if size < SMALLEST_SIZE:
        raise DatNetError(f"size is {size}; images must be at least {SMALLEST_SIZE} pixels wide")
    content_names = _short_names([content for content, _ in pairs])
    style_names = _short_names([style for _, style in pairs])
    named_pairs = [(content_names[content], style_names[style]) for content, style in pairs]
    if len(set(named_pairs)) != len(pairs):
        content, style = next(pair for pair in named_pairs if named_pairs.count(pair) > 1)
        raise DatNetError(f"the pair {content}, {style} is in the list twice: remove one of them")
    digests = _check_images({path for pair in pairs for path in pair})
    settings = {
        "description": description,
        "size": size,
        "save_images": save_images,
        "encoder": metrics.encoder_name,
        "contents": {name: digests[path] for path, name in content_names.items()},
        "styles": {name: digests[path] for path, name in style_names.items()},
    }
    _open_folder(output_dir, settings, named_pairs)
    results_file = output_dir / "results.csv"
    results = read_results(results_file)
    embeddings = _open_embeddings(output_dir / "embeddings.npy", len(pairs), metrics)
    for names, row in zip(named_pairs, embeddings, strict=True):
        if np.isnan(row[1]).any():  # the half of the style, which is NaN only if never written
            results.pop(names, None)
    # Rewritten without a torn last row, so that the next row starts on a line of its own.
    write_text(results_file, _as_csv([COLUMNS, *map(_as_row, results.items())]))

    metrics.eval().to(device)

    @lru_cache(IMAGES_KEPT)
    def load(path: Path) -> Tensor:
        return read_square(path, size).to(device)

    @lru_cache(maxsize=1)  # pairs come content by content, and these features are large
    def content_target(path: Path) -> ContentTarget:
        return metrics.content_target(load(path))

    @cache  # 12 kB a style
    def style_target(path: Path) -> StyleTarget:
        return metrics.style_target(load(path))

    image_files = [output_dir / "images" / name for name in image_names(pairs)]
    todo = [
        job
        for job in zip(pairs, named_pairs, image_files, embeddings, strict=True)
        if job[1] not in results
    ]
    progress = tqdm(todo, description, initial=len(results), total=len(pairs), unit="pair")
    warned: set[str] = set()
    with (
        errors_name(results_file),
        results_file.open("a", encoding="utf-8", newline="") as file,
        torch.no_grad(),
    ):
        for (content, style), names, image_file, row in progress:
            if isinstance(stylize, Mapping):
                output = read_square(stylize[content, style], size).to(device)
            else:
                # Copies, so that a network that works in place spoils neither target nor cache.
                output = stylize(load(content).clone(), load(style).clone()).to(device)
            target = style_target(style)
            measurement = metrics.measure(output, content_target(content), target)
            _warn_of_odd_result(output, names, warned)
            if save_images:
                save_image(to_image(output[0].nan_to_num(0)), image_file)
            # On disk before the pair's line in results.csv: a pair is done if both are there.
            row[:] = measurement.embedding, target.embedding
            embeddings.flush()
            results[names] = measurement.values
            file.write(_as_csv([_as_row((names, measurement.values))]))
            file.flush()

    contents, styles = zip(*named_pairs, strict=True)
    summary = Summary(
        description=description,
        protocol=protocol_sentence(pairs, size, metrics.encoder_name),
        pictures=_digest_of_pictures(pairs, digests),
        metrics={
            column.key: Estimate.of_pairs(
                [results[names][column.key] for names in named_pairs], contents, styles
            )
            for column in METRICS
        },
        set_metrics=set_metrics(
            embeddings[:, 0],
            embeddings[:, 1],
            [results[names]["lpips_alex"] for names in named_pairs],
        ),
        versions={
            name: version(name)
            for name in ("datnet", "torch", "torchmetrics", "lpips", "scikit-image")
        },
    )
    summary.save(output_dir / "summary.json")
    return summary


def _short_names(paths: Iterable[Path]) -> dict[Path, str]:
    """The file name of each path, with as many parent folders as it takes to tell them apart."""
    distinct = list(dict.fromkeys(paths))
    deepest = max(len(path.parts) for path in distinct)
    names: list[str] = []
    for depth in range(1, deepest + 1):
        names = ["/".join(path.parts[-depth:]) for path in distinct]
        if len(set(names)) == len(distinct):
            break
    for name in names:
        if re.search("[\r\n\ud800-\udfff]", name):  # surrogates stand for bytes that are not UTF-8
            raise DatNetError(
                f"the file name {name!r} has a line break in it or is not UTF-8: rename the file"
            )
    return dict(zip(distinct, names, strict=True))


def _check_images(paths: Iterable[Path]) -> dict[Path, str]:
    """Decode every image once, so that a bad one shows at the start; return their SHA-256."""
    digests = {}
    for path in tqdm(sorted(paths), "checking images", leave=False):
        read_image(path)
        digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def _digest_of_pictures(pairs: Iterable[Pair], digests: dict[Path, str]) -> str:
    lines = (f"{digests[content]} {digests[style]}\n" for content, style in pairs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _open_folder(
    output_dir: Path, settings: dict[str, Any], named_pairs: list[tuple[str, str]]
) -> None:
    """Start an evaluation in a folder, or make sure that the one that is there is this one."""
    settings_file, pairs_file = output_dir / "protocol.json", output_dir / "pairs.csv"
    pairs_text = _as_csv([("content", "style"), *named_pairs])
    if not settings_file.exists():
        if (output_dir / "results.csv").exists():
            raise DatNetError(
                f"{output_dir} holds a results.csv without the protocol.json that belongs to it: "
                "delete or rename this folder, or choose another"
            )
        output_dir.mkdir(parents=True, exist_ok=True)
        write_text(pairs_file, pairs_text)
        write_text(settings_file, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
        return
    try:
        found = json.loads(settings_file.read_text(encoding="utf-8"))
        found_pairs = pairs_file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DatNetError(
            f"the evaluation in {output_dir} cannot be continued ({error}): "
            "delete or rename this folder, or choose another"
        ) from error
    differences = []
    for name, value in settings.items():
        if name in ("contents", "styles"):
            differences += [f"other {name}"] if found.get(name) != value else []
        elif found.get(name) != value:
            differences.append(f"{name} is {found.get(name)!r} there and {value!r} now")
    if found_pairs != pairs_text:
        differences.append("other pairs")
    if differences:
        raise DatNetError(
            f"{output_dir} holds another evaluation ({'; '.join(differences)}): "
            "delete or rename this folder, or choose another"
        )


def read_results(results_file: Path) -> dict[tuple[str, str], dict[str, float]]:
    """Values of every pair by names of content and style, as far as they are measured.

    The last row of an interrupted evaluation is dropped if it was not finished.

    Raises:
        DatNetError: If the file is damaged or of another version of DatNet.
    """
    if not results_file.exists():
        return {}
    finished, _, _ = results_file.read_bytes().rpartition(b"\n")
    header, *rows = finished.decode().split("\n")
    if header != ",".join(COLUMNS):
        raise DatNetError(
            f"{results_file} has other columns than this version of DatNet writes "
            f"({', '.join(COLUMNS)}): delete or rename its folder, or choose another"
        )
    results = {}
    for number, row in enumerate(rows, start=2):
        try:
            content, style, *values = next(csv.reader([row], strict=True))
            numbers = map(float, values)
            results[content, style] = {
                column.key: value for column, value in zip(METRICS, numbers, strict=True)
            }
        except (csv.Error, ValueError, StopIteration) as error:
            raise DatNetError(
                f"{results_file}, line {number} is damaged ({error}): delete that line, and its "
                "pair is measured again"
            ) from error
    return results


def _open_embeddings(path: Path, pairs: int, metrics: Metrics) -> np.memmap:
    """Map embeddings.npy into memory to read and write it; make it first if it is not there."""
    shape = (pairs, 2, metrics.embedding_size)
    if not path.exists():
        with complete_or_absent(path) as unfinished, unfinished.open("wb") as file:
            np.save(file, np.full(shape, np.nan, np.float32))
    try:
        embeddings = np.lib.format.open_memmap(path, mode="r")  # r+ would mend a file cut short
        if (embeddings.shape, embeddings.dtype) != (shape, np.float32):
            raise ValueError(f"it holds {embeddings.dtype} of shape {embeddings.shape}")
    except (OSError, ValueError) as error:
        raise DatNetError(
            f"{path} is damaged ({error}): delete it, and its pairs are measured again"
        ) from error
    return np.lib.format.open_memmap(path, mode="r+")


def _as_row(result: tuple[tuple[str, str], dict[str, float]]) -> list[str]:
    names, values = result
    return [*names, *(repr(values[column.key]) for column in METRICS)]


def _as_csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _warn_of_odd_result(output: Tensor, names: tuple[str, str], warned: set[str]) -> None:
    """Warn of the first result that holds NaN and of the first that is a single colour."""
    content, style = names
    problem = ""
    if output.isnan().any():
        problem = "holds NaN: its metrics, and with them all means, are undefined"
    elif output.amin((2, 3)).equal(output.amax((2, 3))):
        problem = "is a single colour"
    if problem and problem not in warned:
        warned.add(problem)
        warnings.warn(
            f"the result for content {content} with style {style} {problem} "
            "(only the first such result is named)",
            stacklevel=3,
        )
