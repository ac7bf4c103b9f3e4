"""One trial from spec to result, with its failures told instead of raised."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lt_core.data.loader import load_split
from lt_core.result import DIVERGED, FAILED, OOM, TIMEOUT, TrialResult
from lt_core.spec import TrialSpec
from lt_core.training import checkpoint
from lt_core.training.evaluate import Evaluation, curve_row, evaluate
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime, describe


@dataclass(frozen=True)
class Progress:
    """How far a trial is."""

    epoch: int  # finished epochs
    epochs: int


#: How torch tells of memory that ran out where it raises a plain RuntimeError: on the host, and in cuBLAS or cuDNN.
_NO_MEMORY = ("can't allocate memory", "ALLOC_FAILED")


class Stopped(Exception):
    """A trial that ends early for a reason of its own."""

    def __init__(self, status: str, cause: str) -> None:
        super().__init__(cause)
        self.status = status


def run_trial(spec: TrialSpec, runtime: Runtime | None = None) -> TrialResult:
    """Train and evaluate ``spec``. Never raises for what happens inside the trial: see the result's status."""
    *_, result = trial_steps(spec, runtime or Runtime())
    assert isinstance(result, TrialResult)
    return result


def trial_steps(spec: TrialSpec, runtime: Runtime) -> Iterator[Progress | TrialResult]:
    """`run_trial` in pieces: a `Progress` after each epoch, at last the `TrialResult`."""
    try:
        yield from _steps(spec, runtime)
    except Stopped as stop:
        yield TrialResult(spec, stop.status, str(stop))
    except (torch.OutOfMemoryError, MemoryError) as error:
        yield TrialResult(spec, OOM, _one_line(error), traceback.format_exc())
    except Exception as error:
        status = OOM if any(words in str(error) for words in _NO_MEMORY) else FAILED
        yield TrialResult(spec, status, _one_line(error), traceback.format_exc())


def _one_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"


class _Clock:
    """Seconds by activity."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"setup": 0.0, "train": 0.0, "evaluate": 0.0}
        self._last = time.perf_counter()

    def add(self, activity: str) -> None:
        now = time.perf_counter()
        self.seconds[activity] += now - self._last
        self._last = now

    def skip(self) -> None:
        """Time since the last `add` was not the trial's: it was waiting to be asked for its next step."""
        self._last = time.perf_counter()


def _steps(spec: TrialSpec, runtime: Runtime) -> Iterator[Progress | TrialResult]:
    clock, recipe = _Clock(), spec.recipe
    runtime.prepare()
    device = runtime.torch_device()
    split = load_split(spec.data, device, runtime.data_dir)
    training = Training(spec, split, device)
    curve: list[dict[str, float]] = []
    images_seen = 0
    resumed_at: list[int] = []  # finished epochs each time that the trial went on from a checkpoint
    path = Path(runtime.checkpoint) if runtime.checkpoint else None
    stored: dict[str, Any] | None = checkpoint.load(path, spec.trial_id) if path else None
    if stored:
        training.restore(stored["training"])
        curve, images_seen = stored["curve"], stored["images_seen"]
        resumed_at = [*stored["resumed_at"], training.epoch]
        clock.seconds.update(stored["seconds"])
    clock.add("setup")
    saved = time.perf_counter()

    test: Evaluation | None = None
    validation: Evaluation | None = None
    while training.epoch < recipe.epochs:
        loss = training.run_epoch()
        images_seen += training.images_seen
        clock.add("train")
        if not math.isfinite(loss):
            raise Stopped(DIVERGED, f"training loss became {loss} in epoch {training.epoch} of {recipe.epochs}")
        last = training.epoch == recipe.epochs
        if last or training.epoch % recipe.curve_step == 0:
            test = evaluate(training, split.test)
            if not test.finite:  # the step after the last loss can still blow up
                raise Stopped(DIVERGED, f"predictions are not finite after epoch {training.epoch} of {recipe.epochs}")
            validation = evaluate(training, split.validation) if len(split.validation) else None
            curve.append(curve_row(training.epoch, loss, test, validation))
            clock.add("evaluate")
        if path and not last and time.perf_counter() - saved > runtime.checkpoint_every:
            state = {"training": training.state(), "curve": curve, "images_seen": images_seen, "seconds": clock.seconds}
            checkpoint.save(path, spec.trial_id, {**state, "resumed_at": resumed_at})
            saved = time.perf_counter()
        if runtime.time_limit and not last and sum(clock.seconds.values()) > runtime.time_limit:
            raise Stopped(TIMEOUT, f"over the limit of {runtime.time_limit:g} s in epoch {training.epoch} of {recipe.epochs}")
        yield Progress(training.epoch, recipe.epochs)
        clock.skip()

    assert test is not None
    yield TrialResult(
        spec,
        train_counts=[int(n) for n in split.counts.tolist()],
        confusion=test.confusion.tolist(),
        calibration=test.calibration.tolist(),
        validation_confusion=validation.confusion.tolist() if validation else [],
        curve=curve,
        seconds=clock.seconds,
        images_per_second=images_seen / clock.seconds["train"],
        environment={
            **describe(runtime, training.dtype),
            "data_fingerprint": split.fingerprint,
            "subset_fingerprint": split.subset_fingerprint,
            "resumed_at": resumed_at,
        },
    )
