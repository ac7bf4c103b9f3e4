"""What trials will cost: from the seconds of finished ones, otherwise from a calibration of a few steps.

Of large networks one alone is calibrated, since a step takes seconds: the others are priced by their operations beside its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

import lt_core.methods  # noqa: F401  (registers every part: records name theirs, and no suite may have been read)
from bench.records.nested import specs_of
from bench.suites.calibration import calibrate, is_large, operations, seen_at
from lt_core import plugins
from lt_core.data.sets import DATASETS
from lt_core.data.unlabelled import semi_sizes
from lt_core.result import OK
from lt_core.spec import TrialSpec
from lt_core.stages import stage_one, stages_of

#: Model, side of its crops, and image set: trials that are alike in these cost the same for the same `work`.
Kind = tuple[str, int, str]


@dataclass(frozen=True)
class Estimate:
    """Trial seconds, one after another, and where the figure comes from."""

    seconds: float
    measured: int  # trials priced by finished trials of their kind
    calibrated: int  # trials priced by a calibration of their kind
    counted: int = 0  # trials priced by the operations of their network beside those of another one
    beside: str = ""  # that other one, in words


def work(spec: TrialSpec) -> float:
    """Images through the network in a trial, as forward passes: three for training (forward, backward), one for evaluation.
    A shared stage one is a trial of its own.
    """
    info = DATASETS[spec.data.dataset]
    sizes, unlabelled = semi_sizes(spec.data, info.train_counts)
    images = info.classes * min(sizes) if spec.method.params["sampling"] == "under" else sum(sizes)
    images = spec.recipe.steps * spec.recipe.batch_size or images
    stages = stages_of(spec)
    evaluations = max(1, -(-stages.epochs(spec) // spec.recipe.curve_step))
    evaluated = info.test_count + spec.data.validation * info.classes + sum(unlabelled)
    return stages.work(spec, images) + evaluations * evaluated


class Prices:
    """Seconds a unit of `work` by kind of trial, as far as they were found out here: each is found out once, for all suites."""

    def __init__(self) -> None:
        self._calibrated: dict[Kind, float] = {}
        self._large: tuple[TrialSpec, float] | None = None  # the large kind of trial that was priced first, and its price

    def estimate(self, specs: Sequence[TrialSpec], frame: pd.DataFrame | None = None) -> Estimate:
        """Price ``specs``. ``frame``: finished trials; those of the same kind set the price."""
        rates = _measured_rates(frame) if frame is not None else {}
        seconds, by = 0.0, dict[Kind, str]()
        first_stages = {first.trial_id: first for spec in specs if (first := stage_one(spec))}
        for spec in [*first_stages.values(), *specs]:
            kind = _kind(spec)
            by[kind], rate = self._price(spec, kind, rates)
            seconds += work(spec) * rate
        counts = Counter(by[_kind(spec)] for spec in specs)
        beside = f"{self._large[0].recipe.model} at {seen_at(self._large[0])[0]} pixels" if self._large else ""
        return Estimate(seconds, counts["measured"], counts["calibrated"], counts["counted"], beside)

    def _price(self, spec: TrialSpec, kind: Kind, rates: Mapping[Kind, float]) -> tuple[str, float]:
        """How a kind of trial is priced, and its price."""
        if kind in rates:
            how, rate = "measured", rates[kind]
        elif kind in self._calibrated:
            how, rate = "calibrated", self._calibrated[kind]
        elif self._large and is_large(spec):
            return "counted", self._large[1] * operations(spec) / operations(self._large[0])
        else:
            how, rate = "calibrated", calibrate(spec)
            self._calibrated[kind] = rate
        if self._large is None and is_large(spec):
            self._large = spec, rate
        return how, rate


def estimate(specs: Sequence[TrialSpec], frame: pd.DataFrame | None = None) -> Estimate:
    """What `Prices` say of ``specs`` alone."""
    return Prices().estimate(specs, frame)


def _kind(spec: TrialSpec) -> Kind:
    return spec.recipe.model, spec.recipe.crop, spec.data.dataset


def _measured_rates(frame: pd.DataFrame) -> Mapping[Kind, float]:
    """Seconds a unit of `work`, by kind of trial."""
    totals: dict[Kind, list[float]] = defaultdict(lambda: [0.0, 0.0])
    done = frame[frame["status"] == OK]
    for row, spec in zip(done.itertuples(), specs_of(done), strict=True):
        if plugins.missing(spec.versions):  # only its file knows what it takes
            continue
        total = totals[_kind(spec)]
        total[0] += row.train_seconds + row.evaluate_seconds + row.setup_seconds
        first = stage_one(spec)
        total[1] += work(spec) + (work(first) if first else 0)
    return {kind: seconds / done for kind, (seconds, done) in totals.items()}


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 10 or size < 3600 else f"{value:.1f} {unit}"
    return f"{seconds / 86_400:,.1f} days"
