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
from omegaconf import DictConfig, OmegaConf

from datnet.errors import DatNetError
from datnet.training import sweep
from datnet.training.config import CONFIG_DIR, TrainConfig
from datnet.training.misspelt import check_names


@hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="train")
def main(config: DictConfig) -> float:
    """Entry point of one training process."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return sweep.run_job(cast(TrainConfig, config))
    gc.disable()  # what is imported stays; looking for garbage among it takes a sixth of the time
    from datnet.training.run import exits_of_training, quieten, train

    gc.freeze()
    gc.enable()
    quieten()
    try:
        with exits_of_training(config.run_dir):
            OmegaConf.resolve(config)
            return train(cast(TrainConfig, config))
    finally:
        gc.unfreeze()  # else Triton's bindings complain of leaks when the process ends


if __name__ == "__main__":
    try:
        check_names(sys.argv[1:])
        if {"-m", "--multirun"} & set(sys.argv):
            sweep.refuse_several_sweeps()
    except DatNetError as error:
        sys.exit(f"error: {error}")
    main()
    sys.exit(int(sweep.SweepReport.failed))
