from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datnet.errors import DatNetError
from datnet.evaluation import benchmark as benchmark_module
from datnet.evaluation.benchmark import (
    Benchmark,
    BenchmarkSettings,
)
from datnet.evaluation.candidates import (
    all_names,
    find_candidates,
    model_names,
    with_fast_attention,
)
from datnet.evaluation.efficiency import counted_products
from datnet.networks.vgg import VggEncoder
from datnet.zoo.configs import CONFIG_DIR
from datnet.zoo.network_file import NetworkDescription, save_network
from tests.helpers.pixel_network import PixelNetwork, write_pixel_network

MIB = 2**20
CPU = torch.device("cpu")


def test_candidates_by_name_and_by_file(tmp_path: Path) -> None:
    file = write_pixel_network(tmp_path / "network.safetensors")
    same_name = write_pixel_network(tmp_path / "other.safetensors")
    found = find_candidates(["sanet", "microast", str(file), str(same_name)])
    assert [each.title for each in found] == ["sanet", "microast", str(file), str(same_name)]
    assert found[0].encoder == "vgg19"
    assert find_candidates([str(file)])[0].title == "pixel"
    assert {each.encoder for each in find_candidates(["sanet", str(file)], "vgg16")} == {"vgg16"}


def test_all_of_conf_model_can_be_benchmarked() -> None:
    assert model_names() == sorted(path.stem for path in (CONFIG_DIR / "model").iterdir())
    titles = [candidate.title for candidate in find_candidates(model_names())]
    assert titles == model_names()


def test_of_a_method_that_optimises_a_few_steps_are_measured() -> None:
    gatys, wct, vgg16 = find_candidates(["gatys", "wct", "gatys_vgg19"], "vgg16")
    assert gatys.title == "gatys, 3 steps"
    assert gatys.network["steps"] == 3
    assert vgg16.title == "gatys_vgg19, 3 steps"
    assert (wct.title, wct.encoder) == ("wct", "vgg16")
    assert find_candidates(["wct"])[0].encoder == "vgg19", "beside the networks of conf/model"
    assert {"wct", "gatys"} <= set(all_names())


@pytest.mark.usefixtures("no_processes")
def test_an_optimisation_can_be_measured(
    encoder: VggEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It computes gradients although measuring switches them off."""
    monkeypatch.setattr(benchmark_module, "COUNTED_SIZE", 64)
    torch.manual_seed(0)  # with other weights the line search may look more than once a step
    benchmark = Benchmark(
        find_candidates(["gatys"], "vgg16"), BenchmarkSettings([32], warmup=0, runs=1)
    )
    (measurement,) = benchmark.measure(32)
    assert measurement.problem is None
    assert measurement.seconds[0] > 0
    # Content and style encoded, and three steps forward and backward, are eight passes and Grams.
    with counted_products() as counter:
        encoder(torch.rand(1, 3, 64, 64))
    cost = benchmark.costs["gatys, 3 steps"].multiply_adds
    assert cost == pytest.approx(8 * counter.get_total_flops() / 2, rel=0.1)


def test_names_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match=r"did you mean datnet_full\?"):
        find_candidates(["adain", "datnet_ful"])
    with pytest.raises(DatNetError, match="names are: adain"):
        find_candidates(["xyz"])
    with pytest.raises(DatNetError, match="adain is given twice"):
        find_candidates(["adain", "sanet", "adain"])
    (tmp_path / "notes.safetensors").write_text("no tensors")
    with pytest.raises(DatNetError, match="not a network file"):
        find_candidates([str(tmp_path / "notes.safetensors")])


def test_nothing_that_a_file_names_is_called(tmp_path: Path) -> None:
    made = tmp_path / "made"
    path = tmp_path / "network.safetensors"
    target = {"_target_": "os.mkdir", "path": str(made)}
    save_network(PixelNetwork(), NetworkDescription("x", target, {}), path)
    with pytest.raises(DatNetError, match=r"os\.mkdir is not a style transfer network"):
        Benchmark(find_candidates([str(path)]), BenchmarkSettings([48]))
    assert not made.exists()


@pytest.mark.parametrize(
    "values",
    [{"sizes": [256, 31]}, {"sizes": [4097]}, {"runs": 0}, {"warmup": -1}, {"threads": 0}],
)
def test_values_that_are_out_of_range(values: dict) -> None:
    with pytest.raises(DatNetError, match="|".join(values).removesuffix("s")):
        BenchmarkSettings(**values)


def test_building_leaves_random_numbers_as_they_are() -> None:
    state = torch.get_rng_state()
    first, second = (find_candidates(["microast"])[0].build() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, first.parameters(), second.parameters()))


def test_a_network_with_fast_attention_has_a_row_of_its_own() -> None:
    (exact,) = find_candidates(["sanet"])
    fast = with_fast_attention(exact)
    assert (exact.attention, fast.attention) == ("exact", "fast")
    assert fast.title == "sanet, fast attention"
    assert fast.network == exact.network
