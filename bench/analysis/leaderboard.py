"""The leaderboard: one row per data column and method, with everything that a reader may ask for. It depends on the frame alone.

A data column is a way of drawing images (dataset, imbalance, labels) together with a budget (recipe, model, epochs):
only figures of one column are compared.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.analysis import blocks, stats
from bench.analysis.comparable import machine_words, reported
from bench.analysis.comparison import as_blocks
from bench.analysis.metrics import of_rows
from bench.analysis.published import PAPER_ROWS, drawn_as_published, printed
from bench.analysis.ranking import chances_of, drawn_ranks, rank
from bench.analysis.relative import with_relative_accuracy
from bench.records import HEADLINE, RUNS_DIR
from bench.records.columns import COLUMN, DATA, DRAW, MACHINE, REPEATS, describe, keys
from bench.records.nested import environments_of, specs_of
from lt_core.errors import UserError
from lt_core.labels import counted, matches, method_of, short
from lt_core.metrics import METRICS
from lt_core.recipes import RECIPES
from lt_core.result import OK
from lt_core.spec import DataSpec

_FACTS = ["suite", "dataset", "imbalance_type", "imbalance_factor", "label_fraction", "method", "recipe", "model", "epochs"]
_TEXTS = ["environment", "spec"]  # columns of long texts
#: Options of a command that change its trials. Where data and runs are stored is up to the reader.
_CHANGES = re.compile(r"(--seeds|--epochs|--precision|--plugin)[ =](\S+)")
REPRODUCED, NEAR, OFF, NOT_RUN, OTHER = "reproduced", "within a point", "off", "not run", "other budget"
_SAME, _CLOSE = 0.5, 1.0  # points of accuracy
#: Columns that hold a tuple of words, and what separates these for a reader.
_SEVERAL = {"run": ", ", "devices": " and "}


def leaderboard(frame: pd.DataFrame, metric: str = HEADLINE) -> pd.DataFrame:
    """One row per data column and method, columns by dataset and imbalance, methods best first by ``metric``.

    Args:
        frame: one row per trial, from one or several runs (column ``run``, else ``suite``); a trial in several runs is counted
            once, by its first finished row.
        metric: name of the figure that ranks (`lt_core.metrics.METRICS`).

    Returns:
        column, dataset, imbalance_type, imbalance_factor, label_fraction, method, label, recipe, model, epochs; n finished
        trials, failed, collapsed; each figure as mean and ``<figure>_std`` (n − 1; NaN for n = 1), in % where it is a share;
        rank in the column and average_rank over the columns of the method's suite; within the column, rank_interval (95 %, in
        words) and chance_best (in %), which are empty and NaN if the column does not have two shared seeds; tied: not
        significantly different from the column's best; untested: no test compares it with the best; gpu_hours of all trials of
        the row (NaN without a GPU); published accuracy in %, paper, difference (measured − published, points) and verdict;
        relative_accuracy in % and the reference that it is relative to (`bench.analysis.relative`); run, the folders of the
        trials; devices, the kinds of device that they ran on; left_out, trials of the column in other runs that are not counted;
        command, which runs the row again. A cell of run or devices is a tuple: see `in_words`. Methods that a paper prints for a
        column but nobody ran have a row without figures (verdict "not run"): see `measured`.

    Raises:
        UserError: there are no trials.
    """
    frame, _ = reported(frame)
    if frame.empty:
        raise UserError("there are no trials yet: start with `bench.py run quick`")
    frame = frame.reset_index(drop=True)
    run = frame["run"] if "run" in frame else frame["suite"]
    texts, data_of = frame[_TEXTS], _data_of_suites(frame)
    frame = frame.drop(columns=_TEXTS)  # sorting and copying rows is faster without them; one text per row of the board is read
    frame = frame.assign(_column=_names(keys(frame, COLUMN)), _done=frame["status"] == OK, run=run)
    every = frame.assign(**{name: of_rows(METRICS[name], frame).where(frame["_done"]) for name in METRICS})
    # A trial that is in several runs counts once, by a finished row if there is one.
    every = every.sort_values("_done", ascending=False, kind="stable")
    shown = every.drop_duplicates("trial_id").sort_index()
    board = _figures(shown, texts, data_of)
    board["left_out"] = board["column"].map(_left_out(every, shown)).fillna("")
    trials = dict(iter(shown.groupby("_column", sort=False)))
    board = pd.concat([_rank(rows, trials[column], metric) for column, rows in board.groupby("column", sort=False)])
    ranks = _average_ranks(every.drop_duplicates(["suite", "trial_id"]).sort_index(), metric)
    board["average_rank"] = [ranks.get(key, np.nan) for key in zip(board["column"], board["label"], strict=True)]
    board = with_relative_accuracy(_beside_published(board), shown)
    board = board.assign(_factor=-board["imbalance_factor"])
    order = ["dataset", "imbalance_type", "label_fraction", "_factor", "column", "rank", "label"]
    return board.sort_values(order, kind="stable", ignore_index=True).drop(columns=["_factor", "_as_published"])


def measured(board: pd.DataFrame) -> pd.DataFrame:
    """``board`` without the methods that a paper prints for the column but nobody ran."""
    return board[board["run"].map(len) > 0].reset_index(drop=True)


def in_words(board: pd.DataFrame) -> pd.DataFrame:
    """``board``, or rows of it, with words in place of the tuples in its columns."""
    return board.assign(**{name: board[name].map(between.join) for name, between in _SEVERAL.items()})


def _names(columns: pd.DataFrame) -> list[str]:
    """A description of each row's data column that no other column shares."""
    unique = columns.drop_duplicates().to_dict("records")
    names = {tuple(row.values()): describe(row, unique) for row in unique}
    return [names[key] for key in columns.itertuples(index=False, name=None)]


def _figures(shown: pd.DataFrame, texts: pd.DataFrame, data_of: Mapping[str, Sequence[DataSpec]]) -> pd.DataFrame:
    """Means, spreads and counts of each column and label.

    Args:
        texts: `_TEXTS` of the rows of ``shown``, by their index.
        data_of: see `_data_of_suites`.
    """
    by = shown.assign(_row=shown.index).groupby(["_column", "label"], sort=False)
    board = by[_FACTS].first()
    first = texts.loc[by["_row"].first()]
    board["_as_published"] = [drawn_as_published(dict(row)) for _, row in by[COLUMN].first().iterrows()]
    done = by["_done"].sum()
    board = board.assign(
        n=done, failed=by.size() - done, collapsed=(shown["_done"] & shown["collapsed"].astype(bool)).groupby(
            [shown["_column"], shown["label"]], sort=False).sum(),
    )  # fmt: skip
    names = list(METRICS)
    board = board.join(by[names].mean()).join(by[names].std(ddof=1).add_suffix("_std"))
    on_gpu = shown[shown["device"] == "cuda"]
    gpus = [environment.get("gpus", 1) for environment in environments_of(texts.loc[on_gpu.index])]  # may be a fraction of a GPU
    hours = on_gpu["train_seconds"] * np.asarray(gpus, float) / 3600
    board["gpu_hours"] = hours.groupby([on_gpu["_column"], on_gpu["label"]], sort=False).sum(min_count=1)
    board = board.rename_axis(index={"_column": "column"}).reset_index()
    board["run"] = [tuple(dict.fromkeys(rows)) for _, rows in by["run"]]
    board["devices"] = _devices(board, shown)
    labels = {str(suite): set(rows) for suite, rows in shown.groupby("suite")["label"]}
    rows = zip(board["suite"], board["label"], specs_of(first), environments_of(first), strict=True)
    board["command"] = [
        _command(suite, _only(label, labels[suite]), environment.get("command", ""), _telling(spec.data, data_of[suite]))
        for suite, label, spec, environment in rows
    ]
    return board


def _devices(board: pd.DataFrame, shown: pd.DataFrame) -> list[tuple[str, ...]]:
    """The kinds of device behind each row of ``board``."""
    kinds: dict[tuple[str, str], list[tuple[str, float, str]]] = {}
    different = shown.loc[shown["_done"], ["_column", "label", *MACHINE]].drop_duplicates()
    for column, label, *kind in different.itertuples(index=False, name=None):
        kinds.setdefault((column, label), []).append(tuple(kind))
    return [tuple(machine_words(kinds.get(key, ()))) for key in zip(board["column"], board["label"], strict=True)]


def _data_of_suites(frame: pd.DataFrame) -> dict[str, list[DataSpec]]:
    """Suite → its data, one specification for each of them."""
    different = frame.drop_duplicates(["suite", *DATA])
    return {str(suite): [spec.data for spec in specs_of(rows)] for suite, rows in different.groupby("suite", sort=False)}


def _left_out(every: pd.DataFrame, shown: pd.DataFrame) -> dict[str, str]:
    """Column → which rows are not counted because another run has the same trials, and which run that is."""
    rest = every.drop(shown.index)
    kept = shown.set_index("trial_id")
    rest = rest.assign(_by=rest["trial_id"].map(kept["run"]), _failed=~rest["_done"] & rest["trial_id"].map(kept["_done"]))
    words: dict[str, list[str]] = {}
    for (column, run, by, failed), rows in rest.groupby(["_column", "run", "_by", "_failed"], sort=False):
        trials = f"{counted(len(rows), 'failed trial' if failed else 'trial')} of {run}"
        first = " (your own runs take precedence)" if Path(by).parent == RUNS_DIR and not failed else ""
        words.setdefault(column, []).append(
            f"{trials}, because {by} has the same {'trials, which finished' if failed else 'trials'}{first}"
        )
    return {column: "; ".join(found) for column, found in words.items()}


def _rank(rows: pd.DataFrame, trials: pd.DataFrame, metric: str) -> pd.DataFrame:
    """``rows`` of one column with their rank (1 is the best), how certain it is, and which are not significantly different from
    the best.
    """
    lower = METRICS[metric].lower_is_better
    rank = pd.Series(stats.settled(rows[metric].to_numpy()), rows.index).rank(method="min", ascending=lower)
    pairs = trials.pivot_table(index=REPEATS, columns="label", values=metric, aggfunc="mean", dropna=False)
    values = as_blocks(pairs.reindex(columns=rows["label"]))
    tied = untested = np.zeros(len(rows), bool)
    if rank.notna().any():
        tied, untested = blocks.marks(values, int(np.nanargmin(rank.to_numpy())))
    behind = rank.to_numpy() > 1
    return _trusted(rows.assign(rank=rank, tied=behind & tied, untested=behind & untested), values, lower)


def _trusted(rows: pd.DataFrame, values: np.ndarray, lower: bool) -> pd.DataFrame:
    """``rows`` with the interval of each rank and the chance of being best, from ``values`` [blocks, rows]."""
    intervals, chances = [""] * len(rows), np.full(len(rows), np.nan)
    # In the order of `ranking.rank`, so that both make the same random draws.
    done = [j for j in np.argsort(rows["label"].to_numpy()) if np.isfinite(values[:, j]).any()]
    drawn = drawn_ranks([values[:, done]], lower, ties="min") if done else None
    if drawn is not None:
        chances[done] = 100 * chances_of(drawn)
        ends = np.quantile(drawn, [0.025, 0.975], axis=0).round().astype(int).T
        for place, (low, high) in zip(done, ends, strict=True):
            intervals[place] = f"{low}" if low == high else f"{low}–{high}"
    return rows.assign(rank_interval=intervals, chance_best=chances)


def _average_ranks(trials: pd.DataFrame, metric: str) -> dict[tuple[str, str], float]:
    """(column, label) → average rank over all columns of the suite, for methods that all its columns have. If a column is in
    several suites, the suite with the most columns decides.
    """
    lower, found = METRICS[metric].lower_is_better, {}
    suites = [(rank(rows, metric, lower, draws=0), rows) for _, rows in trials.groupby("suite", sort=False)]
    for ranking, rows in sorted(suites, key=lambda item: item[0].columns):
        for column, label in set(zip(rows["_column"], rows["label"], strict=True)):
            if label in ranking.ranks:
                found[column, label] = ranking.ranks[label]
    return found


def _beside_published(board: pd.DataFrame) -> pd.DataFrame:
    """``board`` with the figures that papers print, and with rows for methods that they print but nobody ran."""
    missing = []
    for _, first in board.drop_duplicates("column").iterrows():
        there = set(board.loc[board["column"] == first["column"], "label"])
        for label in [x for x in PAPER_ROWS if x not in there] if first["_as_published"] else []:
            if _printed(first, label) is not None and first["recipe"] == PAPER_ROWS[label].recipe:
                kept = {key: first[key] for key in ("column", "_as_published", *_FACTS)} | dict.fromkeys(_SEVERAL, ())
                missing.append({**kept, "method": method_of(label), "label": label, "n": 0, "failed": 0, "collapsed": 0})
    if missing:
        board = pd.concat([board, pd.DataFrame(missing)], ignore_index=True)
        board[["tied", "untested"]] = board[["tied", "untested"]].fillna(False).astype(bool)
        words = ["command", "left_out", "rank_interval"]
        board[words] = board[words].fillna("")
    values = [_printed(row, row["label"]) if row["_as_published"] else None for _, row in board.iterrows()]
    cites = [PAPER_ROWS[label].cite if value is not None else "" for label, value in zip(board["label"], values, strict=True)]
    board = board.assign(published=pd.array(values, dtype="Float64").to_numpy(dtype=float, na_value=np.nan), paper=cites)
    board["difference"] = board["accuracy"] - board["published"]
    board["verdict"] = [_verdict(row) for _, row in board.iterrows()]
    return board


def _printed(row: pd.Series, label: str) -> float | None:
    return printed(label, row["dataset"], row["imbalance_type"], row["imbalance_factor"], row["label_fraction"])


def _verdict(row: pd.Series) -> str:
    """How a measured figure agrees with the published one; with another training budget, the two are not compared."""
    if np.isnan(row["published"]):
        return ""
    if not row["n"]:
        return NOT_RUN
    recipe = RECIPES[PAPER_ROWS[row["label"]].recipe]
    if (row["recipe"], row["model"], row["epochs"]) != (recipe.name, recipe.model, recipe.epochs):
        return OTHER
    distance = abs(row["difference"])
    return REPRODUCED if distance <= _SAME else NEAR if distance <= _CLOSE else OFF


def _telling(data: DataSpec, suite: Sequence[DataSpec]) -> dict[str, str]:
    """What ``--where`` must say to select ``data`` and no other data of its ``suite``: name, imbalance, and what else differs."""
    plain = {"imbalance_factor": 1, "label_fraction": 1, "unlabelled_ratio": 0}  # these values need not be given
    named = ("dataset", "imbalance_type", *plain)
    alike = [other for other in suite if all(getattr(other, key) == getattr(data, key) for key in named)]
    said: dict[str, str] = {}
    for field in dataclasses.fields(DataSpec):
        key, value = field.name, getattr(data, field.name)
        differs = any(getattr(other, key) != value for other in (suite if key in named else alike))
        if key not in (DRAW, "counts"):  # a row covers all subsets, and a command line cannot give a list
            said |= {key: short(value)} if differs or (key in named and value != plain.get(key)) else {}
    return said


def _only(label: str, among: Collection[str]) -> str:
    """The value of ``--only`` that selects ``label`` and no other label of its suite."""
    return f"={label}" if any(other != label and matches(label, other) for other in among) else label


def _command(suite: str, only: str, given: str, where: Mapping[str, str]) -> str:
    """The command line that runs the trials of a row again; ``given`` is the one that ran the first of them."""
    try:
        words = shlex.split(given)
    except ValueError:  # someone else's record may hold anything
        words = given.split()
    file = next((word for word in words[2:] if Path(word).stem == suite), suite)
    if "tune" in words[1:2]:
        return shlex.join(["python", "bench.py", "tune", file])
    chosen = ",".join(f"{key}={value}" for key, value in where.items())
    parts = ["python", "bench.py", "run", file, "--only", only, "--where", chosen]
    return shlex.join(parts + [word for pair in _CHANGES.findall(given) for word in pair])
