"""The metrics that there are: registered by a decorator, found by name or column, and computed all together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from lt_core.data.spec import DataSpec
from lt_core.errors import UserError, unknown
from lt_core.metrics.base import Compute, Metric
from lt_core.metrics.outcome import Outcome
from lt_core.registry import Registry

METRICS: Registry[Metric] = Registry("metric")

#: Names that no metric may have, because other columns of the results frame or of the leaderboard have them.
RESERVED = frozenset(
    {field.name for field in fields(DataSpec)}
    | {
        "trial_id", "suite", "unlabelled_imbalance_factor", "method", "label", "params", "model", "recipe", "epochs", "seed",
        "status", "cause", "collapsed", "searched", "validation_accuracy", "validation_balanced_accuracy", "oracle_accuracy",
        "inception_accuracy", "judge_accuracy", "kid", "near_copies",
        "train_images", "evaluate_seconds", "setup_seconds", "device", "device_name", "threads", "precision", "data_fingerprint",
        "subset_fingerprint", "git_commit", "git_dirty", "torch", "python", "protocol", "schema", "environment", "spec",
        "column", "n", "failed", "rank", "average_rank", "rank_interval", "chance_best", "tied", "untested", "gpu_hours",
        "published", "paper", "difference", "verdict", "relative_accuracy", "reference", "run", "devices", "left_out", "command",
    }
)  # fmt: skip


def metric(name: str, quantity: str, **declared: Any) -> Callable[[Compute], Metric]:
    """Decorator: register a function of an `Outcome` as a metric.

    >>> from lt_core.metrics import METRICS, Outcome, metric
    >>> @metric("best_class", "recall of the best class")
    ... def best_class(outcome):
    ...     return float(outcome.recall.max())
    >>> METRICS["best_class"](Outcome.of([[90, 10], [5, 5]], train_counts=[900, 10]))
    0.9

    Args:
        declared: further fields of `Metric`; ``short`` and ``column`` are the name unless they are given.

    Raises:
        UserError: the name cannot be that of a column, or something else already has the name or the column.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"metric '{name}' becomes the name of a column: use lower-case letters, digits and '_'")
    for word in (name, declared.get("column", name)):
        if word in RESERVED:
            raise UserError(f"metric {name}: '{word}' is already a column of the results or the leaderboard: choose another name")

    def declare(function: Compute) -> Metric:
        compute = function.compute if isinstance(function, Metric) else function
        made = Metric(name, quantity, compute, **{"short": name, "column": name, **declared})
        for other in METRICS.values():
            shared = {made.name, made.column} & {other.name, other.column}
            if shared and other.name != name and other.compute is not compute:
                raise UserError(f"metrics {other.name} and {name} share the name '{shared.pop()}': rename one of them")
        return METRICS.add(name, made)

    return declare


def recorded(outcome: Outcome) -> dict[str, float]:
    """Column → its value, for the columns of all metrics."""
    of_columns = {made.column: made for made in METRICS.values()}  # a metric and its complement share one
    return {column: made.recorded(outcome) for column, made in of_columns.items()}


def metric_of(key: str, kind: str = "metric", where: str = "") -> Metric:
    """The metric with that name or column.

    Raises:
        UserError: there is none; the message calls it a ``kind`` and says ``where`` it was asked for.
    """
    known = {made.column: made for made in METRICS.values() if not made.complement} | {n: METRICS[n] for n in METRICS}
    if key not in known:
        raise unknown(kind, key, known, where)
    return known[key]
