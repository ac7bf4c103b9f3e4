"""Every figure that a table may want. A new one is one function of an `Outcome` with `metric` above it."""

from lt_core.external import OF_METRICS, load_external
from lt_core.metrics.base import METRICS, Metric, Outcome, metric, metric_of, recorded
from lt_core.metrics.catalogue import FEW, MANY, ON_CURVES, on_curves
from lt_core.metrics.counts import BINS, calibration_bins, collapsed, expected_calibration_error, precision, recall

__all__ = [
    "BINS", "FEW", "MANY", "METRICS", "ON_CURVES", "Metric", "Outcome", "calibration_bins", "collapsed",
    "expected_calibration_error", "metric", "metric_of", "on_curves", "precision", "recall", "recorded",
]  # fmt: skip

load_external(OF_METRICS)
