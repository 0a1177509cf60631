"""The LightningModule, its callbacks and the run of one training."""
