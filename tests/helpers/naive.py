"""The formulas of the papers in numpy's float64, one image, one channel, one position at a time.

They are slow and share no code with the package. Its fast forms are compared with them where the
published vectors of ../shared are missing. A map is ``(C, H, W)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

Map = np.ndarray


def maps(features: Sequence[Tensor], image: int = 0) -> list[Map]:
    """The maps of one image of a batch, as float64."""
    return [level[image].detach().double().numpy() for level in features]


def mean_std(features: Map) -> tuple[Map, Map]:
    """Each channel's mean and root of (unbiased variance + 1e-5), both ``(C, 1, 1)``."""
    means, stds = [], []
    for channel in features:
        values = channel.ravel()
        mean = sum(values) / len(values)
        means.append(mean)
        stds.append((sum((values - mean) ** 2) / (len(values) - 1) + 1e-5) ** 0.5)
    return np.reshape(means, (-1, 1, 1)), np.reshape(stds, (-1, 1, 1))


def normalize(features: Map) -> Map:
    mean, std = mean_std(features)
    return (features - mean) / std


def adain(content: Map, style: Map) -> Map:
    mean, std = mean_std(style)
    return std * normalize(content) + mean


def conv1x1(features: Map, weight: Tensor, bias: Tensor) -> Map:
    weight_matrix = weight.detach().double().numpy()[:, :, 0, 0]
    return (
        np.einsum("oc,chw->ohw", weight_matrix, features)
        + bias.detach().double().numpy()[:, None, None]
    )


def attend(query: Map, key: Map, value: Map) -> tuple[Map, Map]:
    """Mean and standard deviation of the values at the query's positions, by softmax(q · k)."""
    _, height, width = query.shape
    keys, values = key.reshape(len(key), -1), value.reshape(len(value), -1)
    mean = np.empty((len(value), height, width))
    std = np.empty_like(mean)
    for row in range(height):
        for column in range(width):
            products = keys.T @ query[:, row, column]
            weights = np.exp(products - products.max())
            weights /= weights.sum()
            here = values @ weights
            mean[:, row, column] = here
            std[:, row, column] = (((values - here[:, None]) ** 2) @ weights) ** 0.5
    return mean, std


def resize_bilinear(features: Map, height: int, width: int) -> Map:
    """Pixels are squares: the middle of the first one lies at ½, and edges are repeated."""
    result = np.empty((len(features), height, width))
    for row in range(height):
        for column in range(width):
            y = max((row + 0.5) * features.shape[1] / height - 0.5, 0)
            x = max((column + 0.5) * features.shape[2] / width - 0.5, 0)
            top, left = int(y), int(x)
            bottom = min(top + 1, features.shape[1] - 1)
            right = min(left + 1, features.shape[2] - 1)
            above = features[:, top, left] * (1 - x + left) + features[:, top, right] * (x - left)
            below = features[:, bottom, left] * (1 - x + left)
            below += features[:, bottom, right] * (x - left)
            result[:, row, column] = above * (1 - y + top) + below * (y - top)
    return result


def resize_nearest(features: Map, height: int, width: int) -> Map:
    rows = [row * features.shape[1] // height for row in range(height)]
    columns = [column * features.shape[2] // width for column in range(width)]
    return features[:, rows][:, :, columns]


def attention_key(features: Sequence[Map], level: int, resize: str = "bilinear") -> Map:
    """Levels 1 … ``level`` at the size of the last, each normalized, from shallow to deep."""
    size = features[level - 1].shape[1:]
    shrink = resize_bilinear if resize == "bilinear" else resize_nearest
    shrunk = [shrink(shallow, *size) for shallow in features[: level - 1]]
    return np.concatenate([normalize(each) for each in [*shrunk, features[level - 1]]])


def adaattn(content: Map, query: Map, key: Map, value: Map) -> Map:
    mean, std = attend(query, key, value)
    return std * normalize(content) + mean


def squared_error(one: Map, other: Map) -> float:
    return float(np.mean((one - other) ** 2))


def global_style(output: Sequence[Map], style: Sequence[Map], levels: Sequence[int]) -> float:
    return sum(
        squared_error(ours, theirs)
        for level in levels
        for ours, theirs in zip(
            mean_std(output[level - 1]), mean_std(style[level - 1]), strict=True
        )
    )


def local_feature(
    output: Sequence[Map],
    content: Sequence[Map],
    style: Sequence[Map],
    levels: Sequence[int],
    resize: str = "bilinear",
) -> float:
    total = 0.0
    for level in levels:
        query, key = (attention_key(each, level, resize) for each in (content, style))
        target = adaattn(content[level - 1], query, key, style[level - 1])
        total += squared_error(output[level - 1], target)
    return total


def normalized_content(
    output: Sequence[Map], content: Sequence[Map], levels: Sequence[int]
) -> float:
    return sum(
        squared_error(normalize(output[level - 1]), normalize(content[level - 1]))
        for level in levels
    )


def difference(output: Sequence[Map], target: Sequence[Map]) -> float:
    """Σ over all levels of the mean squared error."""
    return sum(squared_error(one, other) for one, other in zip(output, target, strict=True))
