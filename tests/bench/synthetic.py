"""Synthetic records, for tests of what is drawn and reported, never of what is learnt."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.analysis.gains import Compared, Confirmed
from bench.records.record import encoded
from bench.records.store import Store
from lt_core.fields import build
from lt_core.methods import resolve
from lt_core.recipes import RECIPES
from lt_core.result import OK, TrialResult
from lt_core.spec import DataSpec, TrialSpec

IMAGES = 100  # test images per class
VARIED = ("softmax", "focal", "inverse", "cb_focal[cb_beta=0.9]", "cb_focal[cb_beta=0.99]")
_RECIPE = {"digits": "digits", "cifar100": "cifar_ldam"}


def trial(
    label: str = "softmax",
    seed: int = 0,
    *,
    factor: float = 50,
    recalls: Sequence[int] | float = 0.8,
    dataset: str = "digits",
    classes: int = 10,
    seconds: float = 2.0,
    curve: Sequence[float] = (0.3, 0.6, 0.8),
    validation: int = 20,
    status: str = OK,
    cause: str = "",
    environment: dict[str, Any] | None = None,
) -> TrialResult:
    """A trial with the given recalls in %, either from head to tail, or on average: these then fall towards the tail, with a
    little noise that is the same for all methods.
    """
    data = {"dataset": dataset, "imbalance_factor": factor, "validation": validation}
    spec = TrialSpec(build(DataSpec, data), resolve(label), RECIPES[_RECIPE[dataset]], seed)
    made = {
        "device": "cpu", "device_name": "a CPU", "threads": 1, "precision": "float32", "python": "3.11", "git_commit": "c0ffee",
        "git_dirty": False, "packages": {"torch": "2.15.0"}, "data_fingerprint": "d1", "subset_fingerprint": f"s{factor:g}",
        "command": "bench.py run synthetic",
    } | (environment or {})  # fmt: skip
    if status != OK:
        return TrialResult(spec, status, cause, environment=made)
    if isinstance(recalls, float):
        noise = np.random.default_rng([seed, int(factor)]).normal(0, 2, classes)
        recalls = [round(v) for v in np.clip(100 * recalls + np.linspace(20, -20, classes) + noise, 0, 100)]
    confusion = np.zeros((classes, classes), int)
    for c, recall in enumerate(recalls):
        confusion[c, c] += recall
        confusion[c, c - 1] += IMAGES - recall  # taken for the next larger class
    return TrialResult(
        spec, train_counts=[max(1, round(200 * factor ** (-c / (classes - 1)))) for c in range(classes)],
        confusion=confusion.tolist(), calibration=_bins(confusion), curve=_curve(curve, spec.recipe.epochs, validation > 0),
        validation_confusion=confusion.tolist() if validation else [],
        seconds={"setup": 0.1, "train": seconds, "evaluate": 0.2}, images_per_second=1000.0, environment=made,
    )  # fmt: skip


def _bins(confusion: np.ndarray) -> list[list[float]]:
    """All predictions in two bins, half at 50 % confidence and half at 90 %, both with the overall accuracy."""
    images, right = float(confusion.sum()), float(np.trace(confusion))
    bins = np.zeros((3, 15))
    bins[:, 7], bins[:, 13] = [images / 2, images / 4, right / 2], [images / 2, 0.45 * images, right / 2]
    return bins.tolist()


def _curve(values: Sequence[float], epochs: int, validated: bool) -> list[dict[str, float]]:
    return [
        {"epoch": round(epochs * (place + 1) / len(values)), "train_loss": 1 - v, "test_accuracy": v, "test_balanced_accuracy": v}
        | dict.fromkeys(("validation_accuracy", "validation_balanced_accuracy"), v - 0.05 if validated else math.nan)
        for place, v in enumerate(values)
    ]


def picture(label: int = 1, made_of: int = 2) -> dict[str, Any]:
    """A sheet of three rows of pixels, black, grey and white: 12 × 20."""
    sheet, file = np.repeat(np.array([0, 128, 255], np.uint8), 4)[:, None].repeat(20, axis=1), io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG")
    return {"label": label, "made_of": made_of, "png": base64.b64encode(file.getvalue()).decode()}


def store(path: Path, results: Iterable[TrialResult]) -> Store:
    """A run with these records, written without waiting for the disk."""
    made = Store.create(path)
    for result in results:
        (made.records / f"{result.trial_id}.json").write_bytes(encoded(result))
    made.compact()
    return Store(path)


def varied(path: Path, labels: Sequence[str] = VARIED, factors: Sequence[float] = (10, 100), embedded: int = 1) -> Store:
    """A run for which every kind of chart can be drawn; ``embedded`` trials have features, pictures and generations."""
    results = run(labels, factors, 2)
    figures = dict.fromkeys(("test_recall", "test_precision", "pseudo_recall", "pseudo_precision"), [0.5] * 10)
    kept = {
        "pictures": [picture()],
        "embedding": [[float(c), c % 3.0, c] for c in range(10)],
        "generations": [{"round": number, **figures, "taken": [number] * 10} for number in (0, 1)],
    }
    made = store(path, [*(dataclasses.replace(r, **kept) for r in results[:embedded]), *results[embedded:]])
    ids = {label: tuple(r.trial_id for r in results if r.spec.method.label == label) for label in labels}
    studies = tuple(Confirmed(label, label, 40, 80, 60.0, tuned=ids[label], declared=ids[label]) for label in labels)
    Compared("made_up", labels[0], "acsa", "the same budget", (), studies).write(path)
    return made


def run(labels: Sequence[str], factors: Sequence[float] = (50,), seeds: int = 2, **options: Any) -> list[TrialResult]:
    """Every label on every factor with every seed. Each label is a point of accuracy better than the one before it."""
    return [
        trial(label, seed, factor=factor, recalls=0.6 + 0.01 * place, seconds=1.0 + place, **options)
        for place, label in enumerate(labels)
        for factor in factors
        for seed in range(seeds)
    ]
