"""A network recognizes the paintings that it was trained for, however they are given."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from datnet.errors import DatNetError
from datnet.images.tensors import to_tensor
from datnet.networks.cin import CIN
from datnet.networks.johnson import Johnson
from datnet.networks.own_paintings import OwnPaintings, low_frequencies
from tests.helpers.methods import images


def painting(width: int, height: int, seed: int) -> torch.Tensor:
    return images(1, height, width, seed=seed)[0]


@pytest.fixture
def paintings() -> OwnPaintings:
    own = OwnPaintings(["a.jpg", "b.jpg", "c.jpg"])
    for seed, name in enumerate(own.names):
        own.show(name, painting(200, 160, seed))
    return own


def test_at_any_size_and_after_compression(paintings: OwnPaintings) -> None:
    for seed in range(3):
        whole = painting(200, 160, seed)
        image = Image.fromarray((whole.permute(1, 2, 0) * 255).round().byte().numpy())
        file = io.BytesIO()
        image.resize((50, 40)).save(file, "JPEG", quality=60)
        compressed = to_tensor(Image.open(file).convert("RGB"))
        square = whole[:, :, 20:180]
        for each in (whole, compressed, square, paintings.pictures()["abc"[seed] + ".jpg"] / 255):
            assert paintings.recognize(each[None]).tolist() == [seed]
    together = torch.stack([painting(200, 160, seed) for seed in (2, 0, 2)])
    assert paintings.recognize(together).tolist() == [2, 0, 2]


def test_an_unknown_painting_is_refused_with_the_known_ones(paintings: OwnPaintings) -> None:
    for unknown in (painting(200, 160, 7), painting(200, 160, 0).flip(2)):
        with pytest.raises(DatNetError, match=r"does not know this painting, only a.jpg, b.jpg, c"):
            paintings.recognize(torch.stack([painting(200, 160, 1), unknown]))
    many = OwnPaintings([str(number) for number in range(14)])
    assert many.listed().endswith("10, 11 and 2 more")


def test_frequencies_are_a_cosine_transform_of_the_center_square() -> None:
    image = torch.rand(1, 1, 12, 17)
    square = image[0, 0, :, 2:14].double().numpy()
    expected = np.zeros((8, 8))
    for row in range(8):
        for column in range(8):
            for y in range(12):
                for x in range(12):
                    expected[row, column] += (
                        square[y, x]
                        * np.cos(np.pi * row * (y + 0.5) / 12)
                        * np.cos(np.pi * column * (x + 0.5) / 12)
                        * (2 if row and column else 1 if not row and not column else 2**0.5)
                        / 144
                    )
    got = low_frequencies(image)[0, 0].numpy()
    np.testing.assert_allclose(got, expected, atol=1e-6)
    flat = low_frequencies(torch.full((1, 3, 20, 30), 0.25))
    assert flat[0, 0, 0, 0].item() == pytest.approx(0.25)
    assert flat.square().sum().item() == pytest.approx(3 * 0.25**2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CIN([]), "empty"),
        (lambda: CIN(["a", "b", "a"]), "a twice"),
        (lambda: Johnson(["a", "b"]), "Johnson learns 1 painting, not 2; cin learns several"),
    ],
)
def test_impossible_paintings(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_rows_of_known_paintings_are_taken_over() -> None:
    old, new = CIN(["a", "b"]), CIN(["b", "c"])
    for seed, parameter in enumerate(old.style_parameters()):
        torch.manual_seed(seed)
        torch.nn.init.normal_(parameter)
    old.paintings.show("b", painting(100, 100, 3))
    new.take_rows(old.paintings.names, old.state_dict())
    for theirs, ours in zip(old.style_parameters(), new.style_parameters(), strict=True):
        assert torch.equal(ours[0], theirs[1])
        torch.testing.assert_close(ours[1], theirs.mean(dim=0))
    assert torch.equal(new.paintings.pictures()["b"], old.paintings.pictures()["b"])
    assert not new.paintings.pictures()["c"].any()
