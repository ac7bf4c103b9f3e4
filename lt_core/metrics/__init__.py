"""All metrics, the figures of tables. A new one is a function of an `Outcome` decorated with `metric`."""

from lt_core.external import OF_METRICS, load_external
from lt_core.metrics.base import Metric
from lt_core.metrics.catalogue import FEW, MANY, ON_CURVES, on_curves
from lt_core.metrics.counts import (
    BINS,
    MARGINS,
    MATRIX_CLASSES,
    TOP,
    calibration_bins,
    class_calibration_bins,
    collapsed,
    expected_calibration_error,
    margins,
    precision,
    recall,
)
from lt_core.metrics.outcome import Outcome
from lt_core.metrics.priors import FACTORS, TEST_PRIORS, accuracies_under, long_tailed_prior
from lt_core.metrics.registered import METRICS, metric, metric_of, recorded

__all__ = [
    "BINS", "FACTORS", "FEW", "MANY", "MARGINS", "MATRIX_CLASSES", "METRICS", "ON_CURVES", "TEST_PRIORS", "TOP", "Metric",
    "Outcome", "accuracies_under", "calibration_bins", "class_calibration_bins", "collapsed", "expected_calibration_error",
    "long_tailed_prior", "margins", "metric", "metric_of", "on_curves", "precision", "recall", "recorded",
]  # fmt: skip

load_external(OF_METRICS)
