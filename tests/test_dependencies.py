"""What pyproject.toml promises: floors that are tested, extras that are named where they lack."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from datnet.errors import DatNetError, require_extra

CHECKOUT = Path(__file__).parents[1]


def requirements() -> list[Requirement]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(text) for each in lists for text in each]


def floors() -> dict[str, str]:
    """The lowest version of every package that pyproject.toml names."""
    found = {}
    for requirement in requirements():
        bounds = {each.operator: each.version for each in requirement.specifier}
        if requirement.name != "datnet":
            assert ">=" in bounds, f"{requirement} has no floor"
            found[requirement.name] = bounds[">="]
    return found


def test_the_lowest_versions_are_those_of_pyproject() -> None:
    """`make test-lowest` installs tests/lowest.txt; its first line says how it is made anew."""
    lines = (CHECKOUT / "tests" / "lowest.txt").read_text().splitlines()
    there = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert there == floors()


def extras() -> dict[str, set[str]]:
    """The packages of every extra."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return {
        extra: {Requirement(text).name for text in texts}
        for extra, texts in project["optional-dependencies"].items()
    }


# Modules of the extras, by what their packages are called where they are imported.
OF_EXTRAS = ("av", "matplotlib", "tensorboard", "gradio", "onnx", "onnxscript", "wandb_workspaces")

SITE = f"""
import sys
for name in {OF_EXTRAS}:
    sys.modules[name] = None  # as if it were not installed
"""


def without_extras(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an empty folder where no extra is installed, nor for processes of its own."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    path = os.pathsep.join([str(folder / "site"), str(CHECKOUT)])
    (folder / "here").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder / "here",
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_what_an_extra_brings_is_named_with_the_cure() -> None:
    require_extra("video", "json", purpose="painting clips")
    with pytest.raises(
        DatNetError, match=r"painting clips needs nothing_such: pip install 'datnet\[video\]'"
    ):
        require_extra("video", "json", "nothing_such", purpose="painting clips")


def test_every_extra_that_a_message_names_exists() -> None:
    known = extras()
    for path in (CHECKOUT / "datnet").rglob("*.py"):
        for part in path.read_text(encoding="utf-8").split("require_extra(")[1:]:
            if part.startswith('"'):
                assert part.split('"')[1] in known, path


@pytest.mark.slow
def test_everything_imports_without_the_extras(tmp_path: Path) -> None:
    """But for the modules that are about one."""
    code = """
import importlib, pkgutil
import datnet
from datnet.errors import DatNetError
lacking = []
for module in pkgutil.walk_packages(datnet.__path__, "datnet."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except (DatNetError, ImportError):
        lacking.append(module.name)
print(*lacking)
import experiments.table3
"""
    result = without_extras(tmp_path, "-c", code)
    assert result.returncode == 0, result.stderr
    about_one = (
        "datnet.images.clips.",
        "datnet.stylize.clips",
        "datnet.stylize.page.",
        "datnet.training.dashboard",
    )
    lacking = result.stdout.split()
    assert all(name.startswith(about_one) for name in lacking), lacking


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["stylize", "clip.mp4", "painting.png", "--checkpoint", "microast"], "video"),
        (["train", "logger=tensorboard", "run_dir=run", "trainer.max_steps=1"], "tensorboard"),
        (["benchmark", "adain", "--plot", "cost.png"], "figures"),
        (["serve", "microast"], "serve"),
        (["dashboard", "me/datnet"], "dashboard"),
    ],
)
def test_a_missing_extra_is_one_line_and_nothing_is_begun(
    tmp_path: Path, pictures: Path, arguments: list[str], extra: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "clip.mp4").write_bytes(b"film")
    (here / "painting.png").write_bytes((pictures / "style" / "0.png").read_bytes())
    before = sorted(here.iterdir())
    result = without_extras(tmp_path, "-m", "datnet", *arguments)
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stderr.splitlines()[-1].endswith(f"pip install 'datnet[{extra}]'")
    assert "Traceback" not in result.stderr
    assert sorted(here.iterdir()) == before


if __name__ == "__main__":
    print("# The floors of pyproject.toml: python -m tests.test_dependencies > tests/lowest.txt")
    for name, version in sorted(floors().items()):
        print(f"{name}=={version}")
