from __future__ import annotations

import pytest

from datnet.errors import DatNetError
from datnet.networks.adain import AdaIN
from datnet.objectives.adain import AdaINObjective
from datnet.training.config import check
from datnet.training.module import StyleTransferModule


def rates(encoder, steps: int, **settings: float) -> list[float]:
    """The learning rates that the optimizer is given."""
    module = StyleTransferModule(AdaIN(encoder), AdaINObjective(), seed=1, **settings)  # type: ignore[arg-type]
    configured = module.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    result = []
    for _ in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return result


def test_decay_starts_at_once_without_a_warm_up(encoder) -> None:
    got = rates(encoder, 4, learning_rate=1e-4, learning_rate_decay=0.5)
    assert got == pytest.approx([1e-4, 1e-4 / 1.5, 1e-4 / 2, 1e-4 / 2.5])


def test_warm_up_rises_linearly_and_then_decays(encoder) -> None:
    got = rates(
        encoder,
        7,
        learning_rate=2e-4,
        learning_rate_decay=0.5,
        warmup_steps=4,
        warmup_learning_rate=1e-4,
    )
    expected = [1e-4, 1.25e-4, 1.5e-4, 1.75e-4, 2e-4, 2e-4 / 1.5, 2e-4 / 2]
    assert got == pytest.approx(expected)


@pytest.mark.parametrize("step", [0, 1, 5000, 9999, 10_000, 10_001, 159_999])
def test_stytr2_has_the_published_schedule(settings, encoder, step: int) -> None:
    """5e-4 · 0.1 · (1 + 3e-4 t) before step 10 000, then 2e-4 / (1 + 1e-5 (t - 1e4))."""
    recipe = settings("model=stytr2").model.recipe
    module = StyleTransferModule(
        AdaIN(encoder),
        AdaINObjective(),
        learning_rate=recipe.learning_rate,
        learning_rate_decay=recipe.learning_rate_decay,
        warmup_steps=recipe.warmup_steps,
        warmup_learning_rate=recipe.warmup_learning_rate,
        seed=1,
    )
    early = 5e-4 * 0.1 * (1 + 3e-4 * step)
    late = 2e-4 / (1 + 1e-5 * (step - 10_000))
    expected = early if step < 10_000 else late
    assert module.learning_rate * module.learning_rate_factor(step) == pytest.approx(expected)


@pytest.mark.parametrize("key", ["warmup_steps", "warmup_learning_rate"])
def test_a_negative_warm_up_is_refused(settings, key: str) -> None:
    with pytest.raises(DatNetError, match=f"model.recipe.{key} is -1.*(not negative|at least 0)"):
        check(settings(f"model.recipe.{key}=-1"))


def test_cosine_falls_to_the_final_rate_after_the_warm_up(encoder) -> None:
    """1e-5 + 9.9e-4 · (1 + cos(π t / 4)) / 2 after two steps of warm-up; the last one stays."""
    got = rates(
        encoder,
        8,
        **{"learning_rate": 1e-3, "learning_rate_decay": 0.5, "final_learning_rate": 1e-5},
        **{"warmup_steps": 2, "warmup_learning_rate": 0.5e-3, "schedule": "cosine", "max_steps": 6},
    )
    expected = [0.5e-3, 0.75e-3, 1e-3, 8.5501786e-4, 5.05e-4, 1.5498214e-4, 1e-5, 1e-5]
    assert got == pytest.approx(expected)


def test_an_unknown_schedule_is_refused(settings) -> None:
    with pytest.raises(DatNetError, match=r"schedule is linear.*it can be decay, cosine"):
        check(settings("model.recipe.schedule=linear"))
