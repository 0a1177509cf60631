"""Promises of pyproject.toml: tested lower bounds, and errors that name missing extras."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import cast

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import MissingConfigException
from packaging.requirements import Requirement

from datnet import errors
from datnet.commands.main import main
from datnet.errors import EXTRAS, DatNetError, Extra, require_extra
from datnet.training.config import TrainConfig
from datnet.training.hydra_errors import in_one_line
from datnet.training.run import train
from datnet.zoo.configs import CONFIG_DIR

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
    """`make test-lowest` installs tests/lowest.txt; its first line says how to regenerate it."""
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


OF_EXTRAS = {package for extra in EXTRAS.values() for package in extra.packages}


def imported_at_once(path: Path) -> set[str]:
    """The modules that a file imports when it is imported itself, and cannot do without."""
    found = set()
    statements: list[ast.AST] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while statements:
        statement = statements.pop()
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            module = statement.module or ""
            found |= {module} | {f"{module}.{alias.name}" for alias in statement.names}
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            statements += statement.orelse
        elif isinstance(statement, ast.With) and "ImportError" in ast.unparse(statement.items[0]):
            continue
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            statements += ast.iter_child_nodes(statement)
    return found


def test_what_an_extra_brings_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "video", Extra("stylizing clips", ("json",)))
    require_extra("video")
    monkeypatch.setitem(EXTRAS, "video", Extra("stylizing clips", ("json", "nothing_such")))
    with pytest.raises(
        DatNetError, match=r"stylizing clips needs nothing_such: pip install 'datnet\[video\]'"
    ):
        require_extra("video")


def test_messages_name_the_extras_of_pyproject() -> None:
    named = {
        name: {package.replace("_", "-").lower() for package in extra.packages}
        for name, extra in EXTRAS.items()
    }
    there = extras()
    assert named.pop("dev") <= there.pop("dev")
    assert named == there


@pytest.mark.parametrize(
    ("plugin", "extra"),
    [
        ("hydra/launcher/submitit_local", "slurm"),
        ("hydra/launcher/joblib", "dev"),
        ("hydra/sweeper/optuna", "search"),
    ],
)
def test_a_missing_plugin_of_hydra_is_named_with_the_cure(plugin: str, extra: str) -> None:
    there = MissingConfigException("", plugin, [plugin.rpartition("/")[2]])
    assert "does not exist" in in_one_line(there, [])
    missing = MissingConfigException("", plugin, ["basic"])
    assert in_one_line(missing, []).endswith(f"pip install 'datnet[{extra}]'")
    no_plugin = MissingConfigException("", f"model/{plugin.rpartition('/')[2]}", ["adain"])
    assert "does not exist" in in_one_line(no_plugin, [])


def test_only_what_is_about_an_extra_needs_it() -> None:
    """All other modules import without it, and without modules that cannot."""
    imports = {}
    for folder in ("datnet", "experiments"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            imports[name] = imported_at_once(path)
    needy: set[str] = set()
    for _ in range(len(imports)):  # what imports one of them is one of them
        known = len(needy)
        for name, modules in imports.items():
            if any(m.split(".")[0] in OF_EXTRAS or m in needy for m in modules):
                needy.add(name)
        if len(needy) == known:
            break
    about_one = {
        "datnet.images.clips.conversion",
        "datnet.images.clips.reading",
        "datnet.images.clips.writing",
        "datnet.stylize.clips",
        "datnet.stylize.clips.stylize",
        "datnet.stylize.page.clips",
        "datnet.stylize.page.controls",
        "datnet.stylize.page.look",
        "datnet.stylize.page.mask",
        "datnet.stylize.page.own_paintings",
        "datnet.stylize.page.page",
        "datnet.stylize.page.server",
        "datnet.training.dashboard",
    }
    assert {name for name in needy if name.startswith("datnet")} <= about_one
    assert not needy & {"experiments.table1", "experiments.table2", "experiments.table3"}


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["stylize", "clip.mp4", "painting.png", "--checkpoint", "microast"], "video"),
        (["benchmark", "adain", "--plot", "cost.png"], "figures"),
        (["serve"], "serve"),
        (["dashboard", "me/datnet"], "dashboard"),
    ],
)
def test_a_missing_extra_is_one_line_and_nothing_is_begun(
    tmp_path: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    extra: str,
) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"film")
    (tmp_path / "painting.png").write_bytes((pictures / "style" / "0.png").read_bytes())
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["datnet", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert capsys.readouterr().err.endswith(f"pip install 'datnet[{extra}]'\n")
    assert sorted(tmp_path.iterdir()) == before


def test_missing_tensorboard_is_noticed_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose("train", ["logger=tensorboard", f"run_dir={tmp_path / 'run'}"])
    with pytest.raises(DatNetError, match=r"logger=tensorboard needs.*datnet\[tensorboard\]"):
        train(cast(TrainConfig, config))
    assert not (tmp_path / "run").exists()


if __name__ == "__main__":
    print("# The floors of pyproject.toml: python -m tests.test_dependencies > tests/lowest.txt")
    for name, version in sorted(floors().items()):
        print(f"{name}=={version}")
