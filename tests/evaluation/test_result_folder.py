from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from datnet.errors import DatNetError
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.pairs import every_pair
from tests.helpers.evaluations import Blend, make_image, rows_of
from tests.helpers.full_disk import files_end_at


@pytest.mark.parametrize("torn", ["", "c.png,x.j", "c.png,x.jpg,0.5,12.25,0.1,0.1,0.3,0.1,0.5"])
def test_goes_on_after_an_interruption(run: Callable, tmp_path: Path, torn: str) -> None:
    whole = run(Blend(), folder=tmp_path / "whole", save_images=True)
    with pytest.raises(KeyboardInterrupt):
        run(Blend(fail_at=5), save_images=True)
    out = tmp_path / "out"
    assert len(rows_of(out)) == 4
    assert not (out / "summary.json").exists()
    with (out / "results.csv").open("a") as file:
        file.write(torn)
    rest = Blend()
    assert run(rest, save_images=True) == whole
    assert rest.calls == 2
    for name in ("results.csv", "embeddings.npy", "pairs.csv", "summary.json", "protocol.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert len(list((out / "images").iterdir())) == 6


def test_a_finished_evaluation_is_not_computed_again(run: Callable, metrics: Metrics) -> None:
    first = run(Blend())
    metrics.networks.encoder.calls = 0
    again = Blend()
    assert run(again) == first
    assert again.calls == metrics.networks.encoder.calls == 0


def test_every_row_is_on_disk_before_the_next_pair(run: Callable, tmp_path: Path) -> None:
    rows, embeddings = [], []

    def stylize(content: Tensor, style: Tensor) -> Tensor:
        rows.append(len(rows_of(tmp_path / "out")))
        stored = np.load(tmp_path / "out" / "embeddings.npy")
        embeddings.append(np.isfinite(stored).all((1, 2)).tolist())
        return content

    run(stylize)
    assert rows == [0, 1, 2, 3, 4, 5]
    assert embeddings == [[True] * done + [False] * (6 - done) for done in range(6)]


def test_a_pair_is_done_only_with_row_and_embedding(run: Callable, tmp_path: Path) -> None:
    whole = run(Blend())
    path = tmp_path / "out" / "embeddings.npy"
    stored = np.load(path)
    lacking = stored.copy()
    lacking[[1, 4]] = np.nan
    np.save(path, lacking)
    again = Blend()
    assert run(again) == whole
    assert again.calls == 2
    assert np.array_equal(np.load(path), stored)
    path.unlink()
    again = Blend()
    assert run(again) == whole
    assert again.calls == 6
    for damaged in (b"", path.read_bytes()[:-4]):
        path.write_bytes(damaged)
        with pytest.raises(DatNetError, match=r"embeddings\.npy is damaged.*delete it"):
            run(Blend())
    np.save(path, stored[:, :, :2])
    with pytest.raises(DatNetError, match=r"embeddings\.npy is damaged.*shape \(6, 2, 2\)"):
        run(Blend())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": 48}, "size is 32 there and 48 now"),
        ({"description": "other"}, "description is 'blend' there and 'other' now"),
        ({"save_images": True}, "save_images is False there and True now"),
    ],
)
def test_other_settings_are_refused(
    run: Callable, tmp_path: Path, changes: dict, reason: str
) -> None:
    run(Blend())
    untouched = (tmp_path / "out" / "results.csv").read_bytes()
    with pytest.raises(DatNetError, match="delete or rename") as error:
        run(Blend(), **changes)
    assert str(tmp_path / "out") in str(error.value)
    assert reason in str(error.value)
    assert (tmp_path / "out" / "results.csv").read_bytes() == untouched


def test_other_pictures_are_refused_even_with_the_same_names(
    run: Callable, contents: list[Path], styles: list[Path]
) -> None:
    run(Blend())
    with pytest.raises(DatNetError, match="other contents; other pairs"):
        run(Blend(), pairs=every_pair(contents[:2], styles))
    with pytest.raises(DatNetError, match=r"\(other pairs\)"):
        run(Blend(), pairs=every_pair(contents, styles)[::-1])
    make_image(styles[0], seed=77)
    with pytest.raises(DatNetError, match=r"\(other styles\)"):
        run(Blend())


def test_damaged_folders_are_refused(run: Callable, tmp_path: Path) -> None:
    run(Blend())
    results = tmp_path / "out" / "results.csv"
    good = results.read_text()
    results.write_text(good.replace("b.png,x.jpg,", "b.png,"))
    with pytest.raises(DatNetError, match=r"results\.csv, line 4 is damaged"):
        run(Blend())
    results.write_text(good.replace("psnr", "snr"))
    with pytest.raises(DatNetError, match="other columns"):
        run(Blend())
    results.write_text(good)
    (tmp_path / "out" / "pairs.csv").unlink()
    with pytest.raises(DatNetError, match="cannot be continued"):
        run(Blend())
    (tmp_path / "out" / "protocol.json").unlink()
    with pytest.raises(DatNetError, match=r"without the protocol\.json"):
        run(Blend())


def test_a_full_disk_names_the_file_and_what_is_measured_is_kept(
    run: Callable, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Blend(fail_at=3))
    size = (tmp_path / "out" / "results.csv").stat().st_size
    with files_end_at(size + 10), pytest.raises(OSError, match="File too large") as error:
        run(Blend())
    assert error.value.filename == str(tmp_path / "out" / "results.csv")
    rest = Blend()
    run(rest)
    assert rest.calls == 4
    assert len(rows_of(tmp_path / "out")) == 6
