from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from datnet.errors import DatNetError
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics.lpips import PerceptualDistance
from datnet.zoo.backbones import BACKBONES
from tests.helpers.measuring import random_picture


@pytest.fixture(scope="module")
def random_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An AlexNet with random weights, so that most tests need no pretrained ones."""
    generator = torch.Generator().manual_seed(0)
    tensors = {
        key: torch.randn(shape, generator=generator) * 0.05
        for key, shape in BACKBONES["alexnet"].shapes.items()
    }
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    safetensors.torch.save_file(tensors, path)
    return path


@pytest.fixture(scope="module")
def distance(random_file: Path) -> PerceptualDistance:
    with pytest.warns(UserWarning, match="does not hold torchvision's"):
        return PerceptualDistance("alex", random_file)


@pytest.fixture
def batches() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(3, 3, 64, 80, generator=generator), torch.rand(
        3, 3, 64, 80, generator=generator
    )


@pytest.mark.network
def test_golden_examples_of_the_lpips_project(shared: Path) -> None:
    try:
        distance = PerceptualDistance("alex")
    except DatNetError as error:
        pytest.skip(f"the pretrained weights cannot be obtained: {error}")

    def image(name: str) -> torch.Tensor:
        pixels = np.array(Image.open(shared / "golden" / "lpips" / f"{name}.png").convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255

    results = torch.stack([image("ex_p0"), image("ex_p1")])
    references = image("ex_ref").expand_as(results)
    expected = torch.tensor([0.7219, 0.1376])
    torch.testing.assert_close(distance(results, references), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("network", ["alex", pytest.param("vgg", marks=pytest.mark.slow)])
def test_same_as_the_package_for_equal_weights(
    network: str, tmp_path: Path, batches: tuple[torch.Tensor, torch.Tensor]
) -> None:
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = lpips.LPIPS(net=network, pnet_rand=True, verbose=False)
        tensors = {
            "features." + key.partition(".")[2]: tensor
            for key, tensor in package.net.state_dict().items()
        }
        path = tmp_path / "same.safetensors"
        safetensors.torch.save_file(tensors, path)
        ours = PerceptualDistance(network, path)
    expected = package(*batches, normalize=True).flatten()
    assert expected.min() > 0
    torch.testing.assert_close(ours(*batches), expected, atol=1e-6, rtol=0)
    # Features of one reference serve any number of images.
    images, references = batches
    kept = ours.features(references[:1])
    for image in images:
        expected = package(image[None], references[:1], normalize=True).flatten()
        distance = ours.between(ours.features(image[None]), kept)
        torch.testing.assert_close(distance, expected, atol=1e-6, rtol=0)
    # The convolutions that LPIPS uses and the channel weights: no classifier.
    convolutions = sum(tensor.numel() for tensor in tensors.values())
    assert sum(p.numel() for p in ours.parameters()) < convolutions + 2000


def test_building_is_silent(
    random_file: Path, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    PerceptualDistance("alex", random_file)
    assert capsys.readouterr().out == ""
    assert all("does not hold torchvision's" in str(w.message) for w in recwarn)


def test_zero_for_equal_images_and_one_value_per_pair(
    distance: PerceptualDistance, batches: tuple[torch.Tensor, torch.Tensor]
) -> None:
    images, references = batches
    assert torch.equal(distance(images, images), torch.zeros(3))
    together = distance(images, references)
    assert together.shape == (3,)
    alone = torch.cat([distance(images[i : i + 1], references[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together, distance(references, images))


def test_frozen_but_gradients_reach_the_images(
    distance: PerceptualDistance, batches: tuple[torch.Tensor, torch.Tensor]
) -> None:
    images = batches[0].clone().requires_grad_()
    distance(images, batches[1]).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in distance.parameters())


def test_stays_in_evaluation_mode_and_float32(
    distance: PerceptualDistance, batches: tuple[torch.Tensor, torch.Tensor]
) -> None:
    expected = distance(*batches)
    parent = torch.nn.ModuleList([distance]).train()
    assert parent.training
    assert not any(module.training for module in distance.modules())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(distance(*batches), expected)
        features = [distance.features(batch) for batch in batches]
        assert torch.equal(distance.between(*features), expected)


@pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, float("nan"), float("inf")])
def test_values_outside_the_range_are_refused(
    distance: PerceptualDistance, batches: tuple[torch.Tensor, torch.Tensor], value: float
) -> None:
    images, references = batches
    wrong = references.clone()
    wrong[1, 2, 3, 4] = value
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        distance(images, wrong)
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        distance(wrong, images)


@pytest.mark.parametrize("shape", [(3, 64, 80), (3, 1, 64, 80), (1, 3, 64, 80), (3, 3, 64, 64)])
def test_other_shapes_are_refused(
    distance: PerceptualDistance,
    batches: tuple[torch.Tensor, torch.Tensor],
    shape: tuple[int, ...],
) -> None:
    with pytest.raises(ValueError, match=r"must both have shape \(B, 3, H, W\)"):
        distance(batches[0], torch.zeros(shape))


def test_features_of_other_shapes_are_refused(distance: PerceptualDistance) -> None:
    for shape in ((3, 64, 80), (3, 1, 64, 80)):
        with pytest.raises(ValueError, match=r"must have shape \(B, 3, H, W\)"):
            distance.features(torch.zeros(shape))


def test_smallest_images(distance: PerceptualDistance) -> None:
    assert distance(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)).isfinite().all()
    with pytest.raises(ValueError, match="at least 32"):
        distance(torch.zeros(1, 3, 31, 64), torch.ones(1, 3, 31, 64))


def test_unknown_network_is_refused() -> None:
    with pytest.raises(ValueError, match="'alex' or 'vgg', got 'squeeze'"):
        PerceptualDistance("squeeze")


def test_lpips_compares_with_the_content(measuring: Metrics) -> None:
    output, content = random_picture(0), random_picture(1)
    values = measuring(output, content, random_picture(2))
    expected = (output - content).abs().mean().item()
    assert values["lpips_alex"] == pytest.approx(expected, rel=1e-6)
    assert values["lpips_vgg"] == pytest.approx(expected, rel=1e-6)
