"""Every method against a baseline that was named beforehand, over trials that share images and seeds.

Two trials are a pair if they share images, initialisation and order: dataset, imbalance, subset and seed. A difference over
several data columns applies to these columns only and is weighted by pairs: its error comes from the trials within each column,
not from the choice of columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.analysis import blocks
from bench.analysis.stats import NOISE, holm
from bench.records.columns import COLUMN, DRAW, PAIR, describe, keys
from lt_core.errors import UserError, unknown
from lt_core.result import OK


@dataclass(frozen=True)
class Comparison:
    """One method against the baseline, over the pairs that both finished. Differences are in the figure's own unit."""

    label: str
    pairs: int
    unpaired: int  # trials of the method without a partner, including failed ones: they are reported, never silently dropped
    difference: float  # mean of method − baseline
    interval: tuple[float, float] | None  # of that mean, 95 %
    p: float  # NaN where there is no test
    p_holm: float  # adjusted for the number of methods compared
    wins: int  # pairs in which the method is better
    losses: int


def columns_of(frame: pd.DataFrame, column: str) -> dict[str, pd.DataFrame]:
    """Data column in words → its finished figures: one row per block (subset and seed), one column per label, in the order of
    ``frame``. Figures of one label and block are averaged.
    """
    keyed = frame.assign(**keys(frame, PAIR))
    done = keyed[(keyed["status"] == OK) & keyed[column].notna()]
    found: dict[str, pd.DataFrame] = {}
    for _, rows in done.groupby(COLUMN, sort=False):
        wide = rows.pivot_table(index=[DRAW, "seed"], columns="label", values=column, aggfunc="mean", sort=False)
        name = describe(frame.loc[rows.index[0]].to_dict())
        found[name if name not in found else f"{name} ({len(found) + 1})"] = wide
    return found


def as_blocks(wide: pd.DataFrame) -> np.ndarray:
    """A table of `columns_of` in the form that `bench.analysis.blocks` expects."""
    return blocks.by_draw(wide.to_numpy(dtype=float), wide.index.get_level_values(DRAW).tolist())


def compare(
    frame: pd.DataFrame, baseline: str, column: str = "balanced_accuracy", lower_is_better: bool = False
) -> list[Comparison]:
    """Every label of ``frame`` against ``baseline``, best mean difference first.

    The tests are t-tests with the spreads of the block model (`bench.analysis.blocks`) and Holm's correction. Where there are
    several data columns, the degrees of freedom are Satterthwaite's.

    Raises:
        UserError: the baseline has no finished trial, or none shares its images and seeds.
    """
    if baseline not in set(frame["label"]):
        raise unknown("baseline", baseline, sorted(set(frame["label"])))
    tables = [wide for wide in columns_of(frame, column).values() if baseline in wide]
    if not tables:
        raise UserError(
            f"no trial of the baseline '{baseline}' has finished, so there is nothing to compare with: run it, or "
            "choose another baseline"
        )
    found = [(wide, blocks.contrasts(as_blocks(wide), wide.columns.get_loc(baseline))) for wide in tables]
    sign = -1 if lower_is_better else 1
    made = [
        _comparison(str(label), int((frame["label"] == label).sum()), baseline, found, sign)
        for label in dict.fromkeys(frame["label"])
        if label != baseline
    ]
    made = [one for one in made if one.pairs]
    if not made:
        raise UserError(f"no other method was run on the same images and seeds as '{baseline}': run them in one suite")
    tested = [one.p for one in made if not np.isnan(one.p)]
    adjusted = iter(holm(tested))
    made = [one if np.isnan(one.p) else _with(one, next(adjusted)) for one in made]
    return sorted(made, key=lambda c: -sign * c.difference)


def _with(one: Comparison, adjusted: float) -> Comparison:
    return Comparison(**{**vars(one), "p_holm": adjusted})


def _comparison(
    label: str, trials: int, baseline: str, found: list[tuple[pd.DataFrame, blocks.Contrasts]], sign: int
) -> Comparison:
    """``label`` against ``baseline`` over all data columns that have both."""
    from scipy import stats

    both = [(wide, made, wide.columns.get_loc(label)) for wide, made in found if label in wide]
    values = np.concatenate([(wide[label] - wide[baseline]).dropna().to_numpy(dtype=float) for wide, _, _ in both] or [[]])
    if not len(values):
        return Comparison(label, 0, trials, np.nan, None, np.nan, np.nan, 0, 0)
    counts = [int((wide[label] - wide[baseline]).notna().sum()) for wide, _, _ in both]
    parts = [(n, made.error[j], made.df[j]) for n, (_, made, j) in zip(counts, both, strict=True) if n]
    pairs, errors, df = np.array(parts, dtype=float).T
    tested = any(made.tested[j] for _, made, j in both)
    variances = (pairs / pairs.sum() * errors) ** 2
    mean, error = float(values.mean()), float(np.sqrt(variances.sum()))
    interval, p = None, 1.0 if len(values) > 1 and np.all(np.abs(values) <= NOISE) else np.nan
    if tested and error > 0:
        df_all = variances.sum() ** 2 / (variances**2 / df).sum()
        half = float(stats.t.ppf(0.975, df_all)) * error
        interval, p = (mean - half, mean + half), float(2 * stats.t.sf(abs(mean) / error, df_all))
    wins, losses = int((sign * values > NOISE).sum()), int((sign * values < -NOISE).sum())
    return Comparison(label, len(values), trials - len(values), mean, interval, p, p, wins, losses)
