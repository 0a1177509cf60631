from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
DATA_FILES = {".yaml", ".html", ".css", ".js"}


@pytest.mark.slow
def test_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    """Settings, networks, means and pictures travel with it, tests and experiments do not."""
    source = tmp_path / "source"  # a copy, so that no build/ folder is left in the checkout
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    for name in ("datnet", "conf", "pretrained"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / name, source / name, ignore=ignore)
    build = [*(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q")]
    (source / "pretrained" / "small.safetensors").write_bytes(b"a network")
    (source / "pretrained" / "SHA256SUMS").write_text("00  small.safetensors\n")
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("datnet-*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    expected = {
        Path(inside) / path.relative_to(folder)
        for folder, inside in ((CHECKOUT / "conf", "datnet/conf"), (CHECKOUT / "datnet", "datnet"))
        for path in folder.rglob("*")
        if path.suffix in DATA_FILES
    }
    packaged = {p.relative_to(installed) for p in installed.rglob("*") if p.suffix in DATA_FILES}
    assert packaged == expected
    sources = {p.relative_to(CHECKOUT) for p in (CHECKOUT / "datnet").rglob("*.py")}
    assert {p.relative_to(installed) for p in installed.rglob("*.py")} == sources
    assert list(installed.rglob("vgg16-*.safetensors"))
    pictures = {p.relative_to(CHECKOUT) for p in (CHECKOUT / "datnet").rglob("*.webp")}
    assert {p.relative_to(installed) for p in installed.rglob("*.webp")} == pictures
    assert list(installed.glob("datnet/images/sample_pictures/README.md"))
    metadata = next(installed.glob("*.dist-info/METADATA")).read_text(encoding="utf-8")
    assert "Provides-Extra: video" in metadata

    result = subprocess.run(
        [sys.executable, "-m", "datnet", "train", "--cfg", "job", "model=sanet"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "datnet.networks.sanet.SANet" in result.stdout
    where = """
from datnet.zoo.configs import CONFIG_DIR
from datnet.zoo.shipped import PRETRAINED, checksums, shipped_names
print(CONFIG_DIR, PRETRAINED, "small" in shipped_names(), checksums()["small.safetensors"])
"""
    printed = subprocess.run(
        [sys.executable, "-c", where],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    configs_there, networks_there, *rest = printed.split()
    assert Path(configs_there) == installed / "datnet" / "conf"
    assert Path(networks_there) == installed / "datnet" / "pretrained"
    assert rest == ["True", "00"]
