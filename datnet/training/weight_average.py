"""An average of the weights over the last steps, which is smoother than the weights of one step."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from datnet.zoo.network_file import WEIGHT_AVERAGE


class WeightAverage(Callback):
    """Keeps an exponential moving average of the trained weights; it is validated and saved.

    The optimiser goes on with the weights themselves, which checkpoints hold beside the average. In
    the first steps the average forgets faster, lest it remembers what the network began with, and
    likewise in the first steps with other crops.

    Args:
        decay: A step that lies n steps back has a weight of ``(1 - decay) decayⁿ``; 0 to below 1.
        anew_from_step: The step with which the average begins anew, counted from 0; ``None`` for
            never.
    """

    state_key = WEIGHT_AVERAGE

    def __init__(self, decay: float, anew_from_step: int | None = None) -> None:
        self.decay = decay
        self.anew_from_step = anew_from_step
        self.steps = 0
        self.average: dict[str, Tensor] = {}
        self.kept: dict[str, Tensor] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Begin with the weights as they are, unless a checkpoint had an average."""
        weights = trained_weights(module)
        self.average = {
            name: self.average.get(name, weight).detach().to(weight, copy=True)
            for name, weight in weights.items()
        }

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Take a step's weights in."""
        if (batch_index + 1) % trainer.accumulate_grad_batches:
            return
        if trainer.global_step - 1 == self.anew_from_step:
            self.steps = 0
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        for name, weight in trained_weights(module).items():
            self.average[name].lerp_(weight, 1 - decay)

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Let the validations of a training see the average."""
        if trainer.state.fn == TrainerFn.FITTING:
            self.kept = {name: w.detach().clone() for name, w in trained_weights(module).items()}
            self.apply(module)

    @torch.no_grad()
    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Give the training its weights back."""
        for name, weight in self.kept.items():
            trained_weights(module)[name].copy_(weight)
        self.kept = {}

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Let the last picture be painted with the average."""
        self.apply(module)

    def on_fit_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Leave the average in the network, also where a resumed training had no step left."""
        self.apply(module)

    @torch.no_grad()
    def apply(self, module: LightningModule) -> None:
        """Put the average into the network."""
        weights = trained_weights(module)
        for name, weight in self.average.items():
            weights[name].copy_(weight)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"steps": self.steps, "average": self.average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.steps, self.average = state_dict["steps"], state_dict["average"]


def trained_weights(module: LightningModule) -> dict[str, Tensor]:
    """What is trained, by the names that a checkpoint has."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
