from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from datnet.errors import DatNetError
from datnet.evaluation import evaluate as module
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.evaluate import evaluate_networks, results_folder
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.summary import EvaluationSummary
from datnet.images.finding import find_images
from datnet.networks.adain import AdaIN
from datnet.networks.sanet import SANet
from datnet.networks.vgg import VggEncoder
from datnet.zoo.network_file import NetworkDescription, load_network, save_network
from tests.helpers.mean_difference import metrics_with


def test_controls_come_first_and_networks_share_their_encoder(
    encoder: VggEncoder,
    encoder_file: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = []

    def load_and_note(path: Path, shared: VggEncoder | None) -> nn.Module:
        loaded.append(load_network(path, shared))
        return loaded[-1]

    monkeypatch.setattr(module, "load_network", load_and_note)
    plain = {"arch": "vgg16", "weights": str(encoder_file), "normalized": False}
    files = {}
    for title, network_class, settings in (
        ("adain", AdaIN, plain),
        ("sanet", SANet, dict(reversed(plain.items()))),
        ("normalized", AdaIN, plain | {"normalized": True}),
    ):
        files[title] = tmp_path / f"{title}.safetensors"
        target = f"{network_class.__module__}.{network_class.__qualname__}"
        description = NetworkDescription(title, {"_target_": target}, settings)
        save_network(network_class(encoder), description, files[title])

    contents, styles = (find_images(pictures / kind) for kind in ("content", "style"))
    pairs = every_pair(contents[:1], styles[:1])
    rows: list[EvaluationSummary] = []
    metrics = metrics_with(encoder)
    summaries = evaluate_networks(
        files, pairs, tmp_path / "out", size=32, metrics=metrics, on_row=rows.append
    )
    assert rows == summaries
    with pytest.raises(DatNetError, match="for the CPU only"):
        evaluate_networks(files, pairs, tmp_path, metrics=metrics, device="cuda", jobs=2)
    assert [summary.description for summary in summaries] == [*CONTROLS, *files]
    assert list(CONTROLS) == ["identity", "style copy", "histogram match"]
    adain, sanet, normalized = loaded
    assert adain.encoder is sanet.encoder
    assert normalized.encoder is not adain.encoder
    assert normalized.encoder.normalized
    folders = [tmp_path / "out" / title.replace(" ", "_") for title in CONTROLS]
    folders += [results_folder(tmp_path / "out", title, path) for title, path in files.items()]
    assert all((folder / "summary.json").is_file() for folder in folders)
