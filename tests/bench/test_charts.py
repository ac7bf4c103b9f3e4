"""The numbers that each kind of chart draws, from records made for it."""

from __future__ import annotations

import math

import pytest

from bench.report.charts import Axis, Chart, Heat, Panel, Series, web
from bench.report.charts.spreads import named
from bench.report.plots import PLOTS, write
from lt_core.errors import UserError
from lt_core.result import FAILED
from tests.bench import synthetic
from tests.bench.synthetic import trial


def drawn(tmp_path, kind, *results, only="*"):
    return PLOTS[kind](synthetic.store(tmp_path / "run", results), only)


def series(panel, key):
    (found,) = [s for s in panel.series if s.key == key]
    return found


def test_error_against_imbalance_factor_has_a_band_of_one_deviation(tmp_path):
    chart = drawn(
        tmp_path, "factors", trial(factor=10, recalls=[90] * 10), trial(factor=100, recalls=[70] * 10),
        trial(seed=1, factor=100, recalls=[60] * 10), trial(seed=2, factor=100, status=FAILED, cause="no"),
    )  # fmt: skip
    (panel,) = chart.panels
    line = series(panel, "softmax")
    assert line.x == (10, 100) and line.y == pytest.approx((10, 35)) and line.name == "softmax (n = 1–2)"
    deviation = math.sqrt(50)
    assert line.low == pytest.approx((10, 35 - deviation)) and line.high == pytest.approx((10, 35 + deviation))
    assert panel.x.log and "%" in panel.y.title
    with pytest.raises(UserError, match="only one imbalance factor per data set"):
        drawn(tmp_path / "other", "factors", trial(factor=10))


def test_errors_by_class_are_shaded_by_shots(tmp_path):
    chart = drawn(tmp_path, "per_class", trial(recalls=[100, 90, 80, 70, 60, 50, 40, 30, 20, 10]))
    (panel,) = chart.panels
    assert panel.series[0].y == pytest.approx(tuple(range(0, 100, 10)))
    # 200, 129, 84, 54, 35, 23, 15, 10, 6, 4 training images
    assert [(r.name, r.low, r.high) for r in panel.regions] == [("many", -0.5, 1.5), ("medium", 1.5, 5.5), ("few", 5.5, 9.5)]


def test_accuracy_by_class_frequencies_runs_from_forward_to_backward(tmp_path):
    """Recalls from 90 % down to 45 %, computed by hand for equal class sizes and at both ends."""
    recalls = [90, 85, 80, 75, 70, 65, 60, 55, 50, 45]
    chart = drawn(tmp_path, "priors", trial(recalls=recalls), trial(seed=1, recalls=[r - 10 for r in recalls]))
    (panel,) = chart.panels
    line = series(panel, "softmax")
    assert line.name == "softmax (n = 2)" and panel.x.log and list(line.x) == sorted(line.x)
    assert (line.x[0], line.x[6], line.x[12]) == pytest.approx((0.01, 1, 100))
    weights = [100 ** (-rank / 9) for rank in range(10)]
    ends = [sum(w * r for w, r in zip(way, recalls, strict=True)) / sum(weights) - 5 for way in (weights, weights[::-1])]
    assert (line.y[0], line.y[6], line.y[12]) == pytest.approx((ends[0], 67.5 - 5, ends[1]))
    half = 12.7062 * math.sqrt(50) / math.sqrt(2)  # Student's t for two trials, whose deviation is √50
    assert line.low[6] == pytest.approx(max(0, 62.5 - half)) and line.high[6] == pytest.approx(min(100, 62.5 + half))
    assert "95 % interval of the mean" in chart.notes[1]


def test_the_points_by_class_frequencies_are_the_leaderboards_columns(tmp_path):
    results = synthetic.run(["softmax", "focal"], (10, 50), 3)
    chart = drawn(tmp_path, "priors", *results, only="focal")
    frame = synthetic.store(tmp_path / "again", results).frame()
    rows = frame[(frame["label"] == "focal") & (frame["imbalance_factor"] == 50)]
    first, second = chart.panels
    assert (first.title, second.title) == ("digits IF 50", "digits IF 10") and {s.key for s in first.series} == {"focal"}
    found = dict(zip(first.series[0].x, first.series[0].y, strict=True))
    for column, tilt in (("forward_50", 1 / 50), ("balanced_accuracy", 1), ("backward_2", 2), ("backward_50", 50)):
        assert found[tilt] == pytest.approx(100 * rows[column].mean())


def test_one_trial_has_no_interval_and_balanced_classes_have_no_head(tmp_path):
    line = series(drawn(tmp_path / "one", "priors", trial()).panels[0], "softmax")
    assert line.low == line.high == line.y
    with pytest.raises(UserError, match="balanced classes only, which have neither head nor tail"):
        drawn(tmp_path / "balanced", "priors", trial(factor=1))
    alone = synthetic.store(tmp_path / "alone", [trial()])
    for path in (*alone.records.iterdir(), alone.path / "per_class.parquet"):
        path.unlink()
    with pytest.raises(UserError, match=r"no per-class recalls of these trials: copy the run's per_class\.parquet"):
        PLOTS["priors"](type(alone)(alone.path))


def test_many_methods_are_the_best_and_cross_entropy(tmp_path):
    labels = ["softmax", "focal", "hinge", "inverse", "sigmoid", "ldam_drw", "over_sampling", "logit_adjusted", "mixup", "ncm"]
    chart = drawn(tmp_path, "factors", *synthetic.run(labels, (10, 100), 1))
    assert chart.panels[0].series[0].key == "softmax" and len(chart.panels[0].series) == 8
    assert not {"focal", "hinge"} & {s.key for s in chart.panels[0].series}, "the two worst but cross-entropy"
    assert any("the best 7 of 10 methods" in note and "and softmax" in note for note in chart.notes)


def test_confusion_is_the_mean_by_row_and_its_difference_to_cross_entropy(tmp_path):
    chart = drawn(
        tmp_path, "confusion", trial(recalls=[100] * 9 + [20]), trial(seed=1, recalls=[100] * 9 + [40]),
        trial("inverse", recalls=[90] + [100] * 8 + [70]),
    )  # fmt: skip
    plain, other, difference = (panel.heat for panel in chart.panels)
    assert chart.panels[2].title == "digits IF 50: inverse − softmax"
    assert plain.values[9][9] == 30 and plain.values[9][8] == 70 and all(sum(row) == pytest.approx(100) for row in plain.values)
    assert plain.y[0] == "0 (200)" and plain.x[9] == "9", "head first, with its training images"
    assert other.values[0][0] == 90
    assert difference.values[9][9] == 40 and difference.values[9][8] == -40 and difference.values[0][0] == -10
    assert difference.diverging and difference.low == -difference.high


def test_curves_are_means_of_the_validation_split_and_the_test_part(tmp_path):
    results = [trial(curve=(0.2, 0.5)), trial(seed=1, curve=(0.4, 0.7)), trial("focal", validation=0, curve=(0.1, 0.2))]
    chart = drawn(tmp_path, "curves", *results[:2])
    held, tested = chart.panels
    assert held.title.endswith("validation split") and tested.title.endswith("test set")
    assert tested.series[0].x == (20, 40) and tested.series[0].y == pytest.approx((30, 60))
    assert held.series[0].y == pytest.approx((25, 55))
    assert tested.series[0].low == pytest.approx((30 - math.sqrt(200), 60 - math.sqrt(200)))
    (alone,) = drawn(tmp_path / "other", "curves", results[2]).panels
    assert alone.title.endswith("test set"), "nothing was held out"


def test_the_pareto_front_is_what_nothing_beats_in_time_and_score(tmp_path):
    chart = drawn(
        tmp_path, "pareto", trial(recalls=[60] * 10, seconds=1), trial("focal", recalls=[55] * 10, seconds=2),
        trial("inverse", recalls=[80] * 10, seconds=3), trial("hinge", recalls=[80] * 10, seconds=4),
    )  # fmt: skip
    (panel,) = chart.panels
    front = series(panel, "Pareto front")
    assert (front.x, front.y) == ((1, 3), pytest.approx((60, 80)))
    assert (series(panel, "focal").x, series(panel, "focal").y) == ((2,), pytest.approx((55,)))
    assert series(panel, "focal").error == (0,), "one trial has no spread"


def test_seconds_of_another_machine_are_not_compared(tmp_path):
    slow = trial(seed=1, seconds=90, environment={"device_name": "another CPU"})
    chart = drawn(tmp_path, "pareto", trial(seconds=1), trial("focal", seconds=1), slow)
    assert series(chart.panels[0], "softmax").x == (1,)
    assert "digits IF 50: 1 trial on other machines left out" in chart.notes


def test_ranks_are_averaged_and_have_intervals_and_chances(tmp_path):
    noisy = [
        trial(label, seed, factor=factor, recalls=0.6 + 0.01 * place + 0.008 * ((seed * (place + 1)) % 3))
        for place, label in enumerate(["softmax", "focal", "inverse"])
        for factor in (10, 50, 100)
        for seed in range(3)
    ]
    chart = drawn(tmp_path, "ranks", *noisy)
    (panel,) = chart.panels
    places = {s.key: s.x[0] for s in panel.series if s.kind == "points"}
    bars = {s.key: s.x for s in panel.series if s.kind == "bar"}
    assert set(places) == set(bars) == {"softmax", "focal", "inverse"} and places["inverse"] == min(places.values())
    assert all(low <= places[label] <= high for label, (low, high) in bars.items()) and max(high for _, high in bars.values()) > 2
    chances = [int(s.words[0].split("(")[1].split(" ")[0]) for s in panel.series if s.kind == "points"]
    assert max(chances) <= 100 and sum(chances) >= 99, "methods that tie for the best mean rank both have it"
    (alone,) = drawn(tmp_path / "one", "ranks", *[t for t in noisy if t.spec.data.imbalance_factor == 10]).panels
    assert alone.title == "1 data column, 3 methods", "one column is enough"


def test_one_trial_a_figure_has_a_rank_without_an_interval(tmp_path):
    chart = drawn(tmp_path, "ranks", *synthetic.run(["softmax", "focal", "inverse"], (10, 50, 100), 1))
    places = {s.key: (s.x[0], s.words[0]) for s in chart.panels[0].series}
    assert places == {"inverse": (1, "1.00"), "focal": (2, "2.00"), "softmax": (3, "3.00")}
    assert any(note.startswith("no intervals, because") for note in chart.notes)


def test_ranks_are_those_among_all_methods_whichever_are_drawn(tmp_path):
    results = synthetic.run(["softmax", "focal", "inverse", "sigmoid"], (10, 50, 100), 1)
    for only in ("*", "softmax", "s*"):
        (panel,) = drawn(tmp_path, "ranks", *results, only=only).panels
        places = {s.key: s.x[0] for s in panel.series if s.key in ("softmax", "focal", "inverse", "sigmoid")}
        assert places["softmax"] == 4 and places.get("sigmoid", 1) == 1 and ("focal" in places) == (only == "*")


def test_wins_ties_and_losses_are_counted_over_pairs(tmp_path):
    scores = {"softmax": [50, 60, 70], "inverse": [60, 60, 60]}
    results = [trial(label, seed, recalls=[v] * 10) for label, values in scores.items() for seed, v in enumerate(values)]
    chart = drawn(tmp_path, "win_tie_loss", *results, trial("inverse", 9, recalls=[99] * 10))
    heat = chart.panels[0].heat
    assert heat.words == (("", "1–1–1"), ("1–1–1", "")) and heat.values == ((None, 0), (0, None))
    assert "over 3 pairs" in chart.notes[0], "a trial without a partner is no pair"
    chart = drawn(tmp_path / "other", "win_tie_loss", *synthetic.run(["softmax", "focal"], (10, 50), 2))
    assert chart.panels[0].heat.words[1][0] == "4–0–0" and chart.panels[0].heat.values[1][0] == 1


def test_the_grid_of_class_balanced_loss_is_of_the_validation_split(tmp_path):
    results = [
        trial(f"cb_focal[cb_beta={beta},gamma={gamma}]", recalls=[score] * 10, validation=held)
        for held in (20, 0)
        for beta, gamma, score in ((0.9, 1, 50), (0.9, 2, 60), (0.99, 1, 70))
    ]
    heat = (chart := drawn(tmp_path, "heatmap", *results[:3])).panels[0].heat
    assert (heat.x, heat.y) == (("focal γ=1", "focal γ=2"), ("0.9", "0.99"))
    assert heat.values == ((50, 60), (70, None)) and "validation split" in heat.unit and "validation split" in chart.title
    heat = (chart := drawn(tmp_path / "other", "heatmap", *results[3:])).panels[0].heat
    assert "test set" in heat.unit and "do not choose hyperparameters by it" in chart.notes[0]
    with pytest.raises(UserError, match="does not have two settings of a class-balanced loss"):
        drawn(tmp_path / "none", "heatmap", trial())


def test_reliability_is_the_mean_over_trials_of_what_is_right_at_a_confidence(tmp_path):
    chart = drawn(tmp_path, "calibration", trial(recalls=[60] * 10), trial(seed=1, recalls=[80] * 10))
    line = series(chart.panels[0], "softmax")
    assert line.x == pytest.approx((50, 90)) and line.y == pytest.approx((70, 70))
    # |60 − 50| / 2 + |60 − 90| / 2 = 20 and |80 − 50| / 2 + |80 − 90| / 2 = 20
    assert line.name == "softmax (ECE 20.0 %, n = 2)"
    assert series(chart.panels[0], "perfect calibration").x == (0, 100)


def test_a_run_without_a_finished_trial_is_told(tmp_path):
    bad = trial(status=FAILED, cause="RuntimeError: no")
    for kind in ("factors", "per_class", "pareto", "ranks", "win_tie_loss", "confusion", "curves", "calibration", "priors"):
        with pytest.raises(UserError, match="has no finished trial"):
            drawn(tmp_path / kind, kind, bad)


def test_every_kind_names_its_axes_and_is_written_to_the_same_bytes(tmp_path):
    store = synthetic.varied(tmp_path / "run")
    for kind in PLOTS:
        chart = PLOTS[kind](store)
        assert chart.panels and chart.title and chart.notes
        # The axes of an embedding mean nothing.
        assert all(p.bare or (p.x.title and p.y.title) or kind == "tsne" for p in chart.panels), kind
        for name in ("a", "b"):
            write(PLOTS[kind](store), tmp_path / f"{kind}-{name}.svg")
        assert (tmp_path / f"{kind}-a.svg").read_bytes() == (tmp_path / f"{kind}-b.svg").read_bytes(), kind


def test_what_plotly_is_given_is_what_plotly_knows(tmp_path):
    """plotly's own schema rejects names and values that it does not know."""
    go = pytest.importorskip("plotly.graph_objects")
    store = synthetic.varied(tmp_path / "run")
    for kind in PLOTS:
        for figure in web.figures(PLOTS[kind](store)):
            go.Figure(figure)


def test_the_page_draws_few_spreads_as_bands_and_many_as_bars_beside_each_other():
    def panel(lines, points):
        x, y = tuple(map(float, range(points))), (50.0,) * points
        made = [Series(f"{n}", x, y, low=(49.0,) * points, high=(52.0,) * points, colour=n) for n in range(lines)]
        return Panel("", Axis("x"), Axis("y", low=0), tuple(made))

    def traces(lines, points):
        return web.figures(Chart("x", "X", (panel(lines, points),)))[0]["data"]

    assert [named([panel(lines, 4) for lines in counts]) for counts in ((3,), (8,), (3, 8))] == [
        "bands",
        "bars",
        "bars and bands",
    ]
    assert [trace.get("fill") for trace in traces(3, 4)] == ["toself", None] * 3
    few, many = traces(8, 4), traces(8, 80)
    assert len(few) == len(many) == 8 and len({trace["x"][0] for trace in few}) == 8
    assert few[0]["customdata"] == [0, 1, 2, 3] and "%{customdata}" in few[0]["hovertemplate"] and not few[0]["cliponaxis"]
    assert few[0]["error_y"]["array"] == [2] * 4 and few[0]["error_y"]["arrayminus"] == [1] * 4
    barred = [{i for i, bar in enumerate(trace["error_y"]["array"]) if bar is not None} for trace in many]
    assert all(len(places) == 8 for places in barred) and len(set.union(*barred)) == 64


def test_the_page_gets_numbers_bands_and_no_markup():
    line = Series("<b>", (1.0, 2.0), (0.123456789, math.nan), low=(0.0, 0.1), high=(1.0, 1.1), group="key", words=("a&b", "c"))
    heat = Heat(("a",), ("b",), ((None,),), "unit", low=-1.0, high=1.0, diverging=True)
    chart = Chart(
        "x", "X", (Panel("<i>", Axis("x", log=True, low=1, high=100), Axis(), (line,)), Panel("", Axis(), Axis(), heat=heat))
    )
    lines, cells = web.figures(chart)
    band, curve = lines["data"]
    assert band["y"] == [1.0, 1.1, 0.1, 0.0] and curve["y"] == [0.12346, None] and curve["legendgroup"] == "key"
    assert curve["name"] == "&lt;b&gt;" and curve["text"] == ["a&amp;b", "c"] and lines["layout"]["title"]["text"] == "&lt;i&gt;"
    assert lines["layout"]["xaxis"]["range"] == [0, 2], "plotly takes logarithms"
    assert cells["data"][0]["z"] == [[None]] and cells["data"][0]["zmin"] == -1
    assert [entry["key"] for entry in web.legend(chart)] == ["key"]
