"""What must hold for every schedule."""

from __future__ import annotations

from lt_core.labels import counted
from lt_core.schedule import Schedule
from lt_core.testing.check import check, expect
from lt_core.testing.domains import settings

_LENGTHS = (1, 2, 3, 10, 200)


@check("schedule")
def it_begins_within_the_training(schedule: type[Schedule]) -> None:
    """It names the first rebalanced epoch: a whole number from 0 to the number of epochs, which means none."""
    for made in settings(schedule):
        for epochs in _LENGTHS:
            start = made.start(epochs)
            inside = isinstance(start, int) and 0 <= start <= epochs
            expect(inside, f"{made}: with {counted(epochs, 'epoch')}, it starts at {start!r}")


@check("schedule")
def it_stays_in_force(schedule: type[Schedule]) -> None:
    """From its first epoch on, every epoch is rebalanced, with a progress that rises from 0 to 1."""
    for made in settings(schedule):
        for epochs in _LENGTHS:
            start = made.start(epochs)
            found = [epoch for epoch in range(epochs) if made.rebalances(epoch, epochs)]
            words = f"with {counted(epochs, 'epoch')}, starting at {start}, it rebalances {found}"
            expect(found == list(range(start, epochs)), f"{made}: {words}")
            progress = [made.progress(epoch, epochs) for epoch in found]
            rises = progress == sorted(progress) and all(0 <= p <= 1 for p in progress)
            expect(rises, f"{made}: over {counted(epochs, 'epoch')}, its progress is {progress}")
