from __future__ import annotations

import torch

from datnet.networks.adain import AdaIN
from datnet.networks.vgg import VggEncoder
from datnet.objectives.adain import AdaINObjective
from tests.helpers import naive
from tests.helpers.methods import images


@torch.no_grad()
def test_terms_against_their_formulas(encoder: VggEncoder) -> None:
    """AdaIN's eqs. (11)-(13): towards the AdaIN output, and statistics of relu1_1 … relu4_1."""
    torch.manual_seed(1)
    network = AdaIN(encoder)
    content, style = images(1, 48, 32), images(1, 32, 40, seed=1)
    content_maps, style_maps = naive.maps(encoder(content)), naive.maps(encoder(style))
    target = naive.adain(content_maps[3], style_maps[3])
    painting = network.decoder(torch.from_numpy(target)[None].float())
    output = naive.maps(encoder(painting))
    expected = {
        "content": naive.squared_error(output[3], target),
        "global_style": naive.global_style(output, style_maps, (1, 2, 3, 4)),
    }
    losses = AdaINObjective().terms(network, content, style)
    assert list(losses) == list(expected)
    for name, loss in losses.items():
        torch.testing.assert_close(loss, torch.tensor(expected[name]).float(), rtol=1e-3, atol=0)


def test_weights_are_those_of_the_published_code() -> None:
    assert AdaINObjective().weights == {"content": 1.0, "global_style": 10.0}
