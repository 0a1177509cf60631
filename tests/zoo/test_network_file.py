from __future__ import annotations

from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.networks.datnet import DatNet
from datnet.zoo.network_file import NetworkDescription, load_network, save_network


def test_settings_in_a_file_are_checked_and_converted(encoder, tmp_path: Path) -> None:
    """A file that is edited, or written by a program that knows no truth values."""
    path = tmp_path / "network.safetensors"
    network = DatNet(encoder, channel_attention=False)
    settings = {"_target_": "datnet.networks.datnet.DatNet", "channel_attention": "no"}
    save_network(network, NetworkDescription("mine", settings, {}), path)
    assert load_network(path, encoder).channel_attention is None
    for wrong, message in (
        ({"channel_attention": "perhaps"}, "channel_attention is perhaps; it must be true or"),
        ({"relu4_fusion": True}, r"relu4_fusion is not a setting of .*did you mean .*relu3_fusion"),
    ):
        save_network(network, NetworkDescription("mine", settings | wrong, {}), path)
        with pytest.raises(DatNetError, match=f"network.safetensors cannot be used: .*{message}"):
            load_network(path, encoder)
