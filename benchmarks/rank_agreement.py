"""Whether the frozen track ranks methods like training from scratch: rank correlations between runs, with intervals.

    $ python benchmarks/rank_agreement.py results/frozen_cifar10 results/cifar10_drw results/catalogue

For every pair of data columns, the methods that both have under the same name are ranked by balanced accuracy. The interval of
Spearman's ρ accounts for both methods and trials: methods are drawn with replacement, and each figure varies by the standard
error of its mean.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
import pandas as pd
from scipy import stats

from bench.analysis.comparison import columns_of
from bench.records.store import Store
from lt_core.labels import method_of

DRAWS = 4000


def correlation(one: pd.DataFrame, other: pd.DataFrame, generator: np.random.Generator) -> tuple[float, float, float]:
    """Spearman's ρ of two tables [blocks, methods] over their shared columns, and the ends of its 95 % interval."""
    shared = [label for label in one.columns if label in other.columns]
    means = [table[shared].mean().to_numpy() for table in (one, other)]
    errors = [(table[shared].std(ddof=1) / np.sqrt(table[shared].notna().sum())).fillna(0).to_numpy() for table in (one, other)]
    drawn = []
    for _ in range(DRAWS):
        chosen = generator.integers(0, len(shared), len(shared))
        moved = [(mean + generator.normal(size=len(mean)) * error)[chosen] for mean, error in zip(means, errors, strict=True)]
        if len(set(chosen)) > 1:  # a single method has no ranks
            drawn.append(stats.spearmanr(*moved).statistic)
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(stats.spearmanr(*means).statistic), float(low), float(high)


def by_method(wide: pd.DataFrame) -> pd.DataFrame:
    """``wide`` with one column per method, under the method's name: the method as declared, or its only setting."""
    labels: dict[str, list[str]] = {}
    for label in map(str, wide.columns):
        labels.setdefault(method_of(label), []).append(label)
    chosen = {name: name if name in found else found[0] for name, found in labels.items() if name in found or len(found) == 1}
    return wide[list(chosen.values())].set_axis(list(chosen), axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="folders of runs")
    given = parser.parse_args()

    tables = {
        f"{Store(run).path.name}: {name}": by_method(wide)
        for run in given.runs
        for name, wide in columns_of(Store.open(run).frame(), "balanced_accuracy").items()
    }
    generator = np.random.default_rng(0)
    print("Spearman's ρ of balanced accuracy, [95 % interval], methods in common")
    for (first, one), (second, other) in itertools.combinations(tables.items(), 2):
        shared = [label for label in one.columns if label in other.columns]
        if len(shared) >= 4:
            rho, low, high = correlation(one, other, generator)
            print(f"{first:32}{second:32}{rho:6.2f}  [{low:5.2f}, {high:5.2f}]{len(shared):4}", flush=True)


if __name__ == "__main__":
    main()
