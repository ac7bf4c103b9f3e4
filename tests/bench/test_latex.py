"""Tables as LaTeX in a two-column paper: short captions, notes below, and no line wider than its column."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.records.store import Store
from bench.report.render import FORMATS
from bench.report.render.fit import COLUMN, PAGE, Widths
from bench.report.tables import TABLES
from bench.report.tables.table import Cell, Column, Row, Table
from tests.bench import synthetic

ROOT = Path(__file__).parents[2]
COMMITTED = sorted((ROOT / "results").glob("*/tables/*.tex"))
render = FORMATS["latex"][0]


def table(columns, rows=2, *, label="softmax", words="12.34 ± 0.56 ≈", title="Error rate in %", notes=()):
    cells = tuple(Cell(text=words) for _ in range(columns))
    heads = tuple(Column("digits", f"{place}") for place in range(columns))
    return Table("t", title, "Method", heads, tuple(Row(label, cells) for _ in range(rows)), notes)


def captions(text):
    """The captions as a reader sees them, without marks where a line may be broken, and with _ for \\_."""
    found = re.findall(r"^\\caption\{(.*)\}$", text, re.M)
    return [re.sub(r"\\([_%&#])", r"\1", caption.replace(r"\allowbreak{}", "")) for caption in found]


def environments(text):
    return re.findall(r"\\begin\{(table\*?)\}", text)


@pytest.mark.parametrize("file", [*COMMITTED, ROOT / "results/leaderboard/leaderboard.tex"], ids=lambda f: f.parts[-3] + f.stem)
def test_committed_captions_are_short_and_cells_are_as_many_as_columns(file):
    text = file.read_text()
    assert captions(text) and max(map(len, captions(text))) < 200
    for body in re.findall(r"\\begin\{tabular\}\{(l r*|l?r*)\}\n(.*?)\\end\{tabular\}", text, re.S):
        rows = [line for line in body[1].splitlines() if line.endswith(r" \\") and r"\multicolumn" not in line]
        assert rows and {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {len(body[0]) - 1}


@pytest.mark.parametrize(
    ("run", "name"), [("quick", "cb"), ("mm_digits", "mm"), ("crest_digits", "crest"), ("joint_digits", "joint")]
)
def test_committed_tables_are_those_of_the_committed_rows(run, name):
    store = Store(ROOT / "results" / run)
    made = TABLES[name](store.frame(), None, store.per_class())
    for format in ("latex", "md", "csv", "json"):
        to_text, ending = FORMATS[format]
        assert (store.path / "tables" / f"{name}{ending}").read_text() == to_text(made) + "\n", format


def test_a_table_is_as_wide_as_it_needs_to_be():
    assert environments(render(table(2))) == ["table"]
    assert environments(render(table(5))) == ["table*"]
    wide = render(table(18))
    assert environments(wide) == ["table*"] and wide.count(r"\begin{tabular}") > 1
    heads = re.findall(r"^Method & (.*) \\\\$", wide, re.M)
    assert " & ".join(heads).split(" & ") == [str(place) for place in range(18)], "every column once, in order"


def test_a_long_name_is_broken_before_a_table_takes_both_columns():
    text = render(table(1, label="softmax[weights=effective_number,mean=weights]"))
    assert environments(text) == ["table"] and r"\parbox[t]{112pt}{\raggedright softmax[\allowbreak{}" in text


def test_what_a_page_is_too_short_for_goes_on_in_further_tables():
    text = render(table(2, rows=100, notes=("a note",)))
    assert environments(text) == ["table"] * 3 and text.count("a note.") == 1
    assert [caption.endswith("(continued).") for caption in captions(text)] == [False, True, True]
    assert text.count(r"12.34 $\pm$ 0.56 $\approx$ & ") == 100


def test_a_long_title_becomes_a_note():
    text = render(table(1, title="word " * 60))
    (caption,) = captions(text)
    assert len(caption) < 200 and caption.endswith(r"\dots{}") and ("word " * 60).strip() in text.split(r"\end{tabular}")[1]


def test_widths_grow_with_what_is_in_the_cells():
    narrow, wide = (Widths(table(1, words=words), wrapped=False).of([0]) for words in ("1.0", "100.00 ± 10.00"))
    assert narrow < wide < COLUMN < PAGE


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex here")
def test_no_line_is_wider_than_its_column_in_a_class_of_two(tmp_path):
    labels = ["softmax", "focal", "inverse", "ldam_drw", "mixup", "crt", "hinge", "sigmoid", "logit_adjusted", "over_sampling"]
    store = synthetic.store(tmp_path / "run", synthetic.run(labels, (10, 50), 2))
    texts = [file.read_text() for file in (*COMMITTED, ROOT / "results/leaderboard/leaderboard.tex")]
    texts += [render(TABLES["per_class"](store.frame(), None, store.per_class())), *(render(table(n, 60)) for n in (1, 3, 9, 30))]
    pages = re.sub(r"(\\end\{table\*?\})", r"\1\\clearpage", "\n".join(texts))  # TeX can hold only a few floats at a time
    document = r"\documentclass[twocolumn]{article}\usepackage{booktabs}\begin{document}"
    (tmp_path / "t.tex").write_text(f"{document}\n{pages}\n\\end{{document}}\n")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "t.log").read_text(errors="replace")
    assert not re.findall(r"Overfull \\hbox.*|Missing character.*|.*Float too large.*", log)
