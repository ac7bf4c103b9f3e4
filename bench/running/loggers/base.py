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

#: What a parameter of a trial can be.
Value = str | bool | int | float


@dataclass(frozen=True)
class Begun:
    """A trial that has begun.

    Attributes:
        trial_id: the ID of the trial, which stays the same when it is run again.
        name: what people call it: ``ldam_drw, digits IF 50, seed 1``.
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
    """What a logger keeps of one trial. Figures are fractions between 0 and 1, except for losses and times."""

    def point(self, epoch: int, figures: Mapping[str, float]) -> None:
        """A point of the learning curve: the columns of ``curves.parquet``. Epochs count from 1 and only ever rise."""

    def end(self, status: str, cause: str, figures: Mapping[str, float]) -> None:
        """The trial has ended; nothing follows.

        Args:
            status: ``ok``, or one of the other statuses of a record, or ``interrupted``.
            cause: why it did not finish, in one line; empty if it did.
            figures: of the last epoch: metrics on the test set, by the columns of ``trials.parquet``, and on the validation
                split, as ``validation_…``. Empty if the trial did not finish.
        """


class Logger(Protocol):
    """A place that keeps the trials of one run."""

    def begin(self, trial: Begun) -> TrialLog:
        """Start to log a trial, or go on with one that was interrupted. Several trials can be under way at the same time."""


#: Name → what makes a logger for the run in a folder.
LOGGERS: Registry[Callable[[Path], Logger]] = Registry("logger")

L = TypeVar("L", bound=Callable[[Path], Logger])


def logger(name: str) -> Callable[[L], L]:
    """Register a class of loggers, which is called with the folder of a run.

    Its constructor raises `UserError` if the logger cannot be used, before any trial starts.

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
        UserError: an unknown name, a library that is not installed, a server that does not answer.
    """
    return {name: LOGGERS[name](run) for name in dict.fromkeys(names)}


def not_installed(name: str, install: str) -> UserError:
    """The error of a logger whose library is missing; ``install``: the arguments of pip."""
    return UserError(f"--logger {name} needs a library that is not installed: pip install {install}")
