"""How often intervals of average ranks contain the true rank, if they come from the block model or from resampled blocks."""

from __future__ import annotations

import numpy as np
from experiments import Setting
from scipy import stats

from bench.analysis.ranking import drawn_ranks

COLUMNS, METHODS, DRAWS = 3, 18, 400


def blocks_anew(columns: list[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Average ranks [draws, methods] of means over n − 1 of n blocks, drawn with replacement (Rao & Wu 1988)."""
    found = []
    for values in columns:
        chosen = generator.integers(0, len(values), (DRAWS, len(values) - 1))
        found.append(stats.rankdata(-values[chosen].mean(axis=1), axis=1))
    return np.asarray(np.mean(found, axis=0))


def coverage(experiments: int) -> list[list]:
    """Rows of spreads and means, n, kind of interval, share of true ranks in their interval in %, and mean width."""
    rows = []
    for means, far in (("far", 3.0), ("near", 0.5)):
        for factor in (1, 3):
            for n in (3, 5, 15):
                setting = Setting("", 1.5 * factor ** np.linspace(-0.5, 0.5, METHODS), n, share=0.2)
                held: dict[str, list] = {"block model (ours)": [], "blocks anew": []}
                generator = np.random.default_rng(n)
                for _ in range(experiments):
                    # How good a method is varies over methods by ``far``, and over columns by half of that.
                    truth = generator.normal(0, far, METHODS) + generator.normal(0, far / 2, (COLUMNS, METHODS))
                    columns = [setting.values(mean, 1, generator)[0] for mean in truth]
                    rank = stats.rankdata(-truth, axis=1).mean(axis=0)
                    ours = drawn_ranks(columns, draws=DRAWS)
                    for name, drawn in (("block model (ours)", ours), ("blocks anew", blocks_anew(columns, generator))):
                        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
                        held[name].append([np.mean((low <= rank) & (rank <= high)), np.mean(high - low)])
                spreads = "equal" if factor == 1 else "threefold"
                rows += [
                    [
                        f"{spreads}, means {means}",
                        str(n),
                        name,
                        100 * float(np.mean(made, axis=0)[0]),
                        float(np.mean(made, axis=0)[1]),
                    ]
                    for name, made in held.items()
                ]
    return rows
