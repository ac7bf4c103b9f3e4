"""Checks of records when they are read: types, shapes and ranges of their fields.

A record may come from another version or from somebody else's run, or be damaged. One that passes these checks goes through
frames, tables and reports without an exception. Thousands of records are read at once, so intermediate results are reused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from lt_core.metrics import BINS, MARGINS, Outcome

_LARGEST = 2**53  # a float represents every whole number up to this one
#: Type of each field of a `TrialResult`, if it is present.
_KINDS: dict[str, type] = {
    **dict.fromkeys(("status", "cause", "traceback"), str),
    **dict.fromkeys(("train_counts", "confusion", "calibration", "class_calibration", "validation_confusion"), list),
    **dict.fromkeys(("curve", "generations", "embedding", "pictures"), list),
    **dict.fromkeys(("seconds", "environment", "class_counts", "validation_class_counts"), dict),
}
#: Entries of the environment that become columns of the results frame or appear in reports, and their types.
_ENVIRONMENT: dict[str, type] = {
    "device": str, "device_name": str, "threads": int, "precision": str, "data_fingerprint": str, "subset_fingerprint": str,
    "git_commit": str, "git_dirty": bool, "torch": str, "python": str, "command": str, "packages": dict, "plugins": list,
    "predictions": str, "weights": str,
}  # fmt: skip
_WORDS: dict[type, str] = {str: "text", list: "list", dict: "mapping", int: "non-negative integer", bool: "true or false"}
_SHARES = ("test_accuracy", "test_balanced_accuracy")
_BY_CLASS = ("test_recall", "test_precision", "pseudo_recall", "pseudo_precision", "taken")
_NUMBERS = {int, float}


def check_fields(values: Mapping[str, Any]) -> None:
    """Raise if a field of a `TrialResult` has the wrong type.

    Raises:
        ValueError: the message names the field.
    """
    for name, value in values.items():
        if name in _KINDS and type(value) is not _KINDS[name]:
            raise ValueError(f"{name} has the wrong type, expected: {_WORDS[_KINDS[name]]}")
    counts = values.get("train_counts", ())
    if counts and not (set(map(type, counts)) == {int} and min(counts) >= 0 and max(counts) <= _LARGEST):
        raise ValueError("train_counts has a value that is not a non-negative integer")
    measured = [*values.get("seconds", {}).values(), values["images_per_second"]]
    if not set(map(type, measured)) <= _NUMBERS or not all(value >= 0 or value != value for value in measured):
        raise ValueError("seconds or images_per_second has a value that is not a non-negative number")
    curve = values.get("curve", ())
    if not set(map(type, curve)) <= {dict}:
        raise ValueError("curve has a point that is not a mapping")
    if not set(map(type, chain.from_iterable(map(dict.values, curve)))) <= {*_NUMBERS, type(None)}:
        raise ValueError("curve has a value that is not a number")
    _check_environment(values.get("environment", {}))


def check_measured(values: Mapping[str, Any], tested: Outcome, validated: Outcome | None) -> None:
    """Raise if the shapes of a finished trial's fields do not fit together.

    Args:
        tested, validated: the outcomes made from ``values``; ``validated`` is None if there is no validation split.

    Raises:
        ValueError: the message names the field.
    """
    classes, curve = len(values["train_counts"]), values["curve"]
    if not (classes and curve):
        raise ValueError("a finished trial needs train_counts and a curve")
    shares = [point.get(name) for name in _SHARES for point in curve]
    if None in shares or min(shares) < 0 or max(shares) > 1:
        raise ValueError("curve lacks an accuracy between 0 and 1")
    _check_outcome("", tested, classes)
    if validated:
        _check_outcome("validation_", validated, classes)
    if values.get("embedding"):
        points = _array("embedding", np.array(values["embedding"]), (len(values["embedding"]), 3), -_LARGEST)
        if points[:, 2].min() < 0 or points[:, 2].max() >= classes:
            raise ValueError("embedding has a label that is not a class")
    for made in values.get("generations", ()):
        _check_generation(made, classes)
    for picture in values.get("pictures", ()):
        named = [picture.get(key) for key in ("label", "made_of")] if isinstance(picture, dict) else [None]
        if not all(type(label) is int and 0 <= label < classes for label in named) or not _is_text(picture, "png"):
            raise ValueError("pictures contains an entry without valid labels or without a png")
        if not all(type(value) in (int, float, str) for value in picture.get("scores", {}).values()):
            raise ValueError("pictures have scores that are neither numbers nor text")


def check_sums(values: Mapping[str, Any]) -> None:
    """Raise if the counts of a finished trial contradict each other; for records without a digest.

    Raises:
        ValueError: the message names the field.
    """
    if not values.get("confusion"):
        return
    confusion, curve = np.array(values["confusion"], dtype=float), values["curve"][-1]
    images, right = confusion.sum(), confusion.trace()
    sums = [("curve", curve["test_accuracy"] * images, right)]
    if values.get("calibration"):
        bins = np.array(values["calibration"], dtype=float)
        sums += [("calibration", bins[0].sum(), images), ("calibration", bins[2].sum(), right)]
    if values.get("validation_confusion") and curve.get("validation_accuracy") is not None:
        held_out = np.array(values["validation_confusion"], dtype=float)
        sums.append(("validation_confusion", curve["validation_accuracy"] * held_out.sum(), held_out.trace()))
    for name, one, other in sums:
        if abs(one - other) > 1e-6 * max(1.0, images):
            raise ValueError(f"{name} and the other counts contradict each other")


def _check_outcome(part: str, outcome: Outcome, classes: int) -> None:
    if outcome.confusion is not None:
        _array(f"{part}confusion", outcome.confusion, (classes, classes))
    elif missing := [name for name in MARGINS if name not in outcome.counts]:
        raise ValueError(f"{part}confusion is empty, and {part}class_counts lacks {missing[0]}")
    for name, counts in outcome.counts.items():
        _array(f"{part}class_counts {name}", counts, (classes,))
    if not 0 < outcome.images.sum() < math.inf:
        raise ValueError(f"{part}confusion and {part}class_counts do not count any images")
    if outcome.calibration is not None:
        _array("calibration", outcome.calibration, (3, BINS))
    if outcome.class_calibration is not None:
        _array("class_calibration", outcome.class_calibration, (classes, 3, BINS))


def _check_environment(environment: Mapping[str, Any]) -> None:
    for name, kind in _ENVIRONMENT.items():
        value: Any = environment.get(name)
        right = isinstance(value, str) if kind is str else type(value) is kind
        if value is not None and (not right or (isinstance(value, int) and not 0 <= value <= _LARGEST)):
            raise ValueError(f"environment: {name} has the wrong type, expected: {_WORDS[kind]}")
    gpus = environment.get("gpus", 0)
    if type(gpus) not in _NUMBERS or not 0 <= gpus <= _LARGEST:
        raise ValueError("environment: gpus is not a number")
    for plugin in environment.get("plugins") or ():
        if not (_is_text(plugin, "file") and _is_text(plugin, "sha256")):
            raise ValueError("environment has plugins without file and sha256")
    if not set(map(type, (environment.get("packages") or {}).values())) <= {str, type(None)}:
        raise ValueError("environment has packages without versions")


def _check_generation(made: Any, classes: int) -> None:
    if not (isinstance(made, dict) and type(made.get("round")) is int and 0 <= made["round"] <= _LARGEST):
        raise ValueError("rounds contains an entry without a non-negative number")
    if made.keys() != {"round", *_BY_CLASS}:
        raise ValueError(f"rounds must have the columns {', '.join(_BY_CLASS)}")
    for name in _BY_CLASS:
        if not isinstance(made[name], list) or len(made[name]) != classes:
            raise ValueError(f"rounds: {name} is not a list of {classes} numbers")
        there = [value for value in made[name] if value is not None]
        if not set(map(type, there)) <= _NUMBERS or not all(0 <= value <= _LARGEST for value in there):
            raise ValueError(f"rounds: {name} has a value that is not a non-negative number")
    if set(map(type, made["taken"])) != {int}:
        raise ValueError("rounds: the number of pseudo-labelled images is not a non-negative integer")


def _array(name: str, array: np.ndarray, shape: Sequence[int], low: float = 0) -> np.ndarray:
    if array.shape != tuple(shape):
        raise ValueError(f"{name} does not have the shape {' × '.join(map(str, shape))}")
    if array.dtype.kind not in "iuf" or not low <= array.min():  # written so that NaN fails too
        raise ValueError(f"{name} has a value that is not a number" + (" that is 0 or more" if low == 0 else ""))
    return array


def _is_text(mapping: Any, key: str) -> bool:
    return isinstance(mapping, dict) and type(mapping.get(key)) is str
