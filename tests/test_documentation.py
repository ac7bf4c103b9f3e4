"""The documentation's reference names everything that is registered, and its links and pages work in MkDocs."""

from __future__ import annotations

import re

import pytest

from bench.cli import listing
from bench.report.plots import PLOTS
from docs.hooks import gallery, reference, site
from lt_core.metrics import METRICS, metric
from lt_core.parts import GROUPS
from tests.bench.harness import not_the_end


@pytest.fixture(scope="module")
def pages():
    return reference.pages()


@pytest.fixture(autouse=True)
def unfrozen():
    """Undoes what `list` does for speed: its imports are kept from garbage collection, but this process does not end soon."""
    yield
    not_the_end()


def test_the_reference_has_an_entry_for_everything_that_is_registered(pages):
    headings = {name: set(re.findall(r"^##+ (\S+)$", text, re.M)) for name, text in pages.items()}
    assert {m["name"] for m in listing.methods("*")} <= headings["methods"]
    assert set(GROUPS["loss"]) <= headings["losses"] and set(GROUPS["sampling"]) <= headings["samplings"]
    assert all(set(GROUPS[group]) <= headings["parts"] for group in GROUPS if group not in ("loss", "sampling"))
    for page, kinds in (("suites", ("suites", "spaces")), ("tables", ("tables", "plots", "explanations", "loggers"))):
        for kind in kinds:
            assert all(f"| `{item['name']}` |" in pages[page] for item in listing.LISTINGS[kind]("*"))
    for page in ("datasets", "models", "recipes", "metrics"):
        assert all(f"| `{item['name']}` |" in pages[page] for item in listing.LISTINGS[page]("*"))


def test_the_reference_has_every_command_with_its_options(pages):
    text = pages["command-line"]
    for name, command, _ in reference.commands():
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert all(option in section for parameter in command.params for option in parameter.opts if option.startswith("--"))
    assert "\n## data add\n" in text and "--checkpoint-every SECONDS" in text


def test_the_reference_is_made_anew_each_time(monkeypatch, pages):
    monkeypatch.setattr(METRICS, "_items", dict(METRICS._items))
    metric("brand_new", "a metric from a moment ago")(lambda outcome: 0.5)
    assert "brand_new" not in pages["metrics"] and "| `brand_new` | a metric from a moment ago" in reference.metrics()


def test_words_of_the_code_are_no_markup():
    assert reference._cell("`ray|inline`") == "<code>ray&#124;inline</code>"
    assert reference._cell("a | b, x_c < 3 of ``names``") == "a &#124; b, x\\_c &lt; 3 of `names`"


@pytest.mark.parametrize(
    ("page", "link", "there"),
    [
        ("index.md", "docs/run.md", "run.md"),
        ("index.md", "CONTRIBUTING.md", "repository/CONTRIBUTING.md"),
        ("speed.md", "../README.md#speed", "index.md#speed"),
        ("results/margins.md", "../figures/f.png", "../figures/f.png"),
        ("results/index.md", "../../results/a/b.md#c", "../repository/results/a/b.md#c"),
        ("repository/CHANGELOG.md", "docs/gpu.md", "../gpu.md"),
        ("run.md", "https://example.org", "https://example.org"),
        ("run.md", "#run", "#run"),
    ],
)
def test_links_lead_where_a_file_is_in_the_site(page, link, there):
    assert site.relinked(f"[words]({link})", page) == f"[words]({there})"


def test_what_is_outside_docs_is_found_but_not_in_code():
    text = "[a](../results/a.md) [b](run.md) [c](../CHANGELOG.md#x)\n```\n[d](../d.md)\n```\n"
    assert site.outside(text, "tune.md") == ["results/a.md", "CHANGELOG.md"]


def test_what_a_page_would_load_from_another_host_is_found():
    html = '<link rel="stylesheet" href="//fonts.example/css"><img src=https://a.example/b.png><script src="own.js"></script>'
    assert site.loaded(f'{html}<a href="https://c.example">no load</a>') == ["//fonts.example/css", "https://a.example/b.png"]


def test_the_gallery_shows_every_kind_of_chart_of_committed_rows_by_the_command_that_draws_it():
    assert list(gallery.SHOWN) == list(PLOTS)
    text = gallery.sections()
    assert re.findall(r"^## (\S+)$", text, re.M) == list(PLOTS)
    assert len(re.findall(r"^    python bench\.py plot \S+ --run \S+", text, re.M)) == len(PLOTS)
    assert re.findall(r"\(gallery/(\S+)-([12])\.svg\)", text) == [(kind, width) for kind in PLOTS for width in "12"]
    assert all(gallery.chart(kind).notes for kind in PLOTS)


def test_the_pictures_of_the_gallery_are_what_its_page_shows(monkeypatch):
    monkeypatch.setattr(gallery, "PLOTS", {"ranks": PLOTS["ranks"]})  # building the documentation draws all of them
    drawn = dict(gallery.pictures())
    assert list(drawn) == ["gallery/ranks-1.svg", "gallery/ranks-2.svg"]
    one, two = (float(re.search(rb'<svg[^>]* width="([\d.]+)pt"', svg)[1]) for svg in drawn.values())
    assert (one, two) == (3.25 * 72, 6.75 * 72)


def test_every_promise_names_a_test_that_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (site.ROOT / "docs" / "guarantees.md").read_text())
    assert len(named) > 20
    for file, test in named:
        assert f"\ndef {test}(" in (site.ROOT / file).read_text(), f"{file} has no {test}"
