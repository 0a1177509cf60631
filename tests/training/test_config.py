from __future__ import annotations

import inspect
import itertools
import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from lightning.pytorch import Trainer
from omegaconf import OmegaConf
from torch import nn

from datnet.errors import DatNetError
from datnet.objectives.reconstruction import ReconstructionObjective
from datnet.training import trainer
from datnet.training.config import check, objective_of
from datnet.training.trainer_settings import OURS
from datnet.zoo.configs import CONFIG_DIR
from datnet.zoo.instantiate import build, build_with_encoder, find_target

FOLDERS = ["data.content_dir=here", "data.style_dir=here"]


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml"))


def load(*overrides: str, config_dir: Path = CONFIG_DIR):
    with initialize_config_dir(str(config_dir), version_base="1.3"):
        config = compose("train", list(overrides))
    OmegaConf.resolve(config)
    return config


def test_the_groups_are_complete() -> None:
    assert set(choices("model")) >= {
        *("datnet_spatial", "datnet_dual", "datnet_full", "adain", "sanet", "manet", "mccnet"),
        *("microast", "artflow_adain", "artflow_wct", "stytr2"),
        *("cap_vstnet_photorealistic", "cap_vstnet_artistic"),
    }
    assert set(choices("experiment")) >= {"miniature", "paper", "small_machine", "ablation"}
    assert set(choices("trainer")) >= {"cpu", "gpu", "ddp"}
    assert set(choices("encoder")) == {"vgg16", "vgg19"}


@pytest.mark.parametrize(("model", "data"), itertools.product(choices("model"), choices("data")))
def test_every_model_composes_with_all_data_and_can_be_built(
    model: str, data: str, encoder
) -> None:
    config = load(f"model={model}", f"data={data}", *(FOLDERS if data != "sample" else []))
    check(config)
    assert config.name == config.model.name == model
    network = build_with_encoder(config.model.network, lambda: encoder)
    objective = build_with_encoder(config.model.objective, lambda: encoder)
    assert objective.weights
    assert getattr(network, "encoder", None) is encoder or objective.encoder is encoder


GROUPS = {
    "experiment": ["", *choices("experiment")],  # "": not given
    "model": ["", *choices("model")],
    **{name: list(choices(name)) for name in ("trainer", "logger", "data", "encoder")},
}


def covering_rows() -> list[dict[str, str]]:
    """Rows of choices that have every choice of each group together with every other's."""

    def fits(row: dict[str, str]) -> bool:
        of_datnet = row.get("experiment", "").endswith("_datnet")
        model = row.get("model", "")
        return not of_datnet or not model or model.startswith("datnet_")

    def pairs(row: dict[str, str]) -> set[tuple[tuple[str, str], ...]]:
        return set(itertools.combinations([(name, row[name]) for name in GROUPS if name in row], 2))

    rows = []
    missing = {
        ((one, first), (other, second))
        for one, other in itertools.combinations(GROUPS, 2)
        for first, second in itertools.product(GROUPS[one], GROUPS[other])
        if fits({one: first, other: second})
    }
    while missing:
        row = dict(min(missing))
        for name in [each for each in GROUPS if each not in row]:
            candidates = [row | {name: choice} for choice in GROUPS[name]]
            row = max(filter(fits, candidates), key=lambda each: len(pairs(each) & missing))
        rows.append(row)
        missing -= pairs(row)
    return rows


@pytest.mark.parametrize("experiment", GROUPS["experiment"])
def test_every_choice_composes_with_every_other(experiment: str) -> None:
    rows = [row for row in covering_rows() if row["experiment"] == experiment]
    assert len(rows) >= 4  # its own model and every other that fits
    for row in rows:
        overrides = [f"{group}={choice}" for group, choice in row.items() if choice]
        check(load(*overrides, *FOLDERS, "init_from=a_network"))


def test_an_experiment_of_datnet_is_for_datnet() -> None:
    with pytest.raises(DatNetError, match=r"identity_start is not a setting of .*AdaIN"):
        check(load("model=adain", "experiment=small_machine_datnet", *FOLDERS))


def test_the_two_stages_fit_each_other() -> None:
    """Stage one is reconstruction alone; stage two is small_machine from its weights."""
    one = load("experiment=reconstruction_datnet", *FOLDERS)
    check(one)
    reconstruction = build_with_encoder(objective_of(one), nn.Module)
    assert isinstance(reconstruction, ReconstructionObjective)
    assert not one.model.network.channel_attention
    with pytest.raises(DatNetError, match="init_from must be given"):
        check(load("experiment=small_machine_two_stages", *FOLDERS))
    two = load("experiment=small_machine_two_stages", "init_from=runs/one", *FOLDERS)
    check(two)
    plain = load("experiment=small_machine", *FOLDERS)
    check(plain)
    assert "counted in this network's budget" in two.description
    for config in (two, plain):
        config.init_from, config.description = None, ""
    assert two == plain
    of_datnet = load("experiment=small_machine_two_stages_datnet", "init_from=runs/one", *FOLDERS)
    check(of_datnet)
    assert of_datnet.model.network.open_gates
    assert of_datnet.objective is None


def test_a_beginning_and_a_checkpoint_exclude_each_other() -> None:
    check(load("init_from=adain", "ckpt_path=last"))
    with pytest.raises(DatNetError, match=r"init_from begins a fresh run.*ckpt_path=FILE goes on"):
        check(load("init_from=adain", "ckpt_path=some.ckpt"))


def test_ablation_variants() -> None:
    """Each step of Table 3 changes only one thing."""
    spatial, dual, full = (
        OmegaConf.to_container(load(f"model=datnet_{name}").model)
        for name in ("spatial", "dual", "full")
    )
    assert [c["network"]["channel_attention"] for c in (spatial, dual, full)] == [0, 1, 1]
    restoration = [c["objective"].pop("content_restoration") for c in (spatial, dual, full)]
    assert restoration == [0, 0, 5]
    for config in (spatial, dual, full):
        del config["name"], config["network"]["channel_attention"]
    assert spatial == dual == full
    assert full["objective"]["local_feature"] == 3
    assert full["objective"]["global_style"] == 10
    assert full["recipe"] == {
        **{"learning_rate": 1e-4, "learning_rate_decay": 1e-5},
        **{"batch_size": 8, "steps": 50_000, "gradient_clip": None},
        **{"warmup_steps": None, "warmup_learning_rate": None},
        **{"schedule": "decay", "final_learning_rate": 0.0, "attention_gradient_clip": None},
        "whole_styles": False,
    }


def test_wrong_choice_names_the_valid_ones() -> None:
    with pytest.raises(ConfigCompositionException) as error:
        load("model=datnet_ful")
    text = f"{error.value} {error.value.__cause__}"
    assert all(name in text for name in choices("model"))


@pytest.mark.parametrize("override", ["trainer.max_step=3", "sead=1", "encoder.arc=vgg16"])
def test_misspelt_key_on_the_command_line_is_refused(override: str) -> None:
    with pytest.raises(ConfigCompositionException):
        load(override)


@pytest.mark.parametrize(
    "line", ["trainer: {max_step: 3}", "sead: 1", "encoder: {arc: vgg16}", "seed: abc"]
)
def test_misspelt_key_in_a_file_is_refused(line: str, tmp_path: Path) -> None:
    for source in CONFIG_DIR.rglob("*.yaml"):
        target = tmp_path / source.relative_to(CONFIG_DIR)
        target.parent.mkdir(exist_ok=True, parents=True)
        target.write_text(source.read_text())
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{line}\n")
    with pytest.raises(ConfigCompositionException):
        load("experiment=mine", config_dir=tmp_path)


def test_folders_are_mandatory_for_own_data() -> None:
    with pytest.raises(DatNetError, match=r"data\.content_dir, data\.style_dir must be given"):
        check(load("data=coco_wikiart"))


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("model.network.channel_attention=no", False),
        ("data.horizontal_flip=yes", True),
        ("data.batch_size=8.0", 8),
        ("model.objective.global_style='3'", 3.0),
        ("+trainer.detect_anomaly=no", False),
        ("trainer.precision=16", "16"),
        ("trainer.devices='0,1'", "0,1"),
    ],
)
def test_values_are_converted_as_classes_take_them(override: str, value: object) -> None:
    config = load(override)
    check(config)
    converted = OmegaConf.select(config, override.partition("=")[0].lstrip("+"))
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.network.channel_attention=maybe", "maybe; it must be true or false"),
        ("data.batch_size=abc", "data.batch_size is abc; it must be a whole number"),
        ("data.batch_size=true", "data.batch_size is true; it must be a number"),
        ("data.short_side=[1]", "it must be a whole number or null"),
        ("data.crop_size=31", "data.crop_size is 31; it must be at least 32"),
        ("model.objective.global_style=abc", "global_style is abc; it must be a number"),
        ("model.objective.global_style=-1", "it must be finite and not negative"),
        ("+model.objective.local_feature_levels=[9]", "it must be at most 5"),
        ("+model.network.resize=bicubic", "it can be bilinear or nearest"),
        ("+model.network.chanel_attention=true", "did you mean model.network.channel_attention"),
        ("encoder.arch=resnet", "encoder.arch is resnet; it can be vgg19 or vgg16"),
        ("trainer.precision=16-mixd", "16-mixd; it can be 64, 32, 16, "),
        ("trainer.strategy=dpp", "trainer.strategy is dpp; did you mean ddp"),
        ("trainer.accelerator=gpuu", "did you mean gpu"),
        ("+trainer.detect_anomly=true", "did you mean trainer.detect_anomaly"),
        ("+trainer.detect_anomaly=perhaps", "it must be true or false"),
        ("+trainer.max_epochs=3", "use trainer.max_steps"),
    ],
)
def test_values_that_a_class_does_not_take_are_refused(override: str, message: str) -> None:
    with pytest.raises(DatNetError, match=message):
        check(load(override))


def test_all_that_a_training_sets_itself_is_refused() -> None:
    """A configuration must not set what trainer.py passes to the Trainer itself."""
    source = Path(trainer.__file__).read_text()
    given = set(re.findall(r"^\s+(\w+)=", source.partition("return Trainer(")[2], re.MULTILINE))
    assert {"max_epochs", "callbacks", "plugins"} <= given & OURS.keys()
    for name in given & inspect.signature(Trainer).parameters.keys():
        with pytest.raises(DatNetError, match=f"trainer.{name}=1 cannot be set here"):
            check(load(f"+trainer.{name}=1"))


def test_a_node_is_built_with_converted_values(encoder) -> None:
    node = {"_target_": "datnet.networks.datnet.DatNet", "channel_attention": "no"}
    assert build_with_encoder(node, lambda: encoder).channel_attention is None
    with pytest.raises(DatNetError, match=r"DatNet\.channel_attention is 7; it must be true or"):
        build(node | {"channel_attention": 7}, encoder=encoder)


def test_errors_of_constructors_name_the_class() -> None:
    node = {"_target_": "datnet.networks.vgg.VggEncoder", "arch": "vgg11"}
    with pytest.raises(DatNetError, match=r"datnet\.networks\.vgg\.VggEncoder.*vgg19"):
        build(node)


def test_a_missing_class_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DatNetError, match=r"datnet\.nothing\.Net cannot be imported"):
        find_target({"_target_": "datnet.nothing.Net"})
    assert not caplog.records  # Hydra would say it as well, in three lines
