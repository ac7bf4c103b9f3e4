"""The page of a run: its content, and that it is safe, always the same to the byte, and fast to make."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.report import page as report
from bench.report.page import facts
from bench.report.page.board import board
from bench.report.plots import PLOTS
from lt_core.errors import UserError
from lt_core.result import FAILED, LOST, PRUNED
from tests.bench import synthetic
from tests.bench.harness import cli
from tests.bench.synthetic import trial

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def run(tmp_path):
    return lambda *results, name="run": synthetic.store(tmp_path / name, results)


def own(page: str) -> str:
    """The page without the copy of plotly.js, and without the places where a name may be broken."""
    return re.sub(r"<script>/\*\*\n\* plotly\.js.*?</script>", "", page, flags=re.S).replace("<wbr>", "")


def test_the_page_holds_the_board_the_charts_and_where_they_come_from(run):
    page = own(report.render(run(*synthetic.run(["softmax", "focal", "inverse"], (10, 50)))))
    for words in (
        "<title>run · lt-bench</title>", "digits IF 50, 10", "a CPU", "12</dd>", "commit c0ffee, clean", "torch 2.15.0",
        "digits: d1", "python bench.py run synthetic", "Every trial finished.", "s50",
        "recipe digits, model small_cnn, 40 epochs",
    ):  # fmt: skip
        assert words in page, words
    drawn = set(re.findall(r'id="data-(\w+)"', page))
    assert drawn == set(PLOTS) - {"heatmap", "gains", "generations", "tsne", "translations"}
    assert "this run does not have two settings of a class-balanced loss, so there is no grid to draw" in page
    for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, flags=re.S):
        assert json.loads(text)[0]["data"]


def test_no_label_or_cause_can_become_markup(run):
    store = run(
        trial(), trial(seed=1, status=FAILED, cause=EVIL), trial(seed=2, environment={"device_name": EVIL, "command": EVIL})
    )
    frame = store.frame()
    frame["label"] = frame["label"].where(frame["seed"] != 2, EVIL)
    store._frames._frames = {"trials": frame}
    page = own(report.render(store))
    assert "alert(1)" in page, "it is shown"
    assert "<script>alert" not in page and "<img src=x" not in page
    assert page.count("<script") == page.count("</script>") == len(re.findall(r'id="data-', page)) + 1
    assert report.html.embedded({"a": EVIL + "<!--&\u2028"}).isascii() and "<" not in report.html.embedded(EVIL)
    assert json.loads(report.html.embedded(EVIL)) == EVIL


def test_the_same_records_give_the_same_bytes(run):
    results = synthetic.run(["softmax", "focal"], (10, 50))
    first = report.render(run(*results))
    second = run(*reversed(results), name="other/run")
    assert report.render(second) == first


def test_it_asks_no_network_for_anything(run):
    page = own(report.render(run(trial())))
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", page)


def test_failures_are_grouped_and_say_how_to_try_again(run):
    bad = [trial(seed=seed, status=FAILED, cause="RuntimeError: no") for seed in range(7)]
    found = facts.failures(run(trial("focal"), trial("focal", 1, status=LOST, cause="its node died"), *bad).frame())
    assert [(f.status, f.cause, f.count, len(f.first)) for f in found] == [
        ("failed", "RuntimeError: no", 7, 5),
        ("lost", "its node died", 1, 1),
    ]
    assert found[0].command == "python bench.py run synthetic --retry-failed" and "runs it again automatically" in found[1].remedy
    assert found[1].command == "python bench.py run synthetic" and found[1].first[0].startswith("focal, digits IF 50, seed 1 (")


def test_what_a_study_stopped_is_no_failure(run):
    frame = run(trial(), trial(seed=1, status=PRUNED, cause="median"), trial(seed=2, status=FAILED, cause="no")).frame()
    assert dict(facts.header(frame))["trials"] == "3 (1 failed, 1 stopped early by a study)"
    assert [f.cause for f in facts.failures(frame)] == ["no"]


def test_two_commits_in_one_run_are_both_told(run):
    other = trial(seed=1, environment={"git_commit": "beef", "git_dirty": True})
    provenance = dict(facts.provenance(run(trial(), trial(seed=2), other).frame()))
    assert provenance["code"] == [("commit c0ffee, clean", 2), ("commit beef, with uncommitted changes", 1)]


def test_subsets_of_two_data_columns_are_told_apart(run):
    other = trial(environment={"subset_fingerprint": "s60"})
    other = replace(other, spec=replace(other.spec, data=replace(other.spec.data, n_max=60)))
    found = [("digits IF 50, n_max 60, subset_seed 0", "s60"), ("digits IF 50, n_max 124, subset_seed 0", "s50")]
    assert sorted(facts.subsets(run(trial(), trial("focal"), other).frame())) == sorted(found)
    assert facts.subsets(run(trial(), name="alone").frame()) == [("digits IF 50, subset_seed 0", "s50")]


def test_the_board_has_a_line_a_method_and_data_column_with_its_spread(run):
    made = board(run(trial(recalls=[60] * 10), trial(seed=1, recalls=[80] * 10), trial("focal", recalls=[90] * 10)).frame())
    names = [heading.name for heading in made.headings]
    softmax = dict(zip(names, made.lines[1].items, strict=True))
    assert (softmax["method"].text, softmax["ACSA (%)"].text, softmax["ACSA (%)"].spread) == ("softmax", "70.00", "± 14.14")
    assert (softmax["rank"].text, softmax["n"].value) == ("2", 2) and made.lines[0].mark == "best"
    assert "GPU hours" not in names and "failed" not in names, "columns without a value are left out"
    assert made.columns == ("digits IF 50",) and "--only" in made.lines[0].command


def test_a_chart_that_breaks_takes_nothing_else_with_it(run, monkeypatch):
    def broken(store, only="*"):
        raise ZeroDivisionError("<b>oh</b>")

    monkeypatch.setitem(PLOTS._items, "pareto", broken)
    page = own(report.render(run(*synthetic.run(["softmax", "focal"], (10, 50)))))
    assert "could not be drawn" in page and "ZeroDivisionError: &lt;b&gt;oh" in page and 'id="data-factors"' in page


def test_a_run_whose_trials_all_failed_still_has_a_page(run):
    page = own(report.render(run(trial(status=FAILED, cause="RuntimeError: no"))))
    assert "RuntimeError: no" in page and 'id="data-' not in page


def test_a_run_of_parquet_alone_has_a_page(run):
    store = run(*synthetic.run(["softmax", "focal"], (10, 50)))
    for path in store.records.iterdir():
        path.unlink()
    page = own(report.render(type(store)(store.path)))
    assert "which this chart needs" in page and 'id="data-factors"' in page


def test_nothing_to_report_and_nowhere_to_write_are_told(run, tmp_path):
    with pytest.raises(UserError, match="has no trials yet"):
        report.render(run())
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        report.write(run(trial()), tmp_path / "file" / "report.html")
    for folder in (Path(), tmp_path):
        with pytest.raises(UserError, match="is a folder: name a file such as"):
            report.write(run(trial()), folder)
    assert not list(tmp_path.glob(".*.part"))


def test_five_hundred_trials_make_a_small_page_soon(run):
    labels = ["softmax", "focal", "ldam_drw", "over_sampling", "inverse", "logit_adjusted", "sigmoid", "hinge", "mixup", "ncm"]
    labels += [f"cb_focal[cb_beta={beta},gamma={gamma}]" for beta in (0.9, 0.99, 0.999) for gamma in (0.5, 1, 2, 3, 4)]
    curve = [place / 41 for place in range(1, 41)]
    results = synthetic.run(labels, (100, 50), 10, dataset="cifar100", classes=100, curve=curve)
    assert len(results) == 500
    store = run(*results)
    start = time.process_time()
    report.write(store, store.path / "report.html")
    assert time.process_time() - start < 20
    assert (store.path / "report.html").stat().st_size < 8e6


def test_the_command_writes_the_page_and_a_run_ends_with_it(write_suite, tmp_path):
    suite = write_suite(seeds=1, methods=["softmax"], data={"dataset": "digits", "imbalance_factor": 10, "n_max": 50})
    done = cli("run", suite, "--backend", "inline", "--epochs", "1", "--out", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"report   {tmp_path / 'tiny' / 'report.html'}"
    assert (tmp_path / "tiny" / "report.html").read_text().startswith("<!doctype html>")
    done = cli("report", str(tmp_path / "tiny"), "--out", str(tmp_path / "page.html"))
    assert done.stdout.strip() == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == (tmp_path / "tiny" / "report.html").read_bytes()
    done = cli("report", str(tmp_path / "tine"))
    assert done.returncode == 2 and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1


def test_commands_are_shown_without_the_folders_of_whoever_gave_them(run):
    given = "bench.py run quick --data data --only 'cb_*' --out rows2out"
    made = run(trial(environment={"command": given}), trial(seed=1, environment={"command": given.replace("rows2out", "rows")}))
    assert facts.commands(made.frame()) == [("bench.py run quick --only 'cb_*'", 2)]
    assert "--only &#39;cb_*&#39;</code> <span" in (page := own(report.render(made))) and "(2 trials)" in page
    assert facts.without_folders("bench.py run 'half") == "bench.py run 'half"
