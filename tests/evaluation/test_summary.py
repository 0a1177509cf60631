from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.evaluation.metrics import METRICS, SET_METRICS
from datnet.evaluation.summary import (
    Estimate,
    EvaluationSummary,
    GrowingTable,
    format_estimate,
    format_number,
    markdown_table,
    summary_table,
)

CONTENTS, STYLES = ["a", "a", "b", "b"], ["x", "y", "x", "y"]


def summary(description: str = "DatNet", **changes: object) -> EvaluationSummary:
    values = {column.key: [0.1, 0.2, 0.3, 0.4] for column in METRICS}
    values["psnr"] = [math.inf] * 4
    values["lpips_vgg"] = [math.nan, 0.5, 0.5, 0.5]
    fields: dict = {
        "description": description,
        "protocol": "4 results, one sentence.",
        "pictures": "0123",
        "metrics": {
            key: Estimate.of_pairs(value, CONTENTS, STYLES) for key, value in values.items()
        },
        "set_metrics": {"frechet_vgg": 12.375, "art_fid_vgg": None},
        "versions": {"torch": "2.15"},
    }
    return EvaluationSummary(**(fields | changes))


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_estimate_of_pairs() -> None:
    estimate = Estimate.of_pairs([0.1, 0.2, 0.3, 0.4], CONTENTS, STYLES)
    assert estimate.mean == pytest.approx(0.25)
    assert estimate.ci95 is not None
    assert 0.1 <= estimate.ci95[0] < 0.25 < estimate.ci95[1] <= 0.4
    assert (estimate.count, estimate.infinite, estimate.undefined) == (4, 0, 0)


def test_json_is_strict_and_comes_back_the_same() -> None:
    original = summary()
    text = original.to_json()
    fields = json.loads(text, parse_constant=refuse)
    psnr = {"mean": None, "ci95": [None, None], "count": 4, "infinite": 4, "undefined": 0}
    assert fields["metrics"]["psnr"] == psnr
    assert fields["metrics"]["lpips_vgg"]["mean"] is None
    assert fields["metrics"]["lpips_vgg"]["undefined"] == 1
    assert fields["metrics"]["ssim"]["mean"] == pytest.approx(0.25)
    restored = EvaluationSummary.from_json(text)
    assert restored.metrics["psnr"] == original.metrics["psnr"]
    assert restored.metrics["ssim"] == original.metrics["ssim"]
    assert restored.set_metrics == original.set_metrics
    assert math.isnan(restored.metrics["lpips_vgg"].mean)
    assert restored.to_json() == text


def test_an_interval_with_one_infinite_end_comes_back_the_same() -> None:
    psnr = Estimate.of_pairs([math.inf, 1.0, 1.0, 1.0], CONTENTS, STYLES)
    assert psnr.ci95 == (1.0, math.inf)
    original = summary(metrics={"psnr": psnr, "ssim": Estimate(0.5)})
    assert EvaluationSummary.from_json(original.to_json()) == original


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    summary().save(path)
    summary("MicroAST").save(path)
    assert EvaluationSummary.load(path).description == "MicroAST"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"metrics": {"ssim": {}}}', '{"metrics": {"ssim": NaN}}', "\xff"]
)
def test_a_file_that_is_no_summary_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DatNetError, match=r"summary\.json.*is not a summary"):
        EvaluationSummary.load(path)
    with pytest.raises(DatNetError, match=r"missing\.json does not exist"):
        EvaluationSummary.load(tmp_path / "missing.json")


def test_a_summary_of_an_older_version_says_so(tmp_path: Path) -> None:
    entries = json.loads(summary().to_json())
    del entries["set_metrics"]
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(entries))
    with pytest.raises(DatNetError, match="another version of DatNet wrote it, without set_met"):
        EvaluationSummary.load(path)


def test_markdown_table() -> None:
    rows = {
        "DatNet": {"ssim": Estimate(0.5950123, (0.57, 0.62), 4), "psnr": Estimate(15.118)},
        "identity": {"ssim": Estimate(1.0, (1.0, 1.0), 4), "psnr": Estimate(math.inf)},
        "a|b\nc": {"psnr": Estimate(math.nan, (math.nan, math.nan), 4)},
    }
    assert markdown_table(rows) == (
        "|  | SSIM ↑ | PSNR (dB) ↑ |\n"
        "| --- | ---: | ---: |\n"
        "| DatNet | 0.5950 [0.5700, 0.6200] | 15.12 |\n"
        "| identity | 1.0000 | ∞ |\n"
        "| a\\|b c | – | undefined |"
    )


def test_numbers_are_printed_plainly() -> None:
    assert format_number(-0.00001, 4) == "0.0000"
    assert format_number(1234.5678, 2) == "1234.57"
    assert format_estimate(Estimate(math.inf, (math.inf, math.inf)), 2) == "∞"
    assert format_estimate(Estimate(math.inf, (12.0, math.inf)), 2) == "∞ [12.00, ∞]"


def test_summary_table_has_the_protocol_above_and_all_metrics() -> None:
    table = summary_table([summary("DatNet"), summary("identity"), summary("style copy")])
    sentence, empty, header, _, *rows = table.splitlines()
    assert (sentence, empty) == ("4 results, one sentence.", "")
    titles = [f"{column.label} {column.arrow}" for column in (*METRICS, *SET_METRICS)]
    assert header == f"|  | {' | '.join(titles)} |"
    assert all(row.endswith(" | 12.4 | – |") for row in rows)
    assert [row.split(" | ")[0] for row in rows] == ["| DatNet", "| identity", "| style copy"]


def test_only_comparable_rows_stand_in_one_table() -> None:
    for changes in ({"pictures": "4567"}, {"protocol": "Another."}):
        with pytest.raises(DatNetError, match='"DatNet" and "AdaIN" cannot stand in one table'):
            summary_table([summary("DatNet"), summary("AdaIN", **changes)])
    with pytest.raises(ValueError, match="own description"):
        summary_table([summary("DatNet"), summary("DatNet")])
    with pytest.raises(ValueError, match="at least one"):
        summary_table([])


def test_a_table_grows_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    summaries = [summary("identity"), summary("adain"), summary("datnet_full")]
    table, grown = GrowingTable(), ""
    for number, each in enumerate(summaries, start=1):
        table(each)
        grown += capsys.readouterr().out
        assert grown == summary_table(summaries[:number]) + "\n"
