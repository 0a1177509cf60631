"""The wandb dashboard of a project, defined in code: the same sections for all runs."""

from __future__ import annotations

import wandb_workspaces.reports.v2 as reports
import wandb_workspaces.workspaces as workspaces

from datnet.evaluation.metrics import METRICS
from datnet.training.callbacks import PANEL

STEP = "trainer/global_step"


def dashboard(entity: str, project: str) -> workspaces.Workspace:
    """Workspace of a project's runs, grouped by sweep and network.

    It shows Table 3's metrics after the last step, image panels, losses and speed.

    Args:
        entity: The user or team.
        project: The project.

    Returns:
        The workspace, not yet saved.
    """
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name="DatNet",
        sections=[
            workspaces.Section(
                name="After the last step",
                is_open=True,
                panels=[
                    reports.BarPlot(
                        title=f"{column.label} {column.arrow}",
                        metrics=[f"final/{column.key}"],
                        groupby=reports.Config("name"),
                        groupby_aggfunc="mean",
                        groupby_rangefunc="stddev",
                    )
                    for column in METRICS
                ],
            ),
            workspaces.Section(
                name="Pictures",
                is_open=True,
                panels=[reports.MediaBrowser(title=PANEL, media_keys=[PANEL], num_columns=2)],
            ),
            workspaces.Section(
                name="Validation",
                is_open=True,
                panels=[
                    _lines("Loss", "validation/loss"),
                    _lines_like("Terms, unweighted", "validation/(?!loss$).*"),
                ],
            ),
            workspaces.Section(
                name="Training",
                panels=[
                    _lines("Loss", "train/loss"),
                    _lines_like("Terms, weighted", "train/.*_weighted"),
                    _lines("Learning rate", "train/learning_rate"),
                ],
            ),
            workspaces.Section(
                name="Speed",
                panels=[
                    _lines("Images per second", "train/images_per_second"),
                    _lines("GPU memory (GiB)", "train/gpu_memory_gib"),
                ],
            ),
        ],
        runset_settings=workspaces.RunsetSettings(
            groupby=[workspaces.Config("group"), workspaces.Config("name")]
        ),
    )


def _lines(title: str, metric: str) -> reports.LinePlot:
    """Plot a metric of each run over the steps."""
    return reports.LinePlot(title=title, x=STEP, y=[metric])


def _lines_like(title: str, pattern: str) -> reports.LinePlot:
    """Plot all metrics whose names match a regular expression over the steps."""
    return reports.LinePlot(title=title, x=STEP, metric_regex=pattern, log_y=True)
