"""Text in other people's records cannot harm those who read tables of them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records.foreign import in_csv, in_markdown, printed
from bench.report.render import renderer
from bench.report.tables.table import Cell, Column, Row, Table

EVIL = [
    '=HYPERLINK("x")',
    "@SUM(A1)",
    "+cmd|' /C calc'!A0",
    "-1+cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "a|b",
    "\x1b[2Jsoftmax",
    "\x9b2J",
]


def table(text):
    return Table("t", f"title {text}", "Method", (Column("group", text, text),), (Row(text, (Cell(text=text),)),), (text,))


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("format", ["terminal", "md", "csv", "latex"])
def test_no_format_lets_it_through(text, format):
    made = renderer(format)(table(text))
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in made)
    if format == "csv":
        assert not any(cell[:1] in ("=", "@", "+", "-") for row in csv.reader(io.StringIO(made)) for cell in row)
    if format == "md":
        cells = [line for line in made.splitlines() if line.startswith("| ")]
        assert "<script" not in made
        assert all(line.replace(r"\|", "").count("|") == 3 for line in cells)


@pytest.mark.parametrize("text", ["softmax", "-0.11 … +0.44", "+9.85", "−1.51", "-3", "0.5 ± 0.1", "", "ldam[max_margin=0.5]"])
def test_figures_and_labels_stay_as_they_are(text):
    assert (in_csv(text), in_markdown(text), printed(text)) == (text, text, text)


@given(st.floats() | st.integers() | st.none() | st.booleans())
def test_what_is_no_text_stays_as_it_is(value):
    assert in_csv(value) is value
