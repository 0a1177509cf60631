"""The configuration tree conf/, and conversion of configurations to plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import datnet

PACKAGED_CONFIGS = Path(datnet.__file__).parent / "conf"
CONFIG_DIR = (
    PACKAGED_CONFIGS if PACKAGED_CONFIGS.is_dir() else Path(datnet.__file__).parents[1] / "conf"
)
"""The Hydra tree: inside an installed wheel, or at the top of a checkout."""


def model_names() -> list[str]:
    """Names of all networks in conf/model."""
    return sorted(path.stem for path in (CONFIG_DIR / "model").glob("*.yaml"))


def model_config(name: str) -> dict[str, Any] | None:
    """Return the content of conf/model/NAME.yaml (network, objective, recipe); None if missing."""
    path = CONFIG_DIR / "model" / f"{name}.yaml"
    return plain_values(OmegaConf.load(path)) if path.is_file() else None


def plain_values(config: Any) -> dict[str, Any]:
    """Convert a composed configuration, or a part of one, to dictionaries, lists and plain values.

    Raises:
        ValueError: If it is not a mapping.
    """
    values = OmegaConf.to_container(config, resolve=True)
    if not isinstance(values, dict):
        raise ValueError(f"a configuration is a mapping, not {type(values).__name__}")
    return {str(key): value for key, value in values.items()}


def flat_values(node: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested dictionaries.

    Args:
        node: A dictionary, or a value inside one.
        prefix: Key of ``node`` itself; empty for the root.

    Returns:
        One dictionary with keys such as "model.recipe.learning_rate".
    """
    if not isinstance(node, dict):
        return {prefix: node}
    return {
        key: value
        for name, child in node.items()
        for key, value in flat_values(child, f"{prefix}.{name}" if prefix else str(name)).items()
    }
