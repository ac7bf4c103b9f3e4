"""Values that parameters take, and values that they must refuse."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from lt_core.errors import UserError
from lt_core.fields import Domain, domains
from lt_core.parts import Part

P = TypeVar("P", bound=Part)


def settings(part: type[P]) -> Iterator[P]:
    """The part with its defaults, and with each value worth trying."""
    yield part()
    for key, domain in domains(part).items():
        yield from (part(**{key: value}) for value in domain.tune)


def outside(domain: Domain, default: Any, optional: bool = False) -> list[Any]:
    """Values that ``domain`` excludes.

    Args:
        default: the parameter's default, which shows its type.
        optional: whether None is allowed.
    """
    if domain.choices:
        return ["nonsense"]
    if default is None or optional:
        return ["nonsense", True, math.inf]
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return ["nonsense", None, 3.5]
    steps = ((domain.low, -1), (domain.high, 1))
    beyond = [edge + step for edge, step in steps if edge is not None]
    beyond += [edge for edge in (domain.above, domain.below) if edge is not None]
    return [*beyond, "many", None, True, math.nan, math.inf]


def refused(make: Callable[[], object], key: str) -> bool:
    """Whether ``make`` raises a `UserError` that names ``key``."""
    try:
        make()
    except UserError as error:
        return re.search(rf"\b{re.escape(key)}\b", str(error)) is not None
    return False
