"""What a person sees and does on a run's page, in a real browser."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline.report import html, numbers
from lightly_pipeline_tests.support.browser import (
    CONTRAST,
    NARROW,
    WIDE,
    Browser,
    chromium,
    needs_browser,
)
from lightly_pipeline_tests.support.reports import made_report

pytestmark = [needs_browser, pytest.mark.integration]

N_CHOSEN = 64
SHOWN_RANKS = "return $('#frames-list').dataset.frames.split(' ').filter(Boolean).map(Number)"
HOSTILE = (
    "</script><script>document.title='taken'</script>.mp4",
    '"><img src=x onerror="document.title=`taken`">.mp4',
    "%%DATA%% ${document.title='taken'} {{7*7}}.mp4",
    "not text \udcff\udc80.mp4",
    "day 1/\u202eright to left\u2028.mp4",
    "javascript:document.title='taken'/日本語 🎬 &amp;.mp4",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def report() -> numbers.Report:
    return made_report(9, 40, N_CHOSEN)


@pytest.fixture(scope="module")
def page(report: numbers.Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("page"), report)


def written(folder: Path, report: numbers.Report) -> Path:
    path = folder / "report.html"
    path.write_text(html.render(report), encoding="utf-8")
    return path


def set_order(browser: Browser, n: int) -> None:
    browser.run(
        "const s = $('#order'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))", n
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_it_opens_without_complaint_request_or_sideways_scrolling(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    browser.open(page, width=width, dark=dark)
    browser.see_everything()
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.run("return document.documentElement.scrollWidth") == width


def test_the_overview_says_what_was_read_broken_and_chosen_on_one_screen(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    tiles = browser.run("return $$('.tiles > div').map((tile) => tile.innerText)")
    assert [tile.split("\n")[1] for tile in tiles] == [
        "9",
        "420",
        "360",
        str(N_CHOSEN),
        "4",
        "1 min 39 s",
    ]
    assert "of 11: 1 broken, 1 left out" in tiles[0]
    browser.wait("return $$('#overview .plot svg.main-svg').length")
    assert browser.run("return $('#overview').getBoundingClientRect().bottom") <= 900


def test_the_slider_leaves_the_first_choices_everywhere(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.see_everything()
    set_order(browser, 7)
    assert browser.run(SHOWN_RANKS) == list(range(7))
    assert f"7 of {N_CHOSEN} · median distance" in browser.find("#order-says").text
    assert browser.run("return $$('.timeline line.tick:not(.later)').length") == 7
    assert browser.run("return $('#map-plot').data[1].x.length") == 7
    (mark,) = browser.run("return $('#overview .plot').layout.shapes")
    assert mark["x0"] == 7
    set_order(browser, N_CHOSEN)
    assert browser.run(SHOWN_RANKS) == list(range(N_CHOSEN))
    assert browser.run("return $('#overview .plot').layout.shapes") == []


def test_the_slider_follows_the_keyboard(browser: Browser, page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(page)
    browser.run("$('#order').focus()")
    browser.keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert browser.run(SHOWN_RANKS) == [0, 1, 2]


def test_frames_are_filtered_by_video_and_by_what_decided_them(
    browser: Browser, page: Path, report: numbers.Report
) -> None:
    browser.open(page)
    browser.find("#video-filter").send_keys("FOREST")
    forest = [frame.rank for frame in report.chosen if "forest" in frame.video]
    assert browser.run(SHOWN_RANKS) == forest
    assert f"{len(forest)} frames of {N_CHOSEN}" in browser.find("#frames .count").text
    browser.run(
        "const b = $('#by-filter'); b.value = b.options[1].value;"
        "b.dispatchEvent(new Event('change'))"
    )
    by = report.chosen[0].decided_by
    assert browser.run(SHOWN_RANKS) == [r for r in forest if report.chosen[r].decided_by == by]


def test_frames_are_sorted(browser: Browser, page: Path, report: numbers.Report) -> None:
    browser.open(page)
    chosen = report.chosen

    def sorted_by(name: str) -> list[int]:
        script = (
            "const s = $('#sort'); s.value = arguments[0]; s.dispatchEvent(new Event('change'))"
        )
        browser.run(script, name)
        ranks: list[int] = browser.run(SHOWN_RANKS)
        return ranks

    assert sorted_by("last chosen first") == list(reversed(range(N_CHOSEN)))
    places = [(chosen[r].video, chosen[r].frame_index) for r in sorted_by("video and time")]
    assert places == sorted(places)
    distances = [chosen[r].distance for r in sorted_by("distance, farthest first")[1:]]
    assert distances == sorted(distances, reverse=True)


def test_more_frames_are_shown_on_demand(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("return $$('#frames-list .frame').length") == 48
    browser.run("$('#frames .more').click()")
    assert browser.run("return $$('#frames-list .frame').length") == N_CHOSEN
    assert browser.run("return document.activeElement.dataset.rank") == "48"
    assert not browser.find("#frames .more").is_displayed()


def test_a_frame_is_shown_larger_with_its_facts_and_steps_by_keyboard(
    browser: Browser, page: Path, report: numbers.Report
) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(page)
    chosen = report.chosen
    browser.run("$('#frames-list [data-rank=\"5\"]').focus()")
    browser.keys(Keys.ENTER)
    text = browser.find("#frame").text
    assert "Choice #6" in text
    assert chosen[5].video in text
    assert "WEIGHTS of METADATA sharpness" in text
    assert f"from #{chosen[5].nearest_rank + 1}" in text
    link = browser.run("return $('#frame dl a').getAttribute('href')")
    assert link == "../../../" + chosen[5].image.replace(" ", "%20")
    browser.keys(Keys.ARROW_RIGHT)
    assert "Choice #7" in browser.find("#frame").text
    browser.keys(Keys.ESCAPE)
    assert not browser.find("#frame").is_displayed()
    assert browser.run("return document.activeElement.dataset.rank") == "5"


def test_a_click_into_a_timeline_shows_the_frame(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.scroll_to("#timelines")
    browser.wait("return $('.strip button')")
    browser.scroll_to(".strip button")
    rank = browser.run("return Number($('.strip button').dataset.rank)")
    browser.find(".strip button").click()
    assert f"Choice #{rank + 1}" in browser.find("#frame").text
    browser.run("$('#frame').close(); $('.timeline line.tick').dispatchEvent(new Event('click'))")
    assert f"Choice #{rank + 1}" in browser.find("#frame").text


def test_timelines_say_what_is_damaged_and_left_out(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.scroll_to("#timelines")
    browser.wait("return $$('.timeline').length === 9")
    labels = browser.run("return $$('.timeline svg').map((svg) => svg.getAttribute('aria-label'))")
    assert any("blocks-000.mp4" in label and "6% of the time damaged" in label for label in labels)
    assert any("clock-001.mp4" in label and "12% left out" in label for label in labels)
    browser.find("#timeline-filter").send_keys("sea")
    assert browser.run("return $$('.timeline').length") == 1


def open_map(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.see_everything()  # what lies above the map is drawn late, too, and moves it
    browser.scroll_to("#map-plot")
    still = "const y = $('#map-plot').getBoundingClientRect().y, was = window.y; window.y = y;"
    browser.wait(f"{still} return y === was")


def test_the_map_shows_the_picture_of_a_chosen_frame_under_the_pointer(
    browser: Browser, page: Path, report: numbers.Report
) -> None:
    open_map(browser, page)
    chosen = report.chosen
    x, y = browser.map_point(1, 1)
    browser.point_at((x - 40, y - 40), (x, y), (x + 1, y))
    browser.wait("return !$('.tip').hidden && $('.tip img')")
    named = browser.find(".tip").text
    rank = int(named.split("#")[1].split("\n")[0]) - 1
    assert chosen[rank].video in named
    assert browser.run("return $('.tip img').src").startswith("data:image/jpeg")


def test_the_map_tells_video_and_time_of_a_frame_that_was_not_chosen(
    browser: Browser, page: Path
) -> None:
    open_map(browser, page)
    lonely = browser.run(
        "const p = $('#map-plot'), [other, chosen] = p.data;"
        "const far = other.x.map((x, i) => Math.min(...chosen.x.map((cx, j) =>"
        "Math.hypot(x - cx, other.y[i] - chosen.y[j])))); return far.indexOf(Math.max(...far))"
    )
    x, y = browser.map_point(0, lonely)
    browser.point_at((x - 40, y - 40), (x, y), (x, y))
    told = browser.wait("return !$('.tip').hidden && !$('.tip img') && $('.tip').innerText")
    assert re.search(r"not chosen\nday 1/.*\.mp4\nframe [\d,]+, \d:\d\d\.\d\d", told)


def test_a_lasso_lists_the_frames_within_and_copies_them(browser: Browser, page: Path) -> None:
    open_map(browser, page)
    corners = ((0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.02))
    around = [browser.map_place(*corner) for corner in corners]
    browser.drag(*around)
    browser.wait("return $('#map-list table')")
    assert f"360 points, {N_CHOSEN} of them chosen" in browser.find("#map-list").text
    browser.run(
        "navigator.clipboard.writeText = async (text) => { window.copied = text; };"
        "$('#map-list button').click()"
    )
    lines = browser.wait("return window.copied").split("\n")
    assert lines[0] == "choice\tvideo\tframe\ttime_s"
    assert len(lines) == 361
    assert lines[1].startswith("#1\tday 1/blocks-000.mp4\t0\t0")


def test_the_map_can_be_listed_without_a_pointer(browser: Browser, page: Path) -> None:
    open_map(browser, page)
    browser.run("$$('#map button').find((b) => b.textContent.startsWith('List')).click()")
    assert f"{N_CHOSEN} of them chosen" in browser.find("#map-list").text
    browser.run("$('#map-list td button').click()")
    assert "Choice #1" in browser.find("#frame").text


def test_every_control_is_reached_by_tab_and_has_a_name(browser: Browser, page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(page)
    browser.see_everything()
    browser.run("$('#frames .more')?.click(); document.activeElement.blur(); window.scrollTo(0, 0)")
    wanted = browser.run(
        "const all = $$('a[href], button, input, select, summary, [tabindex=\"0\"]')"
        ".filter((e) => e.checkVisibility() && !e.disabled && !e.closest('dialog'));"
        "all.forEach((e, i) => { e.dataset.place = i; }); return all.length"
    )
    browser.run("document.body.tabIndex = -1; document.body.focus()")
    script = "document.activeElement.dataset.place ?? null"
    reached = set()
    for _ in range(wanted + 5):
        browser.keys(Keys.TAB)
        reached.add(browser.run(f"return {script}"))
    assert {str(i) for i in range(wanted)} <= reached
    nameless = browser.run(
        "const said = (e) => (e.getAttribute('aria-label') || e.textContent || "
        "[...(e.labels ?? [])].map((l) => l.textContent).join('')).trim();"
        "return $$('button, a[href], input, select, summary').filter((e) => !said(e))"
        ".map((e) => e.outerHTML)"
    )
    assert nameless == []


def test_pictures_have_words(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.see_everything()
    # A picture inside of a control is told by the control's own words.
    wordless = browser.run(
        "const told = (i) => i.alt || (i.hasAttribute('alt') && i.closest('button, .tip'));"
        "return $$('img').filter((i) => !told(i))"
        ".map((i) => i.outerHTML.slice(0, 200))"
    )
    assert wordless == []
    assert browser.run(
        "return $$('[role=img]').every((e) => e.getAttribute('aria-label').length > 20)"
    )
    levels = browser.run("return $$('main h1, main h2, main h3').map((e) => Number(e.tagName[1]))")
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_and_lines_stand_out(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    browser.see_everything()
    assert browser.faint_texts() == []
    lines = browser.run(
        CONTRAST + "const style = getComputedStyle(document.documentElement);"
        "return ['choice', 'random', 'even', 'asked', 'damaged', 'edge'].map((name) =>"
        "rgba(style.getPropertyValue('--' + name)))"
        ".map((colour) => contrast(colour, rgba(style.getPropertyValue('--surface'))))"
    )
    assert min(lines) >= 3


def test_pictures_follow_a_change_of_colour_scheme(browser: Browser, page: Path) -> None:
    browser.open(page)
    stroke = "return $('#overview .plot path.js-line')?.style.stroke"
    light = browser.wait(stroke)
    browser.show(dark=True)
    assert browser.wait(f"const now = (() => {{ {stroke} }})(); return now !== '{light}' && now")


def test_names_of_files_are_text_whatever_they_say(browser: Browser, tmp_path: Path) -> None:
    report = made_report(videos=HOSTILE, per_video=10, n_chosen=12)
    hostile = HOSTILE[0]
    facts = replace(
        report.facts,
        dataset=hostile,
        config={hostile: [HOSTILE[3], float("nan"), {"path": Path("/tmp")}]},
        versions={HOSTILE[1]: HOSTILE[4]},
    )
    balance = numbers.Balance(HOSTILE[1], {hostile: 1.0}, {hostile: 0.5}, {HOSTILE[3]: 0.5})
    problems = tuple(numbers.Problem(HOSTILE[i], hostile, HOSTILE[1]) for i in range(6))
    report = replace(report, facts=facts, balances=(balance,), problems=problems)
    page = written(tmp_path, report)
    browser.open(page)
    browser.see_everything()
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.driver.title.startswith(hostile)
    assert browser.run("return $$('img[src=x], script').length") == 3
    shown = browser.run("return $$('.timeline h3').map((h) => h.textContent)")
    said = {name.encode("utf-8", "backslashreplace").decode() for name in HOSTILE}
    assert set(shown) == said


ODD: dict[str, dict[str, Any]] = {
    "nothing chosen": {"n_chosen": 1, "chosen": (), "coverage": (), "twins": (), "distances": ()},
    "one frame": {"n_videos": 1, "per_video": 1, "n_chosen": 1, "twins": (), "distances": ()},
    "no times": {"times": False},
    "no previews": {"previews": False},
    "no problems": {"problems": ()},
    "no map": {"map": None, "balances": (), "histograms": ()},
    "no videos": dict.fromkeys(
        ("chosen", "timelines", "coverage", "twins", "distances", "histograms"), ()
    )
    | {"n_chosen": 1, "map": None},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_runs_have_a_page(browser: Browser, tmp_path: Path, name: str) -> None:
    page = written(tmp_path, made_report(**{"per_video": 10, **ODD[name]}))
    browser.open(page)
    browser.see_everything()
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    assert "undefined" not in browser.find("main").text
    assert "NaN" not in browser.find("main").text
