"""What a backend is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lt_core.result import TrialResult
from lt_core.spec import TrialSpec
from lt_core.training import Progress
from lt_core.training.runtime import Runtime


@dataclass(frozen=True)
class Job:
    """A trial, and how this machine runs it."""

    spec: TrialSpec
    runtime: Runtime


class Interrupted(Exception):
    """The user asked to stop. Every finished trial has been delivered."""


class Listener(Protocol):
    """Is told about trials while they run; part of the driver."""

    #: Whether every point of a trial's learning curve must be reported, instead of at most one per second.
    wants_progress: bool

    def progress(self, spec: TrialSpec, progress: Progress) -> str:
        """A trial has finished an epoch. Returns a reason to stop it here, or an empty string."""

    def result(self, result: TrialResult) -> None:
        """A trial has ended, successfully or not."""

    def tick(self) -> None:
        """Time has passed."""


class JobSource(Protocol):
    """A source of jobs that depend on the results of earlier ones."""

    def ask(self) -> Job | None:
        """The next job; None if there is none at the moment, or none left."""

    def over(self) -> bool:
        """Whether no further job will come."""


class Backend(Protocol):
    """Runs jobs."""

    def workers(self) -> int:
        """The number of trials that run at the same time.

        Raises:
            UserError: no machine has the resources to run one.
        """

    def run(self, jobs: Sequence[Job] | JobSource, listener: Listener) -> None:
        """Run all jobs and report each to ``listener``. A trial that the listener stops ends with status pruned.

        Raises:
            Interrupted: the user asked to stop.
            UserError: the listener raised it, for example because a record cannot be written.
        """
