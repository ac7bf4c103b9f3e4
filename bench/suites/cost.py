"""What trials will cost: from the seconds of finished ones, otherwise from a calibration of a few steps."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

import lt_core.methods  # noqa: F401  (registers every part: records name theirs, and no suite may have been read)
from bench.records.columns import COLUMN
from bench.records.layout import SECONDS
from bench.records.nested import specs_of
from lt_core import plugins
from lt_core.data.sets import DATASETS
from lt_core.data.unlabelled import semi_sizes
from lt_core.recipes import Recipe
from lt_core.result import OK
from lt_core.spec import DataSpec, TrialSpec
from lt_core.stages import stage_one, stages_of

#: Model, side of its crops, and image set: trials that are alike in these cost the same for the same `work`.
Kind = tuple[str, int, str]
_STEPS = 3  # measured steps of a calibration, after one to warm up
_STEP_SECONDS = 3.0  # about what a step of a calibration may take: of a large network it gets fewer images than a trial's


@dataclass(frozen=True)
class Estimate:
    """Trial seconds, one after another, and where the figure comes from."""

    seconds: float
    measured: int  # trials priced by finished trials of their kind
    calibrated: int  # trials priced by a calibration


def work(spec: TrialSpec) -> float:
    """Images through the network in a trial, as forward passes: three for training (forward, backward), one for evaluation.
    A shared stage one is a trial of its own.
    """
    info = DATASETS[spec.data.dataset]
    sizes, unlabelled = semi_sizes(spec.data, info.train_counts)
    images = info.classes * min(sizes) if spec.method.params["sampling"] == "under" else sum(sizes)
    images = spec.recipe.steps * spec.recipe.batch_size or images
    stages = stages_of(spec)
    evaluations = max(1, -(-stages.epochs(spec) // spec.recipe.curve_step))
    evaluated = info.test_count + spec.data.validation * info.classes + sum(unlabelled)
    return stages.work(spec, images) + evaluations * evaluated


def works(specs: Iterable[TrialSpec]) -> list[float]:
    """The `work` of each of ``specs``; seeds of one trial are of the same work."""
    known: dict[tuple[DataSpec, str, Recipe], float] = {}
    found = []
    for spec in specs:
        key = spec.data, spec.method.label, spec.recipe
        if key not in known:
            known[key] = work(spec)
        found.append(known[key])
    return found


def estimate(specs: Sequence[TrialSpec], frame: pd.DataFrame | None = None) -> Estimate:
    """Price ``specs``. ``frame``: finished trials; those of the same kind set the price."""
    first_stages = {first.trial_id: first for spec in specs if (first := stage_one(spec))}
    priced = [*first_stages.values(), *specs]
    rates = _measured_rates(priced, frame) if frame is not None and specs else {}
    seconds = 0.0
    calibrations: dict[Kind, float] = {}
    for spec, images in zip(priced, works(priced), strict=True):
        kind = _kind(spec)
        if kind not in rates and kind not in calibrations:
            calibrations[kind] = calibrate(spec)
        seconds += images * (rates[kind] if kind in rates else calibrations[kind])
    measured = sum(_kind(spec) in rates for spec in specs)
    return Estimate(seconds, measured, len(specs) - measured)


def _kind(spec: TrialSpec) -> Kind:
    return spec.recipe.model, spec.recipe.crop, spec.data.dataset


def _measured_rates(specs: Sequence[TrialSpec], frame: pd.DataFrame) -> Mapping[Kind, float]:
    """Seconds a unit of `work`, by kind of trial, of the kinds that ``specs`` are of."""
    totals: dict[Kind, list[float]] = defaultdict(lambda: [0.0, 0.0])
    done = frame[frame["status"] == OK]
    done = done[done["model"].isin([s.recipe.model for s in specs]) & done["dataset"].isin([s.data.dataset for s in specs])]
    # Trials that differ in draw and seed alone are of the same work: one of each is asked for it.
    for _, rows in done.groupby(["method", "params", *COLUMN], sort=False, dropna=False):
        (spec,) = specs_of(rows.head(1))
        if plugins.missing(spec.versions):  # only its file knows what it takes
            continue
        total = totals[_kind(spec)]
        total[0] += float(rows[list(SECONDS)].sum(axis=None))
        first = stage_one(spec)
        total[1] += len(rows) * (work(spec) + (work(first) if first else 0))
    return {kind: seconds / done for kind, (seconds, done) in totals.items()}


def calibrate(spec: TrialSpec) -> float:
    """Seconds a unit of `work`, from a few training steps of the model on noise; needs no data, and no weights."""
    import torch

    from lt_core.data.loader import Images, Split
    from lt_core.methods import resolve
    from lt_core.models import seen_shape
    from lt_core.pretrained.weights import left_out
    from lt_core.training.loop import Training
    from lt_core.training.runtime import Runtime

    runtime = Runtime()
    runtime.prepare()
    device, info = runtime.torch_device(), DATASETS[spec.data.dataset]
    shape = seen_shape(spec.recipe.model, info.image_shape)

    def seconds(batch: int, steps: int) -> float:
        """Of an image, in ``steps`` of plain training: what a method costs beyond that is part of its work."""
        labels = torch.arange(batch * steps, device=device) % info.classes
        noise = Images(torch.randint(0, 256, (len(labels), *shape), dtype=torch.uint8, device=device), labels)
        counts = torch.full((info.classes,), float(len(labels) / info.classes), dtype=torch.float64, device=device)
        recipe = replace(spec.recipe, steps=steps, batch_size=batch, micro_batch=0)
        plain = replace(spec, method=resolve("softmax"), recipe=recipe)
        training = Training(plain, Split(noise, noise, noise, counts, shape), device)
        start = time.perf_counter()
        training.run_epoch()
        each = (time.perf_counter() - start) / training.images_seen
        del training
        gc.collect()  # it holds itself: of 27 cells with ResNets 10 GB would stay
        return each

    with left_out():
        few = min(2, spec.recipe.batch_size)
        seconds(few, 1)
        batch = max(few, min(spec.recipe.batch_size, int(_STEP_SECONDS / seconds(few, 1))))
        seconds(batch, 1)  # warm up
        return seconds(batch, _STEPS) / 3.0
