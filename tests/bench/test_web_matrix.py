"""Matrices and ranks on the page: text that can be read on its cell in light and dark mode, and is not cut off."""

import pytest

from bench.report.charts import Axis, Chart, Heat, Panel, Series, web
from bench.report.charts.palette import DARK_DIVERGING, DIVERGING, RAMP, blend, luminance

VALUES = tuple(tuple(-1.0 + (10 * row + column) / 49.5 for column in range(10)) for row in range(10))
NAMES = tuple(f"class {number}" for number in range(10))
WORDS = tuple(tuple(f"{100 * value:.0f}" for value in row) for row in VALUES)


def traces(diverging, words=WORDS):
    heat = Heat(NAMES, NAMES, VALUES, "points", words, -1.0, 1.0, diverging)
    panel = Panel("differences", Axis("predicted"), Axis("true"), heat=heat)
    return web.figures(Chart("confusion", "Differences", (panel,)))[0]["data"]


def contrast(ground, ink):
    first, second = luminance(*ground), {"black": 0.0, "white": 1.0}[ink]
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


@pytest.mark.parametrize(("scale", "dark"), [(RAMP, False), (DIVERGING, False), (DARK_DIVERGING, True)])
def test_every_cell_is_legible(scale, dark):
    colours, text = traces(scale is not RAMP)
    inks = (text["meta"]["dark"] if dark else text)["textfont"]["color"]
    shown = (colours["meta"]["dark"] if dark else colours)["colorscale"]
    assert [colour for _, colour in shown] == list(scale)
    places = [(value + 1) / 2 for row in VALUES for value in row]
    assert len(inks) == 100 and min(contrast(blend(scale, at), ink) for at, ink in zip(places, inks, strict=True)) >= 4.5


def test_dark_mode_has_no_white_middle():
    assert luminance(*blend(DARK_DIVERGING, 0.5)) < 0.05 < luminance(*blend(DIVERGING, 0.5))


def test_words_shrink_to_their_cells_and_are_left_out_where_they_cannot():
    size = traces(True, (("100",) * 10,) * 10)[1]["textfont"]["size"]
    assert size < 12 and 0.62 * size * len("100") <= 20
    assert len(traces(False, tuple(("a very long text in a cell" * 3,) * 10 for _ in range(10)))) == 1


def test_ranks_are_written_towards_the_middle():
    series = Series("softmax", (1.0, 17.0), (0, -1), kind="points", words=("1.00", "17.00"), written=True)
    panel = Panel("ranks", Axis("average rank", low=0.5, high=18.5), Axis("method"), (series,))
    assert web.figures(Chart("ranks", "Ranks", (panel,)))[0]["data"][0]["textposition"] == ["top right", "top left"]
