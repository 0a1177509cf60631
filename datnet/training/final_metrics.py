"""Table 3's metrics of a trained network on the validation pairs."""

from __future__ import annotations

import logging
from statistics import fmean

import torch

from datnet.data.datamodule import ContentStyleDataModule
from datnet.errors import DatNetError
from datnet.evaluation.measuring import Metrics
from datnet.training.module import StyleTransferModule

log = logging.getLogger(__name__)


@torch.no_grad()
def final_metrics(module: StyleTransferModule, data: ContentStyleDataModule) -> dict[str, float]:
    """Mean metrics over the validation pairs.

    The pairs are crops of the training size, so the values compare runs of a sweep. They do not
    follow a published protocol; `datnet evaluate` does.

    Args:
        module: The trained network.
        data: The run's data.

    Returns:
        "final/ssim", "final/psnr" and so on, see :data:`datnet.evaluation.metrics.METRICS`; empty
        if the LPIPS weights are not available.
    """
    try:
        metrics = Metrics.pretrained().to(module.device)
    except DatNetError as error:
        log.warning("no final metrics: %s", error)
        return {}
    module.eval()
    rows = []
    for batch in data.val_dataloader():
        content, style = batch.content.to(module.device), batch.style.to(module.device)
        output = module.network(content.to(module.dtype), style.to(module.dtype)).float()
        rows += [metrics(output[[i]], content[[i]], style[[i]]) for i in range(len(batch.content))]
    return {f"final/{name}": fmean(row[name] for row in rows) for name in rows[0]}
