"""`python -m datnet.training`, which `datnet train` runs: one training, or a sweep with -m.

Torch and Lightning take seconds to import. They are not imported for what Hydra answers alone
(--help, --cfg job, a misspelled setting), nor in the process of a sweep, which starts one process
per job.
"""

from __future__ import annotations

import gc
import sys
from typing import cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from datnet.errors import DatNetError
from datnet.training import sweep
from datnet.training.command_line import check_classes_of_jobs, read_command
from datnet.training.config import TrainConfig, resolve
from datnet.zoo.configs import CONFIG_DIR


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="train")
def main(config: DictConfig) -> float:
    """Entry point of one training process."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return sweep.run_job(cast(TrainConfig, config))
    gc.disable()  # imported objects stay; collecting among them takes 1/6 of the import time
    from datnet.training.exits import exits_of_training, quieten
    from datnet.training.run import train

    gc.freeze()
    gc.enable()
    quieten()
    try:
        with exits_of_training(config.run_dir):
            resolve(cast(TrainConfig, config))
            return train(cast(TrainConfig, config))
    finally:
        gc.unfreeze()  # otherwise Triton's bindings report leaks when the process ends


if __name__ == "__main__":
    try:
        command = read_command(sys.argv[1:])
        if command.sweeps:
            sweep.refuse_several_sweeps()
            check_classes_of_jobs(command.configs)
    except DatNetError as error:
        sys.exit(f"error: {error}")
    sys.argv[1:] = command.arguments  # also read by whatever starts this command again
    main()
    sys.exit(int(sweep.SweepReport.failed))
