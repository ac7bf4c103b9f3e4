"""One axis of a search: a parameter, a part or a field of the recipe, and the values that it can take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lt_core.errors import UserError
from lt_core.fields import param
from lt_core.parts import GROUPS

_DIGITS = 3  # numbers are rounded to this many significant digits, so that labels stay short
#: Prefix of an axis that is a field of the recipe.
RECIPE = "recipe."


@dataclass(frozen=True)
class SearchAxis:
    """One thing to tune: a parameter or part of the method, or ``recipe.<field>``."""

    name: str = param(help="name of the hyperparameter")
    low: float | None = param(None, "smallest value")
    high: float | None = param(None, "largest value")
    scale: str = param(
        "linear",
        "linear; log: linear in log(value); complement: linear in log(1 − value), for β",
        choices=("linear", "log", "complement"),
    )
    values: Any = param(None, "list of values, instead of low and high")
    grid: Any = param(None, "values for the grid sampler, together with low and high")
    when: Any = param(None, "{axis, part or method: value or list}: condition under which it is tuned")
    whole: bool = param(False, "only integers; set from the parameter's type")

    def __post_init__(self) -> None:
        for key in ("values", "grid"):
            given = getattr(self, key)
            if given is not None and (not isinstance(given, (list, tuple)) or not given):
                raise UserError(f"{self.name}: {key} must be a list of at least one value, got {given!r}")
        if self.when is not None and not isinstance(self.when, dict):
            raise UserError(f"{self.name}: when must be a mapping such as {{method: cb_focal}}, got {self.when!r}")
        if (self.values is None) == (self.low is None or self.high is None):
            raise UserError(f"{self.name}: give either low and high, or values")
        if self.values is None and self.low >= self.high:  # type: ignore[operator]
            raise UserError(f"{self.name}: low {self.low:g} must be less than high {self.high:g}")
        if (self.scale == "log" and self.low is not None and self.low <= 0) or (
            self.scale == "complement" and self.high is not None and self.high >= 1
        ):
            raise UserError(f"{self.name}: scale {self.scale} needs {'low > 0' if self.scale == 'log' else 'high < 1'}")

    @property
    def label(self) -> str:
        """Its name in the study."""
        return f"1-{self.name}" if self.scale == "complement" else self.name

    @property
    def kind(self) -> list[Any]:
        """The properties that must not change during a study, unlike the bounds."""
        return list(self.values) if self.values is not None else ["whole" if self.whole else "number", self.scale]

    def shapes(self) -> list[Any]:
        """All its values if they choose the network or parts of a trial, otherwise one value."""
        if self.name in GROUPS or self.name == f"{RECIPE}model":
            return self.choices()
        return [self.low if self.values is None else self.values[0]]

    def spread(self) -> list[Any]:
        """Its values, or five numbers from one end of its range to the other, evenly spaced on its scale."""
        if self.values is not None:
            return list(self.values)
        linear = self.scale == "linear"
        low, high = (float(end) if linear else math.log(end) for end in map(self.encode, (self.low, self.high)))
        inside = [low + (high - low) * share for share in (0.25, 0.5, 0.75)]
        numbers = [number if linear else self.encode(math.exp(number)) for number in inside]
        return [self.low, *(round(number) if self.whole else number for number in numbers), self.high]

    def choices(self) -> list[Any]:
        """The values for a grid.

        Raises:
            UserError: the axis has none.
        """
        if self.values is None and self.grid is None:
            raise UserError(f"{self.name}: the grid sampler needs a list of values: give grid: [{self.low:g}, …, {self.high:g}]")
        return list(self.values if self.values is not None else self.grid)

    def holds(self, value: Any) -> bool:
        """Whether a study can try ``value``."""
        if self.values is not None:
            return value in self.values
        return isinstance(value, (int, float)) and self.low <= value <= self.high  # type: ignore[operator]

    def encode(self, value: Any) -> Any:
        """A value as the study stores it."""
        return 1 - value if self.scale == "complement" else value

    def decode(self, tried: Any) -> Any:
        """The value that the study proposes, rounded but still within the bounds."""
        if self.values is not None or self.whole:
            return tried
        rounded = float(f"{tried:.{_DIGITS}g}")
        value = round(1 - rounded, 12) if self.scale == "complement" else rounded
        return min(max(value, self.low), self.high)  # type: ignore[type-var]


def listed(value: Any) -> list[Any]:
    """``value`` as a list; a single value becomes a list of one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]
