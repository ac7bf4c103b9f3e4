"""Every chart as a figure for paper: its width, nothing cut off or overlapping, fonts, and series that do not need colour."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.report.charts import Axis, Chart, Heat, Panel, Series
from bench.report.charts.fit import caption, fit
from bench.report.charts.measure import broken, every, extent
from bench.report.charts.palette import COLOURS, ink, luminance, ramp
from bench.report.charts.panel import appearance
from bench.report.charts.paper import draw, save
from bench.report.charts.style import STYLES, look
from bench.report.plots import PLOTS
from bench.report.plots.base import one_scale
from lt_core.errors import UserError
from tests.bench import synthetic
from tests.bench.synthetic import trial

LABELS = [*synthetic.VARIED, "ldam_drw", "logit_adjusted[weights=effective_number,mean=weights]", "over_sampling", "mixup", "crt"]
#: Ways to see colours: without seeing red, green or blue, on a printer without colours, and with normal vision.
EYES = ("protanomaly", "deuteranomaly", "tritanomaly", "grey", "all")


@pytest.fixture(scope="module")
def charts(tmp_path_factory):
    """Every kind of chart, for a run with ten methods, one of which has a long name, and four data columns."""
    store = synthetic.varied(tmp_path_factory.mktemp("paper") / "run", LABELS, (10, 100), embedded=4)
    return {kind: PLOTS[kind](store) for kind in PLOTS}


def words(figure):
    """The texts that are drawn, with their boxes in pixels."""
    from matplotlib.text import Text

    figure.draw_without_rendering()
    shown = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    ticks = {
        label: axis.get_xlim() if which == "x" else axis.get_ylim()
        for axis in figure.axes
        for which in "xy"
        for tick in getattr(axis, f"{which}axis").get_major_ticks() + getattr(axis, f"{which}axis").get_minor_ticks()
        for label in (tick.label1, tick.label2)
        if not min(ends := (axis.get_xlim() if which == "x" else axis.get_ylim())) <= tick.get_loc() <= max(ends)
    }  # matplotlib keeps ticks beyond the ends of an axis, but never draws them
    return [(text, text.get_window_extent()) for text in shown if text not in ticks]


def cut_off(figure):
    """Texts that extend beyond the edge of the figure."""
    edge = figure.bbox.padded(0.5)
    return [
        text.get_text()
        for text, box in words(figure)
        if box.x0 < edge.x0 or box.y0 < edge.y0 or box.x1 > edge.x1 or box.y1 > edge.y1
    ]


def overlaid(figure):
    """Pairs of texts that overlap, except for slanted ones, whose boxes are larger than the text."""
    upright = [(text.get_text(), box.padded(-0.5)) for text, box in words(figure) if text.get_rotation() in (0, 90)]
    return [(a, b) for (a, one), (b, other) in itertools.combinations(upright, 2) if one.overlaps(other)]


@pytest.mark.parametrize("kind", list(PLOTS))
@pytest.mark.parametrize("panels", [1, 4])
@pytest.mark.parametrize("columns", [1, 2])
def test_nothing_is_cut_off_or_written_over(charts, kind, panels, columns):
    chart = replace(charts[kind], panels=charts[kind].panels[:panels])
    figure = draw(chart, look("paper", columns))
    assert figure.get_figwidth() == STYLES["paper"][columns - 1].width
    assert not cut_off(figure) and not overlaid(figure)


def test_what_is_cut_off_or_written_over_would_be_noticed():
    from matplotlib.figure import Figure

    figure = Figure((2, 2))
    figure.text(0.8, 0.5, "a long word")
    figure.text(0.1, 0.1, "one")
    figure.text(0.1, 0.1, "two")
    assert cut_off(figure) == ["a long word"] and overlaid(figure) == [("one", "two")]


@pytest.mark.parametrize("kind", list(PLOTS))
def test_slides_and_large_fonts_hold_too(charts, kind):
    chart = replace(charts[kind], panels=charts[kind].panels[:1])
    for chosen in (look("slides", 1), look("paper", 1, 10)):
        assert not cut_off(draw(chart, chosen))


@pytest.mark.parametrize("kind", list(PLOTS))
@pytest.mark.parametrize("chosen", [look("paper", 1), look("paper", 2), look("slides", 1), look("slides", 2)], ids=str)
def test_no_figure_is_higher_than_a_page_and_the_caption_says_what_is_left_out(charts, kind, chosen):
    chart = charts[kind]
    laid, said = fit(chart, chosen), caption(chart, chosen)
    assert 72 * chosen.height >= laid.height or (len(laid.chart.panels) == 1 and "inches high, more than" in said[-1])
    drawn = len(laid.chart.panels)
    assert said[: len(chart.notes)] == chart.notes and (len(said) > len(chart.notes) or drawn == len(chart.panels))
    if drawn < len(chart.panels):
        left = said[len(chart.notes)]
        assert chart.panels[drawn].title in left and "choose fewer methods with `--only`" in left
        assert fit(laid.chart, chosen) == laid


def test_panels_become_smaller_before_any_is_left_out():
    def laid(number):
        line = Series("a", (0.0, 1.0), (0.0, 1.0))
        return fit(Chart("x", "X", (Panel("a", Axis("x"), Axis("y"), (line,)),) * number), look("paper", 1))

    one, some, many = laid(1), laid(8), laid(40)
    assert [max(place.column for place in made.places) for made in (one, some, many)] == [0, 1, 1]
    assert len(some.chart.panels) == 8 and 8 < len(many.chart.panels) < 40
    assert 8 * 72 < many.height <= 9 * 72


@pytest.mark.parametrize("kind", list(PLOTS))
def test_fonts_are_embedded_as_truetype_and_text_of_svg_is_text(charts, kind, tmp_path):
    figure = draw(replace(charts[kind], panels=charts[kind].panels[:2]), look("paper", 1))
    for format in ("pdf", "svg", "png"):
        save(figure, tmp_path / f"a.{format}", 100)
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/Type3" not in pdf and b"/CIDFontType2" in pdf
    assert "<text" in (tmp_path / "a.svg").read_text()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width == 325


def parts(colour):
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def seen(colour, eye):
    """A colour, ``#RRGGBB``, as an eye sees it, in CAM02-UCS, where the smallest visible difference is about one."""
    from colorspacious import cspace_convert

    rgb = np.array(parts(colour))
    if eye in ("all", "grey"):
        point = cspace_convert(rgb, "sRGB1", "CAM02-UCS")
        return point if eye == "all" else point * [1, 0, 0]
    simulated = cspace_convert(rgb, {"name": "sRGB1+CVD", "cvd_type": eye, "severity": 100}, "sRGB1")
    return cspace_convert(np.clip(simulated, 0, 1), "sRGB1", "CAM02-UCS")


def alike(series):
    """Pairs of series that look the same to some eye: the same mark and dash, and colours that differ by less than 10."""
    looks = [(s.key, appearance(s)) for s in series]
    return [
        (a, b, eye)
        for (a, one), (b, other) in itertools.combinations(looks, 2)
        if (one["marker"], one["linestyle"]) == (other["marker"], other["linestyle"])
        for eye in EYES
        if np.linalg.norm(seen(one["color"], eye) - seen(other["color"], eye)) < 10
    ]


@pytest.mark.parametrize("kind", list(PLOTS))
def test_series_are_told_apart_in_grey_and_by_the_colour_blind(charts, kind):
    for panel in charts[kind].panels:
        assert not alike([s for s in panel.series if s.listed])


def test_ten_classes_and_eight_lines_without_marks_are_told_apart():
    point = ((0.0,), (0.0,))
    assert not alike([Series(f"{n}", *point, kind="points", colour=n) for n in range(10)])
    assert not alike([Series(f"{n}", *point, marks=False, colour=n) for n in range(8)])
    same = [Series("a", *point, kind="points", colour=3), Series("b", *point, kind="points", colour=12)]
    assert alike(same) == [("a", "b", "grey")], "the test would notice"


def test_every_colour_of_a_line_is_seen_on_white():
    for colour in (*COLOURS, *(ramp(place / 10) for place in range(11))):
        assert 1.05 / (luminance(*parts(colour)) + 0.05) >= 2.2, colour  # the contrast of WCAG; yellow (#F0E442) has 1.3


@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_what_is_written_on_a_colour_can_be_read(rgb):
    on, text = luminance(*rgb), {"black": 0.0, "white": 1.0}[ink(*rgb)]
    assert (max(on, text) + 0.05) / (min(on, text) + 0.05) > 4.5, "WCAG's bound for small text"


def test_differences_without_room_for_words_have_their_signs():
    def written(columns, diverging):
        values = tuple((-1.0, 0.0, 0.5)[i % 3] for i in range(columns))
        heat = Heat(("a",) * columns, ("b",), (values,), "u", (("12–34–56",) * columns,), -1.0, 1.0, diverging)
        figure = draw(Chart("x", "X", (Panel("", Axis("x"), Axis("y"), heat=heat),)), look("paper", 1))
        return [text.get_text() for text in figure.axes[0].texts]

    assert written(2, True) == ["12–34–56"] * 2
    assert written(9, True) == ["−", "", "+"] * 3 and written(9, False) == []
    assert written(99, True) == []


def test_spreads_of_many_lines_are_bars_beside_each_other_and_of_few_are_bands():
    from matplotlib.collections import LineCollection, PolyCollection

    def drawn(lines, points):
        x = tuple(float(10 + i) for i in range(points))
        y = tuple(50.0 for _ in x)
        made = [Series(f"{n}", x, y, low=y, high=y, colour=n) for n in range(lines)]
        (axis,) = draw(Chart("x", "X", (Panel("", Axis("x", log=True), Axis("y"), tuple(made)),))).axes
        bands = [c for c in axis.collections if isinstance(c, PolyCollection)]
        bars = [{segment[0][0] for segment in c.get_segments()} for c in axis.collections if isinstance(c, LineCollection)]
        return len(bands), bars

    assert drawn(3, 4) == (3, [])
    bands, bars = drawn(8, 4)
    assert bands == 0 and len(bars) == 8 and all(len(xs) == 4 for xs in bars) and not set.intersection(*bars)
    bands, bars = drawn(8, 80)
    assert bands == 0 and all(len(xs) == 8 for xs in bars) and not any(a & b for a, b in itertools.combinations(bars, 2))


def test_matrices_of_one_unit_share_a_scale_that_is_drawn_once_a_row():
    def panel(title, *values, unit="%", **options):
        return Panel(title, Axis("x"), Axis("y"), heat=Heat(("a", "b"), ("c",), (values,), unit, **options))

    panels = one_scale([panel("1", 1.0, 5.0), panel("2", None, 9.0), panel("3", -2.0, 1.0, unit="points", diverging=True)])
    assert [(p.heat.low, p.heat.high) for p in panels] == [(1, 9), (1, 9), (-2, 2)]
    kept = one_scale([panel("1", 10.0, 20.0, low=0.0, high=100.0)])
    assert kept[0].heat.high == 100
    figure = draw(Chart("x", "X", panels))
    assert len(figure.axes) == 3 + 2, "two scales of colours"
    assert [axis.get_title() for axis in figure.axes if axis.images] == ["1", "2", "3"]


def test_all_methods_have_a_rank_and_each_its_row(charts):
    (panel,) = charts["ranks"].panels
    assert set(panel.rows) == set(LABELS) and {s.y[0] for s in panel.series} == {-float(i) for i in range(len(LABELS))}


def test_generations_show_what_there_is_with_its_spread(tmp_path):
    def semi(label, seed, recall, taken, rounds):
        figures = dict.fromkeys(("test_recall", "test_precision", "pseudo_recall"), [recall] * 10)
        made = [{"round": n, **figures, "pseudo_precision": [None] * 10, "taken": [taken] * 10} for n in range(rounds)]
        return replace(trial(label, seed), generations=made)

    results = [semi("crest", 0, 0.4, 0, 2), semi("crest", 1, 0.6, 0, 2), semi("softmax", 0, 1, 0, 1)]
    chart = PLOTS["generations"](synthetic.store(tmp_path / "run", results))
    assert [panel.y.title for panel in chart.panels] == ["pseudo-labels: recall (%)", "test set: recall (%)"]
    assert {panel.title for panel in chart.panels} == {"crest, 2 trials"}
    assert "left out: methods with one generation" in chart.notes
    line = chart.panels[0].series[0]
    half = 100 * np.std([0.4, 0.6], ddof=1)
    assert line.y[0] == pytest.approx(50) and (line.low[0], line.high[0]) == pytest.approx((50 - half, 50 + half))


def test_text_is_broken_where_a_reader_would_and_ticks_are_thinned():
    assert broken("short", 100, 8) == "short"
    lines = broken("cb_softmax[cb_beta=0.999], digits IF 50, seed 0 (n = 3)", 90, 8).split("\n")
    assert len(lines) > 2 and all(extent(line, 8) <= 90 for line in lines)
    assert not any(line[0].isdigit() or line.startswith(("=", "]")) for line in lines)
    assert every(["100", "200", "300"], 200, 8) == 1 and every(["100", "200", "300"], 30, 8) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [(("paper", 3), "give 1 or 2"), (("papper",), "did you mean 'paper'"), (("paper", 1, 2.0), "between 5 and 24 points")],
)
def test_looks_that_cannot_be_are_told(options, words):
    with pytest.raises(UserError, match=words):
        look(*options)


def test_the_command_writes_what_it_is_asked_for_and_says_what_a_caption_needs(call, tmp_path):
    store = synthetic.store(tmp_path / "run", synthetic.run(["softmax", "focal", "inverse"], (10, 50), 2))
    words = ["plot", "factors", "--run", str(store.path)]
    code, out, err = call(*words, "--columns", "1", "--format", "png")
    assert code == 0 and "bands: ± one standard deviation" in err and "bars" not in err
    assert out == f"{store.path / 'plots' / 'factors.png'}\n"
    with Image.open(out.strip()) as picture:
        assert picture.width == 975, "3.25 inches of 300 dots"
    code, _, err = call(*words, "--format", "pdf", "--out", str(tmp_path / "a.svg"))
    assert code == 2 and "is not a pdf file, but --format is pdf: drop one of them" in err
    code, _, err = call(*words, "--format", "jpg")
    assert code == 2 and "unknown format 'jpg'" in err
