from __future__ import annotations

import pytest

from datnet.errors import DatNetError
from datnet.training.config import check


def test_a_recipe_can_clip_gradients(settings) -> None:
    assert settings("model=artflow_adain").trainer.gradient_clip_val == 5
    assert settings("model=adain").trainer.gradient_clip_val is None
    config = settings("model=artflow_adain", "trainer.gradient_clip_val=null")
    assert config.trainer.gradient_clip_val is None
    check(config)


@pytest.mark.parametrize("key", ["model.recipe.gradient_clip", "trainer.gradient_clip_val"])
def test_a_negative_norm_is_refused(settings, key: str) -> None:
    with pytest.raises(DatNetError, match=f"{key} is -1.0; it must be finite and not negative"):
        check(settings(f"{key}=-1"))
