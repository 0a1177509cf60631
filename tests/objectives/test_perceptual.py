"""The perceptual losses, against their formulas in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from datnet.networks.cin import CIN
from datnet.networks.vgg import VggEncoder
from datnet.objectives.perceptual import PerceptualObjective, layers_of, squared_differences
from datnet.zoo import channel_means
from datnet.zoo.configs import model_config
from datnet.zoo.instantiate import build_with_encoder
from tests.helpers.methods import images
from tests.helpers.naive import maps, squared_error


@pytest.mark.parametrize(
    ("arch", "positions"), [("vgg16", (3, 8, 15, 22)), ("vgg19", (3, 8, 15, 24))]
)
def test_layers(arch: str, positions: tuple[int, ...]) -> None:
    """Positions of relu1_2, relu2_2, relu3_3 and relu4_3 in torchvision's lists of layers."""
    encoder = VggEncoder(arch)
    content = images(1, 32, 48)
    for position, features in zip(positions, layers_of(encoder, content), strict=True):
        expected = torch.nn.Sequential(*encoder.layers()[: position + 1])(content)
        assert torch.equal(features, expected)


def gram(features: np.ndarray, per_channel: bool) -> np.ndarray:
    channels, height, width = features.shape
    result = np.zeros((channels, channels))
    for row in range(height):
        for column in range(width):
            result += np.outer(features[:, row, column], features[:, row, column])
    return result / (height * width) / (channels if per_channel else 1)


@pytest.mark.parametrize(
    ("per_channel", "style_aware"), [(True, False), (False, False), (False, True)]
)
def test_terms(encoder: VggEncoder, per_channel: bool, style_aware: bool) -> None:
    torch.manual_seed(0)
    network = CIN(["a", "b"])
    for seed, name in enumerate(network.paintings.names):
        network.paintings.show(name, images(1, 64, 64, seed=seed)[0])
    content = images(3, 32, 32, seed=5)
    style = torch.cat([images(1, 40, 40, seed=seed) for seed in (1, 0, 1)])
    objective = PerceptualObjective(encoder, per_channel=per_channel, style_aware=style_aware)
    with torch.no_grad():
        terms = objective.terms(network, content, style)
        output = network.generate([content], network.encode_style(style), (32, 32))
        of = {
            name: layers_of(encoder, each)
            for name, each in (("output", output), ("content", content), ("style", style))
        }
    expected = {"content": 0.0, "style": 0.0, "total_variation": 0.0}
    for image in range(3):
        ours, contents, styles = (maps(of[name], image) for name in ("output", "content", "style"))
        expected["content"] += squared_error(ours[2], contents[2]) / 3
        error = bound = 0.0
        for weight, one, other in zip(objective.style_layers, ours, styles, strict=True):
            of_output, of_style = gram(one, per_channel), gram(other, per_channel)
            error += weight * np.mean((of_output - of_style) ** 2)
            bound += weight * (np.mean(of_output**2) + np.mean(of_style**2))
        expected["style"] += (error / bound if style_aware else error) / 3
    values = output.double().numpy()
    for image, channel, row, column in np.ndindex(values.shape):
        for below, right in ((1, 0), (0, 1)):
            if row + below < 32 and column + right < 32:
                neighbor = values[image, channel, row + below, column + right]
                difference = neighbor - values[image, channel, row, column]
                expected["total_variation"] += difference**2 / values.size
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-4), name


SQUARED_SCALE = 44_000
"""Of relu3_3 of the authors' encoder relative to ours, see PerceptualObjective."""

ROOT_MEAN_SQUARES = (0.599, 0.870, 0.941, 0.329)
"""Of the channels' mean activations at the four layers of VGG-16 before normalization."""


def published(
    model: str,
    encoder: VggEncoder,
    output: torch.Tensor,
    content: torch.Tensor,
    style: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """The losses of the authors' code, whose encoder has larger features, in pixels up to 255."""
    scales = [SQUARED_SCALE**0.5 * each / ROOT_MEAN_SQUARES[2] for each in ROOT_MEAN_SQUARES]
    ours, contents, styles = (
        [
            scale * features.double()
            for scale, features in zip(scales, layers_of(encoder, each), strict=True)
        ]
        for each in (output, content, style)
    )
    losses = {"content": (ours[2] - contents[2]).square().mean(), "style": torch.zeros(())}
    for one, other in zip(ours, styles, strict=True):
        products = [
            torch.einsum("bihw,bjhw->bij", each, each) / (each.shape[2] * each.shape[3])
            for each in (one, other)
        ]
        error = (products[0] - products[1]).square().mean()
        losses["style"] += 5 * error / one.shape[1] ** 2 if model == "johnson" else 1e-4 * error
    if model == "johnson":  # its total variation is a sum, so its weight depends on the size
        pixels = 255 * output.double()
        squares = pixels.diff(dim=2).square().sum() + pixels.diff(dim=3).square().sum()
        share = output.numel() / (4 * 3 * 256 * 256)
        losses["total_variation"] = 0.5 * 1e-6 * squares / share
    return losses


@pytest.mark.parametrize("model", ["johnson", "cin"])
def test_the_weights_are_the_published_ones_for_our_encoder(
    model: str, encoder: VggEncoder
) -> None:
    """Up to a common factor, on the same pictures and features."""
    torch.manual_seed(0)
    content, style = images(2, 48, 64, seed=5), images(1, 40, 40, seed=1).repeat(2, 1, 1, 1)
    network = CIN(["a"])
    network.paintings.show("a", style[0])
    settings = model_config(model)
    assert settings is not None
    objective = build_with_encoder(settings["objective"], lambda: encoder)
    with torch.no_grad():
        output = network.generate([content], network.encode_style(style), content.shape[2:])
        expected = published(model, encoder, output, content, style)
        got = objective.terms(network, content, style)
    assert got.keys() == expected.keys()
    for name, loss in expected.items():
        weighted = objective.weights[name] * got[name].item()
        assert weighted * SQUARED_SCALE == pytest.approx(loss.item(), rel=0.03), name


def test_each_layer_of_the_style_has_its_weight(encoder: VggEncoder) -> None:
    content, style = images(1, 32, 32, seed=5), images(1, 40, 40, seed=1)
    network = CIN(["a"])
    with torch.no_grad():
        style_of = [
            PerceptualObjective(encoder, style_layers=layers).terms(network, content, style)[
                "style"
            ]
            for layers in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (4, 3, 2, 1))
        ]
    expected = sum(weight * each for weight, each in zip((4, 3, 2, 1), style_of[:4], strict=True))
    torch.testing.assert_close(style_of[4], expected)
    with pytest.raises(ValueError, match="style_layers has 3 weights; it needs 4"):
        PerceptualObjective(encoder, style_layers=(1, 1, 1))


def test_the_layers_weights_are_those_of_the_shipped_means() -> None:
    """The fourth powers of root mean squares, relative to relu3_3, of the package's own file."""
    (path,) = (Path(channel_means.__file__).parent / "channel_means").glob("vgg16-*.safetensors")
    means = load_file(path)
    squares = [means[f"{index:02d}"].square().mean().item() for index in (1, 3, 6, 9)]
    assert [each**0.5 for each in squares] == pytest.approx(ROOT_MEAN_SQUARES, abs=1e-3)
    for model in ("johnson", "cin"):
        settings = model_config(model)
        assert settings is not None
        expected = [(each / squares[2]) ** 2 for each in squares]
        assert settings["objective"]["style_layers"] == pytest.approx(expected, rel=0.03)


def test_a_picture_of_one_color_has_no_differences() -> None:
    assert squared_differences(torch.full((2, 3, 8, 8), 0.3)).item() == 0


def test_the_bound_of_a_style_aware_loss_has_no_gradient(encoder: VggEncoder) -> None:
    """Else a result could come nearer to its painting by larger features alone."""
    objective = PerceptualObjective(encoder, style_aware=True)
    plain = PerceptualObjective(encoder)
    targets = [torch.rand(2, 4, 4) for _ in range(4)]
    grams = [torch.rand(2, 4, 4, requires_grad=True) for _ in range(4)]
    bound = plain.over_layers(targets) + plain.over_layers(grams).detach()
    difference = plain.over_layers([a - b for a, b in zip(grams, targets, strict=True)])
    expected = torch.autograd.grad((difference / bound).mean(), grams)
    got = torch.autograd.grad(objective.style_error(grams, targets), grams)
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
