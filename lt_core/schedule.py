"""When re-weighting and re-sampling are in force."""

from __future__ import annotations

from lt_core.fields import param
from lt_core.parts import Part, part


class Schedule(Part):
    """Switches the method's weights and sampling on; before, training is plain."""

    def rebalances(self, epoch: int, epochs: int) -> bool:
        """Whether epoch number ``epoch`` (from 0) of ``epochs`` is rebalanced."""
        raise NotImplementedError


@part("schedule", "always")
class Always(Schedule):
    """From the first step on."""

    def rebalances(self, epoch: int, epochs: int) -> bool:
        return True


@part("schedule", "deferred")
class Deferred(Schedule):
    """Deferred re-weighting or re-sampling, DRW and DRS: only the last part of training (Cao et al. 2019, algorithm 1)."""

    defer: float = param(
        0.8, "fraction of training before rebalancing starts; at 1 it never does", low=0, high=1, tune=(0.6, 0.8, 0.9)
    )

    def rebalances(self, epoch: int, epochs: int) -> bool:
        return epoch >= round(self.defer * epochs)
