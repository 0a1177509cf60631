from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch

from datnet.evaluation.controls import histogram_match, identity, style_copy
from tests.helpers.evaluations import Blend


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_controls(run: Callable, tmp_path: Path) -> None:
    same = run(identity, folder=tmp_path / "identity", description="identity")
    text = (tmp_path / "identity" / "summary.json").read_text()
    psnr = json.loads(text, parse_constant=refuse)["metrics"]["psnr"]
    assert psnr == {
        "mean": None,
        "ci95": [None, None],
        "count": 6,
        "infinite": 6,
        "undefined": 0,
    }
    assert same.metrics["psnr"].mean == math.inf
    assert same.metrics["content_distance"].mean == same.metrics["lpips_vgg"].mean == 0
    assert same.metrics["style_distance"].mean > 0
    # Read back from the file: the second run computes nothing.
    assert run(Blend(), folder=tmp_path / "identity", description="identity") == same
    copied = run(style_copy, folder=tmp_path / "copy", description="style copy")
    assert copied.metrics["style_distance"].mean == 0
    assert copied.metrics["content_distance"].mean > 0
    assert copied.set_metrics["frechet_vgg"] == 0 < same.set_metrics["frechet_vgg"]
    assert same.metrics["edge_agreement"].mean == 1 > copied.metrics["edge_agreement"].mean
    assert copied.pictures == same.pictures
    assert copied.protocol == same.protocol


def test_histogram_match_takes_the_colours_and_keeps_their_order() -> None:
    generator = torch.Generator().manual_seed(0)
    content = torch.rand(1, 3, 32, 32, generator=generator)
    style = torch.rand(1, 3, 32, 32, generator=generator) ** 3 / 2
    result = histogram_match(content, style)
    assert result.dtype == torch.float32
    # Random floats are all different, so ranks and sorted values must agree exactly.
    for of_result, of_content, of_style in zip(result[0], content[0], style[0], strict=True):
        assert torch.equal(of_result.flatten().argsort(), of_content.flatten().argsort())
        assert torch.equal(of_result.flatten().sort()[0], of_style.flatten().sort()[0])
    torch.testing.assert_close(histogram_match(content, content), content)
    black = torch.zeros(1, 3, 32, 32)
    assert torch.equal(histogram_match(content, black), black)
