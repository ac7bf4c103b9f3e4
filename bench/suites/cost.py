"""Estimates of what trials will cost: from finished trials, or else from a calibration of a few steps.

Only one large network is calibrated, because its steps take seconds; the others are priced by their operations relative to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

import lt_core.methods  # noqa: F401  (registers the parts that records name, even if no suite has been read)
from bench.records.columns import COLUMN
from bench.records.layout import SECONDS
from bench.records.nested import specs_of
from bench.suites.calibration import calibrate, is_large, operations, seen_at
from lt_core import plugins
from lt_core.data.sets import DATASETS
from lt_core.data.unlabelled import semi_sizes
from lt_core.recipes import Recipe
from lt_core.result import OK
from lt_core.spec import DataSpec, TrialSpec
from lt_core.stages import stage_one, stages_of

#: Model, size of its crops, image set, and batch size. Trials that agree in these take the same time per unit of `work`.
Kind = tuple[str, int, str, int]


@dataclass(frozen=True)
class Estimate:
    """Total seconds of trials, and how they were estimated."""

    seconds: float
    measured: int  # trials priced by finished trials of their kind
    calibrated: int  # trials priced by a calibration of their kind
    counted: int = 0  # trials priced by the operations of their network relative to another one's
    beside: str = ""  # a description of that other network


def work(spec: TrialSpec) -> float:
    """The cost of a trial in images that pass forward through the network: training an image (forward and backward) counts as
    three, evaluating it as one. A shared stage one counts as a separate trial.
    """
    info = DATASETS[spec.data.dataset]
    sizes, unlabelled = semi_sizes(spec.data, info.train_counts)
    images = info.classes * min(sizes) if spec.method.params["sampling"] == "under" else sum(sizes)
    images = spec.recipe.steps * spec.recipe.batch_size or images
    stages = stages_of(spec)
    evaluations = max(1, -(-stages.epochs(spec) // spec.recipe.curve_step))
    evaluated = info.test_count + spec.data.validation * info.classes + sum(unlabelled)
    return stages.work(spec, images) + evaluations * evaluated


def works(specs: Iterable[TrialSpec]) -> list[float]:
    """The `work` of each of ``specs``, which is the same for all seeds."""
    known: dict[tuple[DataSpec, str, Recipe], float] = {}
    found = []
    for spec in specs:
        key = spec.data, spec.method.label, spec.recipe
        if key not in known:
            known[key] = work(spec)
        found.append(known[key])
    return found


def _without_shared(specs: Sequence[TrialSpec]) -> list[float]:
    """`works`, where only the first of trials that begin with the same training does it."""
    begun: set[str] = set()
    left = []
    for spec, images in zip(specs, works(specs), strict=True):
        stages = stages_of(spec)
        first = stages.begins_with(spec)
        left.append(images - stages.shared_work(spec) if first and first.trial_id in begun else images)
        begun |= {first.trial_id} if first else set()
    return left


class Prices:
    """Seconds per unit of `work` for each kind of trial. Each price is determined once, for all suites.

    Args:
        announce: Called with a sentence before each calibration, which takes seconds.
    """

    def __init__(self, announce: Callable[[str], None] | None = None) -> None:
        self._announce = announce or (lambda sentence: None)
        self._calibrated: dict[Kind, float] = {}
        self._large: tuple[TrialSpec, float] | None = None  # the large kind of trial that was priced first, and its price

    def estimate(self, specs: Sequence[TrialSpec], frame: pd.DataFrame | None = None) -> Estimate:
        """Price ``specs``. Finished trials of the same kind in ``frame`` determine the price."""
        seconds, by = 0.0, dict[Kind, str]()
        first_stages = {first.trial_id: first for spec in specs if (first := stage_one(spec))}
        priced = list({spec.trial_id: spec for spec in (*first_stages.values(), *specs)}.values())
        rates = _measured_rates(priced, frame) if frame is not None and specs else {}
        for spec, images in zip(priced, _without_shared(priced), strict=True):
            kind = _kind(spec)
            by[kind], rate = self._price(spec, kind, rates)
            seconds += images * rate
        counts = Counter(by[_kind(spec)] for spec in specs)
        beside = f"{self._large[0].recipe.model} at {seen_at(self._large[0])[0]} pixels" if self._large else ""
        return Estimate(seconds, counts["measured"], counts["calibrated"], counts["counted"], beside)

    def _price(self, spec: TrialSpec, kind: Kind, rates: Mapping[Kind, float]) -> tuple[str, float]:
        """How a kind of trial is priced, and the price."""
        if kind in rates:
            how, rate = "measured", rates[kind]
        elif kind in self._calibrated:
            how, rate = "calibrated", self._calibrated[kind]
        elif self._large and is_large(spec):
            return "counted", self._large[1] * operations(spec) / operations(self._large[0])
        else:
            batch = f"in batches of {spec.recipe.batch_size}"
            self._announce(f"timing a few steps of {spec.recipe.model} on {spec.data.dataset} {batch} to estimate costs")
            how, rate = "calibrated", calibrate(spec)
            self._calibrated[kind] = rate
        if self._large is None and is_large(spec):
            self._large = spec, rate
        return how, rate


def _kind(spec: TrialSpec) -> Kind:
    return spec.recipe.model, spec.recipe.crop, spec.data.dataset, spec.recipe.batch_size


def _measured_rates(specs: Sequence[TrialSpec], frame: pd.DataFrame) -> Mapping[Kind, float]:
    """Seconds per unit of `work` for each kind of trial among ``specs``."""
    totals: dict[Kind, list[float]] = defaultdict(lambda: [0.0, 0.0])
    done = frame[frame["status"] == OK]
    done = done[done["model"].isin([s.recipe.model for s in specs]) & done["dataset"].isin([s.data.dataset for s in specs])]
    # Trials that differ only in subset and seed have the same work, so it is computed once.
    for _, rows in done.groupby(["method", "params", *COLUMN], sort=False, dropna=False):
        (spec,) = specs_of(rows.head(1))
        if plugins.missing(spec.versions):  # its work is not known without its plug-in file
            continue
        total = totals[_kind(spec)]
        total[0] += float(rows[list(SECONDS)].to_numpy().sum())
        first = stage_one(spec)
        total[1] += len(rows) * (work(spec) + (work(first) if first else 0))
    return {kind: seconds / done for kind, (seconds, done) in totals.items()}
