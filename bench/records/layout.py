"""The columns of ``trials.parquet`` and their order, and which files are too old to be read."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import os
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any

import lt_core
from bench.records.columns import DATA, DRAW
from lt_core import plugins
from lt_core.metrics import METRICS, ON_CURVES, TEST_PRIORS, Metric

VALIDATION = tuple(f"validation_{column}" for column in ON_CURVES)
SECONDS = ("train_seconds", "evaluate_seconds", "setup_seconds")
ENVIRONMENT = (
    "device", "device_name", "threads", "precision", "data_fingerprint", "subset_fingerprint", "git_commit", "git_dirty",
    "torch", "python",
)  # fmt: skip
#: Scores of generated images (`lt_core.generation.scores`), averaged over classes, where a run asked for them.
MADE = ("inception_accuracy", "judge_accuracy", "kid", "near_copies")
#: Fields of a record that only some runs ask for, and that no frame holds.
EXTRAS = ("embedding", "pictures")
# The column order that files have always had. A metric that is not named here comes last.
_BEFORE = ("trial_id", "suite", *DATA, "method", "label", "params", "model", "recipe", "epochs", "seed", DRAW, "status", "cause")
_METRICS = (
    "accuracy", "balanced_accuracy", "macro_f1", "minority_f1", "g_mean", "many_accuracy", "medium_accuracy", "few_accuracy",
    "ece", "h_mean", "worst_class", "class_ece", *TEST_PRIORS, "top5_accuracy",
)  # fmt: skip
_BEHIND = (
    "collapsed", "searched", *VALIDATION, "oracle_accuracy", *MADE, "train_images", *SECONDS, "images_per_second", *ENVIRONMENT,
    "protocol", "schema", "environment", "spec",
)  # fmt: skip


def metric_columns() -> list[str]:
    """The columns that metrics fill."""
    return list(dict.fromkeys(metric.column for metric in METRICS.values()))


def trial_columns() -> tuple[str, ...]:
    """The columns of ``trials.parquet``; those of the user's own metrics come last."""
    return (*_BEFORE, *_METRICS, *_BEHIND, *dict.fromkeys(metric.column for metric in _own_metrics()))


def version() -> str:
    """A text that changes whenever the same records would give other frames: it has their columns, and the source files of the
    user's own metrics.
    """
    return repr(trial_columns()) + "".join(_source(metric.compute) for metric in _own_metrics())


def made_by() -> str:
    """A digest that changes with everything but a record that decides its rows: the code, and plug-in files. It is random if a
    metric reads predictions, which are files beside the records.
    """
    if any(metric.needs_predictions for metric in METRICS.values()):
        return os.urandom(16).hex()
    return _of_code(*sorted(plugin.sha256 for plugin in plugins.loaded()), version())


@lru_cache(maxsize=8)
def _of_code(*others: Hashable) -> str:
    digest = hashlib.sha256(repr(others).encode())
    for package in (Path(lt_core.__file__).parent, Path(__file__).parent):
        for file in sorted(package.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _own_metrics() -> list[Metric]:
    return [metric for metric in METRICS.values() if metric.column not in (*_METRICS, *_BEHIND)]


def _source(function: Any) -> str:
    """The text of the file that defines ``function``. Without such a file the result is random, because nobody can tell whether
    the function is still the same.
    """
    try:
        file = inspect.getfile(function)
    except TypeError:
        return os.urandom(16).hex()
    linecache.checkcache(file)
    return "".join(linecache.getlines(file)) or os.urandom(16).hex()
