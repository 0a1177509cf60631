"""Moving average of the weights, which varies less than the weights of single steps."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from datnet.zoo.network_file import WEIGHT_AVERAGE


class WeightAverage(Callback):
    """Keeps an exponential moving average of the trained weights, which is validated and saved.

    The optimizer keeps updating the weights themselves; checkpoints hold both. The decay warms up
    as min(decay, n / (n + 9)) in step n, so that the initial weights are forgotten. It warms up
    again where the crops change.

    Args:
        decay: In [0, 1). The weights of n steps ago count ``(1 - decay) decayⁿ``.
        restart_from_step: Step, from 0, at which the decay's warm-up restarts; None for never.
    """

    state_key = WEIGHT_AVERAGE

    def __init__(self, decay: float, restart_from_step: int | None = None) -> None:
        self.decay = decay
        self.restart_from_step = restart_from_step
        self.steps = 0
        self.average: dict[str, Tensor] = {}
        self.kept: dict[str, Tensor] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start from the current weights, unless a checkpoint had an average."""
        weights = trained_weights(module)
        self.average = {
            name: self.average.get(name, weight).detach().to(weight, copy=True)
            for name, weight in weights.items()
        }

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Update the average after a complete step."""
        if (batch_index + 1) % trainer.accumulate_grad_batches:
            return
        if trainer.global_step - 1 == self.restart_from_step:
            self.steps = 0
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        for name, weight in trained_weights(module).items():
            self.average[name].lerp_(weight, 1 - decay)

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Swap the average in for validations during a training."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.kept = {name: w.detach().clone() for name, w in trained_weights(module).items()}
            self.apply(module)

    @torch.no_grad()
    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Restore the weights of the training."""
        for name, weight in self.kept.items():
            trained_weights(module)[name].copy_(weight)
        self.kept = {}

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Put the average into the network, for the last panel."""
        self.apply(module)

    def on_fit_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Put the average into the network, also if a resumed training had no step left."""
        self.apply(module)

    @torch.no_grad()
    def apply(self, module: LightningModule) -> None:
        """Put the average into the network."""
        weights = trained_weights(module)
        for name, weight in self.average.items():
            weights[name].copy_(weight)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"steps": self.steps, "average": self.average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state from a checkpoint."""
        self.steps, self.average = state_dict["steps"], state_dict["average"]


def trained_weights(module: LightningModule) -> dict[str, Tensor]:
    """Return the trained parameters by their names in a checkpoint."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
