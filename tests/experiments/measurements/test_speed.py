"""The baseline of speed measurements computes the same; the commands run."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from datnet.networks.datnet import DatNet
from datnet.networks.vgg import VggEncoder
from datnet.objectives.datnet import DatNetObjective
from experiments.measurements import attention, speed
from experiments.measurements.plain import PlainDatNet


@pytest.fixture
def network(encoder: VggEncoder) -> DatNet:
    torch.manual_seed(0)
    network = DatNet(encoder)
    for module in network.decoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network


@torch.no_grad()
def test_the_plain_network_paints_the_same(network: DatNet) -> None:
    content, style = torch.rand(1, 3, 67, 48), torch.rand(1, 3, 48, 53)
    stylized = network.eval()(content, style)
    assert stylized.std() > 0.05
    assert (PlainDatNet(network)(content, style) - stylized).abs().max() < 1e-3


def test_the_plain_step_has_the_same_loss_and_gradients(network: DatNet) -> None:
    objective = DatNetObjective()
    content, style = torch.rand(2, 1, 3, 48, 40, dtype=torch.float64).unbind()
    network = copy.deepcopy(network).double()  # the encoder is shared with other tests
    plain = PlainDatNet(network)
    expected = plain.loss(objective, content, style)
    expected.backward()
    loss = objective.total(objective.terms(network, content, style))
    loss.backward()
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        if ours.requires_grad:
            assert (ours.grad - theirs.grad).norm() <= 1e-6 * theirs.grad.norm() + 1e-9


@pytest.mark.parametrize("name", attention.FORMS)
def test_all_forms_of_attention_agree(name: str) -> None:
    exact = [t.double() for t in attention.inputs(50, "cpu", gradients=False)]
    tensors = attention.inputs(50, "cpu", gradients=True)
    results = attention.compute(attention.FORMS[name], tensors)
    expected = attention.compute(
        attention.FORMS["matrix"], [tensor.requires_grad_() for tensor in exact]
    )
    for got, right in zip(results, expected, strict=True):
        assert (got - right).norm() <= 1e-3 * right.norm()  # peaked: the variance cancels


@pytest.mark.parametrize(
    ("main", "options", "sizes"),
    [
        (
            attention.main,
            ["--positions", "512", "--forms", "matrix", "tiles", "--forward-only"],
            {512},
        ),
        (speed.main, ["train", "--size", "32", "--batch", "1"], {32}),
    ],
)
@pytest.mark.slow
def test_commands(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    main,
    options: list[str],
    sizes: set[int],
) -> None:
    output = tmp_path / "new" / "report.json"
    monkeypatch.setattr(
        sys, "argv", ["measure", *options, "--rounds", "1", "--output", str(output)]
    )
    main()
    report = json.loads(output.read_text())
    assert {result.get("positions", result.get("size")) for result in report["results"]} == sizes
    assert all(
        peak is not None for result in report["results"] for peak in result["peak_bytes"].values()
    )
    assert report["machine"]["commit"]
    assert str(output) in capsys.readouterr().out
