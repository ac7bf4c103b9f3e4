"""What the trials of a study cost before it has run, priced over the fields of the recipe that make them longer or shorter."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from statistics import fmean
from typing import NamedTuple

from bench.suites.cost import Prices
from bench.tuning.axes import RECIPE
from bench.tuning.space import Space
from bench.tuning.study import Setting, Study

_LONGER = ("epochs", "steps", "batch_size")  # fields of a recipe on which the length of a trial depends most


class TrialCost(NamedTuple):
    """Seconds of a trial: on average if settings are spread evenly over the space, and at the slowest."""

    mean: float
    most: float


def trial_cost(space: Space, study: Study, prices: Prices) -> TrialCost:
    """Seconds of one trial of ``study``, from those of its first setting with the epochs and batch sizes that it can choose."""
    seconds = []
    for setting in _lengths(study, of_grid=space.sampler == "grid"):
        specs = space.specs(study, setting)
        seconds.append(prices.estimate(specs).seconds / len(specs))
    return TrialCost(fmean(seconds), max(seconds))


def _lengths(study: Study, of_grid: bool) -> Iterator[Setting]:
    """The study's first setting with every combination of the fields that make its trials longer or shorter."""
    names = [f"{RECIPE}{field}" for field in _LONGER]
    axes = [axis for axis in study.axes if axis.name in names and axis.name in study.first]
    for values in itertools.product(*(axis.choices() if of_grid else axis.spread() for axis in axes)):
        yield {**study.first, **dict(zip((axis.name for axis in axes), values, strict=True))}
