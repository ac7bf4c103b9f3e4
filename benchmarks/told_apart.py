"""The power and error rates of the significance tests in tables and `compare`, in simulated experiments, compared with other
tests.

    python benchmarks/told_apart.py [--experiments 1000] [--json FILE]

An experiment has 5, 18 or 70 methods with 3, 5 or 15 trials each over shared subsets and seeds (blocks); a figure is mean + block
+ error. Spreads are equal (1.5 points), differ threefold or sixfold (evenly on a log scale, around 1.5), are three times as large
for one method in five, or are those of our committed rows. The reference is the best method as measured, as in the tables. Errors
are experiments in which a method differs significantly from one that is no better, if all methods are equal, and if half of them
are 5 points worse. Found are significant differences from one method that is 1, 2 or 5 points better than all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from common import parser, print_table, write_json
from experiments import Setting, against_named, errors, found
from rank_intervals import coverage
from tests_of_best import NAMED, TESTS, ours

from bench.analysis.comparable import reported
from bench.analysis.comparison import columns_of
from bench.records.store import Store

RESULTS = Path(__file__).resolve().parent.parent / "results"
SPREAD, FACTOR_NAMES = 1.5, {1: "equal", 3: "threefold", 6: "sixfold"}


def evenly(methods: int, factor: float) -> np.ndarray:
    """Spreads from the smallest to ``factor`` times it, evenly on a log scale around `SPREAD`."""
    return SPREAD * factor ** np.linspace(-0.5, 0.5, methods)


def few_large(methods: int) -> np.ndarray:
    """Spreads where one method in five varies three times as much as the others."""
    return SPREAD * np.where(np.arange(methods) < max(1, methods // 5), 3.0, 1.0)


def settings() -> Iterator[Setting]:
    """What is simulated: methods × blocks × spreads, and different shares of the variance that blocks explain."""
    for methods in (18, 5, 70):
        for blocks in (3, 5, 15):
            for factor, name in FACTOR_NAMES.items():
                yield Setting(name, evenly(methods, factor), blocks)
            yield Setting("one in five threefold", few_large(methods), blocks)
    for share in (0.3, 0.6, 0.9):
        yield Setting(f"equal, blocks {100 * share:.0f} %", evenly(18, 1), 3, share)
    yield Setting("equal, blocks of half the methods 60 %", evenly(18, 1), 3, 0.6, loading=np.arange(18) % 2)
    for own in (0.0, 1 / 3):  # share of a method's variance that its trials on one subset have in common
        yield Setting(f"equal, 5 subsets × 3 seeds, own to a subset {100 * own:.0f} %", evenly(18, 1), 15, draws=5, own_draw=own)


def of_our_rows() -> Iterator[Setting]:
    """Standard deviations of the committed rows, as measured. With three trials, they exaggerate how much methods differ."""
    for rows in sorted(RESULTS.glob("*/trials.parquet")):
        run = rows.parent
        frame, _ = reported(Store(run).frame())
        for name, wide in columns_of(frame, "balanced_accuracy").items():
            spreads = 100 * wide.dropna(axis=1).std(ddof=1).to_numpy()
            if len(spreads) >= 5 and np.all(spreads > 0) and len(wide) > 1:
                yield Setting(f"{run.name}, {name}", spreads * SPREAD / np.median(spreads), len(wide))


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--experiments", type=int, default=1000, help="experiments per setting (default 1000)")
    given = arguments.parse_args()
    made = []
    for make, title in (
        (settings, "Simulated spreads"),
        (of_our_rows, "Spreads of the committed rows, scaled to a median of 1.5"),
    ):
        rows = [row for setting in make() for row in measured(setting, given.experiments)]
        made += rows
        columns = ("spreads", "methods", "n", "test", "errors, equal", "errors, half", "found, 1", "2", "5")
        within = 1.4 * (1000 / given.experiments) ** 0.5
        notes = [f"in %; {given.experiments} experiments per figure, so that 5 % is known to ± {within:.1f}"]
        print_table(title, columns, [[str(v) if isinstance(v, (str, int)) else f"{v:.1f}" for v in row] for row in rows], notes)
    named = [
        [
            setting.name,
            len(setting.spreads),
            setting.blocks,
            name,
            *(100 * x for x in against_named(setting, test, 5.0, given.experiments)),
        ]
        for setting in settings()
        if not setting.draws
        for name, test in NAMED.items()
    ]
    print_table(
        "Against a baseline that was named beforehand, from which half of the others are 5 points away (%)",
        ("spreads", "methods", "n", "test", "errors", "found"),
        [[str(v) if isinstance(v, (str, int)) else f"{v:.1f}" for v in row] for row in named],
    )
    ranks = coverage(max(20, given.experiments // 10))
    print_table(
        "95 % intervals of average ranks, three data columns, 18 methods: share that contains the true rank (%), width",
        ("spreads, means", "n", "way", "held", "width"), [[*row[:3], f"{row[3]:.1f}", f"{row[4]:.2f}"] for row in ranks],
        ["means far: standard deviation of 3 points over methods; near: half a point, where ranks can hardly be determined"],
    )  # fmt: skip
    write_json(given.json, {"tests": made, "named": named, "ranks": ranks})


def measured(setting: Setting, experiments: int) -> list[list]:
    """One row per test."""
    methods, blocks = len(setting.spreads), setting.blocks
    tests: dict[str, Callable] = TESTS
    if setting.draws:
        tests = {"ours, subsets as blocks": lambda values, best: ours(setting.by_draw(values), best), **TESTS}
    equal, half = errors(setting, tests, experiments)
    power = [found(setting, tests, gap, experiments) for gap in (1.0, 2.0, 5.0)]
    return [
        [setting.name, methods, blocks, name, 100 * equal[name], 100 * half[name], *(100 * p[name] for p in power)]
        for name in tests
    ]


if __name__ == "__main__":
    main()
