"""The LightningModule that trains any network with its objective."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim import Optimizer

from datnet.data.pairs import Batch
from datnet.errors import DatNetError
from datnet.networks.base import StyleTransferNetwork
from datnet.objectives.base import Objective

log = logging.getLogger(__name__)

FROZEN_PREFIXES = ("network.encoder.", "objective.")


class StyleTransferModule(LightningModule):
    """Trains a network with Adam and a learning rate that warms up and then falls.

    Args:
        network: The network; its encoder is frozen and stays out of checkpoints.
        objective: The loss terms and their weights.
        learning_rate: Maximum learning rate, that of the first step after the warm-up.
        learning_rate_decay: With schedule "decay", the learning rate t steps after the warm-up is
            ``learning_rate / (1 + learning_rate_decay · t)``.
        warmup_steps: Steps in which the learning rate rises linearly to ``learning_rate``.
        warmup_learning_rate: Learning rate of step 0, if there is a warm-up.
        schedule: "decay" or "cosine". With "cosine", the learning rate at step t of the n steps
            after the warm-up is ``final_learning_rate +
            (learning_rate - final_learning_rate) · (1 + cos(π t / n)) / 2``.
        final_learning_rate: See schedule.
        max_steps: Steps of the whole run, for schedule "cosine".
        attention_gradient_clip: Maximum joint norm of the gradients of the network's attention
            modules; None for no clipping.
        seed: Random numbers drawn in step t depend only on this, t, the process and the index of
            the micro-batch, so a resumed run draws the same as an uninterrupted one.
        channels_last: Whether tensors have the channels-last memory format, which is faster in 16
            bits.

    Raises:
        DatNetError: If gradients of attention modules are to be clipped and there are none.
    """

    def __init__(
        self,
        network: StyleTransferNetwork,
        objective: Objective[Any],
        *,
        learning_rate: float,
        learning_rate_decay: float,
        warmup_steps: int = 0,
        warmup_learning_rate: float = 0.0,
        schedule: str = "decay",
        final_learning_rate: float = 0.0,
        max_steps: int = 0,
        attention_gradient_clip: float | None = None,
        seed: int,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.strict_loading = False  # checkpoints do not hold encoders
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.memory_format)
        self.objective = objective.to(memory_format=self.memory_format)
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.warmup_steps = warmup_steps
        self.warmup_learning_rate = warmup_learning_rate
        self.schedule = schedule
        self.final_learning_rate = final_learning_rate
        self.max_steps = max_steps
        self.attention_gradient_clip = attention_gradient_clip
        if attention_gradient_clip is not None and not network.attention_parts:
            raise DatNetError(
                f"model.recipe.attention_gradient_clip is {attention_gradient_clip}, and "
                f"{type(network).__name__} has no attention modules; it must be null"
            )
        self.seed = seed

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remove frozen encoders from the checkpoint."""
        checkpoint["state_dict"] = {
            name: tensor
            for name, tensor in checkpoint["state_dict"].items()
            if not name.startswith(FROZEN_PREFIXES)
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Reject the checkpoint of another network, and convert the batch counts to this run's.

        Raises:
            DatNetError: If a trained tensor is missing or has another shape.
        """
        saved = checkpoint["state_dict"]
        for name, tensor in self.state_dict().items():
            if name.startswith(FROZEN_PREFIXES):
                continue
            if name not in saved or saved[name].shape != tensor.shape:
                there = f"of shape {tuple(saved[name].shape)}" if name in saved else "missing"
                raise DatNetError(
                    f"the checkpoint is of another network: {name} is {there} there, and has shape "
                    f"{tuple(tensor.shape)} in {type(self.network).__name__}. Set model=… to the "
                    "checkpoint's network"
                )
        batches = checkpoint["global_step"] * self.trainer.accumulate_grad_batches
        for counts in checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"].values():
            if isinstance(counts, dict):  # total and per epoch, which are the same here
                counts |= {"ready": batches, "started": batches, "processed": batches}
                counts["completed"] = batches - 1  # saved before Lightning counts it as completed

    def on_train_start(self) -> None:
        """Give the optimizer this run's settings in place of those in the checkpoint.

        They differ only if the checkpoint is of another run.
        """
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        assert isinstance(optimizer, LightningOptimizer)
        assert isinstance(schedule, torch.optim.lr_scheduler.LambdaLR)
        rate = self.learning_rate * self.learning_rate_factor(self.global_step)
        for group in optimizer.param_groups:
            if group["lr"] != rate and self.trainer.is_global_zero:
                log.info("learning rate %g from here on; the checkpoint had %g", rate, group["lr"])
            group |= optimizer.defaults | {"lr": rate, "initial_lr": self.learning_rate}
        schedule.base_lrs = [self.learning_rate] * len(optimizer.param_groups)

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Return the objective's unweighted terms on a batch, as scalars."""
        return self.objective.terms(
            self.network,
            batch.content.contiguous(memory_format=self.memory_format),
            batch.style.contiguous(memory_format=self.memory_format),
        )

    def seed_random_numbers(self, *numbers: int) -> None:
        """Seed PyTorch from the run's seed and these numbers only."""
        entropy = np.random.SeedSequence([self.seed, *numbers])
        torch.manual_seed(int(entropy.generate_state(1)[0]))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Compute and log the loss of one batch.

        Args:
            batch: Content and style images, ``(B, 3, H, W)`` in [0, 1].
            batch_index: Number of batches before this one, from 0.

        Returns:
            The weighted sum of the terms, a scalar.

        Raises:
            DatNetError: If the loss is not finite; names the batch's files.
        """
        micro_batch = batch_index % self.trainer.accumulate_grad_batches
        self.seed_random_numbers(
            # No index for the first micro-batch: runs that have only one keep their numbers.
            *(self.global_step, self.global_rank),
            *([micro_batch] if micro_batch else []),
        )
        terms = self.terms(batch)
        loss = self.objective.total(terms)
        if not torch.isfinite(loss):
            values = ", ".join(f"{name} {term.item():g}" for name, term in terms.items())
            files = "\n  ".join([*batch.content_path, *batch.style_path])
            raise DatNetError(
                f"the loss is not finite at step {self.global_step} ({values}). Look at the files "
                f"of this batch, lower model.recipe.learning_rate or set "
                f"trainer.gradient_clip_val:\n  {files}"
            )
        self.log("train/loss", loss, prog_bar=True)
        for name, term in terms.items():
            self.log(f"train/{name}", term)
            self.log(f"train/{name}_weighted", self.objective.weights[name] * term)
        self.log("train/learning_rate", self.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr]
        return loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Log the terms on fixed pairs, with the same random numbers at every validation.

        Args:
            batch: Content and style images, ``(B, 3, H, W)`` in [0, 1].
            batch_index: Index of the batch, from 0.
        """
        self.seed_random_numbers(batch_index)
        terms = self.terms(batch)
        count = len(batch.content)
        for name, term in terms.items():
            self.log(f"validation/{name}", term, batch_size=count, sync_dist=True)
        self.log(
            "validation/loss",
            self.objective.total(terms),
            batch_size=count,
            sync_dist=True,
        )

    def learning_rate_factor(self, step: int) -> float:
        """Return the factor on ``learning_rate`` at a step, in [0, 1]."""
        if step < self.warmup_steps:
            start = self.warmup_learning_rate / self.learning_rate
            return start + (1 - start) * step / self.warmup_steps
        if self.schedule == "cosine":
            end = self.final_learning_rate / self.learning_rate
            done = min(1, (step - self.warmup_steps) / max(1, self.max_steps - self.warmup_steps))
            return end + (1 - end) * (1 + math.cos(math.pi * done)) / 2
        return 1 / (1 + self.learning_rate_decay * (step - self.warmup_steps))

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients of the attention modules, before Lightning clips all gradients."""
        if self.attention_gradient_clip is None:
            return
        parts = (getattr(self.network, name) for name in self.network.attention_parts)
        torch.nn.utils.clip_grad_norm_(
            [weight for part in parts if part is not None for weight in part.parameters()],
            self.attention_gradient_clip,
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return Adam on the trainable parameters, with a learning rate set at every step."""
        trainable = [p for p in self.network.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(trainable, lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.learning_rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
