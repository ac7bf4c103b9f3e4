"""What a logger is, and the registry of loggers. A plug-in file can add its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from bench.records.columns import describe_trial
from lt_core.errors import UserError
from lt_core.labels import listed
from lt_core.registry import Registry
from lt_core.spec import TrialSpec

#: The types of a trial's parameters.
Value = str | bool | int | float


@dataclass(frozen=True)
class Begun:
    """A trial that has started.

    Attributes:
        trial_id: the ID of the trial, which stays the same when it is run again.
        name: a readable name: ``ldam_drw, digits IF 50, seed 1``.
        parameters: every field of its spec: ``data.dataset``, ``method.name``, ``method.gamma``, ``recipe.lr``, ``seed``, …
    """

    trial_id: str
    name: str
    parameters: Mapping[str, Value]

    @classmethod
    def of(cls, spec: TrialSpec) -> Begun:
        """The trial of ``spec``.

        >>> from lt_core.testing.trials import tiny_spec
        >>> begun = Begun.of(tiny_spec("focal[gamma=2]"))
        >>> begun.parameters["method.gamma"], begun.parameters["data.dataset"], begun.parameters["seed"]
        (2.0, 'digits', 0)
        """
        method = {"name": spec.method.name, "label": spec.method.label, **spec.method.params}
        parts = {**spec.to_dict(), "method": method}
        fields: dict[str, object] = {}
        for part, value in parts.items():
            fields |= {f"{part}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {part: value}
        return cls(spec.trial_id, describe_trial(spec), {key: _plain(value) for key, value in fields.items()})


def _plain(value: object) -> Value:
    return value if isinstance(value, str | bool | int | float) else listed(tuple(value) if isinstance(value, list) else value)


class TrialLog(Protocol):
    """The log of one trial. Figures are fractions between 0 and 1, except for losses and times."""

    def point(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Log a point of the learning curve: the columns of ``curves.parquet``. Epochs count from 1 and always increase."""

    def end(self, status: str, cause: str, figures: Mapping[str, float]) -> None:
        """Log the end of the trial. This is the last call.

        Args:
            status: ``ok``, another status of a record, or ``interrupted``.
            cause: why it did not finish, in one line; empty if it finished.
            figures: metrics of the last epoch: on the test set, by the columns of ``trials.parquet``, and on the validation
                split, as ``validation_…``. Empty if the trial did not finish.
        """


class Logger(Protocol):
    """A tracker that keeps the trials of one run."""

    def begin(self, trial: Begun) -> TrialLog:
        """Start to log a trial, or continue with one that was interrupted. Several trials can run at the same time."""


#: Name → function that makes a logger for the run in a folder.
LOGGERS: Registry[Callable[[Path], Logger]] = Registry("logger")

L = TypeVar("L", bound=Callable[[Path], Logger])


def logger(name: str) -> Callable[[L], L]:
    """Register a logger class, which is called with the folder of a run before any trial starts.

    Its constructor should raise `UserError` if the logger cannot be used.

    >>> @logger("screen")
    ... class Screen:
    ...     def __init__(self, run):
    ...         self.run = run
    ...     def begin(self, trial):
    ...         print(self.run.name, trial.name)
    ...         return self
    ...     def point(self, epoch, figures):
    ...         print(epoch, figures)
    ...     def end(self, status, cause, figures):
    ...         print(status)
    >>> LOGGERS["screen"](Path("runs/quick")).begin(Begun("0a1b", "softmax, digits IF 10, seed 0", {})).end("ok", "", {})
    quick softmax, digits IF 10, seed 0
    ok
    >>> LOGGERS.remove("screen")
    """

    def register(made: L) -> L:
        LOGGERS.add(name, made)
        return made

    return register


def opened(names: Sequence[str], run: Path) -> dict[str, Logger]:
    """The loggers ``names`` for the run in the folder ``run``.

    Raises:
        UserError: a name is unknown, a library is not installed, or a server does not answer.
    """
    return {name: LOGGERS[name](run) for name in dict.fromkeys(names)}


def not_installed(name: str, install: str) -> UserError:
    """The error of a logger whose library is missing; ``install`` is what to give to ``pip install``."""
    return UserError(f"--logger {name} needs a library that is not installed: pip install {install}")
