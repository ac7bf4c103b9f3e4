"""What is read back of a trial is held against what a trial can leave: types, shapes and ranges of a record's fields.

A record may be of another version, merged from somebody else's run, or damaged. What passes here goes through frames, tables and
reports without an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lt_core.metrics import BINS, MARGINS

_LARGEST = 2**53  # whole numbers up to which a float says each
_TEXTS = ("status", "cause", "traceback")
_LISTS = ("train_counts", "confusion", "calibration", "class_calibration", "validation_confusion", "curve", "generations",
          "embedding", "pictures")  # fmt: skip
_MAPPINGS = ("seconds", "environment", "class_counts", "validation_class_counts")
#: What columns of the results frame take of the environment, and what reports say of it.
_ENVIRONMENT: dict[str, type] = {
    "device": str, "device_name": str, "threads": int, "precision": str, "data_fingerprint": str, "subset_fingerprint": str,
    "git_commit": str, "git_dirty": bool, "torch": str, "python": str, "command": str, "packages": dict, "plugins": list,
    "predictions": str,
}  # fmt: skip
_BY_CLASS = ("test_recall", "test_precision", "pseudo_recall", "pseudo_precision", "taken")
_SHARES = ("test_accuracy", "test_balanced_accuracy")


def check_fields(values: Mapping[str, Any]) -> None:
    """Raise for fields of a `TrialResult` that have not the type which every trial's have.

    Raises:
        ValueError: names the field.
    """
    for names, kind in ((_TEXTS, str), (_LISTS, list), (_MAPPINGS, dict)):
        for name in names:
            if name in values and type(values[name]) is not kind:
                raise ValueError(f"{name} is no {_WORDS[kind]}")
    _numbers("train_counts", values.get("train_counts", []), (None,))
    for name, value in (*values.get("seconds", {}).items(), ("images_per_second", values["images_per_second"])):
        if not (_is_number(value) and (value >= 0 or value != value)):
            raise ValueError(f"{name} is no number of 0 or more")
    _check_environment(values.get("environment", {}))
    _check_curve(values.get("curve", []))


def check_measured(values: Mapping[str, Any]) -> None:
    """Raise for fields of a finished trial's `TrialResult` whose shapes do not go together.

    Raises:
        ValueError: names the field.
    """
    classes = len(values["train_counts"])
    square, margin = (classes, classes), (classes,)
    if not (classes and values["curve"]):
        raise ValueError("a finished trial has train_counts and a curve")
    for point in values["curve"]:
        if not all(_is_number(point.get(name)) and 0 <= point[name] <= 1 for name in _SHARES):
            raise ValueError("curve lacks an accuracy between 0 and 1")
    for matrix, by_class in (("confusion", "class_counts"), ("validation_confusion", "validation_class_counts")):
        if values.get(matrix):
            if not _numbers(matrix, values[matrix], square).any():
                raise ValueError(f"{matrix} counts no image")
        elif matrix == "confusion" or values.get(by_class):
            missing = [name for name in MARGINS if name not in values.get(by_class, {})]
            if missing:
                raise ValueError(f"{matrix} is empty, and {by_class} lacks {missing[0]}")
        for name, counts in values.get(by_class, {}).items():
            counted = _numbers(f"{by_class} {name}", counts, margin)
            if name == MARGINS[0] and not counted.any():
                raise ValueError(f"{by_class} counts no image")
    for name, shape in (("calibration", (3, BINS)), ("class_calibration", (classes, 3, BINS)), ("embedding", (None, 3))):
        if values.get(name):
            _numbers(name, values[name], shape, signed=name == "embedding")
    for made in values.get("generations", []):
        _check_generation(made, classes)
    for picture in values.get("pictures", []):
        named = isinstance(picture, dict) and [picture.get(key) for key in ("label", "made_of")]
        if not named or not all(type(label) is int and 0 <= label < classes for label in named) or not _is_text(picture, "png"):
            raise ValueError("pictures lack a label or a png")


def check_sums(values: Mapping[str, Any]) -> None:
    """Raise where the counts of a finished trial contradict each other: for records that have no digest.

    Raises:
        ValueError: names the field.
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


def _check_environment(environment: Mapping[str, Any]) -> None:
    for name, kind in _ENVIRONMENT.items():
        value: Any = environment.get(name)
        if value is not None and (type(value) is not kind or (isinstance(value, int) and not 0 <= value <= _LARGEST)):
            raise ValueError(f"environment has a {name} that is no {_WORDS[kind]}")
    gpus = environment.get("gpus")
    if gpus is not None and not (_is_number(gpus) and gpus >= 0):
        raise ValueError("environment has gpus that are no number")
    for plugin in environment.get("plugins") or ():
        if not (_is_text(plugin, "file") and _is_text(plugin, "sha256")):
            raise ValueError("environment has plugins without file and sha256")
    if not all(version is None or type(version) is str for version in (environment.get("packages") or {}).values()):
        raise ValueError("environment has packages without versions")


def _check_curve(curve: Sequence[Any]) -> None:
    if not set(map(type, curve)) <= {dict}:
        raise ValueError("curve has a point that is no mapping")
    if not {type(value) for point in curve for value in point.values()} <= {int, float, type(None)}:
        raise ValueError("curve has a value that is no number")


def _check_generation(made: Any, classes: int) -> None:
    if not (isinstance(made, dict) and type(made.get("round")) is int and 0 <= made["round"] <= _LARGEST):
        raise ValueError("rounds lack their number")
    for name in _BY_CLASS:
        values = made.get(name)
        if not isinstance(values, list) or len(values) != classes:
            raise ValueError(f"rounds have a {name} that is no list of {classes} numbers")
        there = [value for value in values if value is not None]
        _numbers(f"rounds {name}", there, (None,))
        if name == "taken" and set(map(type, values)) != {int}:
            raise ValueError("rounds have a number of pseudo-labelled images that is none")
    if unknown := set(made) - {"round", *_BY_CLASS}:
        raise ValueError(f"rounds have an unknown column {min(unknown)}")


def _numbers(name: str, value: Any, shape: tuple[int | None, ...], signed: bool = False) -> np.ndarray:
    """``value`` as an array of that shape (None: any length) of finite numbers."""
    try:
        array = np.array(value) if value else np.zeros([0] * len(shape))
    except (ValueError, TypeError, OverflowError):
        array = np.zeros(())
    if array.ndim != len(shape) or not all(size in (None, there) for size, there in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} is not of the shape {' × '.join('n' if size is None else str(size) for size in shape)}")
    inside = array.dtype.kind in "iuf" and (not array.size or (array.max() <= _LARGEST and array.min() >= (-_LARGEST * signed)))
    if not inside:
        raise ValueError(f"{name} has a value that is no number{'' if signed else ' of 0 or more'}")
    return array


_WORDS: dict[type, str] = {str: "text", list: "list", dict: "mapping", int: "whole number of 0 or more", bool: "true or false"}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) != np.inf


def _is_text(mapping: Any, key: str) -> bool:
    return isinstance(mapping, dict) and type(mapping.get(key)) is str
