from __future__ import annotations

import pytest

from datnet.errors import DatNetError
from datnet.training.misspelt import check_names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["trainer.max_step=3"],
            r"trainer\.max_step is no setting; did you mean trainer\.max_steps",
        ),
        (["max_steps=3"], r"did you mean trainer\.max_steps"),
        (["data.crop=64"], r"did you mean data\.crop_size"),
        (["mode=adain"], "did you mean model"),
        (
            ["model.objective.local_feature_levels=[2,3]"],
            r"did you mean model\.objective\.local_feature\? \(\+model\.objective\.local_feat",
        ),
        (["-m", "model=adain,sanet", "sead=1,2"], "sead is no setting; did you mean seed"),
        (["-m", "model=adain", "seed=1", "trainer.max_step=range(1,9)"], "trainer.max_steps"),
        (["nothing.like.it=1"], "--cfg job"),
        (["seed=abc"], "seed: Value 'abc' of type 'str' could not be converted to Integer"),
    ],
)
def test_the_nearest_setting_is_named(arguments: list[str], message: str) -> None:
    with pytest.raises(DatNetError, match=message):
        check_names(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["model=datnet_dual", "+model.network.new=1", "~experiment"],
        ["-m", "experiment=ablation", "seed=1,2", "sweep=a"],
        ["--cfg", "job"],
        ["model=nothing"],  # Hydra lists what there is
        ["a b=1"],  # Hydra shows where the grammar ends
        ["-m", "experiment=search", "hydra.sweeper.n_trials=3"],
    ],
)
def test_the_rest_is_left_to_hydra(arguments: list[str]) -> None:
    check_names(arguments)
