"""The page in a browser: it sorts, filters, draws and fits, and makes no network requests."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from bench.report import page as report
from bench.report import site
from bench.report.page import looks
from tests.bench import synthetic

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="there is no chromium here")

LABELS = ["softmax", "focal", "inverse", "cb_focal[cb_beta=0.9]", "cb_focal[cb_beta=0.99]", "logit_adjusted"]
LONG = "fixmatch[sampling=reverse,unsup_ratio=1,unlabelled_sampling=reverse,strong_views=2,strong_augment=randaugment]"


#: A picture of one pixel, used alone and as each method's view.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
VIEWS = (looks.View(PIXEL, "five", "10 training images"), *(looks.View(PIXEL, label, "✗ nine, 93 %", False) for label in LABELS))
LOOK = looks.Look("Where methods look: digits IF 50, seed 0", ("each map is scaled to its own hottest place",), (VIEWS, VIEWS))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    store = synthetic.store(tmp_path_factory.mktemp("report") / "run", synthetic.run(LABELS, (10, 100), 3))
    (store.path / "plots").mkdir()
    looks.keep(LOOK, store.path / "plots" / "explain-gradcam.svg")
    report.write(store, store.path / "report.html")
    return store.path / "report.html"


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as started:
        yield started.chromium


@pytest.fixture
def browser(chromium):
    """A new browser for each test. An earlier test's window, while it closes, can hide a new one, which then draws no frames."""
    made = chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield made
    made.close()


@pytest.fixture
def opened(browser, file):
    """A function that opens the page. Errors and requests are collected on the page, and checked at the end."""
    contexts, troubles, asked = [], [], []

    def open_page(width=1280, scheme="light", file=file):
        size = {"width": width, "height": 844}
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"file://{file}")
        page.bring_to_front()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
    assert asked and all(url.startswith(("file://", "data:", "blob:")) for url in asked)


def until(page, expression, seconds=120):
    """Wait until an expression is true. (Playwright's own waiting is refused by the page's content security policy.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression}; the page is {page.evaluate('document.visibilityState')}"
        page.wait_for_timeout(50)


def draw_all(page):
    """Scroll to one panel after the other, each as soon as the one before is drawn, like a reader."""
    for place in range(page.locator(".panel").count()):
        panel = f"document.querySelectorAll('.panel')[{place}]"
        until(page, f"({panel}.scrollIntoView(), {panel}.dataset.drawn)")


#: The texts of all charts that are drawn and that lie outside their chart, where they are cut off.
CUT_OFF = """Array.from(document.querySelectorAll(".panel")).flatMap((panel) => {
  const chart = panel.querySelector("svg.main-svg").getBoundingClientRect();
  const outside = (box) =>
    box.left < chart.left - 1 || box.right > chart.right + 1 || box.top < chart.top - 1 || box.bottom > chart.bottom + 1;
  const texts = Array.from(panel.querySelectorAll("svg text")).map((text) => [text.textContent, text.getBoundingClientRect()]);
  return texts.filter(([words, box]) => box.width && outside(box)).map(([words]) => words);
})"""


def column(page, name):
    """The values of the visible rows under one heading."""
    names = page.locator("#board thead th").all_inner_texts()
    place = next(i for i, text in enumerate(names) if text.strip().startswith(name))
    return page.eval_on_selector_all(
        "#board tbody tr:not([hidden])", f"(rows) => rows.map((row) => row.cells[{place}].dataset.value)"
    )


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(opened):
    page = opened()
    head = page.locator("#board thead th", has_text="ACSA")
    head.locator("button").click()
    values = [float(v) for v in column(page, "ACSA")]
    assert len(values) == 12 and values == sorted(values, reverse=True) and head.get_attribute("aria-sort") == "descending"
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert [float(v) for v in column(page, "ACSA")] == sorted(values) and head.get_attribute("aria-sort") == "ascending"
    page.locator("#board thead th", has_text="method").locator("button").click()
    names = column(page, "method")
    assert names == sorted(names, key=lambda name: name.rstrip("]")) and head.get_attribute("aria-sort") == "none"


def test_words_and_the_choice_of_data_filter(opened):
    page = opened()
    page.fill("#filter", "cb_")
    assert set(column(page, "method")) == {"cb_focal[cb_beta=0.9]", "cb_focal[cb_beta=0.99]"}
    page.select_option("#column", "digits IF 100")
    assert len(column(page, "method")) == 2 and set(column(page, "data")) == {"digits IF 100"}
    assert page.inner_text("#count") == "2 of 12 rows"
    page.fill("#filter", "nothing like it")
    assert column(page, "method") == []


def test_every_chart_draws_something_and_only_when_it_is_near(opened):
    page = opened()
    page.wait_for_selector(".panel[data-drawn]")
    panels = page.locator(".panel").count()
    assert page.locator(".panel[data-drawn]").count() < panels, "the page opens before all of it is drawn"
    draw_all(page)
    marks = page.eval_on_selector_all(
        ".panel", "(all) => all.map((p) => p.querySelectorAll('.scatterlayer .trace, .heatmaplayer image').length)"
    )
    assert len(marks) == panels and min(marks) > 0


def test_the_legend_switches_a_method_off_in_all_panels(opened):
    page = opened()
    draw_all(page)
    traces = "document.querySelectorAll('#curves .scatterlayer .trace').length"
    before = page.evaluate(traces)
    button = page.locator("#curves .legend button", has_text="inverse")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    panels = page.locator("#curves .panel").count()
    until(page, f"{traces} === {before - panels}")  # its line, whose spread is drawn as bars beside those of five others
    button.click()
    until(page, f"{traces} === {before}")


def test_a_phone_needs_no_sideways_scrolling(opened):
    page = opened(width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    draw_all(page)
    pictures = "Array.from(document.querySelectorAll('.looks img'))"
    until(
        page, f"({pictures}[0].scrollIntoView(), {pictures}.length === 14 && {pictures}.every(picture => picture.naturalWidth))"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_dark_follows_the_system_and_the_button(opened):
    def ground(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = opened(), opened(scheme="dark")
    assert ground(light) == "rgb(255, 255, 255)" and ground(dark) != ground(light)
    light.bring_to_front()
    light.wait_for_selector(".panel[data-drawn]")
    ink = "document.querySelector('#factors .gtitle').style.fill"
    before = light.evaluate(ink)
    light.click("#theme")
    assert ground(light) == ground(dark)
    until(light, f"{ink} !== '{before}'")
    light.reload()
    assert ground(light) == ground(dark), "the choice is kept"


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_the_site_fits_and_draws_and_loads_only_what_lies_beside_it(opened, tmp_path, width, scheme):
    run = synthetic.store(tmp_path / "results" / "mine", synthetic.run([*LABELS, LONG], (10, 100), 3))
    site.write(site.Site([run], tmp_path / "results"), tmp_path / "site", say=lambda words: None)
    for name in ("index", "claims", "data/digits", "methods/cb_focal", "runs/mine"):
        page = opened(width, scheme, tmp_path / "site" / f"{name}.html")
        draw_all(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and page.evaluate(CUT_OFF) == [], name
    page.set_viewport_size({"width": 1590 - width, "height": 844})  # a phone is turned, or a window made narrow
    page.wait_for_timeout(1000)  # charts follow after 200 ms
    until(page, f"{CUT_OFF}.length === 0", seconds=20)
    page = opened(width, scheme, tmp_path / "site" / "index.html")
    for cell in page.locator("#data td.best").all():
        box = cell.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, "the best method and its accuracy are in sight"
    page = opened(width, scheme, tmp_path / "site" / "data" / "digits.html")
    figure = page.locator("#board tbody tr td").first.bounding_box()
    assert figure["x"] + figure["width"] <= width, "the figure that ranks is in sight"
    assert len(set(column(page, "data"))) == 1, "one data column is selected"
    data = page.locator("#board tbody tr:not([hidden]) td").nth(2).bounding_box()
    assert width < 600 or data["x"] + data["width"] <= width, "a long label hides neither the rank nor the data column"
    box = page.locator("#leaderboard .scroll")
    assert "more" in box.get_attribute("class"), "what goes on to the right shows it"
    box.evaluate("(box) => box.scrollTo(box.scrollWidth, 0)")
    until(page, "!document.querySelector('#leaderboard .scroll').classList.contains('more')")
