from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.evaluation.pairs import every_pair
from tests.helpers.evaluations import Blend, make_image, rows_of


def test_explicit_pairs(run: Callable, contents: list[Path], styles: list[Path]) -> None:
    a, b, _ = contents
    x, y = styles
    summary = run(Blend(), pairs=[(a, x), (b, y), (a, y)])
    assert summary.metrics["ssim"].count == 3
    assert summary.protocol.startswith("3 results from 2 contents and 2 styles at")
    with pytest.raises(DatNetError, match=r"a\.png, x\.jpg is in the list twice"):
        run(Blend(), pairs=[(a, x), (b, y), (a, x)])
    with pytest.raises(DatNetError, match="at least one content"):
        run(Blend(), pairs=[])


def test_files_of_the_same_name_are_told_apart(
    run: Callable, tmp_path: Path, styles: list[Path]
) -> None:
    files = ("photos/1/a.png", "photos/2/a.png", "photos/2/a.jpg", "photos/2/a__x.jpg")
    contents = [make_image(tmp_path / file, seed) for seed, file in enumerate(files)]
    clashing = make_image(tmp_path / "style" / "X__X.png", 5)
    pairs = [*every_pair(contents, [styles[0], clashing]), (contents[0], styles[1])]
    run(Blend(), pairs=pairs, save_images=True)
    out = tmp_path / "out"
    named = {row["content"] for row in rows_of(out)}
    assert named == {"1/a.png", "2/a.png", "2/a.jpg", "2/a__x.jpg"}
    names = [path.name.lower() for path in (out / "images").iterdir()]
    assert len(names) == len(set(names)) == len(pairs)
    assert {"a__x.png", "a__x-2.png", "a__x-3.png", "a__x__x.png"} < set(names)


def test_long_and_odd_file_names(run: Callable, tmp_path: Path, styles: list[Path]) -> None:
    names = ["é" * 110 + ".png", 'a, "quoted" name.png']
    contents = [make_image(tmp_path / "odd" / name, seed) for seed, name in enumerate(names)]
    interrupted = {"pairs": every_pair(contents, styles), "save_images": True}
    with pytest.raises(KeyboardInterrupt):
        run(Blend(fail_at=4), **interrupted)
    rest = Blend()
    run(rest, **interrupted)
    assert rest.calls == 1
    assert [row["content"] for row in rows_of(tmp_path / "out")] == [names[0]] * 2 + [names[1]] * 2
    for name in ("a\nb.png", "a\udce9.png"):
        odd = make_image(tmp_path / "odd" / name, 0)
        with pytest.raises(DatNetError, match="line break in it or is not UTF-8"):
            run(Blend(), pairs=[(odd, styles[0])], folder=tmp_path / "other")
