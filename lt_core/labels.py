"""The notation ``name[key=value,…]`` that names a configured method or model everywhere."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from lt_core.errors import UserError

T = TypeVar("T")
_LABEL = re.compile(r"^\s*([\w.\-/]+(?:@\w+)?)\s*(?:\[(.*)\])?\s*$")
_VERSION = re.compile(r"@\w+")  # of the plug-in file that defines the name before it; see `lt_core.plugins`


def parse_label(label: str) -> tuple[str, dict[str, str]]:
    """``'focal[gamma=2]'`` → ``('focal', {'gamma': '2'})``; values stay text.

    Raises:
        UserError: the text does not have that form.
    """
    match = _LABEL.match(label)
    items = cut_at_commas(match[2] or "") if match else None
    if not match or items is None:
        raise UserError(f"'{label}' does not have the form name or name[key=value,key=value]")
    values = {}
    for item in filter(None, items):
        key, equals, value = item.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise UserError(f"'{item}' in '{label}' does not have the form key=value")
        values[key.strip()] = value.strip()
    return match[1], values


def cut_at_commas(text: str) -> list[str] | None:
    """``text`` split at its commas, except inside brackets (of labels and lists); None if brackets do not match.

    >>> cut_at_commas("dataset=digits,counts=[50,30,10]")
    ['dataset=digits', 'counts=[50,30,10]']
    """
    items, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if depth < 0:
            return None
        if letter == "," and not depth:
            items.append("")
        else:
            items[-1] += letter
    return None if depth else items


def format_label(name: str, values: Mapping[str, Any]) -> str:
    """The inverse of `parse_label`; numbers are written as short as possible (``1``, ``0.9999``)."""
    if not values:
        return name
    return f"{name}[{','.join(f'{k}={short(v)}' for k, v in values.items())}]"


def method_of(label: str) -> str:
    """``'focal[gamma=2]'`` → ``'focal'``."""
    return label.partition("[")[0].strip()


def renamed(label: str, name: str) -> str:
    """``label`` with another ``name``: ``renamed('focal[gamma=2]', 'mine')`` → ``'mine[gamma=2]'``."""
    _, bracket, values = label.partition("[")
    return f"{name}{bracket}{values}"


def matches(pattern: str, label: str) -> bool:
    """Whether ``pattern`` is the label, its method's name, a glob on either (``[…]`` is a set of letters), or a list of these.

    Versions of plug-in files may be left out. A pattern that begins with ``=`` matches exactly one label.

    >>> matches("softmax", "softmax[mean=weights]"), matches("=softmax", "softmax[mean=weights]"), matches("=softmax", "softmax")
    (True, False, True)
    >>> [label for label in ("softmax", "focal", "cb_focal") if matches("softmax,cb_*", label)]
    ['softmax', 'cb_focal']
    """
    return any(_matches(item.strip(), label) for item in cut_at_commas(pattern) or [pattern])


def unmatched(pattern: str, labels: Iterable[str]) -> list[str]:
    """The items of ``pattern``, as in `matches`, that match none of ``labels``.

    >>> unmatched("softmax,cb_*,focul", ["softmax", "cb_focal"])
    ['focul']
    """
    there = list(dict.fromkeys(labels))
    items = [item.strip() for item in cut_at_commas(pattern) or [pattern]]
    return [item for item in items if item and not any(_matches(item, label) for label in there)]


def _matches(pattern: str, label: str) -> bool:
    if pattern.startswith("="):
        return pattern[1:] in (label, without_version(label))
    names = {name for written in (label, without_version(label)) for name in (written, method_of(written))}
    return pattern in names or any(fnmatch.fnmatchcase(name, pattern) for name in names)


def without_version(value: T) -> T:
    """A name or label without the versions of plug-in files in it: ``my_loss`` of ``my_loss@3f2a9c1b``. Values that are not text
    are returned unchanged.
    """
    return cast(T, _VERSION.sub("", value)) if isinstance(value, str) else value


def versions(text: str) -> set[str]:
    """The versions of plug-in files in a name or label."""
    return {found[1:] for found in _VERSION.findall(text)}


def short(value: Any) -> str:
    """A value as people write it: ``1`` for 1.0, ``true`` for True."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def listed(value: Any) -> str:
    """A value as one writes it in a line of text: a list in brackets, ``[50,30,10]``, and any other value as `short` does."""
    return f"[{','.join(map(short, value))}]" if isinstance(value, tuple) else short(value)


def counted(number: int, noun: str, plural: str = "") -> str:
    """``number`` and ``noun``, in the plural if necessary: ``1 trial``, ``2 trials``."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def duration(seconds: float) -> str:
    """``under a second``, ``45 s``, ``12 min``, ``3.5 h``, ``2.1 days``, ``20 years``."""
    if seconds < 1:
        return "under a second"
    units = ((90, "s", 1), (5400, "min", 60), (172_800, "h", 3600), (63_072_000, "days", 86_400), (math.inf, "years", 31_557_600))
    _, unit, size = next((item for item in units if seconds < item[0]), units[-1])
    value = seconds / size
    return f"{value:,.0f} {unit}" if value >= 10 or size < 3600 else f"{value:.1f} {unit}"
