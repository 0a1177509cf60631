"""The example of each public class runs as it stands in its docstring."""

from __future__ import annotations

import doctest
import sys

import pytest

from datnet.data.datamodule import ContentStyleDataModule
from datnet.evaluation.measuring import Metrics
from datnet.networks.datnet import DatNet
from datnet.networks.vgg import VggEncoder
from datnet.objectives.datnet import DatNetObjective
from tests.helpers.mean_difference import metrics_with


@pytest.mark.parametrize(
    "public", [VggEncoder, DatNet, DatNetObjective, Metrics, ContentStyleDataModule]
)
def test_example(public: type, encoder: VggEncoder) -> None:
    names = {**vars(sys.modules[public.__module__]), "metrics": metrics_with(encoder)}
    (example,) = doctest.DocTestFinder(recurse=False).find(public, public.__name__, globs=names)
    result = doctest.DocTestRunner().run(example)
    assert result.attempted
    assert not result.failed
