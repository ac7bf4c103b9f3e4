"""The gains of tuned methods as a table and as a chart."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.comparable import given_features, measured_on
from bench.analysis.comparison import Comparison
from bench.analysis.stats import ALPHA
from bench.records.store import Store
from bench.report.charts import Axis, Chart, Panel, Series
from bench.report.tables.cells import interval_words, p_words
from bench.report.tables.table import Cell, Column, Row, Table
from bench.tuning.gains import Gain, ruler
from bench.tuning.space import Space
from lt_core.labels import counted, duration

_OVER_DECLARED, _OVER_TUNED = "over the untuned baseline", "over the tuned baseline"


def table(space: Space, gains: Sequence[Gain], store: Store) -> Table:
    """One row per study: its figures as declared and tuned, its gains, and the cost of its search."""
    heads = ("as declared", "tuned", _OVER_DECLARED, _OVER_TUNED, "95 % interval", "p (Holm)", "trials", "time", "chosen")
    rows = []
    for gain in gains:
        name = gain.name + (" (baseline)" if gain.name == space.baseline else "")
        words = (
            _difference(gain.over_declared), _difference(gain.over_tuned), _interval(gain.over_tuned), _p(gain.over_tuned),
            f"{gain.trials}", duration(gain.seconds), gain.found.label(),
        )  # fmt: skip
        rows.append(Row(name, (gain.declared, gain.tuned, *(Cell(text=word) for word in words))))
    same = len({gain.settings for gain in gains}) == 1 or not space.trials
    budget = "the same budget" if same else "different budgets"
    title = f"{space.name}: {ruler(space).title} compared with {space.baseline}, tuned with {budget}"
    return Table(
        "gains", title, "Study", tuple(Column("", head, plain=True) for head in heads), tuple(rows), notes(space, gains, store)
    )


def chart(space: Space, gains: Sequence[Gain], store: Store) -> Chart:
    """One line per study: its gain over the baseline as declared and over the tuned one, each with its 95 % interval."""
    shown = [gain for gain in gains if gain.over_tuned]
    series: list[Series] = []
    for colour, (name, of) in enumerate(((_OVER_DECLARED, "over_declared"), (_OVER_TUNED, "over_tuned"))):
        found = {place: one for place, gain in enumerate(shown) if (one := getattr(gain, of))}
        heights = [0.12 - 0.24 * colour - place for place in found]
        for height, one in zip(heights, found.values(), strict=True):
            if one.interval:
                series.append(
                    Series(
                        name,
                        one.interval,
                        (height, height),
                        kind="bar",
                        colour=colour,
                        marks=False,
                        listed=False,
                        group=name,
                        width=2.4,
                    )
                )
        series.append(
            Series(
                name, tuple(one.difference for one in found.values()), tuple(heights), kind="points", colour=colour, size=6.0,
                words=tuple(f"{shown[place].name}: {_difference(one)}" for place, one in found.items()),
            )
        )  # fmt: skip
    series.append(Series("no gain", (0.0, 0.0), (0.6, 0.4 - len(shown)), colour=None, marks=False, listed=False, dashed=True))
    metric = ruler(space)
    ticks = tuple((-float(place), gain.name) for place, gain in enumerate(shown))
    x = Axis(f"gain in {metric.quantity}" + (" (points)" if metric.unit == "%" else ""))
    names = tuple(gain.name for gain in shown)
    panel = Panel("", x, Axis("study", low=0.4 - len(shown), high=0.6, ticks=ticks), tuple(series), rows=names)
    title = f"{space.name}: gains over {space.baseline}"
    return Chart("gains", title, (panel,), notes(space, gains, store))


def notes(space: Space, gains: Sequence[Gain], store: Store) -> tuple[str, ...]:
    """The notes of both the table and the chart."""
    tried = sorted({gain.settings for gain in gains})
    budget = f"{space.gpu_hours:g} hours" if space.gpu_hours else "its grid"
    if space.trials:
        budget = counted(tried[0], "setting") if len(tried) == 1 else f"{tried[0]} to {tried[-1]} settings, not the same number"
    searched = f"{counted(len({d.subset_seed for d in space.data}), 'subset')} and {counted(len(space.seeds), 'seed')}"
    shared = ", ".join(space.shared_axes())
    fresh = f"{counted(len({d.subset_seed for d in space.fresh_data}), 'subset')} × {counted(len(space.fresh_seeds), 'seed')}"
    return (
        f"each study tried {budget}, starting with its default one, over its own hyperparameters"
        + (f" and {shared}" if shared else "")
        + f"; the best on the validation split, over {searched}, was chosen",
        f"all figures are for the test set, on {fresh} that no search used: mean ± standard deviation",
        "gains: tuned method − baseline over trials with the same images and seed; interval and p refer to the gain over the "
        "tuned baseline (t-tests in a block model with moderated standard deviations, Holm's correction; significant if p < "
        f"{ALPHA:g})",
        measured_on(store.frame()),
        *given_features(store.frame()),
    )


def _difference(one: Comparison | None) -> str:
    return "" if one is None else f"{one.difference:+.2f}"


def _interval(one: Comparison | None) -> str:
    return "" if one is None else interval_words(one.interval, missing="")


def _p(one: Comparison | None) -> str:
    return "" if one is None else p_words(one.p_holm, missing="")
