"""The leaderboard as a website: its pages and files, what is kept, and what is rejected."""

from __future__ import annotations

import importlib
import json
import re
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from bench.analysis.leaderboard import leaderboard
from bench.cli.app import app
from bench.records import HEADLINE, certificate
from bench.report import export
from bench.report.charts import Axis, Chart, Panel, Series, web
from bench.report.charts.palette import WEB_MARKERS
from bench.report.page.board import Board, Line
from bench.report.page.charts import on_page
from bench.report.page.html import rendered
from bench.report.site import Site, contents, write
from bench.report.site.comparison import comparison
from lt_core.errors import UserError
from tests.bench import synthetic

LABELS = ["softmax", "focal", "cb_focal[cb_beta=0.9]"]


@pytest.fixture
def stores(tmp_path):
    """An official run and a submitted one, in the same data column."""
    mine = synthetic.store(tmp_path / "results" / "mine", synthetic.run(LABELS, (10, 100), 3))
    theirs = synthetic.store(tmp_path / "results" / "submitted" / "theirs", synthetic.run(["inverse"], (100,), 3))
    return [mine, theirs]


@pytest.fixture
def site(stores, tmp_path):
    write(Site(stores, tmp_path / "results"), tmp_path / "site", say=lambda words: None)
    return tmp_path / "site"


def links(page: Path) -> list[Path]:
    """The files that a page links to."""
    found = re.findall(r'(?:href|src)="([^"#:]+)(?:#[^"]*)?"', page.read_text())
    return [(page.parent / link).resolve() for link in found]


def test_every_page_is_there_and_every_link_leads_to_one(site):
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    methods = {f"methods/{name}.html" for name in ("softmax", "focal", "cb_focal", "inverse")}
    runs = {"runs/mine.html", "runs/theirs.html"}
    assert pages == {"index.html", "claims.html", "leaderboard.html", "data/digits.html", *methods, *runs}
    for page in site.rglob("*.html"):
        for file in links(page):
            assert file.exists(), f"{page.relative_to(site)} links to {file}"


def test_the_leaderboard_is_computed_once_and_its_files_are_those_of_an_export(stores, tmp_path, monkeypatch):
    trials = []

    def counted(frame, *metric):
        trials.append(len(frame))
        return leaderboard(frame, *metric)

    with monkeypatch.context() as patch:
        for module in ("site.write", "export", "page.board"):
            patch.setattr(importlib.import_module(f"bench.report.{module}"), "leaderboard", counted)
        write(Site(stores, tmp_path / "results"), tmp_path / "site", say=lambda words: None)
    assert sorted(trials) == [3, 18, 21], "one for the page of each run, one for all else"
    for file in export.export(stores, tmp_path / "alone"):
        assert file.read_bytes() == (tmp_path / "site" / file.name).read_bytes(), file.name


def test_the_first_page_names_the_best_of_each_column(site):
    text = (site / "index.html").read_text()
    assert "digits IF 100" in text and "digits IF 10<" in text
    summary = {line.column: line for line in contents.summaries(pd.read_parquet(site / "leaderboard.parquet"))}
    assert summary["digits IF 100"].settings == 4 and summary["digits IF 100"].trials == 12


def test_a_methods_page_has_its_definition_its_fidelity_and_its_rows_alone(site, monkeypatch):
    text = (site / "methods" / "cb_focal.html").read_text()
    for words in ("Cui et al. 2019", "weights = <code>effective_number</code>", "cb_beta", "richardaecn/class-balanced-loss"):
        assert words in text, words
    assert text.count("<tr data-column=") == 2 and text.count('<th scope="row" data-value="digits IF') == 2, "named by their data"
    assert "<p>Focal loss with effective-number weights." in text and text.count("python bench.py run") == 3, "one is in sight"


def test_a_data_sets_page_opens_at_the_column_with_the_most_rows(site):
    assert 'data-first="digits IF 100"' in (site / "data" / "digits.html").read_text()
    lines = tuple(Line((), "softmax", column, "", "") for column in ("a", "b", "c", "b", "c"))
    assert Board(lines=lines, columns=("a", "b", "c")).largest == "b"


def test_submitted_rows_are_told_from_official_ones(site):
    text = (site / "data" / "digits.html").read_text()
    assert text.count('data-value="submitted"') == 1 and text.count('data-value="official"') == 6
    assert "submitted" not in (site / "methods" / "focal.html").read_text()


def test_what_was_verified_is_told(stores, tmp_path):
    verdicts = [{"trial_id": "a", "label": "softmax", "kind": kind, "words": ""} for kind in ("same", "same", "replicate")]
    machine = {"device_name": "AMD EPYC", "processor": "AuthenticAMD 25/1"}
    certificate.write(stores[0].path, 7, verdicts, {"git_commit": "c0ffee", "machine": machine})
    write(Site(stores, tmp_path / "results"), tmp_path / "site", say=lambda words: None)
    words = (
        "3 trials drawn at random and run again on AMD EPYC (AuthenticAMD 25/1): 2 with figures identical to the bit, 1 a "
        "replicate on another kind of device."
    )
    assert words in (tmp_path / "site" / "index.html").read_text()
    with pytest.raises(UserError, match=r"tells of 3 trials .*, and --sample 2 would replace it: use --sample 3"):
        certificate.refuse_smaller(stores[0].path, 2)
    certificate.refuse_smaller(stores[0].path, 3)
    certificate.write(stores[0].path, 7, verdicts, {"git_commit": "c0ffee"})
    assert "run again: 2 with" in certificate.words(stores[0].path), "the first certificates did not name the machine"
    (stores[0].path / certificate.FILE).write_text("{")
    with pytest.raises(UserError, match=r"verified\.json is damaged: write it again with"):
        certificate.words(stores[0].path)


def test_the_same_rows_give_the_same_bytes_and_releases_stay(stores, tmp_path):
    made = Site(stores, tmp_path / "results")
    write(made, tmp_path / "site", release="v1", say=lambda words: None)
    first = {path.relative_to(tmp_path / "site"): path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()}
    write(Site(stores, tmp_path / "results"), tmp_path / "site", release="v1", say=lambda words: None)
    for name, content in first.items():
        assert (tmp_path / "site" / name).read_bytes() == content, name
    fewer = Site(stores[:1], tmp_path / "results")
    with pytest.raises(UserError, match="release v1 is already in the archive with different rows"):
        write(fewer, tmp_path / "site", release="v1")
    assert (tmp_path / "site" / "methods" / "inverse.html").exists(), "what was there is there"
    write(fewer, tmp_path / "site", release="v2", say=lambda words: None)
    assert not (tmp_path / "site" / "methods" / "inverse.html").exists()
    assert {path.name for path in (tmp_path / "site" / "archive").iterdir()} == {"v1", "v2"}
    assert all((tmp_path / "site" / "archive" / "v1" / name).is_file() for name in export.FILES)


def test_a_folder_that_is_no_site_is_left_alone(stores, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("x")
    for out, words in (
        (tmp_path / "precious", "was not written by this program"),
        (tmp_path / "precious" / "thesis.tex", "was not written"),
    ):
        with pytest.raises(UserError, match=words):
            write(Site(stores), out)
    with pytest.raises(UserError, match="--release must be a simple name"):
        write(Site(stores), tmp_path / "site", release="../x")
    assert (tmp_path / "precious" / "thesis.tex").read_text() == "x"


def test_the_command_takes_committed_and_submitted_runs(stores, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for store in stores:
        store.compact()
    app(["site", "--out", "site"], standalone_mode=False)
    assert "open site/index.html" in capsys.readouterr().out
    assert (tmp_path / "site" / "runs" / "theirs.html").is_file()
    rows = json.loads((tmp_path / "site" / "leaderboard.json").read_text())
    assert {row["label"] for row in rows} == {*LABELS, "inverse"}


def test_a_method_is_drawn_beside_all_others_on_its_data_columns_alone():
    board = pd.DataFrame(
        [
            ("digits IF 10", "softmax", "softmax", 90.0, 1.0, 3.0, 3),
            ("digits IF 10", "focal", "focal[gamma=1]", 92.0, 2.0, 2.0, 3),
            ("digits IF 10", "focal", "focal[gamma=2]", 94.0, float("nan"), 1.0, 1),
            ("digits IF 10", "inverse", "inverse", 70.0, 1.0, 4.0, 3),
            ("cifar10 IF 10, frozen, frozen[size=112], epochs 10", "softmax", "softmax", 50.0, 1.0, 1.0, 3),
        ],
        columns=["column", "method", "label", HEADLINE, f"{HEADLINE}_std", "rank", "n"],
    )
    chart = comparison(board[board["method"] == "focal"], board)
    [panel] = chart.panels
    assert panel.rows == ("digits IF 10",)
    drawn = {(s.name, s.kind): s for s in panel.series}
    assert drawn["worst to best method", "bar"].x == (70.0, 94.0)
    assert drawn["focal[gamma=1]", "bar"].x == (90.0, 94.0) and ("focal[gamma=2]", "bar") not in drawn
    assert drawn["softmax", "points"].x == (90.0,) and drawn["softmax", "points"].y == (0.0,)
    heights = [drawn[f"focal[gamma={gamma}]", "points"].y[0] for gamma in (1, 2)]
    assert heights[0] == -heights[1] != 0, "two settings in one row do not cover each other"
    assert (panel.x.low, panel.x.high) == (70.0, 95.0)
    entries = {entry["name"]: entry["colour"] for entry in web.legend(chart)}
    assert sorted(entries) == ["focal[gamma=1]", "focal[gamma=2]", "softmax", "worst to best method"]
    assert len(set(entries.values())) == 4
    rows = comparison(board[board["method"] == "softmax"], board).panels[0].rows
    assert rows == ("digits IF 10", "cifar10 IF 10, frozen, epochs 10")
    assert comparison(board.assign(**{HEADLINE: float("nan")}), board) is None


@pytest.mark.parametrize("many", [1, 3, 7])
def test_settings_of_a_method_stand_apart_however_many_share_a_row(many):
    labels = ["softmax", *(f"focal[gamma={gamma}]" for gamma in range(many))]
    rows = [
        {"column": column, "label": label, "method": label.partition("[")[0], HEADLINE: 90.0, f"{HEADLINE}_std": float("nan"),
         "n": 1, "rank": 1}
        for column in ("digits IF 10", "digits IF 50") for label in labels
    ]  # fmt: skip
    board = pd.DataFrame(rows)
    [panel] = comparison(board[board["method"] == "focal"], board).panels
    places = sorted(s.y[0] for s in panel.series if s.name.startswith("focal"))
    names = sorted(s.y[0] for s in panel.series if s.written)
    assert names[0] > places[many - 1] and names[1] > places[-1], "above all settings of their rows"
    assert min((b - a for a, b in pairwise(places)), default=1.0) >= 0.17, "in rows"
    assert len(panel.rows) == {1: 2, 3: 2, 7: 5}[many] and panel.y.low < places[0] and places[-1] < panel.y.high


def test_the_page_of_a_method_has_its_chart(site):
    text = (site / "methods" / "focal.html").read_text()
    assert 'data-chart="comparison"' in text and 'src="../plotly.js"' in text
    assert "for print" not in text, "it is not one of the plots of a run"


def test_the_legend_of_a_page_can_draw_every_mark():
    series = tuple(Series(f"s{number}", (0.0,), (0.0,), kind="points", colour=number) for number in range(len(WEB_MARKERS)))
    chart = Chart("many", "Many", (Panel("", Axis(), Axis(), series),))
    text = rendered("_chart.html", chart=on_page(chart, ""))
    shapes = re.findall(r'class="symbol" d="([^"]+)"', text)
    assert len(set(shapes)) == len(WEB_MARKERS)


def test_a_data_column_in_which_nothing_can_be_tested_says_so():
    rows = pd.DataFrame({"column": "digits IF 10", "label": ["a", "b"], HEADLINE: [90.0, 80.0], f"{HEADLINE}_std": [1.0, 1.0],
                         "n": [3, 3], "rank": [1, 2], "tied": False, "untested": [False, False]})  # fmt: skip
    assert [line.tied for line in contents.summaries(rows)] == [0]
    assert [line.tied for line in contents.summaries(rows.assign(untested=[False, True]))] == [None]
    assert [line.tied for line in contents.summaries(rows.assign(n=1))] == [None]
