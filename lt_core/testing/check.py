"""What a check is: a property that everything of a kind must have, with a name and a sentence."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lt_core import plugins
from lt_core.data.sets import DATASETS
from lt_core.errors import unknown
from lt_core.methods import METHODS
from lt_core.metrics import METRICS
from lt_core.models import MODELS
from lt_core.parts import GROUPS
from lt_core.pretrained import BACKBONES
from lt_core.recipes import RECIPES
from lt_core.registry import Registry

PART = "part"  # kind of the checks of every part, whatever its group
TRAINING = "training"  # kind of the checks that train a label: that of a method, or of a part that no method uses
#: Kind → the registry of its things.
REGISTRIES: dict[str, Registry[Any]] = {
    "method": METHODS, **GROUPS, "model": MODELS, "backbone": BACKBONES, "dataset": DATASETS, "metric": METRICS,
    "recipe": RECIPES,
}  # fmt: skip


class CheckFailed(AssertionError):
    """A property does not hold; the message says for which value."""


def expect(holds: object, message: str) -> None:
    """Raise `CheckFailed` with ``message`` unless ``holds``."""
    if not holds:
        raise CheckFailed(message)


@dataclass(frozen=True)
class Check:
    """A property that everything of a kind must have.

    Attributes:
        kind: ``method``, ``part``, a group of parts such as ``loss``, ``model``, ``dataset``, ``metric``, ``recipe`` or
            ``training``.
        function: takes the registered thing, or the label to train, and raises if it lacks the property.
        applies: whether the check applies to a given thing of this kind.
    """

    kind: str
    function: Callable[[Any], None]
    applies: Callable[[Any], bool]

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def about(self) -> str:
        """The property, in a sentence."""
        return (self.function.__doc__ or "").strip().splitlines()[0].rstrip(".")


#: Kind → its checks.
CHECKS: dict[str, list[Check]] = {}


def check(kind: str, applies: Callable[[Any], bool] = lambda thing: True) -> Callable[[Callable[[Any], None]], Any]:
    """Decorator: the function checks those things of ``kind`` that ``applies`` accepts."""

    def register(function: Callable[[Any], None]) -> Callable[[Any], None]:
        CHECKS.setdefault(kind, []).append(Check(kind, function, applies))
        return function

    return register


@dataclass(frozen=True)
class Case:
    """A check of one registered thing; call it to run the check."""

    check: Check
    kind: str
    name: str

    def __call__(self) -> None:
        """Raises: `CheckFailed`, or whatever else the thing raises."""
        if self.check.kind == TRAINING:
            self.check.function(label_with(self.kind, self.name))
        else:  # a registered backbone is checked as a model
            self.check.function(REGISTRIES["model" if self.check.kind == "model" else self.kind][self.name])

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.check.about}"

    @property
    def id(self) -> str:
        return f"{self.kind}-{self.name}-{self.check.name}"


def methods_with(group: str, name: str) -> list[str]:
    """The methods that choose the part ``name`` for ``group``."""
    return [method for method, declared in zip(METHODS, METHODS.values(), strict=True) if declared.choices()[group] == name]


def label_with(kind: str, name: str) -> str:
    """The label that is trained to check a method, or a part that no method uses: ``softmax[loss=my_loss]``."""
    return name if kind == "method" else f"softmax[{kind}={name}]"


def _kinds_of_checks(kind: str, name: str) -> list[str]:
    if kind == "backbone":
        return ["model"]
    if kind not in GROUPS:
        return [kind, TRAINING] if kind == "method" else [kind]
    return [PART, kind] if methods_with(kind, name) else [PART, kind, TRAINING]


def cases(entries: Iterable[tuple[str, str]]) -> list[Case]:
    """All checks of the registered things ``entries``, (kind, name) each. A part that no method uses is trained with softmax.

    Raises:
        UserError: a kind is unknown, or a name is not registered.
    """
    found = []
    for kind, name in entries:
        if kind not in REGISTRIES:
            raise unknown("kind", kind, REGISTRIES)
        thing = REGISTRIES[kind][name]
        checks = [check for checked in _kinds_of_checks(kind, name) for check in CHECKS[checked]]
        found += [Case(check, kind, name) for check in checks if check.applies(thing)]
    return found


def blamed(trace: str) -> str:
    """The line of a plug-in file that a traceback names, in brackets; empty if it names none."""
    place = plugins.place_in(trace)
    return f" ({Path(place[0]).name}, line {place[1]})" if place else ""


def run_checks(all_of: Iterable[Case]) -> Iterator[tuple[Case, str, float]]:
    """Run each check: the case, why it failed (empty if it passed), and the seconds that it took."""
    for case in all_of:
        start, cause = time.perf_counter(), ""
        try:
            case()
        except CheckFailed as error:
            cause = str(error)
        except Exception as error:  # the author's code, which may raise anything
            cause = plugins.in_words(error) + blamed("".join(traceback.format_exception(error)))
        yield case, cause, time.perf_counter() - start
