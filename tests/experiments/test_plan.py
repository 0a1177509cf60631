from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.zoo import shipped
from experiments.options import argument_parser
from experiments.paper import ALL_TITLES
from experiments.plan import SCALES, chosen_models, default_scale, plan_of
from experiments.table3 import VARIANTS


def test_chosen_models() -> None:
    def chosen(scale: str, *models: str) -> list[str]:
        return chosen_models(list(models) or None, SCALES[scale], list(ALL_TITLES))

    assert chosen("sample") == chosen("paper") == list(ALL_TITLES)
    assert chosen("pretrained") == [model for model in ALL_TITLES if model != "gatys"]
    assert chosen("pretrained", "gatys", "adain") == ["adain", "gatys"]
    with pytest.raises(DatNetError, match="--models adian: it can be datnet_full"):
        chosen("sample", "adian")
    with pytest.raises(DatNetError, match="no network that is trained"):
        chosen("sample", "wct", "gatys")


def test_default_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path)
    (tmp_path / "adain.safetensors").touch()
    assert default_scale(["adain", "wct"]) == "pretrained"
    assert default_scale(["adain", "sanet"]) == "sample"
    assert default_scale([]) == "pretrained"


@pytest.mark.parametrize("given", [["trainer.max_steps=1"], ["--seeds", "1", "2"]])
def test_settings_of_trainings_are_not_ignored(given: list[str]) -> None:
    arguments = argument_parser("experiments.table1", "").parse_args(
        ["--scale", "pretrained", *given]
    )
    with pytest.raises(DatNetError, match=f"{' '.join(given)}: scale pretrained trains nothing"):
        plan_of(arguments, ["datnet_full"])


def test_a_plan_leaves_the_options_as_they_are(one_picture: Path) -> None:
    options = ["--eval-content", str(one_picture), "--eval-style", str(one_picture)]
    arguments = argument_parser("experiments.table3", "").parse_args(options)
    before = dict(vars(arguments))
    plan = plan_of(arguments, VARIANTS)
    assert vars(arguments) == before
    assert plan.models == VARIANTS
    assert plan.evaluation_folder == Path("runs/pretrained/evaluation_1x1")
    assert replace(plan, size=96).evaluation_folder.name == "evaluation_1x1_96_pixels"
