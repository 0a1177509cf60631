"""How good the trained network is on the validation pairs, in the units of Table 3."""

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
    """Means over the validation pairs.

    They are crops of the training's size, so these numbers compare the runs of a sweep and are not
    those of a published protocol: `datnet evaluate` has them.

    Args:
        module: The trained network.
        data: The run's data.

    Returns:
        "final/ssim", "final/psnr" and so on, see :data:`datnet.evaluation.metrics.METRICS`; nothing
        if the weights of LPIPS are not to be had.
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
