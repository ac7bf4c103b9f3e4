"""The books that a trial keeps: where its time went, and what it has done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


class Clock:
    """Seconds of a trial by activity: setup, train, evaluate."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"setup": 0.0, "train": 0.0, "evaluate": 0.0}
        self._last = time.perf_counter()

    def add(self, activity: str) -> None:
        """Count the time since the last `add` or `skip` towards ``activity``."""
        now = time.perf_counter()
        self.seconds[activity] += now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Seconds of all activities, including the current one."""
        return sum(self.seconds.values()) + time.perf_counter() - self._last

    def skip(self) -> None:
        """Skip the time since the last `add`, in which the trial was waiting for its next step to be requested."""
        self._last = time.perf_counter()


@dataclass
class Book:
    """What a trial has done so far. Checkpoints hold its fields under their names."""

    seconds: dict[str, float]
    curve: list[dict[str, float]] = field(default_factory=list)
    images_seen: int = 0
    epochs: int = 0  # epochs of all finished trainings
    finished: list[dict[str, Any]] = field(default_factory=list)  # state of each finished training
    rounds: list[dict[str, Any]] = field(default_factory=list)  # diagnosis of each finished training
    resumed_at: list[int] = field(default_factory=list)  # finished epochs each time that the trial continued from a checkpoint
