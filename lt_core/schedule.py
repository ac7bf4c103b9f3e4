"""Schedules: when re-weighting and re-sampling are in force."""

from __future__ import annotations

from abc import abstractmethod

from lt_core.fields import param
from lt_core.parts import Part, part


class Schedule(Part):
    """Switches the method's weights and sampling on; before that, training is plain."""

    @abstractmethod
    def start(self, epochs: int) -> int:
        """The number, from 0, of the first rebalanced epoch in a training of ``epochs``."""

    def rebalances(self, epoch: int, epochs: int) -> bool:
        """Whether the epoch with number ``epoch``, from 0, is rebalanced in a training of ``epochs``."""
        return epoch >= self.start(epochs)

    def progress(self, epoch: int, epochs: int) -> float:
        """How much of the rebalanced phase has passed: 0 in its first epoch, 1 in the last."""
        first = self.start(epochs)
        return (epoch - first) / max(1, epochs - 1 - first)


@part("schedule", "always")
class Always(Schedule):
    """Rebalancing from the first step on."""

    def start(self, epochs: int) -> int:
        return 0


@part("schedule", "deferred")
class Deferred(Schedule):
    """Deferred re-weighting or re-sampling (DRW, DRS), applied only in the last part of training (Cao et al. 2019, algorithm
    1).
    """

    defer: float = param(0.8, "fraction of training before rebalancing starts; 1: never", low=0, high=1, tune=(0.6, 0.8, 0.9))

    def start(self, epochs: int) -> int:
        return round(self.defer * epochs)
