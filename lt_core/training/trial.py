"""One trial from spec to result, with failures reported instead of raised."""

from __future__ import annotations

import atexit
import copy
import gc
import math
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

import lt_core.methods  # noqa: F401  (registers every part, those of other packages too)
from lt_core.data.loader import Split
from lt_core.data.trial_images import draw_images
from lt_core.errors import in_a_line
from lt_core.frozen.label import Frozen
from lt_core.generation.scores import Judge
from lt_core.interruption import asked_before_steps, before_step
from lt_core.predictions import Kept
from lt_core.predictions import save as save_predictions
from lt_core.protocols import Trainable, TrainableClassifier
from lt_core.result import DIVERGED, FAILED, OOM, TIMEOUT, TrialResult
from lt_core.side_file import PREDICTIONS, WEIGHTS, SideFile
from lt_core.spec import TrialSpec
from lt_core.stages.base import Stage, StageContext, extra_images, stages_of
from lt_core.stages.checking import check_divisible, check_trial
from lt_core.trained import save as save_weights
from lt_core.training import checkpoint
from lt_core.training.diagnosis import diagnose
from lt_core.training.embedding import embedding
from lt_core.training.evaluate import Evaluation, curve_row, evaluate
from lt_core.training.judging import judge
from lt_core.training.loop import Training
from lt_core.training.ranks import led
from lt_core.training.runtime import Runtime, autocast_dtype, describe, kind_of_device, out_of_memory
from lt_core.training.team import current


@dataclass(frozen=True)
class Progress:
    """How far a trial is."""

    epoch: int  # finished epochs
    epochs: int
    point: Mapping[str, float] | None = field(default=None, compare=False)  # of the learning curve, if one was just measured


class Stopped(Exception):
    """A trial ends early, for the given reason."""

    def __init__(self, status: str, cause: str) -> None:
        super().__init__(cause)
        self.status = status


def run_trial(spec: TrialSpec, runtime: Runtime | None = None) -> TrialResult:
    """Train and evaluate ``spec``. Never raises for what happens inside the trial: see the result's status.

    >>> import dataclasses
    >>> from lt_core.methods import resolve
    >>> from lt_core.recipes import RECIPES
    >>> from lt_core.spec import DataSpec
    >>> hasty = dataclasses.replace(RECIPES["digits"], epochs=2, lr=1e12)
    >>> result = run_trial(TrialSpec(DataSpec("digits", n_max=20), resolve("softmax"), hasty), Runtime(device="cpu"))
    >>> result.status, result.cause  # doctest: +ELLIPSIS
    ('diverged', 'training loss became ... in epoch ... of 2')
    """
    *_, result = trial_steps(spec, runtime or Runtime())
    assert isinstance(result, TrialResult)
    return result


def trial_steps(spec: TrialSpec, runtime: Runtime) -> Iterator[Progress | TrialResult]:
    """`run_trial` in pieces: a `Progress` after each epoch, finally the `TrialResult`."""
    yield from steps_alone(spec, runtime) if runtime.ranks == 1 else led(steps_alone, spec, runtime)


def steps_alone(spec: TrialSpec, runtime: Runtime) -> Iterator[Progress | TrialResult]:
    """`trial_steps` for one process, which may be one of several that train the trial together."""
    clock, ended = _Clock(), None
    try:
        yield from _Trial(spec, runtime, clock).steps()
    except Stopped as stop:
        ended = TrialResult(spec, stop.status, str(stop), seconds=clock.seconds)
    except Exception as error:
        status = OOM if out_of_memory(error) else FAILED
        ended = TrialResult(spec, status, in_a_line(error), traceback.format_exc(), seconds=clock.seconds)
    finally:
        _let_go(ended)
    if ended is not None:  # only now, since the error held on to all that the trial had in memory
        yield ended


def _let_go(ended: TrialResult | None) -> None:
    """Free the memory of a finished trial; ``ended``: its result, if it failed."""
    # A training and its steps know each other, so that its images would stay until Python looks for such circles: several
    # trials' worth of them, in every worker.
    gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()  # what is imported by now is left out of the next look, which then takes no time instead of 0.17 s
        atexit.register(gc.unfreeze)  # libraries that count what is left at the end would call it a leak
    if ended is not None and ended.status == OOM and torch.cuda.is_initialized():
        with suppress(RuntimeError):  # of a GPU that is lost
            torch.cuda.empty_cache()  # in blocks of the trial's own sizes, of little use to the next one and to other processes


class _Clock:
    """Seconds by activity."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {"setup": 0.0, "train": 0.0, "evaluate": 0.0}
        self._last = time.perf_counter()

    def add(self, activity: str) -> None:
        now = time.perf_counter()
        self.seconds[activity] += now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Seconds of all activities, the one under way included."""
        return sum(self.seconds.values()) + time.perf_counter() - self._last

    def skip(self) -> None:
        """Skip the time since the last `add`, in which the trial was waiting for its next step to be requested."""
        self._last = time.perf_counter()


@dataclass
class _Book:
    """What a trial has done so far; part of its checkpoints."""

    seconds: dict[str, float]
    curve: list[dict[str, float]] = field(default_factory=list)
    images_seen: int = 0
    epochs: int = 0  # finished, of all trainings that are over
    finished: list[dict[str, Any]] = field(default_factory=list)  # state of each training that is over
    rounds: list[dict[str, Any]] = field(default_factory=list)  # diagnosis of each, by the name that checkpoints have
    resumed_at: list[int] = field(default_factory=list)  # finished epochs each time that it went on from a checkpoint


def stage_context(spec: TrialSpec, split: Split, device: torch.device) -> StageContext:
    """What the stages of ``spec`` are made from on these images."""
    return StageContext(spec, split, device, autocast_dtype(spec.recipe.precision, device), Training)


class _Trial:
    """Runs the trainings of a trial epoch by epoch, evaluates them, and records the results."""

    def __init__(self, spec: TrialSpec, runtime: Runtime, clock: _Clock) -> None:
        self.spec, self.runtime, self.clock = spec, runtime, clock
        check_trial(spec)
        runtime.prepare()
        device = runtime.torch_device()
        if runtime.ranks > 1:
            check_divisible(spec, device.type)
        self.images = draw_images(spec.data, device, runtime.data_dir, extra_images(spec), Frozen.of(spec.recipe.model))
        self.split = self.images.split  # all that training is given
        self.stages = stages_of(spec)
        self.context = stage_context(spec, self.split, device)
        first = self.stages.stage_one_of(spec)
        self.epochs = self.stages.epochs(spec) + (first.recipe.epochs if first else 0)
        self.kind = kind_of_device(spec.recipe.precision, device)
        self.path = Path(runtime.checkpoint) if runtime.checkpoint else None
        self.book = _Book(self.clock.seconds)
        self.under_way: dict[str, Any] | None = None  # state of the training that the checkpoint was written in
        stored = checkpoint.load(self.path, spec.trial_id, self.kind) if self.path else None
        if stored:
            self.under_way = stored["training"]
            self.book = _Book(**stored["book"])
            self.clock.seconds = self.book.seconds
            self.book.resumed_at.append(self.book.epochs + stored["training"]["epoch"])
        self.team = current()
        self.writes = self.team is None or self.team.rank == 0
        self.saved = time.perf_counter()
        self.test: Evaluation | None = None
        self.validation: Evaluation | None = None

    def steps(self) -> Iterator[Progress | TrialResult]:
        stage: Stage | None = None
        for number, stage in enumerate(self.stages.trainings(self.context)):
            self.clock.add("setup")
            if number < len(self.book.finished):
                stage.training.restore(self.book.finished[number])
                continue
            if stage.shared_as and self.runtime.stages:
                name = f"{stage.shared_as.trial_id}.{self.kind}"  # each kind of device has a stage of its own
                # Of several processes one holds the file: the others would wait for it, and it for them.
                with checkpoint.held(Path(self.runtime.stages), name, self.writes) as file:
                    self.clock.skip()  # waiting for another trial to train it
                    yield from self._shared(stage, stage.shared_as.trial_id, file)
            else:
                yield from self._train(stage)
            self.book.finished.append(copy.deepcopy(stage.training.state()))  # a later stage may go on with the same weights
            self.book.epochs += stage.training.epochs
            if self.images.hidden is not None:
                self.book.rounds.append(diagnose(stage.classifier, self.split, self.images.hidden, len(self.book.rounds)))
                self.clock.add("evaluate")
        assert stage is not None
        yield self._result(stage)

    def _shared(self, stage: Stage, trial_id: str, file: Path) -> Iterator[Progress]:
        """Take the training from ``file``, or train it and leave it there. The book then stands as if trained here."""
        stored = checkpoint.load(file, trial_id, self.kind) if self.writes else None
        stored = self.team.agree(stored) if self.team else stored
        if stored is None:
            yield from self._train(stage)
            if not self.writes:
                return
            done = {"curve": self.book.curve, "images_seen": self.book.images_seen, "seconds": self.clock.seconds}
            checkpoint.save(file, trial_id, self.kind, {"training": stage.training.state(), **done})
            return
        stage.training.restore(stored["training"])
        self.under_way = None
        self.book.curve, self.book.images_seen = stored["curve"], stored["images_seen"]
        for activity in ("train", "evaluate"):
            self.clock.seconds[activity] = stored["seconds"][activity]

    def _train(self, stage: Stage) -> Iterator[Progress]:
        training = stage.training
        if self.under_way:
            training.restore(self.under_way)
            self.under_way = None
        if not training.epochs and stage.evaluate:
            self._evaluate(stage.classifier, math.nan)
        in_time = partial(self._in_time, training, self.runtime.time_limit) if self.runtime.time_limit else None
        while training.epoch < training.epochs:
            with asked_before_steps(in_time):
                before_step()  # a training of a plug-in file may not ask
                loss = training.run_epoch()
            self.book.images_seen += training.images_seen
            self.clock.add("train")
            last = training.epoch == training.epochs
            if not math.isfinite(loss):
                raise Stopped(DIVERGED, f"training loss became {loss} in epoch {self._epoch(training)} of {self.epochs}")
            measured = stage.evaluate and (last or training.epoch % stage.classifier.recipe.curve_step == 0)
            if measured:
                self._evaluate(stage.classifier, loss)
            self._save(training, last)
            yield Progress(self._epoch(training), self.epochs, self.book.curve[-1] if measured else None)
            self.clock.skip()

    def _in_time(self, training: Trainable, limit: float) -> None:
        """Asked before each step; what follows the last one is always finished, and its figures are kept."""
        if self.clock.total > limit:
            self.clock.add("train")
            raise Stopped(TIMEOUT, f"exceeded the limit of {limit:g} s in epoch {self._epoch(training) + 1} of {self.epochs}")

    def _epoch(self, training: Trainable) -> int:
        return self.book.epochs + training.epoch

    def _evaluate(self, training: TrainableClassifier, loss: float) -> None:
        keep = bool(self.runtime.predictions)
        self.test = evaluate(training, training.split.test, keep)
        if not self.test.finite:  # the step after the last loss can still blow up
            raise Stopped(DIVERGED, f"predictions are not finite after epoch {self._epoch(training)} of {self.epochs}")
        held_out = training.split.validation
        self.validation = evaluate(training, held_out, keep) if len(held_out) else None
        self.book.curve.append({**curve_row(self._epoch(training), loss, self.test, self.validation), **training.reported})
        self.clock.add("evaluate")

    def _save(self, training: Trainable, last: bool) -> None:
        if self.path and self.writes and not last and time.perf_counter() - self.saved > self.runtime.checkpoint_every:
            state = {"training": training.state(), "book": vars(self.book)}
            checkpoint.save(self.path, self.spec.trial_id, self.kind, state)
            self.saved = time.perf_counter()

    def _result(self, stage: Stage) -> TrialResult:
        training = stage.classifier
        if self.test is None:  # the last training was over when the trial was taken up again, or another trial's
            self._evaluate(training, math.nan)
            self.book.curve.pop()
        assert self.test is not None
        confusion, class_counts = self.test.recorded()
        validation_confusion, validation_class_counts = self.validation.recorded() if self.validation else ([], {})
        return TrialResult(
            self.spec,
            train_counts=[int(n) for n in self.split.counts.tolist()],
            confusion=confusion,
            class_counts=class_counts,
            calibration=self.test.calibration.tolist(),
            class_calibration=self.test.class_calibration(),
            validation_confusion=validation_confusion,
            validation_class_counts=validation_class_counts,
            curve=self.book.curve,
            generations=self.book.rounds,
            embedding=embedding(training, training.split.test) if self.runtime.embed else [],
            pictures=stage.pictures(self._judge) if self.runtime.embed and stage.pictures else [],
            seconds=self.clock.seconds,
            images_per_second=self.book.images_seen / self.clock.seconds["train"],
            environment={
                **describe(self.runtime, training.dtype),
                "data_fingerprint": self.images.fingerprint,
                "subset_fingerprint": self.images.subset_fingerprint,
                **({"features_fingerprint": self.images.features} if self.images.features else {}),
                "resumed_at": self.book.resumed_at,
                **({"chosen": stage.chosen} if stage.chosen else {}),
                **self._left(PREDICTIONS, self.runtime.predictions, self._save_predictions),
                **self._left(WEIGHTS, self.runtime.weights, partial(save_weights, self.spec, stage)),
            },
        )

    def _judge(self) -> Judge:
        return judge(self.spec, self.runtime, self.kind, self.context.make_training, self.context.device)

    def _save_predictions(self, path: Path) -> str:
        assert self.test is not None
        return save_predictions(path, Kept(self.test.predictions(), self.validation.predictions() if self.validation else None))

    def _left(self, kind: SideFile, folder: str | None, save: Callable[[Path], str]) -> dict[str, str]:
        """What the record says of a file that ``save`` leaves beside it. A full disk costs the file, not the trial."""
        if not folder:
            return {}
        path = kind.path(folder, self.spec.trial_id)
        try:
            return {kind.name: save(path)}
        except OSError as error:
            warnings.warn(f"no {kind.name} are written to {path}: {error}", stacklevel=2)
            return {}
