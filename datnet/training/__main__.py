"""`python -m datnet.training`, which `datnet train` becomes: one training, or with -m a sweep.

What Hydra alone answers (--help, --cfg job, a misspelt setting) and the process of a sweep, whose
jobs train in processes of their own, do without torch and Lightning, which take seconds to import.
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
    gc.disable()  # what is imported stays; looking for garbage among it takes a sixth of the time
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
        gc.unfreeze()  # else Triton's bindings complain of leaks when the process ends


if __name__ == "__main__":
    try:
        command = read_command(sys.argv[1:])
        if command.sweeps:
            sweep.refuse_several_sweeps()
            check_classes_of_jobs(command.configs)
    except DatNetError as error:
        sys.exit(f"error: {error}")
    sys.argv[1:] = command.arguments  # what starts this command again reads them, too
    main()
    sys.exit(int(sweep.SweepReport.failed))
