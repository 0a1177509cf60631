from __future__ import annotations

from pathlib import Path

import pytest

from datnet.zoo.backbones import cache_dir

pytestmark = pytest.mark.usefixtures("own_cache")


def test_cache_dir_without_setting_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATNET_CACHE")
    assert cache_dir().name == "datnet"
    assert cache_dir().is_absolute()
    monkeypatch.setenv("DATNET_CACHE", "~/elsewhere")
    assert cache_dir() == Path.home() / "elsewhere"
