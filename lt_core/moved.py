"""What methods declared before they were compared with their authors' code, and how older rows are read.

A row keeps its ID. Its label is relative to declarations, so it is rewritten when the row is read: where the method now declares
another value, the label names the row's. The method of a first stage is such a label inside an ID. It is stored in the old
notation, in which a parameter that is not named has its old value, and shown in today's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lt_core.identity import NEUTRAL
from lt_core.labels import format_label, parse_label, short

ABSENT = None  # the method had no such parameter at that time
_STAGE_ONE = "fixmatch[unsup_ratio=1,strong_views=2]"

#: Method → parameter → (value then, declared value now). These are written out because labels are also read where no part is
#: loaded; a test compares them with the declarations.
MOVED: dict[str, dict[str, tuple[Any, Any]]] = {
    "influence_balanced": {"ib_alpha": (10.0, 1000.0), "ib_gradient": ("stopped", "through"), "ib_rate": (1.0, 0.01)},
    "meta_weight_net": {"meta_set": ("train", "extra"), "through_weights": (False, True)},
    "l2rw": {"meta_set": ("train", "extra")},
    "balanced_meta_softmax": {
        "stages": ("one", "crt"), "kept_norms": (ABSENT, "training"), "meta_images": (10, 0),
        "look_ahead": ("gradient", "optimizer"),
    },
    "pseudo_label": {"unsup_ratio": (7, 1)},
    "mean_teacher": {"unsup_ratio": (7, 1)},
    "fixmatch": {"strong_augment": ("always", "fixmatch")},
    "fixmatch_da": {"strong_augment": ("always", "fixmatch")},
    "abc": {"unsup_ratio": (7, 1), "strong_augment": ("always", "randaugment"), "strong_views": (1, 2)},
    "self_training": {"strong_augment": ("always", "crest")},
    "crest": {"strong_augment": ("always", "crest"), "crest_profile": ("counts", "ideal")},
    "crest_plus": {"strong_augment": ("always", "crest"), "crest_profile": ("counts", "ideal")},
    "bi_sampling": {
        "strong_augment": ("always", "randaugment"),
        "stage_one": (_STAGE_ONE, f"{_STAGE_ONE[:-1]},strong_augment=randaugment]"),
        "retrain": (0.15, 0.12), "retrain_lr": (1.0, 0.05),
    },
    "bis": {"strong_augment": ("always", "randaugment")},
}  # fmt: skip


def as_stored(written: str) -> str:
    """The label of a first stage as in an ID: parameters that are not named have their old values."""
    name, values = parse_label(written)
    for key, (then, now) in _moved(name, values):
        value = values.pop(key, short(now))
        if not _same(value, then):
            values[key] = value
    return format_label(name, values)


def as_written(stored: str) -> str:
    """The inverse of `as_stored`: the label with the same meaning today."""
    name, values = parse_label(stored)
    for key, (then, now) in _moved(name, values):
        value = values.pop(key, short(then))
        if then is not ABSENT and not _same(value, now):
            values[key] = value
    return format_label(name, values)


def labelled(label: str, method: str, params: Mapping[str, Any]) -> str:
    """Today's label of a method that is read from a record.

    Args:
        label: the recorded label; empty if there is none.
        params: the recorded parameters.
    """
    if not label:
        return ""
    name, shown = parse_label(label)
    for key, (then, now) in _moved(method, shown):
        value = params.get(key, then)
        if value is not ABSENT and value != (as_stored(now) if key == "stage_one" else now):
            shown.setdefault(key, short(value))
    if "stage_one" in shown:
        shown["stage_one"] = as_written(str(params["stage_one"]))
    return format_label(name, shown)


def _moved(name: str, shown: Mapping[str, Any]) -> list[tuple[str, tuple[Any, Any]]]:
    """The moved parameters of the method; none if its label swaps a part, since the other part may not have them."""
    return [] if set(shown) & set(NEUTRAL) else list(MOVED.get(name, {}).items())


def _same(text: str, value: Any) -> bool:
    try:
        return float(text) == float(value)
    except (TypeError, ValueError):
        return text == short(value)
