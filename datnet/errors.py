"""Errors and warnings that are shown to users without a traceback."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


class DatNetError(Exception):
    """A problem that the user can fix.

    The message names the file or setting at fault and says what to do. The command line prints it
    on one line and exits with status 1; Python callers can catch it like any exception.
    """


class MissingExtraError(DatNetError):
    """Packages of one of DatNet's extras are not installed."""


@dataclass(frozen=True)
class Extra:
    """An extra of DatNet.

    Attributes:
        purpose: What needs it, for messages.
        packages: The packages that it installs, named like their modules; plugins of Hydra have
            modules of other names.
    """

    purpose: str
    packages: tuple[str, ...]


EXTRAS = {
    "export": Extra("writing ONNX", ("onnx", "onnxscript", "onnxruntime")),
    "serve": Extra("`datnet serve`", ("gradio",)),
    "video": Extra("stylizing clips", ("av",)),
    "heic": Extra("HEIC pictures", ("pillow_heif",)),
    "metrics": Extra("the metric dists", ("DISTS_pytorch",)),
    "figures": Extra("drawing plots", ("matplotlib",)),
    "tensorboard": Extra("logger=tensorboard", ("tensorboard",)),
    "dashboard": Extra("`datnet dashboard`", ("wandb_workspaces",)),
    "slurm": Extra("hydra/launcher=slurm", ("hydra_submitit_launcher",)),
    "search": Extra("experiment=search", ("hydra_optuna_sweeper", "optuna", "sqlalchemy")),
    "dev": Extra("hydra/launcher=joblib", ("hydra_joblib_launcher",)),
}
"""By name, as in ``pip install 'datnet[NAME]'``; of "dev" only what no other extra installs and a
user may need."""


def extra_with(package: str) -> str | None:
    """Return the name of the extra that installs a package; None if none does."""
    return next((name for name, extra in EXTRAS.items() if package in extra.packages), None)


def require_extra(name: str) -> None:
    """Check that the packages of an extra are installed, before anything slow begins.

    Args:
        name: Key of :data:`EXTRAS`; none with plugins of Hydra.

    Raises:
        MissingExtraError: If a package is not installed.
    """
    extra = EXTRAS[name]
    missing = [package for package in extra.packages if find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"{extra.purpose} needs {', '.join(missing)}: pip install 'datnet[{name}]'"
        )


def in_words(error: OSError) -> str:
    """Format an OSError as the file at fault and the operating system's reason."""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


class DatNetWarning(UserWarning):
    """Something that a user should know but need not fix; one line on the command line."""
