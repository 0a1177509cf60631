"""Training: the LightningModule, its callbacks, runs and sweeps."""
