"""A study from its page to its ranking; the page with a real browser."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.saved_results import SavedResults
from datnet.evaluation.vote.answers import Answer, read_answers
from datnet.evaluation.vote.study import QUESTIONS, choose_comparisons, write_study
from datnet.evaluation.vote.tally import rank, tally_text
from tests.helpers.browser import chromium, requested, set_screen

NETWORKS = ["datnet_full", "adain", "sanet"]


# ------------------------------------------------------------------------ the comparisons


def test_each_two_networks_are_compared_equally_often() -> None:
    chosen = choose_comparisons(NETWORKS, pairs=12, count=18, seed=0)
    rivals = Counter(frozenset((each.first, each.second)) for each in chosen)
    assert set(rivals.values()) == {6}
    assert len({(each.pair, frozenset((each.first, each.second))) for each in chosen}) == 18
    # A pair of pictures is used again only for other networks.
    assert max(Counter(each.pair for each in chosen).values()) <= 3


def test_the_seed_decides() -> None:
    first, again, other = (choose_comparisons(NETWORKS, 12, 18, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert {each.first for each in first} == set(NETWORKS)  # nobody is always second


def test_there_may_be_fewer_comparisons_than_wanted() -> None:
    assert len(choose_comparisons(["a", "b"], pairs=4, count=30, seed=0)) == 4
    with pytest.raises(DatNetError, match="at least two"):
        choose_comparisons(["a"], 4, 30, 0)


# ------------------------------------------------------------------------ the ranking


def answers_of(rater: str, choose: Any, count: int = 30) -> list[Answer]:
    """Comparisons of all networks in turns, the better one left or right in turns."""
    answers = []
    for trial in range(count):
        left, right = NETWORKS[trial % 3], NETWORKS[(trial + 1) % 3]
        if trial % 2:
            left, right = right, left
        choices = {question: choose(left, right) for question in QUESTIONS}
        answers.append(Answer(rater, trial, left, right, choices))
    return answers


def by_order(left: str, right: str) -> str:
    return "left" if NETWORKS.index(left) < NETWORKS.index(right) else "right"


def test_the_better_network_is_first_and_raters_agree() -> None:
    answers = [*answers_of("anna", by_order), *answers_of("ben", by_order)]
    ranking = rank(NETWORKS, answers, "overall")
    assert ranking.networks == NETWORKS
    assert ranking.agreement == 1
    assert ranking.wins == {"datnet_full": 40, "adain": 20}
    assert ranking.compared == dict.fromkeys(NETWORKS, 40)
    for name in NETWORKS:
        assert ranking.low[name] <= ranking.strength[name] <= ranking.high[name]


def test_who_presses_left_always_says_nothing() -> None:
    answers = answers_of("anna", lambda left, right: "left")
    ranking = rank(NETWORKS, answers, "style")
    assert max(abs(value) for value in ranking.strength.values()) < 0.05
    assert "left result was chosen in 100 %" in tally_text(NETWORKS, answers)


def test_ties_are_half_wins() -> None:
    ranking = rank(NETWORKS, answers_of("anna", lambda left, right: "tie"), "content")
    assert list(ranking.strength.values()) == pytest.approx([0, 0, 0])
    assert sum(ranking.wins.values()) == 0


def write_answers(path: Path, rater: str, study: str = "0123", **changes: object) -> Path:
    entries = [
        {"trial": each.trial, "left": each.left, "right": each.right, **each.choices}
        for each in answers_of(rater, by_order, 6)
    ]
    content = {
        "format": "datnet-vote-1",
        "study": study,
        "networks": NETWORKS,
        "rater": rater,
        "answers": entries,
    } | changes
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_answers_come_back(tmp_path: Path) -> None:
    files = [write_answers(tmp_path / f"{rater}.json", rater) for rater in ("anna", "ben")]
    networks, answers = read_answers(files)
    assert networks == NETWORKS
    assert answers == [*answers_of("anna", by_order, 6), *answers_of("ben", by_order, 6)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"study": "4567"}, "of another study"),
        ({"rater": "anna"}, "both by the rater anna"),
        ({"format": "other"}, "not datnet-vote-1"),
        ({"answers": [{"trial": 1}]}, "no 'left'"),
        ({"networks": ["x", "y"]}, "of networks that the study lacks"),
    ],
)
def test_answers_that_do_not_fit_are_named(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    first = write_answers(tmp_path / "a.json", "anna")
    second = write_answers(tmp_path / "b.json", **({"rater": "ben"} | changes))
    with pytest.raises(DatNetError, match=message) as error:
        read_answers([first, second])
    assert "b.json" in str(error.value)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["datnet", "vote", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_tally_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [write_answers(tmp_path / f"{rater}.json", rater) for rater in ("anna", "ben")]
    assert call(monkeypatch, "--tally", *files, "-o", tmp_path / "tally.md") == 0
    printed = capsys.readouterr().out
    assert "12 answers by 2 raters" in printed
    assert "Krippendorff's alpha is 1.00" in printed
    assert (tmp_path / "tally.md").read_text().strip() == printed.strip()


def test_missing_images_are_named_with_the_cure(
    contents, styles, run, tmp_path, monkeypatch, capsys
) -> None:
    run(lambda content, style: content)
    folders = ["--content", tmp_path / "content", "--style", tmp_path / "style"]
    assert call(monkeypatch, tmp_path / "out", tmp_path / "out", *folders) == 1
    assert "evaluate again with --save-images" in capsys.readouterr().err
    assert call(monkeypatch, tmp_path / "content", tmp_path / "out", *folders) == 1
    assert "is not an evaluation" in capsys.readouterr().err


def test_a_study_of_evaluations(contents, styles, run, tmp_path, monkeypatch) -> None:
    for name, amount in (("near", 0.2), ("far", 0.8)):
        run(
            lambda content, style, amount=amount: content + amount * (style - content),
            folder=tmp_path / name,
            description=name,
            save_images=True,
        )
    folders = ["--content", tmp_path / "content", "--style", tmp_path / "style"]
    output = tmp_path / "vote"
    assert call(monkeypatch, tmp_path / "near", tmp_path / "far", *folders, "-o", output) == 0
    study = json.loads((output / "study.json").read_text())
    assert study["networks"] == ["near", "far"]
    assert len(study["trials"]) == 6
    names = {path.stem for path in (output / "images").iterdir()}
    assert not any("near" in name or "far" in name for name in names)
    # The same pictures under another name are refused.
    (tmp_path / "content" / "a.png").write_bytes((tmp_path / "content" / "b.png").read_bytes())
    assert call(monkeypatch, tmp_path / "near", tmp_path / "far", *folders, "-o", output) == 1


# ------------------------------------------------------------------------ in a browser


def picture(path: Path, color: tuple[int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(sum(path.name.encode())).integers(-20, 20, (64, 64, 3))
    pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs and two paintings; the results of a red and of a blue network."""
    folder = tmp_path_factory.mktemp("study")
    pairs = every_pair(
        [picture(folder / f"photo{number}.png", (90, 160, 90)) for number in "12"],
        [picture(folder / f"painting{number}.png", (200, 200, 80)) for number in "12"],
    )
    results = {
        name: SavedResults(
            {pair: picture(folder / name / f"{n}.png", color) for n, pair in enumerate(pairs)}
        )
        for name, color in (("</script>red", (210, 40, 40)), ("blue", (40, 40, 210)))
    }
    assert write_study(results, pairs, folder / "vote", size=64, count=30, seed=5) == 4
    return folder / "vote"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[Any]:
    with chromium(downloads) as browser:
        yield browser


def start(browser: Any, study: Path, rater: str) -> None:
    browser.get((study / "index.html").as_uri())
    browser.find_element("id", "rater").send_keys(rater)
    browser.find_element("css selector", "#start button").click()


def shown(browser: Any, place: str) -> str:
    source = browser.find_element("css selector", f"#at-{place} img").get_attribute("src")
    return Path(source).name


def choose(browser: Any, side: str) -> None:
    for question in QUESTIONS:
        selector = f"input[name={question}][value={side}]"
        browser.find_element("css selector", selector).click()


def downloaded(folder: Path, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while not (folder / name).exists():
        assert time.monotonic() < deadline, list(folder.iterdir())
        time.sleep(0.1)
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_a_rater_finishes_a_study(width, height, study, browser, downloads) -> None:
    set_screen(browser, width, height)
    requested(browser)
    rater = f"Anna {width}"
    start(browser, study, rater)
    red = {trial["first_image"] if trial["first"] != "blue" else trial["second_image"]
           for trial in json.loads((study / "study.json").read_text())["trials"]}  # fmt: skip
    red = {Path(name).name for name in red}
    for number in range(4):
        assert f"Comparison {number + 1} of 4" in browser.find_element("id", "title").text
        wide = browser.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width
        choose(browser, "left" if shown(browser, "left") in red else "right")
        if number == 1:  # going back keeps the answers
            browser.find_element("id", "next").click()
            browser.find_element("id", "back").click()
            kept = browser.find_elements("css selector", "input:checked")
            assert len(kept) == 3
        browser.find_element("id", "next").click()
    browser.find_element("id", "download").click()
    answers = downloaded(downloads, f"answers-Anna_{width}.json")
    assert answers["rater"] == rater
    networks, given = read_answers([downloads / f"answers-Anna_{width}.json"])
    assert networks == ["</script>red", "blue"]
    ranking = rank(networks, given, "style")
    assert ranking.wins == {"</script>red": 4}
    assert all(url.startswith(("file:", "blob:")) for url in requested(browser))
    problems = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert problems == []


@pytest.mark.slow
def test_order_and_sides_differ_by_rater_and_stay_for_one(study, browser) -> None:
    def course(rater: str) -> list[str]:
        start(browser, study, rater)
        seen = []
        for _ in range(4):
            seen.append(f"{shown(browser, 'left')} {shown(browser, 'right')}")
            choose(browser, "tie")
            browser.find_element("id", "next").click()
        browser.execute_script("localStorage.clear()")
        return seen

    first = course("ben")
    assert course("ben") == first
    assert any(course(f"rater {number}") != first for number in range(3))


@pytest.mark.slow
def test_an_interrupted_rater_goes_on_where_they_stopped(study, browser) -> None:
    start(browser, study, "carla")
    choose(browser, "left")
    browser.find_element("id", "next").click()
    start(browser, study, "carla")
    assert "Comparison 2 of 4" in browser.find_element("id", "title").text


@pytest.mark.slow
def test_the_keyboard_is_enough(study, browser) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.get((study / "index.html").as_uri())
    browser.find_element("id", "rater").send_keys("dora", Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "title"
    steps = 0
    while browser.switch_to.active_element.get_attribute("id") != "next":
        element = browser.switch_to.active_element
        if element.get_attribute("type") == "radio":
            element.send_keys(Keys.SPACE)
        element.send_keys(Keys.TAB)
        steps += 1
        assert steps < 30
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert "Comparison 2 of 4" in browser.find_element("id", "title").text


@pytest.mark.slow
def test_everything_has_a_name_for_screen_readers(study, browser) -> None:
    start(browser, study, "emil")
    unnamed = browser.execute_script("""
        return [...document.querySelectorAll("button, input, img, progress")].filter(
            (each) => each.checkVisibility() && !(each.labels?.length || each.textContent.trim()
                || each.alt || each.getAttribute("aria-label")));
    """)
    assert unnamed == []
    browser.find_element("css selector", "#at-left button").click()
    assert browser.find_element("id", "large").is_displayed()
    browser.find_element("css selector", "#large button").click()
    assert not browser.find_element("id", "large").is_displayed()
